"""A database in the memory of the process, without a file and without shortcuts.

It is for tests and trials. It shows what a backend has to do at the least: it has no tokens, marks or images.

Statements are run by SQLite, each transaction in a private connection that nobody else has. A transaction begins with a
copy of the last committed state, and a commit puts its own in place. So a reader never sees what is not committed, and
waits for nobody. The price is a copy of the whole database for each transaction.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Final

from epicvc.base.limits import QUERY_SECONDS
from epicvc.database.shortcuts import Shortcuts
from epicvc.database.sqlite.connection import REPLICATION
from epicvc.database.sqlite.deadline import Limited
from epicvc.database.sqlite.failures import translated
from epicvc.database.sqlite.reader import SQLiteReader
from epicvc.database.sqlite.trust import let_json_through
from epicvc.database.sqlite.writer import SQLiteWriter
from epicvc.errors import DatabaseLocked, DatabaseUnavailable

_MOMENT_NS: Final = 10 * 10**9
"""Nanoseconds by which a database may be older or newer than the moment at which it is said to have been made."""


class MemoryDatabase:
    """One database, which several backends may share.

    Attributes:
        name: its name in messages.
        content: the last committed state as SQLite serialises it, empty at first; ``None`` while there is no database.
        commits: the number of changes of the content.
        made_ns: when it was made, in nanoseconds since 1970.
        writing: held by the one write transaction.
    """

    def __init__(self, name: str = "memory", content: bytes | None = None) -> None:
        self.name = name
        self.content = content
        self.commits = 0
        self.made_ns = time.time_ns()
        self.writing = Lock()

    def put(self, content: bytes | None) -> None:
        """Replace the content."""
        self.content = content
        self.commits += 1


class MemoryBackend:
    """A :class:`~epicvc.database.backend.Backend` for a database in memory.

    Args:
        database: the database.
        ignore: tables that are not captured, as for a file.
        timeout: seconds to wait for another write transaction.
    """

    def __init__(self, database: MemoryDatabase, *, ignore: frozenset[str] = frozenset(), timeout: float = 5.0) -> None:
        self._database = database
        self._ignore = ignore | REPLICATION.keys()
        self._timeout = timeout

    @property
    def display(self) -> str:
        """The database's name."""
        return self._database.name

    @property
    def shortcuts(self) -> Shortcuts | None:
        """None."""
        return None

    @property
    def reads_beside(self) -> bool:
        """Always true: each reader has a copy of its own."""
        return True

    def exists(self) -> bool:
        """Return whether the database was made."""
        return self._database.content is not None

    def create(self) -> bool:
        """Make an empty database where there is none, and return whether one was made."""
        if self.exists():
            return False
        self._database.made_ns = time.time_ns()
        self._database.put(b"")
        return True

    def discard(self, made_ns: int) -> None:
        """Remove the database if it was made at that moment and nothing has been written to it."""
        if self._database.content == b"" and abs(self._database.made_ns - made_ns) < _MOMENT_NS:
            self._database.put(None)

    @contextmanager
    def read(self) -> Iterator[SQLiteReader]:
        """Open a read transaction on a copy of the last committed state."""
        with self._copy() as (connection, version):
            connection.execute("PRAGMA query_only=ON")
            connection.execute("PRAGMA trusted_schema=OFF")
            let_json_through(connection)
            connection.execute("BEGIN")
            yield SQLiteReader(connection, self.display, self._timeout, self._ignore, lambda: version)

    @contextmanager
    def write(
        self, *, as_restore: bool = False, track: bool = True, foreign_keys: bool = True
    ) -> Iterator[SQLiteWriter]:
        """Open a write transaction, which is given up unless the writer commits."""
        if not self._database.writing.acquire(timeout=self._timeout):
            raise DatabaseLocked(self.display, self._timeout)
        try:
            with self._copy() as (connection, version):
                connection.execute(f"PRAGMA foreign_keys={'ON' if foreign_keys and not as_restore else 'OFF'}")
                connection.execute(f"PRAGMA ignore_check_constraints={'ON' if as_restore else 'OFF'}")
                if as_restore:
                    connection.execute("PRAGMA trusted_schema=OFF")
                    let_json_through(connection)
                connection.execute("BEGIN IMMEDIATE")
                writer = _MemoryWriter(
                    connection,
                    self.display,
                    self._timeout,
                    self._ignore,
                    lambda: version,
                    as_restore=as_restore,
                    track=track,
                )
                writer.put = self._database.put
                yield writer
        finally:
            self._database.writing.release()

    @contextmanager
    def _copy(self) -> Iterator[tuple[Limited, object]]:
        """Open a copy of the committed state, and yield it with the state's version."""
        content, version = self._database.content, self._database.commits
        if content is None:
            raise DatabaseUnavailable(self.display, "does not exist")
        connection = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False, factory=Limited)
        connection.limit(QUERY_SECONDS.now)
        try:
            if content:
                connection.deserialize(content)
            yield connection, version
        finally:
            connection.close()

    def settle(self) -> None:
        """Do nothing: a commit is final at once."""

    @contextmanager
    def scratch(self, *, copy: bool) -> Iterator[MemoryBackend]:
        """Open another database in memory, which is removed afterwards."""
        content = self._database.content if copy else None
        database = MemoryDatabase(self.display, content or b"")
        try:
            yield MemoryBackend(database, ignore=self._ignore, timeout=self._timeout)
        finally:
            database.put(None)

    def vacuum(self) -> int:
        """Drop unused pages, and return how many bytes they were."""
        with self._database.writing, translated(self.display, self._timeout), self._copy() as (connection, _):
            before = len(self._database.content or b"")
            connection.execute("VACUUM")
            content = connection.serialize() if before else b""
            self._database.put(content)
            return before - len(content)

    def close(self) -> None:
        """Do nothing: nothing is held between transactions."""


class _MemoryWriter(SQLiteWriter):
    """A writer whose commit puts its state in place of the database's.

    Attributes:
        put: takes the new state.
    """

    put: Callable[[bytes], None]

    def commit(self) -> None:
        """Commit the transaction, and publish its state."""
        super().commit()
        self.put(self._connection.serialize())
