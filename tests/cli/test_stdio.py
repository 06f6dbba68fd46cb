"""Streams that are closed or full, and Ctrl-C at any moment: the right exit code, one line, never a traceback."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from support.guard import ROOT
from support.repos import NO_FACTS, EpicRepo

FULL = Path("/dev/full")

pytestmark = pytest.mark.skipif(not FULL.exists(), reason="this system has no full device")


@pytest.fixture
def repo(tmp_path: Path) -> EpicRepo:
    """One epic, edited since the last sync."""
    repo = EpicRepo(tmp_path / "repo", NO_FACTS)
    repo.directory.mkdir(parents=True)
    (repo.directory / "a.json").write_text(json.dumps({"id": "1", "name": "old"}))
    repo.ok("init", "--db", "framework.db")
    repo.ok("sync")
    (repo.directory / "a.json").write_text(json.dumps({"id": "1", "name": "new"}))
    return repo


def _run(repo: EpicRepo, line: str) -> tuple[int, str]:
    """Run a line of the shell in which ``epicvc`` is the program; gives its code and what it said on stderr."""
    quoted = f"{sys.executable} -m epicvc"
    done = subprocess.run(
        ["sh", "-c", line.replace("epicvc", quoted, 1)],
        cwd=repo.root,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    return done.returncode, done.stderr


def _name(repo: EpicRepo) -> str:
    return str(repo.one("SELECT name FROM framework_epics"))


@pytest.mark.parametrize("streams", ["2>&-", ">&-", "<&- >&- 2>&-", "2>/dev/full", "<&-"])
def test_work_is_done_without_them(repo: EpicRepo, streams: str) -> None:
    assert _run(repo, f"epicvc sync {streams}")[0] == 0
    assert _name(repo) == "new"
    assert repo.json("status")["in_sync"] is True
    assert repo.run("fsck", "--full").code == 0


@pytest.mark.parametrize("buffered", ["", "PYTHONUNBUFFERED=1 "], ids=["buffered", "at once"])
@pytest.mark.parametrize(
    "command", ["--version", "--help", "log", "status", "status --porcelain", "status --json", "nope --json", "sync"]
)
def test_a_full_stdout(repo: EpicRepo, command: str, buffered: str) -> None:
    code, said = _run(repo, f"{buffered}epicvc {command} >/dev/full")
    assert (code, said) == (6, "epicvc: the output cannot be written: No space left on device\n")
    assert _name(repo) == ("new" if command == "sync" else "old")


@pytest.mark.parametrize("command", ["--version", "--help", "log", "status", "status --porcelain", "status --json"])
def test_a_closed_stdout(repo: EpicRepo, command: str) -> None:
    assert _run(repo, f"epicvc {command} >&-") == (0, "")


def test_a_reader_that_goes_away(repo: EpicRepo) -> None:
    assert _run(repo, "epicvc --help | head -1 >/dev/null") == (0, "")


def test_findings_of_a_hook_keep_their_code(repo: EpicRepo) -> None:
    subprocess.run(["git", "init", "-q"], cwd=repo.root, check=True)
    (repo.directory / "bad.json").write_text("{")
    subprocess.run(["git", "add", "-f", "epics"], cwd=repo.root, check=True)
    assert _run(repo, "epicvc hook pre-commit 2>&-")[0] == 4


PRESSING = """
import os, signal, sys
from epicvc.cli import stdio

class Counting:
    at = int(sys.argv.pop(1))

    @classmethod
    def find_spec(cls, *_):
        cls.at -= 1
        if cls.at == 0:
            os.kill(os.getpid(), signal.SIGINT)

begin = stdio.begin

def armed():
    begin()
    sys.meta_path.insert(0, Counting)

stdio.begin = armed
from epicvc.__main__ import run
run()
"""


@pytest.mark.parametrize("command", ["--version", "status", "plan", "status --porcelain"])
def test_ctrl_c_while_modules_are_imported(repo: EpicRepo, command: str) -> None:
    codes = []
    for at in (1, 2, 5, 12, 30, 70, 160, 400):
        done = subprocess.run(
            [sys.executable, "-c", PRESSING, str(at), *command.split()],
            cwd=repo.root,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert "Traceback" not in done.stderr, (at, done.stderr)
        assert done.returncode in (0, 130), (at, done)
        assert (done.returncode == 130) == ("interrupted" in done.stderr)
        codes.append(done.returncode)
    if command in ("status", "plan"):  # the others are over before Ctrl-C would be heard
        assert 130 in codes


def test_json_cannot_steer_a_terminal(repo: EpicRepo) -> None:
    name = "a\x9bm\u202ereversed\u2066 \x7f caf\u00e9 \U0001f600 \u6f22"
    (repo.directory / "a.json").write_text(json.dumps({"id": "1", "name": name}))
    said = repo.ok("diff", "--json")
    assert said.value["changes"][0]["new"] == name
    assert said.out.rstrip("\n").isprintable()
    assert "caf\u00e9 \U0001f600 \u6f22" in said.out
