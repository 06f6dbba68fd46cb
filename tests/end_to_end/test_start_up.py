"""What a command imports before it answers: its start is most of what it costs. No test here is timed."""

from __future__ import annotations

import json
import subprocess
import sys
import time

from support.guard import ROOT
from support.repos import EpicRepo

HEAVY = {
    "typing",
    "re",
    "pathlib",
    "json",
    "dataclasses",
    "inspect",
    "hashlib",
    "sqlite3",
    "tomllib",
    "msgspec",
    "typer",
    "rich",
    "epicvc.errors",
    "epicvc.repo.repository",
}
PROBE = """
import sys
sys.path.insert(0, sys.argv.pop(1))
before = set(sys.modules)
sys.argv[0] = "epicvc"
from epicvc.__main__ import main
code = main()
found = sorted(set(sys.modules) - before)
import json
print(json.dumps([code, found]))
"""


def imported(repo: EpicRepo, *arguments: str) -> set[str]:
    """The modules that a command imports beyond those of the bare interpreter."""
    command = [sys.executable, "-c", PROBE, str(ROOT), *arguments]
    done = subprocess.run(command, cwd=repo.root, capture_output=True, text=True, check=True, timeout=60)
    code, modules = json.loads(done.stdout.splitlines()[-1])
    assert code == 0
    return set(modules)


def test_version(made: EpicRepo) -> None:
    assert imported(made, "--version") <= {"__future__", "epicvc", "epicvc.__main__"}


def test_status_that_is_remembered(made: EpicRepo) -> None:
    time.sleep(0.12)
    made.process("status", "--porcelain")
    assert not imported(made, "status", "--porcelain") & HEAVY


def test_status_in_earnest(made: EpicRepo) -> None:
    assert not imported(made, "status", "--porcelain") & {"typer", "rich", "holidays", "deepdiff", "difflib"}
