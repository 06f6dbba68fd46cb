"""Watches a command while it holds the application's write lock: the functions that run, and the statements."""

from __future__ import annotations

import sqlite3
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from epicvc.database.sqlite import connection as opening
from epicvc.database.sqlite.backend import SQLiteBackend

PACKAGE = str(Path(opening.__file__).parents[2])


@dataclass
class Seen:
    """The functions and statements that ran, over all transactions of a command.

    Attributes:
        locked: how often each function of the package was called with the lock, by name.
        free: how often each was called without the lock, by name.
        statements: the statements that the command itself ran with the lock, without those of triggers.
    """

    locked: Counter[str] = field(default_factory=Counter)
    free: Counter[str] = field(default_factory=Counter)
    statements: list[str] = field(default_factory=list)

    def writes(self, table: str) -> list[str]:
        """Return the statements that write to a table."""
        words = ("INSERT", "UPDATE", "DELETE")
        return [text for text in self.statements if text.startswith(words) and table in text.split(" SET ")[0]]


@contextmanager
def watching(monkeypatch: pytest.MonkeyPatch) -> Iterator[Seen]:
    """Watch the calls of this thread."""
    seen = Seen()
    begin, finish = opening.begin_writing, SQLiteBackend._finish
    writing: list[sqlite3.Connection] = []

    def begin_writing(*arguments: Any, **options: Any) -> sqlite3.Connection:
        connection = begin(*arguments, **options)
        connection.set_trace_callback(traced)
        writing.append(connection)
        return connection

    def traced(text: str) -> None:
        if seen.statements[-1:] != [text]:  # SQLite tells of a statement again for each trigger that it fires
            seen.statements.append(text)

    def finished(backend: SQLiteBackend, connection: sqlite3.Connection, *rest: Any) -> None:
        finish(backend, connection, *rest)
        if connection in writing:
            writing.remove(connection)

    def called(frame: FrameType, event: str, _: object) -> None:
        if event == "call" and frame.f_code.co_filename.startswith(PACKAGE):
            (seen.locked if writing else seen.free)[frame.f_code.co_name] += 1

    with monkeypatch.context() as patch:
        patch.setattr(opening, "begin_writing", begin_writing)
        patch.setattr(SQLiteBackend, "_finish", finished)
        sys.setprofile(called)
        try:
            yield seen
        finally:
            sys.setprofile(None)
