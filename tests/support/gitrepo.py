"""A git repository with epics in it, in which tests run git and epicvc."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from support.repos import Result

needs_git = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")

CONFIG = '[files]\ndir = "epics"\n'


def epic(key: object = 5, **fields: Any) -> dict[str, Any]:
    """Return an epic as a file has it."""
    return {"id": key, "name": "Search", "goals": ["Find", "Fetch"], **fields}


def task(key: str, **fields: Any) -> dict[str, Any]:
    """Return a task of an epic."""
    return {"id": key, "title": f"Task {key}", **fields}


class GitRepo:
    """A git repository with the configuration of an epic repo.

    Args:
        root: the top of its work tree.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    @classmethod
    def made(cls, root: Path, *, config: str = CONFIG) -> GitRepo:
        """Make a repository with an epic repo's configuration in it, and nothing committed yet."""
        root.mkdir(parents=True, exist_ok=True)
        repo = cls(root)
        repo.git("init", "-q", "-b", "main")
        repo.git("config", "user.name", "planner")
        repo.git("config", "user.email", "planner@localhost")
        repo.write("epicvc.toml", config)
        (root / "epics").mkdir()
        return repo

    def run_git(self, *arguments: str, **environment: str) -> Result:
        """Run git."""
        return self._run(["git", *arguments], environment)

    def git(self, *arguments: str) -> str:
        """Run git, which must succeed. Returns its output."""
        done = self.run_git(*arguments)
        assert done.code == 0, (arguments, done)
        return done.out

    def epicvc(self, *arguments: str, at: str = ".", **environment: str) -> Result:
        """Run epicvc in a process of its own."""
        return self._run([sys.executable, "-m", "epicvc", *arguments], environment, at)

    def _run(self, words: list[str], environment: Mapping[str, str], at: str = ".") -> Result:
        import os

        done = subprocess.run(
            words,
            cwd=self.root / at,
            env={**os.environ, **environment},
            capture_output=True,
            encoding="utf-8",
            errors="surrogateescape",
            timeout=120,
        )
        return Result(done.returncode, done.stdout, done.stderr)

    def path(self, name: str) -> Path:
        """Return the path of a file, given from the top."""
        return self.root / name

    def write(self, name: str, content: object) -> None:
        """Write a file: text and bytes as they are, anything else as JSON with two spaces."""
        target = self.path(name)
        target.parent.mkdir(parents=True, exist_ok=True)
        if not isinstance(content, str | bytes):
            content = json.dumps(content, indent=2) + "\n"
        target.write_bytes(content if isinstance(content, bytes) else content.encode())

    def read(self, name: str) -> Any:
        """Return the value of a JSON file."""
        return json.loads(self.path(name).read_bytes())

    def commit(self, message: str = "commit") -> None:
        """Commit everything in the work tree, past all hooks."""
        self.git("add", "-A")
        self.git("commit", "-q", "--no-verify", "-m", message)

    def edit(self, name: str, old: str, new: str) -> None:
        """Replace a text in a file, which must have it."""
        text = self.path(name).read_bytes().decode()
        assert old in text
        self.write(name, text.replace(old, new))
