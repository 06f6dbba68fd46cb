"""git's merge driver: what git makes of its answers, in merges by git itself."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from support.gitrepo import GitRepo, epic, needs_git, task

from epicvc.errors import InvalidJSON
from epicvc.gitlink.mergedriver import drive, drive_ancestors

PATH = "epics/5.json"
BOM = b"\xef\xbb\xbf"


def raw(**fields: Any) -> bytes:
    return json.dumps(epic(**fields), indent=2).encode()


def branches(repo: GitRepo, ours: Callable[[], None], theirs: Callable[[], None], name: str = "side") -> None:
    """A branch with what ``theirs`` does beside the current one with what ``ours`` does."""
    repo.git("switch", "-q", "-c", name)
    theirs()
    repo.commit("theirs")
    repo.git("switch", "-q", "-")
    ours()
    repo.commit("ours")


@needs_git
def test_edits_of_different_fields_merge_clean_and_keep_the_formatting(installed: GitRepo) -> None:
    def theirs() -> None:
        value = installed.read(PATH)
        value["goals"].append("Return")
        value["tasks"][0]["title"] = "Theirs"
        value["tasks"].append(task("5.3"))
        installed.write(PATH, json.dumps(value))

    text = installed.path(PATH).read_text()
    branches(installed, lambda: installed.write(PATH, text.replace('"Search"', ' "Ours" ')), theirs)
    said = installed.run_git("merge", "--no-edit", "side")
    assert said.code == 0, said
    merged = installed.path(PATH).read_text()
    assert '"name":  "Ours" ,' in merged
    assert installed.read(PATH)["goals"] == ["Find", "Fetch", "Return"]
    assert [found["title"] for found in installed.read(PATH)["tasks"]] == ["Theirs", "Task 5.2", "Task 5.3"]
    assert installed.git("status", "--porcelain") == ""


@needs_git
def test_conflicts_leave_valid_json_and_a_conflicted_path(installed: GitRepo) -> None:
    def theirs() -> None:
        installed.edit(PATH, "Search", "Th\\u001b[2Jeirs")
        installed.edit(PATH, "three", "3")

    branches(installed, lambda: installed.edit(PATH, "Search", "Ours"), theirs)
    said = installed.run_git("merge", "side")
    assert said.code == 1
    assert installed.git("status", "--porcelain") == f"UU {PATH}\n"
    assert (installed.read(PATH)["name"], installed.read(PATH)["summary"]) == ("Ours", "one\ntwo\n3\n")
    assert '  ! 5:name: ours "Ours", theirs "Th\\u001b[2Jeirs"' in said.err
    assert f"`git add {PATH}`" in said.err
    assert "Theirs" not in installed.git("show", f":2:{PATH}")
    assert "eirs" in installed.git("show", f":3:{PATH}")
    # The way on that docs/git.md shows: merge what is in the work tree once more, with theirs in every conflict.
    for stage, name in ((1, "base.json"), (3, "theirs.json")):
        installed.write(name, installed.git("show", f":{stage}:{PATH}"))
    assert installed.epicvc("merge-file", "--prefer", "theirs", PATH, "base.json", "theirs.json").code == 0
    assert (installed.read(PATH)["name"], installed.read(PATH)["summary"]) == ("Th\x1b[2Jeirs", "one\ntwo\n3\n")


@needs_git
def test_both_added(installed: GitRepo) -> None:
    new = "epics/new file.json"
    mine, other = epic(7, summary="S"), epic(7, methodology="M")
    branches(installed, lambda: installed.write(new, mine), lambda: installed.write(new, other))
    assert installed.run_git("merge", "--no-edit", "side").code == 0
    assert installed.read(new) == epic(7, summary="S", methodology="M")


@needs_git
@pytest.mark.parametrize("broken", ["ours", "theirs"])
def test_what_is_no_json_is_a_conflict_and_no_side_is_lost(installed: GitRepo, broken: str) -> None:
    edits = {"ours": "Ours", "theirs": "Theirs"}
    edits[broken] += '", '

    def edit(side: str) -> Callable[[], None]:
        return lambda: installed.edit(PATH, "Search", edits[side])

    branches(installed, edit("ours"), edit("theirs"))
    mine = installed.path(PATH).read_bytes()
    said = installed.run_git("merge", "side")
    assert said.code == 1
    assert installed.git("status", "--porcelain") == f"UU {PATH}\n"
    assert f"{PATH} ({broken}):3:" in said.err
    assert installed.path(PATH).read_bytes() == mine
    assert edits["theirs"] in installed.git("show", f":3:{PATH}")


@needs_git
def test_branches_that_were_merged_crosswise(installed: GitRepo) -> None:
    """Two merge bases, which disagree: the older value is the base, and the branches conflict where they disagree."""
    branches(
        installed, lambda: installed.edit(PATH, "Search", "Ours"), lambda: installed.edit(PATH, "Search", "Theirs")
    )
    first = {name: installed.git("rev-parse", name).strip() for name in ("main", "side")}
    for here, there in (("main", "side"), ("side", "main")):
        installed.git("switch", "-q", here)
        assert installed.run_git("merge", first[there]).code == 1
        installed.commit("merged")  # each branch keeps its own name
    assert len(installed.git("merge-base", "--all", "main", "side").split()) == 2
    installed.git("switch", "-q", "main")
    said = installed.run_git("merge", "side")
    assert said.code == 1
    assert '5:name: ours "Ours", theirs "Theirs"' in said.err


@needs_git
def test_by_the_command_line(tmp_path: Any) -> None:
    repo = GitRepo(tmp_path)
    versions = {"base.json": epic(), "-ours.json": epic(name="Ours"), "theirs.json": epic(goals=[])}
    for name, value in versions.items():
        repo.write(name, value)
    repo.path("-ours.json").chmod(0o640)
    flags = ("-C", str(tmp_path), "merge-driver", "--", "base.json", "-ours.json", "theirs.json", "7", "-x.json")
    said = repo.epicvc(*flags, at="..")
    assert (said.code, said.out, said.err) == (0, "", "")
    assert repo.read("-ours.json") == epic(name="Ours", goals=[])
    assert repo.path("-ours.json").stat().st_mode & 0o777 == 0o640
    repo.write("base.json", "")
    repo.write("ours.json", epic(name="Ours"))
    said = repo.epicvc("merge-driver", "base.json", "ours.json", "theirs.json", "7", "-x.json")
    assert said.code == 1
    assert "-x.json: 2 conflicts; ours stays there" in said.err
    said = repo.epicvc("merge-driver", "/dev/null", "ours.json", "theirs.json", "7", "x\x1b.json")
    assert said.code == 1
    assert "x\\e.json" in said.err
    for option in ((), ("--quiet",)):  # both ways to get there
        repo.write("ours.json", epic(name="Ours"))
        words = ("merge-driver", *option, "--ancestors", "base.json", "ours.json", "theirs.json", "7", "x.json")
        assert repo.epicvc(*words).code == 0
        assert repo.read("ours.json") == {"id": 5}
    assert repo.epicvc("merge-driver", "none", "ours.json", "theirs.json", "7", "x.json").code == 3
    assert repo.epicvc("merge-driver", "base.json", "ours.json").code == 2
    assert repo.epicvc("merge-driver", "base.json", ".", "theirs.json", "7", "x.json").code == 6


def test_crlf_stays() -> None:
    ours = raw(name="Ours").replace(b"\n", b"\r\n")
    merged = drive(ours, raw(), raw(goals=["Find", "Fetch", "Return"]), PATH)
    assert merged.data.count(b"\r\n") == merged.data.count(b"\n") > 5
    assert json.loads(merged.data) == epic(name="Ours", goals=["Find", "Fetch", "Return"])


@pytest.mark.parametrize(
    ("ours", "base", "theirs", "marked"),
    [(True, True, True, True), (True, True, False, False), (False, True, True, False), (False, False, True, True),
     (True, None, False, True), (False, None, True, False)],
)  # fmt: skip
def test_byte_order_marks_are_merged_too(ours: bool, base: bool | None, theirs: bool, marked: bool) -> None:
    def version(has: bool, data: bytes) -> bytes:
        return BOM + data if has else data

    before = b"" if base is None else version(base, raw())
    merged = drive(version(ours, raw(a=1)), before, version(theirs, raw(b=2)), PATH)
    assert not merged.conflicts
    assert merged.data.startswith(BOM) is marked
    assert json.loads(merged.data.removeprefix(BOM)) == epic(a=1, b=2)


def test_shapes_that_are_no_epic() -> None:
    assert drive(b"[1, 2]", b"[1]", b"[0, 1]", PATH).data == b"[0, 1, 2]"
    assert drive(b'{"a": 1}', b"", b'{"b": null}', PATH).data == b'{"a": 1, "b": null}'
    found = drive(b"[1]", b" \n", b"[2]", PATH)
    assert (found.data, [place for place, _ in found.conflicts]) == (b"[1]", [""])


def test_a_base_that_is_no_json_is_not_taken_for_none() -> None:
    with pytest.raises(InvalidJSON, match=r"\(base\)"):
        drive(raw(), b"{", raw(name="Theirs"), PATH)


def test_ancestors() -> None:
    assert json.loads(drive_ancestors(raw(name="A", a=1), raw(), raw(name="B", b=1))) == epic(a=1, b=1)
    assert drive_ancestors(b"[1]", b"[2]", b"{") == b"[2]"
    assert drive_ancestors(b"1", b"", b"2") == b""
