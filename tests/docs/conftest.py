"""A place where documented commands run: a directory of its own with the demo's epics and an ``epicvc`` on the path."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.docs.console import SHIM, SQLITE_SHIM, Shell

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    """A shell in an empty directory that holds ``demo/epics``, as a clone of the project does."""
    home = tmp_path / "work"
    shutil.copytree(ROOT / "demo" / "epics", home / "demo" / "epics")
    tools = tmp_path / "bin"
    tools.mkdir()
    _script(tools / "epicvc", SHIM.format(python=sys.executable))
    if shutil.which("sqlite3") is None:
        _script(tools / "sqlite3", SQLITE_SHIM.format(python=sys.executable))
    environment = {
        "PATH": f"{tools}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
        "PYTHONPATH": str(ROOT),
        "HOME": str(tmp_path),
        "LC_ALL": "C.UTF-8",
        "NO_COLOR": "1",
        "EPICVC_AUTHOR": "planner",
        "TZ": "UTC",
        "TMPDIR": str(tmp_path),
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_AUTHOR_NAME": "planner",
        "GIT_AUTHOR_EMAIL": "planner@localhost",
        "GIT_COMMITTER_NAME": "planner",
        "GIT_COMMITTER_EMAIL": "planner@localhost",
    }
    return Shell(home, environment)


@pytest.fixture
def document() -> Callable[[str], str]:
    """A function that reads a document of the project."""
    return lambda name: (ROOT / name).read_text(encoding="utf-8")


def _script(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")
    path.chmod(0o755)
