"""The token of what a write transaction left."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from epicvc.database.sqlite import backend as module
from epicvc.database.sqlite.backend import SQLiteBackend


@pytest.fixture
def backend(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SQLiteBackend:
    monkeypatch.setattr(module, "_WORTH_WAITING", 0)
    path = tmp_path / "app.db"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, a)")
    connection.close()
    return SQLiteBackend(path, timeout=0.1)


def _write(backend: SQLiteBackend) -> None:
    with backend.write() as writer:
        list(writer.execute("INSERT INTO t (a) VALUES (1)"))
        writer.commit()


def test_the_token_stands_for_what_was_written(backend: SQLiteBackend) -> None:
    _write(backend)
    token = backend.token_left()
    assert token is not None
    assert token == backend.token()
    backend.close()
    assert token == backend.token()


def test_no_token_when_somebody_wrote_afterwards(backend: SQLiteBackend) -> None:
    _write(backend)
    with closing(sqlite3.connect(backend.display)) as other, other:
        other.execute("INSERT INTO t (a) VALUES (2)")
    other.close()
    assert backend.token_left() is None


def test_no_token_while_somebody_keeps_everyone_out(backend: SQLiteBackend) -> None:
    _write(backend)
    other = sqlite3.connect(backend.display, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    assert backend.token_left() is None
    other.execute("ROLLBACK")
    other.close()


def test_no_token_without_a_commit_or_without_the_file(backend: SQLiteBackend) -> None:
    with backend.write() as writer:
        list(writer.execute("INSERT INTO t (a) VALUES (1)"))
    assert backend.token_left() is None
    _write(backend)
    Path(backend.display).unlink()
    assert backend.token_left() is None
