"""An application's own database manager: where its database is, and whether its connection is busy.

Only *where* is taken from a given connection; the work is done on connections of our own, so that nothing of the
application's transactions is committed, rolled back or seen. Only where the database is in memory, so that no other
connection can come there, the given one is borrowed, between the application's transactions.
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
"""The connection that is asked for by name."""

_HINT: Final = "give the path of a database file as db_path"


class GivenDatabase:
    """The database of an object with ``get_connection()`` or ``get_connection(name)``.

    Args:
        manager: the object. What it returns is a sqlite3 or SQLAlchemy connection, or a context manager that gives one.

    Attributes:
        where: the path or URL of the database; ``None`` for one in memory.

    Raises:
        UsageError: it has no such method, or gives something else; or a connection to memory that is always in a
            transaction.
        DatabaseUnavailable: its database is no file that another connection could open, and not in memory either.
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
        """Stop where the given connection is in a transaction: it would wait for us, and we for it.

        Raises:
            DatabaseLocked: it is.
        """
        if self.where is None:
            return  # asked when it is borrowed
        with self._connection() as connection:
            busy = _is_busy(connection)
        if busy:  # raised once it is left: a context manager that is left with an error rolls back
            raise DatabaseLocked(parse_url(self.where).display, 0)

    @contextmanager
    def borrowed(self) -> Iterator[MakeBackend | None]:
        """The database, where it is in memory, until the block ends; ``None`` where it is not.

        Of several threads one has it at a time.

        Raises:
            DatabaseLocked: the given connection is in a transaction, or another thread has it for too long.
        """
        if self.where is not None:
            yield None
            return
        from epicvc.database.sqlite.borrowed import IN_MEMORY, BorrowedBackend  # with all that reads and writes

        if not _BORROWING.acquire(timeout=_PATIENCE_S):
            raise DatabaseLocked(IN_MEMORY, _PATIENCE_S)
        try:
            with self._connection() as connection:
                driver = _driver(connection)
                busy = driver.in_transaction
                if not busy:
                    yield lambda ignore: BorrowedBackend(driver, ignore=ignore)
            if busy:  # as above: raised once it is left
                raise DatabaseLocked(IN_MEMORY, 0)
        finally:
            _BORROWING.release()

    @contextmanager
    def _connection(self) -> Iterator[Any]:
        given = self._get() if _takes_nothing(self._get) else self._get(NAME)
        # Connections are context managers too. Left, sqlite3's commits the application's transaction, and SQLAlchemy's
        # closes the connection; a new one that nobody else has goes back to its pool once it is let go of.
        if hasattr(given, "__enter__") and not _is_connection(given):
            with given as connection:
                yield connection
            return
        try:
            yield given
        finally:
            # Let go of, a connection of SQLAlchemy goes back to its pool, which rolls back; where the pool has but this
            # one, it may be the application that has begun something. So it is kept for as long.
            self._kept = [one for one in (*self._kept, given) if hasattr(one, "exec_driver_sql") and _is_busy(one)]


def _takes_nothing(call: Any) -> bool:
    """Whether a callable can do without a name. One whose signature cannot be told is tried without."""
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
    return isinstance(given, sqlite3.Connection) or hasattr(given, "exec_driver_sql")


def _driver(connection: Any) -> Any:
    """The driver's connection below a SQLAlchemy connection, or the connection itself."""
    if not hasattr(connection, "exec_driver_sql"):
        return connection
    pooled = connection.connection
    return getattr(pooled, "driver_connection", None) or pooled


def _where(connection: Any) -> str | None:
    driver = _driver(connection)
    if isinstance(driver, sqlite3.Connection):
        cursor = driver.cursor()
        cursor.row_factory = None  # the application's may give anything
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
    return str(url.render_as_string(hide_password=False)).replace(f"+{url.get_driver_name()}", "", 1)


def _is_memory(cursor: sqlite3.Cursor, path: str) -> bool:
    """Whether a database that goes by a name is in memory all the same, as one is that was deserialized."""
    if Path(path).is_file():
        return False
    try:
        (mode,) = cursor.execute("PRAGMA main.journal_mode").fetchone()
    except sqlite3.Error:  # of a file that is gone
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
        # With autocommit=False (Python 3.12) one is always open, and most often holds no lock: that is waited for.
        return driver.in_transaction and getattr(driver, "autocommit", None) is not False
    found = getattr(connection, "in_transaction", False)
    return bool(found() if callable(found) else found)
