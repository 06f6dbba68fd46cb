"""Lends the connection of a write transaction to a function of a program.

There are two fences. SQLite asks an authorizer about each statement, however the statement is run: one that ends the
transaction, or is no part of it, is denied. And the function never sees the connection itself, but an object without
the methods that commit on their own or would remove the authorizer. Either fence alone has holes: a statement can be
written in many ways, and `sqlite3.Connection` can be reached through each cursor.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import Any, Final
from weakref import WeakSet

from epicvc.database.lent import LentConnection, LentCursor, Parameters
from epicvc.database.migrations.rules import BEYOND, TRANSACTION, refused_pragma
from epicvc.database.sqlite.deadline import Limited
from epicvc.database.sqlite.failures import translated
from epicvc.errors import Refused

_METHODS: Final = {
    "commit": TRANSACTION,
    "rollback": TRANSACTION,
    "__enter__": f"a `with` block of a connection ends in a commit, and {TRANSACTION}",
    "executescript": "it commits first; run each statement with execute",
}
_OTHERS: Final = "a migration has execute, executemany and cursor"
_CONNECTION: Final = frozenset(dir(sqlite3.Connection))
_CURSOR: Final = frozenset(dir(sqlite3.Cursor))


def lend(
    connection: sqlite3.Connection,
    display: str,
    borrower: Callable[[LentConnection], object],
    told: Callable[[str], None],
) -> object:
    """Call a function with a connection that cannot end the open transaction.

    Args:
        connection: a connection in a transaction, without an authorizer of its own.
        display: the database's name in messages.
        borrower: the function.
        told: called with each statement before it runs.

    Returns:
        The function's return value.

    Raises:
        Refused: the function asked for something that is refused, or went on after a statement had ended the
            transaction.
        sqlite3.Error: the database refused a statement, and the function let the error through.
    """
    fence = _Fence(connection, display, told)
    lent = _Connection(fence)
    connection.set_authorizer(fence.authorize)
    try:
        made = borrower(lent)
        fence.require_transaction()
    finally:
        fence.take_back()
    return made


class _Fence:
    """The fence between a function and the connection."""

    def __init__(self, connection: sqlite3.Connection, display: str, told: Callable[[str], None]) -> None:
        self.connection = connection
        self._display = display
        self._told = told
        self._denied: str | None = None
        self._cursors: WeakSet[sqlite3.Cursor] = WeakSet()
        self._over = False

    def authorize(self, action: int, first: str | None, second: str | None, *_: object) -> int:
        """Answer SQLite's question whether a statement may do something."""
        reason = _objection(action, first or "", second)
        if reason is None:
            return sqlite3.SQLITE_OK
        self._denied = reason
        return sqlite3.SQLITE_DENY

    def cursor(self, row_factory: Any) -> sqlite3.Cursor:
        """Return a cursor, which is closed with the loan."""
        self.require_open()
        cursor = self.connection.cursor()
        cursor.row_factory = row_factory
        self._cursors.add(cursor)
        return cursor

    def run(self, sql: str, act: Callable[[], object]) -> None:
        """Run a statement; raise ``Refused`` where the fence denied it."""
        self.require_open()
        self.require_transaction()
        self._told(sql)
        if isinstance(self.connection, Limited):
            self.connection.begin_statement()
        self._denied = None
        try:
            act()
        except sqlite3.Error as error:
            if getattr(error, "sqlite_errorcode", 0) == sqlite3.SQLITE_INTERRUPT:
                # interrupted by a person or by the time limit, which the function must not swallow
                with translated(self._display, 0):
                    raise
            if self._denied is None:
                raise
            raise Refused(self._denied, hint="nothing of the migration was done") from error

    def require_open(self) -> None:
        """Raise unless the function is still running."""
        if self._over:
            raise Refused("the migration is over; its connection was only lent")

    def require_transaction(self) -> None:
        """Raise where a failed statement has rolled everything back, as `ON CONFLICT ROLLBACK` does.

        Any further statement would be committed at once.
        """
        if not self.connection.in_transaction:
            raise Refused("a statement that failed has rolled the transaction back; nothing can follow it")

    def take_back(self) -> None:
        """End the loan."""
        self._over = True
        for cursor in list(self._cursors):  # an unfinished statement would stand in the way of the commit
            with suppress(sqlite3.Error):
                cursor.close()
        self.connection.set_authorizer(None)


