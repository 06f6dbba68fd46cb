"""``merge-file``: three JSON files of any shape, without a repo."""

from __future__ import annotations

import contextlib
import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from support.guard import ROOT
from support.repos import Result

from epicvc.cli.edge import run_application

BASE = """{
    "name": "Plan",   "limits": {"max": 1, "min": 0},
    "steps": [
        "one", "two", "three"
    ],
    "people": [{"id": "a", "role": null}, {"id": "b", "role": "x"}],
    "none": null
}
"""


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    return {name: tmp_path / f"{name}.json" for name in ("ours", "base", "theirs")}


def write(files: dict[str, Path], **texts: str) -> None:
    for name, text in texts.items():
        files[name].write_text(text, encoding="utf-8")


def run(files: dict[str, Path], *flags: str) -> Result:
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = run_application(["merge-file", *flags, *(str(files[name]) for name in ("ours", "base", "theirs"))])
    return Result(code, out.getvalue(), err.getvalue())


def test_what_they_changed_comes_in_and_the_rest_stays_byte_for_byte(files: dict[str, Path]) -> None:
    ours = BASE.replace('"Plan"', '"Our plan"').replace('"one"', '"zero", "one"')
    theirs = json.loads(BASE)
    theirs["limits"]["max"] = 9
    theirs["steps"].append("four")
    theirs["people"][1]["role"] = None
    theirs["new"] = None
    write(files, ours=ours, base=BASE, theirs=json.dumps(theirs))
    assert run(files) == Result(0, "", "")
    merged = files["ours"].read_text(encoding="utf-8")
    value = json.loads(merged)
    assert value["name"] == "Our plan"
    assert value["limits"] == {"max": 9, "min": 0}
    assert value["steps"] == ["zero", "one", "two", "three", "four"]
    assert value["people"] == [{"id": "a", "role": None}, {"id": "b", "role": None}]
    assert value["none"] is None
    assert "new" in value
    assert merged.startswith('{\n    "name": "Our plan",   "limits": {"max": 9, "min": 0},\n')


@pytest.mark.parametrize(
    ("base", "ours", "theirs", "merged"),
    [
        ("[1, 2, 3]", "[0, 1, 2, 3]", "[1, 2, 3, 4]", "[0, 1, 2, 3, 4]"),
        ("1", "1", "2", "2"),
        ('"a"', '"b"', '"a"', '"b"'),
        ("null", "null", "{}", "{}"),
        ("1e400", "1e400", "2e400", "2E+400"),
        ("123456789012345678901", "123456789012345678901", "123456789012345678902", "123456789012345678902"),
        ("[]", "[1]", "[]", "[1]"),
        ('{"a": null}', '{"a": null, "b": 1}', "{}", '{"b": 1}'),
        ('"x\\ny\\nz"', '"X\\ny\\nz"', '"x\\ny\\nZ"', '"X\\ny\\nZ"'),
    ],
)
def test_any_root(files: dict[str, Path], base: str, ours: str, theirs: str, merged: str) -> None:
    write(files, base=base, ours=ours, theirs=theirs)
    said = run(files, "-p")
    assert (said.code, said.out) == (0, merged)
    assert files["ours"].read_text(encoding="utf-8") == ours
    assert run(files).code == 0
    assert files["ours"].read_text(encoding="utf-8") == merged


def test_conflicts_keep_ours_and_valid_json(files: dict[str, Path]) -> None:
    def with_max(number: int) -> str:
        return BASE.replace('"max": 1', f'"max": {number}')

    write(files, base=BASE, ours=with_max(2), theirs=with_max(3).replace('"Plan"', '"Theirs"'))
    dry = run(files, "-n", "--json")
    said = run(files, "--json")
    assert said == dry
    assert said.code == 1
    assert said.value == {
        "format": "epicvc.merge/1",
        "commit": None,
        "merged": 1,
        "conflicts": [{"label": "/limits/max", "base": 1, "ours": 2, "theirs": 3}],
    }
    value = json.loads(files["ours"].read_bytes())
    assert (value["limits"]["max"], value["name"]) == (2, "Theirs")
    write(files, ours=with_max(2))
    said = run(files)
    assert said.code == 1
    assert "/limits/max" in said.err
    for side, expected in (("ours", 2), ("theirs", 3), ("base", 1)):
        write(files, ours=with_max(2))
        assert run(files, "--prefer", side).code == 0
        assert json.loads(files["ours"].read_bytes())["limits"]["max"] == expected


def test_epics_merge_by_the_rules_of_epics(files: dict[str, Path]) -> None:
    def epic(**changes: Any) -> str:
        task = {"id": "1.1", "title": "T", "dependencies": ["b", "a"], "owner": "x"}
        body = {"id": 1, "name": "N", "labels": ["a", "b"], "tasks": [task], **changes}
        return json.dumps({"epic": body, "_metadata": {"by": "me"}}, indent=3)

    theirs = [{"id": "1.1", "title": "T", "dependencies": ["b", "a", "c"], "owner": "y"}, {"id": "1.2", "title": "U"}]
    write(files, base=epic(), ours=epic(name="Ours", labels=["a"]), theirs=epic(labels=["c", "a", "b"], tasks=theirs))
    assert run(files).code == 0
    value = json.loads(files["ours"].read_bytes())
    assert value["epic"]["name"] == "Ours"
    assert sorted(value["epic"]["labels"]) == ["a", "c"]
    assert value["epic"]["tasks"][0] == {"id": "1.1", "title": "T", "dependencies": ["b", "a", "c"], "owner": "y"}
    assert value["epic"]["tasks"][1] == {"id": "1.2", "title": "U"}
    assert value["_metadata"] == {"by": "me"}
    write(files, base=epic(), ours=epic(tasks=[]), theirs=epic(tasks=theirs))
    said = run(files, "--json")
    assert said.code == 1
    assert [found["label"] for found in said.value["conflicts"]] == ["1:tasks/1.1"]


