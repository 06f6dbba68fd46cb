"""What a bug leaves: a report in the store's directory that says where it was, and nothing of the plans."""

from __future__ import annotations

import json
import os
import re
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from support.guard import ROOT
from support.repos import EpicRepo

from epicvc import __version__
from epicvc.cli.crash import KEPT, MAX_CHARACTERS, _save, report_of, shown_words

SECRET = "what the plan says"


class Oops(Exception):
    """A bug."""


def inject(monkeypatch: pytest.MonkeyPatch, place: str = "epicvc.actions.history.status.read_status") -> None:
    """Put a bug into the program whose texts hold a value."""

    def broken(*_: object, **__: object) -> None:
        value = SECRET
        try:
            {}[value]
        except KeyError as error:
            raise Oops(f"no {value}\nTraceback: forged") from error

    monkeypatch.setattr(place, broken)


def crashes(repo: EpicRepo) -> list[Path]:
    return sorted((repo.root / ".epicvc" / "crashes").glob("*"))


def test_a_report_says_where_and_nothing_of_the_plans(made: EpicRepo, monkeypatch: pytest.MonkeyPatch) -> None:
    inject(monkeypatch)
    said = made.run("status", "--db", "postgresql://me:hunter2@127.0.0.1/plans", "--color=never")
    said = made.run("status", "--color=never")
    assert said.code == 70
    path = crashes(made)[-1]
    first, hint = said.err.splitlines()
    assert first == rf"epicvc: internal error: Oops: no {SECRET}\nTraceback: forged; see {path}"
    assert hint == "  hint: please report it with that file, which has no values of your plans"
    text = path.read_text("utf-8")
    assert SECRET not in text
    assert f"epicvc {__version__}, Python {sys.version.split()[0]}, SQLite " in text
    assert re.search(r"^command: epicvc .*status --color=…$", text, re.MULTILINE)
    last = made.json("op", "log")["operations"][0]
    assert f"last operation: {last['id']}, {last['command']}" in text
    assert "in broken" in text
    assert re.search(r"^KeyError \(its text is left out\)$", text, re.MULTILINE)
    assert re.search(r"^\S*test_bug_reports\.Oops \(its text is left out\)$", text, re.MULTILINE)
    assert "\nwhich was the cause of\n" in text
    assert (stat.S_IMODE(path.stat().st_mode), stat.S_IMODE(path.parent.stat().st_mode)) == (0o600, 0o700)
    made.ok("fsck")
    made.ok("gc")


def test_machine_output_names_it_too(made: EpicRepo, monkeypatch: pytest.MonkeyPatch) -> None:
    inject(monkeypatch)
    said = made.run("status", "--json")
    assert (said.code, said.err) == (70, "")
    assert json.loads(said.out)["message"].endswith(f"see {crashes(made)[0]}")


def test_the_operation_is_named(made: EpicRepo, monkeypatch: pytest.MonkeyPatch) -> None:
    made.rewrite("1", lambda body: body.update(name=SECRET))
    inject(monkeypatch, "epicvc.actions.sync.work.recapture")
    with made.unchanged():
        assert made.run("sync", "-m", SECRET).code == 70
    text = crashes(made)[0].read_text("utf-8")
    assert re.search(r"^in operation [0-9a-f]{32}, sync$", text, re.MULTILINE)
    assert SECRET not in text
    assert "sync -m …" in text


def test_only_so_many_stay(made: EpicRepo, monkeypatch: pytest.MonkeyPatch) -> None:
    inject(monkeypatch)
    assert made.run("status").code == 70
    (kept,) = crashes(made)
    for number in range(KEPT + 3):
        (kept.parent / f"20200101T00000000000{number % 10}Z-{number}.txt").write_text("old")
    (kept.parent / "mine.md").write_text("a note")
    assert made.run("status").code == 70
    names = [path.name for path in crashes(made)]
    assert len(names) == KEPT + 1
    assert {kept.name, "mine.md"} <= {*names}