def _objection(action: int, first: str, second: str | None) -> str | None:
    """Return the reason why a statement may not do this; ``None`` when it may."""
    if action == sqlite3.SQLITE_TRANSACTION:
        return f"{first} is refused: {TRANSACTION}"
    if action == sqlite3.SQLITE_SAVEPOINT:
        word = {"BEGIN": "SAVEPOINT"}.get(first, first)
        return f"{word} is refused: {TRANSACTION}"
    if action in (sqlite3.SQLITE_ATTACH, sqlite3.SQLITE_DETACH):
        return f"{'ATTACH' if action == sqlite3.SQLITE_ATTACH else 'DETACH'} is refused: {BEYOND}"
    if action == sqlite3.SQLITE_PRAGMA:
        return refused_pragma(first, second)
    return None


def _refusal(name: str) -> Refused:
    return Refused(f"{name} is refused: {_METHODS.get(name, _OTHERS)}", hint="nothing of the migration was done")


class _LentCursor:
    """A :class:`~epicvc.database.lent.LentCursor` behind the fence."""

    __slots__ = ("_connection", "_cursor", "_fence")

    def __init__(self, connection: _Connection, fence: _Fence) -> None:
        self._connection = connection
        self._fence = fence
        self._cursor = fence.cursor(connection.row_factory)

    @property
    def connection(self) -> LentConnection:
        return self._connection

    @property
    def description(self) -> Any:
        return self._cursor.description

    @property
    def rowcount(self) -> int:
        return self._cursor.rowcount

    @property
    def lastrowid(self) -> int | None:
        return self._cursor.lastrowid

    def execute(self, sql: str, parameters: Parameters = ()) -> LentCursor:
        self._fence.run(sql, lambda: self._cursor.execute(sql, parameters))
        return self

    def executemany(self, sql: str, parameters: Iterable[Parameters]) -> LentCursor:
        self._fence.run(sql, lambda: self._cursor.executemany(sql, parameters))
        return self

    def fetchone(self) -> Any:
        return self._cursor.fetchone()

    def fetchmany(self, size: int = 1) -> list[Any]:
        return self._cursor.fetchmany(size)

    def fetchall(self) -> list[Any]:
        return self._cursor.fetchall()

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        return next(self._cursor)

    def close(self) -> None:
        self._cursor.close()

    def __getattr__(self, name: str) -> object:
        if name in _CURSOR:
            raise _refusal(name)
        raise AttributeError(name)


class _Connection:
    """A :class:`~epicvc.database.lent.LentConnection` behind the fence."""

    __slots__ = ("_fence", "row_factory")

    def __init__(self, fence: _Fence) -> None:
        self._fence = fence
        self.row_factory: Callable[[Any, tuple[Any, ...]], object] | None = None

    def execute(self, sql: str, parameters: Parameters = ()) -> LentCursor:
        return self.cursor().execute(sql, parameters)

    def executemany(self, sql: str, parameters: Iterable[Parameters]) -> LentCursor:
        return self.cursor().executemany(sql, parameters)

    def cursor(self) -> LentCursor:
        return _LentCursor(self, self._fence)

    @property
    def in_transaction(self) -> bool:
        return self._fence.connection.in_transaction

    @property
    def total_changes(self) -> int:
        return self._fence.connection.total_changes

    def __enter__(self) -> None:
        raise _refusal("__enter__")

    def __exit__(self, *_: object) -> None:
        raise _refusal("__enter__")

    def __getattr__(self, name: str) -> object:
        if name in _CONNECTION:
            raise _refusal(name)
        raise AttributeError(name)
