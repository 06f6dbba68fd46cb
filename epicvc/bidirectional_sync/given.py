"""An application's own database manager: finds its database, and tells whether its connection is busy.

Only the *place* of the database is taken from a given connection. The work is done on connections of our own, so that
nothing of the application's transactions is committed, rolled back or seen. Only a database in memory, which no other
connection can open, is used through the given connection, between the application's transactions.
"""

from __future__ import annotations

import inspect
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import RLock
from typing import Any, Final

from epicvc.database.backend import MakeBackend
from epicvc.database.url import parse_url
from epicvc.errors import DatabaseLocked, DatabaseUnavailable, UsageError

_BORROWING: Final = RLock()
_PATIENCE_S: Final = 30.0

NAME: Final = "framework"
"""The name that ``get_connection(name)`` is called with."""

_HINT: Final = "give the path of a database file as db_path"


class GivenDatabase:
    """The database of an object with ``get_connection()`` or ``get_connection(name)``.

    Args:
        manager: the object. Its method returns a sqlite3 or SQLAlchemy connection, or a context manager that gives one.

    Attributes:
        where: the path or URL of the database; ``None`` for one in memory.

    Raises:
        UsageError: the object has no such method, or the method returns something else, or a connection to memory that
            is always in a transaction.
        DatabaseUnavailable: the database is no file that another connection could open, and not in memory either.
    """

    def __init__(self, manager: object) -> None:
        get = getattr(manager, "get_connection", None)
        if not callable(get):
            raise UsageError(f"{type(manager).__name__} has no get_connection()", hint=_HINT)
        self._get = get
        self._kept: list[Any] = []
        with self._connection() as connection:
            self.where = _where(connection)

    def require_idle(self) -> None:
        """Make sure that the given connection is in no transaction: it would wait for us, and we for it.

        Raises:
            DatabaseLocked: the connection is in a transaction.
        """
        if self.where is None:
            return  # checked when the connection is borrowed
        with self._connection() as connection:
            busy = _is_busy(connection)
        if busy:  # raised outside of the block: a context manager that is left with an error rolls back
            raise DatabaseLocked(parse_url(self.where).display, 0)

    @contextmanager
    def borrowed(self) -> Iterator[MakeBackend | None]:
        """Lend the database until the block ends if it is in memory; yield ``None`` if it is not.

        Only one thread has it at a time.

        Raises:
            DatabaseLocked: the given connection is in a transaction, or another thread keeps it for too long.
        """
        if self.where is not None:
            yield None
            return
        # imported here, since it imports all that reads and writes
        from epicvc.database.sqlite.borrowed import IN_MEMORY, BorrowedBackend

        if not _BORROWING.acquire(timeout=_PATIENCE_S):
            raise DatabaseLocked(IN_MEMORY, _PATIENCE_S)
        try:
            with self._connection() as connection:
                driver = _driver(connection)
                busy = driver.in_transaction
                if not busy:
                    yield lambda ignore: BorrowedBackend(driver, ignore=ignore)
            if busy:  # raised outside of the block, as above
                raise DatabaseLocked(IN_MEMORY, 0)
        finally:
            _BORROWING.release()

    @contextmanager
    def _connection(self) -> Iterator[Any]:
        given = self._get() if _takes_nothing(self._get) else self._get(NAME)
        # Connections are context managers too, and must not be entered. On exit, that of sqlite3 commits the
        # application's transaction, and that of SQLAlchemy closes the connection. A new connection that nothing else
        # uses goes back to its pool once it is garbage.
        if hasattr(given, "__enter__") and not _is_connection(given):
            with given as connection:
                yield connection
            return
        try:
            yield given
        finally:
            # A connection of SQLAlchemy that is garbage goes back to its pool, which rolls back. Where the pool has
            # only this one, the transaction may be the application's. So the connection is kept for as long as it is
            # busy.
            self._kept = [one for one in (*self._kept, given) if hasattr(one, "exec_driver_sql") and _is_busy(one)]


def _takes_nothing(call: Any) -> bool:
    """Return whether a callable can be called without a name. One whose signature is not known is called without."""
    try:
        signature = inspect.signature(call)
    except (TypeError, ValueError):
        return True
    try:
        signature.bind()
    except TypeError:
        return False
    return True


def _is_connection(given: Any) -> bool:
    # SQLAlchemy is known by a method of its connections: it need not be installed.
    return isinstance(given, sqlite3.Connection) or hasattr(given, "exec_driver_sql")


def _driver(connection: Any) -> Any:
    """Return the driver's connection below a SQLAlchemy connection, or else the connection itself."""
    if not hasattr(connection, "exec_driver_sql"):
        return connection
    pooled = connection.connection
    return getattr(pooled, "driver_connection", None) or pooled


def _where(connection: Any) -> str | None:
    driver = _driver(connection)
    if isinstance(driver, sqlite3.Connection):
        cursor = driver.cursor()
        cursor.row_factory = None  # the row factory of the application may return anything
        rows = cursor.execute("PRAGMA database_list").fetchall()
        path = next(os.fsdecode(row[2] or "") for row in rows if os.fsdecode(row[1]) == "main")
        if path and not _is_memory(cursor, path):
            return _file(path)
        if getattr(driver, "autocommit", None) is False:
            raise UsageError(
                "the given connection to memory is always in a transaction", hint="make it without autocommit=False"
            )
        return None
    url = getattr(getattr(connection, "engine", None), "url", None)
    if url is None:
        raise UsageError(f"{type(connection).__name__} is no sqlite3 and no SQLAlchemy connection", hint=_HINT)
    if url.get_backend_name() == "sqlite":
        return _file(url.database or "")
    # Database URLs of epicvc name no driver.
    return str(url.render_as_string(hide_password=False)).replace(f"+{url.get_driver_name()}", "", 1)


def _is_memory(cursor: sqlite3.Cursor, path: str) -> bool:
    """Return whether a database that has a path is in memory all the same, as a deserialized one is."""
    if Path(path).is_file():
        return False
    try:
        (mode,) = cursor.execute("PRAGMA main.journal_mode").fetchone()
    except sqlite3.Error:  # the file is gone
        return False
    return os.fsdecode(mode).lower() in ("memory", "off")


def _file(path: str) -> str:
    if not path or not Path(path).is_file():
        reason = "the given connection's database is no file that another connection could open"
        raise DatabaseUnavailable(path or ":memory:", reason, hint=_HINT)
    return str(Path(path).absolute())


def _is_busy(connection: Any) -> bool:
    driver = _driver(connection)
    if isinstance(driver, sqlite3.Connection):
        # With autocommit=False (Python 3.12) a transaction is always open and most often holds no lock. If it does, we
        # wait for the lock.
        return driver.in_transaction and getattr(driver, "autocommit", None) is not False
    found = getattr(connection, "in_transaction", False)
    return bool(found() if callable(found) else found)