@pytest.mark.parametrize("target", ["directory", "crashes", "store"])
def test_links_are_not_followed(made: EpicRepo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, target: str) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    private = made.root / ".epicvc"
    inject(monkeypatch)
    if target == "crashes":
        (private / "crashes").symlink_to(outside)
    elif target == "directory":
        shutil.move(private, outside / "store")
        private.symlink_to(outside / "store")
    else:
        shutil.move(private / "store.db", outside / "store.db")
        (private / "store.db").symlink_to(outside / "store.db")
    said = made.run("status")
    assert (said.code, "see " in said.err) == (5, False)  # such a store is not used at all
    assert not list(outside.rglob("*.txt"))


def test_nor_is_one_that_was_put_there_meanwhile(made: EpicRepo, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (made.root / ".epicvc" / "crashes").symlink_to(tmp_path / "outside")
    with pytest.raises(OSError, match="crashes"):
        _save(made.root, "text")
    assert not list((tmp_path / "outside").iterdir())


def test_without_a_store_of_the_users_none_is_written(
    made: EpicRepo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inject(monkeypatch, "epicvc.actions.care.checking.fsck")
    monkeypatch.setenv("EPICVC_STATE_DIR", str(tmp_path / "others"))  # where it is not listed
    said = made.run("fsck")
    assert (said.code, crashes(made)) == (70, [])
    assert "hint: please report it with the output of EPICVC_DEBUG=1" in said.err


def test_a_command_that_starts_fast_leaves_one(made: EpicRepo) -> None:
    probe = (
        "import sys; sys.argv = ['epicvc', 'status', '--porcelain']; import epicvc.cli.output.porcelain as place\n"
        "def broken(): raise RuntimeError('bug')\n"
        "place.porcelain_status = broken\n"
        "from epicvc.__main__ import main; sys.exit(main())"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", probe], cwd=made.root, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 70
    (path,) = crashes(made)
    assert f"see {path}" in done.stderr
    assert "command: epicvc status --porcelain" in path.read_text("utf-8")


def test_a_report_that_cannot_be_written_hides_nothing(made: EpicRepo, monkeypatch: pytest.MonkeyPatch) -> None:
    inject(monkeypatch)
    (made.root / ".epicvc" / "crashes").write_text("in the way")
    said = made.run("status")
    assert (said.code, "internal error: Oops" in said.err, "see " in said.err) == (70, True, False)


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        ("sync -v", "sync -v"),
        ("commit -m Secret", "commit -m …"),
        ("commit -mSecret", "commit -m…"),
        ("commit --message Secret --json", "commit --message … --json"),
        ("commit --message=Secret", "commit --message=…"),
        ("resolve --set 7:name=Secret", "resolve --set 7:name=…"),
        ("--db postgresql://me:Secret@host/db status", "--db postgresql://… status"),
        ("--db=postgresql://me:Secret@host/db status", "--db=… status"),
        ("status --db host=x\x1bpassword=Secret", "status --db …"),
        ("restore --source HEAD~2 7:tasks/7.1/title", "restore --source HEAD~2 7:tasks/7.1/title"),
    ],
)
def test_what_is_shown_of_a_command_line(words: str, shown: str) -> None:
    assert " ".join(shown_words(words.split(" "))) == shown
    assert " ".join(shown_words(["migrate", "new", "two words", "x" * 101])) == "migrate new … …"


def test_a_traceback_without_end_is_cut(tmp_path: Path) -> None:
    def deeper(left: int) -> None:
        if left:
            (deeper if left % 2 else lambda n: deeper(n))(left - 1)
        raise Oops(SECRET)

    error: BaseException = Oops(SECRET)
    for _ in range(200):
        try:
            try:
                raise error
            except Oops:
                deeper(20)
        except Oops as found:
            error = found
    text = report_of(error, ["status"], tmp_path)
    assert len(text) < MAX_CHARACTERS + 2_000
    assert SECRET not in text
    assert "the store cannot be read: " in text