def test_a_task_with_another_id_is_one_task(files: dict[str, Path]) -> None:
    def epic(*tasks: Any) -> str:
        return json.dumps({"id": "1", "name": "N", "tasks": tasks}, indent=2)

    task, user = {"id": "a", "title": "T", "owner": "x"}, {"id": "b", "title": "U", "dependencies": ["a"]}
    edited = {**task, "owner": "y"}
    write(
        files,
        base=epic(task, user),
        ours=epic(edited, user),
        theirs=epic({**task, "id": "z"}, {**user, "dependencies": ["z"]}),
    )
    assert run(files).code == 0
    assert files["ours"].read_text() == epic({**edited, "id": "z"}, {**user, "dependencies": ["z"]})
    write(files, ours=epic({**task, "id": "o"}, {**user, "dependencies": ["o"]}))
    (conflict,) = run(files, "--json").value["conflicts"]
    assert conflict == {"label": "1:tasks/a", "base": "1:tasks/a", "ours": "1:tasks/o", "theirs": "1:tasks/z"}
    assert json.loads(files["ours"].read_bytes())["tasks"][1]["dependencies"] == ["o"]
    assert run(files, "--prefer", "theirs").code == 0
    assert [item["id"] for item in json.loads(files["ours"].read_bytes())["tasks"]] == ["z", "b"]


@pytest.mark.parametrize("base", ["empty", "/dev/null"])
def test_without_a_base_both_have_added_the_file(files: dict[str, Path], base: str) -> None:
    """As git calls it for a file that is new on both sides."""
    write(files, base="", ours='{"a": 1,  "c": [1]}', theirs='{"a": 1, "b": 2}')
    known = {**files, "base": Path(base)} if base != "empty" else files
    assert run(known) == Result(0, "", "")
    assert files["ours"].read_text() == '{"a": 1,  "c": [1],  "b": 2}'
    write(files, ours='{"a": 1}', theirs='{"a": 2}')
    (conflict,) = run(known, "--json").value["conflicts"]
    assert conflict == {"label": "/a", "base": None, "ours": 1, "theirs": 2}
    assert files["ours"].read_text() == '{"a": 1}'
    assert run(known, "--prefer", "base").code == 0
    assert files["ours"].read_text() == "{}"
    write(files, ours="1", theirs="2")
    assert run(known, "--prefer", "base").code == 1  # a file cannot be nothing
    assert run(known, "--prefer", "theirs").code == 0
    assert files["ours"].read_text() == "2"
    epic = {"id": "5", "name": "N", "tasks": [{"id": "1", "title": "T"}]}
    write(files, ours=json.dumps({**epic, "goals": ["x"]}), theirs=json.dumps({**epic, "summary": "S"}))
    assert run(known).code == 0
    assert json.loads(files["ours"].read_bytes()) == {**epic, "goals": ["x"], "summary": "S"}


def test_one_file_three_times(files: dict[str, Path]) -> None:
    write(files, ours=BASE)
    assert run(dict.fromkeys(files, files["ours"])) == Result(0, "", "")
    assert files["ours"].read_text() == BASE


NO_JSON = ["", "{", '{"a": 1, "a": 2}', "NaN", "<<<<<<< ours"]


@pytest.mark.parametrize(
    ("bad", "text"), [(bad, text) for bad in ("ours", "base", "theirs") for text in NO_JSON if text or bad != "base"]
)
def test_what_is_no_json_is_named_and_nothing_is_written(files: dict[str, Path], bad: str, text: str) -> None:
    write(files, **{name: text if name == bad else "{}" for name in files})
    said = run(files)
    assert said.code == 4
    assert f"{bad}.json" in said.err
    assert run(files, "--json").value["exit"] == 4
    assert files["ours"].read_text(encoding="utf-8") == (text if bad == "ours" else "{}")


def test_misuse(files: dict[str, Path], tmp_path: Path) -> None:
    write(files, base="1", ours="1", theirs="2")
    assert run(files, "-p", "--json").code == 2
    assert run(files, "--prefer", "files").code == 2
    assert run({**files, "base": tmp_path / "none.json"}).code == 3
    assert run({**files, "base": tmp_path}).code == 6
    assert files["ours"].read_bytes() == b"1"


def test_a_symlink_and_permissions_stay(files: dict[str, Path], tmp_path: Path) -> None:
    write(files, base="1", theirs="2")
    real = tmp_path / "real.json"
    real.write_bytes(b"1")
    real.chmod(0o640)
    files["ours"].symlink_to(real)
    assert run(files).code == 0
    assert files["ours"].is_symlink()
    assert real.read_bytes() == b"2"
    assert real.stat().st_mode & 0o777 == 0o640


def test_nothing_of_a_repo_is_imported(files: dict[str, Path]) -> None:
    write(files, base="1", ours="1", theirs="2")
    code = (
        "import sys; from epicvc.cli.edge import run_application; run_application(sys.argv[1:]); "
        "print([name for name in sys.modules if name.startswith(('sqlite3', 'epicvc.repo', 'epicvc.store', "
        "'epicvc.database', 'epicvc.actions', 'rich'))])"
    )
    paths = [str(files[name]) for name in ("ours", "base", "theirs")]
    done = subprocess.run(
        [sys.executable, "-c", code, "merge-file", *paths], cwd=ROOT, capture_output=True, text=True, check=True
    )
    # what tells links in the way is all that a place outside of a repo needs of this room
    assert done.stdout.strip() == "['epicvc.repo', 'epicvc.repo.home', 'epicvc.repo.home.ways']"
