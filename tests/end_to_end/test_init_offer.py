"""``init`` without a database asks whether to make one, at a terminal and nowhere else."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
from support.epics import write_epics
from support.guard import ROOT
from support.repos import EpicRepo

from tests.end_to_end.conftest import MADE_FACTS


def init_at_a_terminal(root: Path, typed: bytes) -> str:
    """Run ``init`` with a terminal for input and messages; what it asked."""
    controller, terminal = pty.openpty()
    try:
        os.write(controller, typed)
        done = subprocess.run(
            [sys.executable, "-m", "epicvc", "init"],
            cwd=root,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdin=terminal,
            stderr=terminal,
            stdout=subprocess.PIPE,
            timeout=60,
        )
        assert done.returncode == 0
        return os.read(controller, 10_000).decode()
    finally:
        os.close(controller)
        os.close(terminal)


@pytest.fixture
def bare(tmp_path: Path) -> EpicRepo:
    """Epics without a database."""
    write_epics(tmp_path / "repo" / "epics")
    return EpicRepo(tmp_path / "repo", MADE_FACTS)


@pytest.mark.parametrize("typed", [b"y\n", b"\n"])
def test_a_database_is_made_when_it_is_wanted(bare: EpicRepo, typed: bytes) -> None:
    assert "no database found; make framework.db with the built-in schema? [Y/n]" in init_at_a_terminal(
        bare.root, typed
    )
    status = bare.json("migrate", "status")
    assert (status["current"], status["pending"]) == ("003", [])
    bare.ok("sync")


@pytest.mark.parametrize("typed", [b"n\n", b"what\n", b"\x04"])
def test_nothing_is_made_otherwise(bare: EpicRepo, typed: bytes) -> None:
    init_at_a_terminal(bare.root, typed)
    assert not bare.database.exists()
    bare.ok("status")


def test_nobody_is_asked_without_a_terminal(bare: EpicRepo) -> None:
    assert "epicvc migrate up --db framework.db" in bare.ok("init").out
    assert not bare.database.exists()
    bare.ok("migrate", "up", "--db", "framework.db")
    assert bare.one("SELECT count(*) FROM schema_migrations") == 4
