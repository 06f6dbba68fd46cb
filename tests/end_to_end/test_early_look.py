"""In a large repo, commands that only look have the files looked at while they import what they work with."""

from __future__ import annotations

import json
import subprocess
import sys
import time

import pytest
from support.guard import ROOT
from support.repos import EpicRepo

#: Runs a command where one file is many, and tells what was looked for early and taken.
PROBE = """
import json, os, sys
sys.path.insert(0, sys.argv.pop(1))
import epicvc.repo.files.earlylook as earlylook
from epicvc.files.scan.early import EarlyLook
earlylook.MANY = 1
earlylook._is_processor_idle = lambda: True
begun, taken = [], []
real_begin, real_take = EarlyLook.begin, EarlyLook.take

def begin(*asked):
    look = real_begin(*asked)
    begun.append(look is not None)
    return look

def take(self, question):
    answer = real_take(self, question)
    taken.append(answer is not None)
    return answer

EarlyLook.begin, EarlyLook.take = begin, take
from epicvc.__main__ import main
sys.argv[0] = "epicvc"
code = main()
try:
    os.waitpid(-1, os.WNOHANG)
    left = True
except ChildProcessError:
    left = False
sys.stderr.write(json.dumps([code, sum(begun), taken, left]))
"""


def run(repo: EpicRepo, *arguments: str) -> tuple[str, int, list[bool]]:
    """What a command says, how many looks it began, and whether what they found was taken."""
    time.sleep(0.03)  # else another command has just written
    command = [sys.executable, "-c", PROBE, str(ROOT), *arguments]
    done = subprocess.run(command, cwd=repo.root, capture_output=True, text=True, check=True, timeout=60)
    code, begun, taken, left = json.loads(done.stderr.splitlines()[-1])
    assert code == 0
    assert not left
    return done.stdout, begun, taken


@pytest.fixture(name="large")
def _large(made: EpicRepo) -> EpicRepo:
    """A repo with a commit before HEAD, and with edits after it."""
    made.ok("sync")
    edit(made, "Sooner")
    made.ok("commit", "-m", "one")
    edit(made, "Later")
    made.sql("UPDATE framework_epics SET summary = 'of two sides'")
    return made


def edit(repo: EpicRepo, name: str) -> None:
    file = repo.directory / repo.facts.path
    value = json.loads(file.read_bytes())
    value.get("epic", value)["name"] = name
    file.write_text(json.dumps(value))


@pytest.mark.parametrize(
    "words", [("diff",), ("diff", "HEAD~1"), ("status",), ("status", "--json"), ("diff", "--json")]
)
def test_the_answer_is_the_same(large: EpicRepo, words: tuple[str, ...]) -> None:
    expected = large.ok(*words).out
    assert run(large, *words) == (expected, 0, [])  # it leaves the note
    assert run(large, *words) == (expected, 1, [True])
    edit(large, "Now")
    changed, *how = run(large, *words)
    assert how == [1, [True]]
    assert changed == large.ok(*words).out


def test_a_comparison_that_needs_no_files(large: EpicRepo) -> None:
    expected = large.ok("diff", "HEAD~1", "HEAD").out
    run(large, "diff")
    assert run(large, "diff", "HEAD~1", "HEAD") == (expected, 1, [])


def test_in_another_directory(large: EpicRepo) -> None:
    expected = large.ok("diff").out
    run(large, "diff")
    large.root.joinpath("below").mkdir()
    assert run(large, "-C", "below", "diff") == (expected, 1, [True])
    large.root.joinpath("link").symlink_to(large.root)
    assert run(large, "-C", "link", "diff") == (expected, 1, [True])


@pytest.mark.parametrize("words", [("commit", "-m", "two"), ("sync", "--dry-run"), ("checkout", "HEAD~1"), ("log",)])
def test_commands_that_may_write_look_when_they_hold_the_lock(large: EpicRepo, words: tuple[str, ...]) -> None:
    run(large, "diff")
    if words[0] == "checkout":
        large.ok("commit", "-m", "two")
    assert run(large, *words)[1:] == (0, [])


def test_caches_that_are_reset(large: EpicRepo) -> None:
    run(large, "diff")
    note = large.root / ".epicvc" / "look.cache"
    assert note.exists()
    large.ok("clean", "cache", "--checksums")
    assert not note.exists()
