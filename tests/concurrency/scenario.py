"""Makes the repos of a concurrent run, runs it, and checks it."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from support.database import make_database
from support.epics import write_epics
from support.guard import ROOT

from concurrency.checker import Checker
from concurrency.clients import run_forked
from concurrency.history import History

EDITOR_EPIC = {"epic": {"id": "77", "name": "Edited by hand", "summary": "nothing yet", "tasks": []}}
SHARED = "EPICVC_DATABASE_URL"


@dataclass
class Scenario:
    """A run.

    Attributes:
        directory: where everything lies.
        repos: how many repos share the database.
        journal: the database's journal mode.
        seed: what makes the run another one.
        form: how epicvc is broken, or otherwise another.
        clients: by name.
    """

    directory: Path
    repos: int = 1
    journal: str = "WAL"
    seed: int = 0
    form: str = "as it is"
    clients: dict[str, dict[str, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Make the repos."""
        self.database = self.directory / "framework.db"
        self.roots = [self.directory / f"repo{number}" for number in range(self.repos)]
        os.environ[SHARED] = f"sqlite:///{self.database}"
        make_database(self.database)
        with closing(sqlite3.connect(self.database)) as connection, connection:
            connection.execute(f"PRAGMA journal_mode={self.journal}")
        connection.close()
        for root in self.roots:
            write_epics(root / "epics")
            (root / "epics" / "by_hand.json").write_text(json.dumps(EDITOR_EPIC, indent=2))
            for words in ("init", "sync", "checkpoint start"):
                code, _, err = run_forked(root, words.split())
                assert code == 0, err

    def add(self, kind: str, count: int = 1, *, repo: int = 0, **spec: Any) -> None:
        """Add clients of a kind."""
        for _ in range(count):
            name = f"{kind}{len(self.clients)}"
            root = str(self.roots[repo])
            self.clients[name] = {"kind": kind, "root": root, "seed": self.seed, "database": str(self.database), **spec}

    def run(self, timeout: float) -> Checker:
        """Run all clients to their end and give what checks the outcome."""
        specification = self.directory / "specification.json"
        specification.write_text(json.dumps({"clients": self.clients, "form": self.form}))
        done = subprocess.run(
            [sys.executable, "-m", "concurrency.driver", str(specification)],
            env={**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests'}"},
            capture_output=True,
            text=True,
            timeout=timeout,
        )
        assert done.returncode == 0, done.stderr
        return Checker(History.read(self.directory / "history"), self.roots, self.database)

    def remove(self) -> None:
        """Remove what the run made."""
        shutil.rmtree(self.directory)
