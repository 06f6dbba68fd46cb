"""What a command imports before it answers: its start is most of what it costs. No test here is timed."""

from __future__ import annotations

import json
import os
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
    assert imported(made, "--version") <= {"__future__", "gc", "epicvc", "epicvc.__main__"}


def test_help(made: EpicRepo) -> None:
    """Beside the command line library, nothing of what commands work with, and nothing that draws."""
    found = imported(made, "--help")
    assert "typer" in found
    assert not found & {"rich", "json", "hashlib", "sqlite3", "tomllib", "msgspec", "epicvc.jsonio", "epicvc.repo"}


def test_the_script_that_is_installed_imports_nothing_first(made: EpicRepo) -> None:
    script = [sys.executable, "-X", "importtime", str(ROOT / "bin" / "epicvc"), "--version"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    bare = subprocess.run([*script[:3], "-c", "pass"], capture_output=True, text=True, check=True, timeout=60)
    done = subprocess.run(script, env=environment, capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.startswith("epicvc ")
    assert modules_in(done.stderr) - modules_in(bare.stderr) <= {"__future__", "gc", "epicvc", "epicvc.__main__"}


def modules_in(report: str) -> set[str]:
    """The modules in what ``-X importtime`` says."""
    return {line.rsplit("|", 1)[1].strip() for line in report.splitlines()}


def test_status_that_is_remembered(made: EpicRepo) -> None:
    time.sleep(0.12)
    made.process("status", "--porcelain")
    assert not imported(made, "status", "--porcelain") & HEAVY


def test_status_in_earnest(made: EpicRepo) -> None:
    assert not imported(made, "status", "--porcelain") & {"typer", "rich", "holidays", "deepdiff", "difflib"}
