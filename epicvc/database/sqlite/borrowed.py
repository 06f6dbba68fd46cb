"""The backend for a SQLite database in memory, used through the application's connection.

No other connection can reach the database, so the application's is borrowed for one transaction after the other.
Reading, too, is done under ``BEGIN IMMEDIATE``. The connection is given back as it was: the settings that a transaction
needs are put back, nothing is registered with it, and nothing of ours stays in its schema ``temp``.

There is no file, and so neither a change token nor a page to mark: the database is read whole each time.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from typing import TYPE_CHECKING, Final

from epicvc.database.sqlite.backend import SQLiteBackend, scratch_database
from epicvc.database.sqlite.connection import REPLICATION
from epicvc.database.sqlite.failures import translated
from epicvc.database.sqlite.pages.watch import data_version
from epicvc.database.sqlite.reader import SQLiteReader
from epicvc.database.sqlite.writer import SQLiteWriter
from epicvc.errors import DatabaseLocked, DatabaseUnavailable

if TYPE_CHECKING:
    from pathlib import Path

    from epicvc.database.backend import Reader
    from epicvc.database.shortcuts import Ahead, ChangedKeys, Shortcuts

IN_MEMORY: Final = ":memory:"
"""The name of such a database in messages."""

_LOCKED: Final = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})
_POLL_SECONDS: Final = 0.02


class BorrowedBackend:
    """A :class:`~epicvc.database.backend.Backend` for a borrowed connection.

    Args:
        connection: the application's connection, in no transaction. Nobody else uses it while a transaction of ours is
            open.
        ignore: tables that are not captured, as for a file.
        timeout: seconds to wait for other connections of a shared cache.
    """

    def __init__(
        self, connection: sqlite3.Connection, *, ignore: frozenset[str] = frozenset(), timeout: float = 5.0
    ) -> None:
        self._connection = connection
        self._ignore = ignore | REPLICATION.keys()
        self._timeout = timeout
        self._depth = 0  # nested read transactions: only the outermost one begins
        self._left: object = object()

    @property
    def display(self) -> str:
        """``:memory:``."""
        return IN_MEMORY

    @property
    def shortcuts(self) -> Shortcuts | None:
        """This backend: it knows the version that its last write left, and has none of the other shortcuts."""
        return self

    @property
    def takes_images(self) -> bool:
        """Always false: nothing is attached to a connection that is not ours."""
        return False

    @property
    def reads_beside(self) -> bool:
        """Always false: on the same connection a reader would see uncommitted rows."""
        return False

    def token(self) -> str | None:
        """Return ``None``: nothing but the whole content stands for the state."""
        return None

    def exists(self) -> bool:
        """Return true: the database exists as long as its connection."""
        return True

    def create(self) -> bool:
        """Return false: the database exists already."""
        return False

    def discard(self, made_ns: int) -> None:
        """Do nothing: the database was never made here."""

    @contextmanager
    def read(self) -> Iterator[SQLiteReader]:
        """Open a read transaction, or join the one that is open."""
        if self._depth:
            yield self._reader()
            return
        with self._transaction({}):
            self._connection.execute("PRAGMA query_only=ON")  # not earlier: with it, no write lock could be taken
            self._depth += 1
            try:
                yield self._reader()
            finally:
                self._depth -= 1

    def _reader(self) -> SQLiteReader:
        return SQLiteReader(self._connection, self.display, self._timeout, self._ignore, self._version)

    @contextmanager
    def write(
        self,
        *,
        as_restore: bool = False,
        track: bool = True,
        foreign_keys: bool = True,
        ahead: Ahead | None = None,
        image: bytes | None = None,
    ) -> Iterator[SQLiteWriter]:
        """Open a write transaction, which is rolled back unless the writer commits.

        The touched rows are never logged: the log and its triggers would stay in the connection, and cannot be dropped
        while the application is reading something. The rows of a restore are written one by one.
        """
        if image is not None:
            raise ValueError("nothing is laid beside a borrowed database")
        settings = {"foreign_keys": foreign_keys and not as_restore, "ignore_check_constraints": as_restore}
        with self._transaction(settings):
            with translated(self.display, self._timeout):
                now = self._version()
            writer = SQLiteWriter(
                self._connection,
                self.display,
                self._timeout,
                self._ignore,
                lambda: now,
                as_restore=as_restore,
                track=False,
            )
            yield writer
            if writer.committed:
                self._left = self._version()

    @contextmanager
    def _transaction(self, settings: dict[str, bool]) -> Iterator[None]:
        """Open a transaction under the write lock; roll it back unless it was committed, and put all settings back.

        Raises:
            DatabaseLocked: the application is in a transaction, or another connection stays in one for too long.
        """
        connection = self._connection
        if self._depth or connection.in_transaction:
            raise DatabaseLocked(self.display, 0)
        factories = connection.row_factory, connection.text_factory
        before: dict[str, bool] = {}
        try:
            # the application's own factories would change rows and texts
            connection.row_factory, connection.text_factory = None, str
            before = {name: self._setting(name) for name in ("query_only", *settings)}
            for name, value in settings.items():
                self._set(name, value)
            self._begin()
            yield
        finally:
            self._roll_back()
            for name, value in before.items():
                self._set(name, value)
            connection.row_factory, connection.text_factory = factories

    def _roll_back(self) -> None:
        with suppress(sqlite3.Error):  # a failing rollback must not hide the original error
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")

    def _setting(self, name: str) -> bool:
        return bool(self._connection.execute(f"PRAGMA {name}").fetchone()[0])

    def _set(self, name: str, value: bool) -> None:
        self._connection.execute(f"PRAGMA {name}={'ON' if value else 'OFF'}")

    def _begin(self) -> None:
        deadline = time.monotonic() + self._timeout
        while True:
            try:
                self._connection.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF not in _LOCKED or time.monotonic() >= deadline:
                    with translated(self.display, self._timeout):
                        raise
                time.sleep(_POLL_SECONDS)  # in a shared cache SQLite itself does not wait for a lock
            else:
                return

    def _version(self) -> object:
        """Return a value that moves with each change: of rows by this connection, of definitions, and by others."""
        pragmas = ("schema_version", "user_version", "application_id")
        asked = [self._connection.execute(f"PRAGMA main.{name}").fetchone()[0] for name in pragmas]
        return self._connection.total_changes, data_version(self._connection), *asked

    def token_left(self) -> str | None:
        """Return ``None``, as :meth:`token` does."""
        return None

    def version_left(self) -> object:
        """Return the version of the state that the last write transaction left."""
        return self._left

    def mark_left(self) -> bytes | None:
        """Return ``None``: there are no pages that could be marked."""
        return None

    def marking(self, reader: Reader) -> AbstractContextManager[Callable[[], bytes | None]]:
        """Make no mark, as :meth:`mark_left`."""
        return nullcontext(lambda: None)

    def comparing(self, reader: Reader, mark: bytes) -> AbstractContextManager[Callable[[], ChangedKeys | None]]:
        """Know of no changes, since there are no marks."""
        return nullcontext(lambda: None)

    def settle(self) -> None:
        """Do nothing: a killed process takes its database in memory with it."""

    def scratch(self, *, copy: bool) -> AbstractContextManager[SQLiteBackend]:
        """Open a database in a temporary directory."""
        return scratch_database(
            self._copy_to if copy else None, ignore=self._ignore, timeout=self._timeout, name=self.display
        )

    def _copy_to(self, path: Path) -> None:
        # SQLite's backup would wait for the end of a write transaction, and ours may be open
        with translated(self.display, self._timeout):
            data = self._connection.serialize()
        try:
            path.write_bytes(data)
        except OSError as error:
            raise DatabaseUnavailable(str(path), error.strerror or str(error)) from error

    def vacuum(self) -> int:
        """Give unused pages back, and return how many bytes they were."""
        if self._connection.in_transaction:
            raise DatabaseLocked(self.display, 0)
        sizes = []
        with translated(self.display, self._timeout):
            for statement in ("SELECT 1", "VACUUM"):
                self._connection.execute(statement)
                pages = [
                    self._connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "page_size")
                ]
                sizes.append(int(pages[0]) * int(pages[1]))
        return sizes[0] - sizes[1]

    def close(self) -> None:
        """Do nothing: nothing is held between transactions."""
