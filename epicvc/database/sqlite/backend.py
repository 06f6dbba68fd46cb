"""The backend for a SQLite file."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final, cast

from epicvc.base.fileio import fsync_directory
from epicvc.base.limits import QUERY_SECONDS
from epicvc.database.sqlite import connection as opening
from epicvc.database.sqlite.failures import translated
from epicvc.database.sqlite.pages.changetoken import change_token, wait_until_calm
from epicvc.database.sqlite.pages.watch import Watch, data_version
from epicvc.errors import DatabaseUnavailable, EpicvcError

if TYPE_CHECKING:
    from epicvc.database.backend import Reader
    from epicvc.database.shortcuts import Ahead, ChangedKeys, Shortcuts
    from epicvc.database.sqlite.pages.marking import HeldFile
    from epicvc.database.sqlite.reader import SQLiteReader
    from epicvc.database.sqlite.restore.incoming import Incoming
    from epicvc.database.sqlite.writer import SQLiteWriter

_MOMENT_NS: Final = 10 * 10**9
"""Nanoseconds by which the time of an empty file may differ from the moment at which it was made.

Nobody has written to an empty file, so its time stands still.
"""

_WORTH_WAITING: Final = 16 << 20
"""The size in bytes from which reading a database again takes longer than waiting until its time stamps are old."""


class SQLiteBackend:
    """A :class:`~epicvc.database.backend.Backend` for one SQLite file, which is its own ``shortcuts``.

    Args:
        path: the database file.
        ignore: tables that are not captured, with their indexes and triggers; case does not matter. The tables of
            replication tools are always left out.
        timeout: seconds to wait for a lock.
        name: its name in messages: the path by default; for a copy, the database that the copy stands for.
        query_seconds: the most seconds that a statement may take; by default the user's setting, or the built-in value.
    """

    def __init__(
        self,
        path: Path,
        *,
        ignore: frozenset[str] = frozenset(),
        timeout: float = 5.0,
        name: str | None = None,
        query_seconds: int | None = None,
    ) -> None:
        self._seconds = QUERY_SECONDS.now if query_seconds is None else query_seconds
        self._name = name
        self._path = path
        self._ignore = ignore | opening.REPLICATION.keys()
        self._timeout = timeout
        self._watch = Watch(path)
        self._left: object = object()
        """The version that the last write transaction left."""
        self._made_wal = False
        self._writing: sqlite3.Connection | None = None

    @property
    def display(self) -> str:
        """The path, or the name that was given."""
        return self._name or str(self._path)

    @property
    def shortcuts(self) -> Shortcuts | None:
        """All of them."""
        return self

    def token(self) -> str | None:
        """Return a text that stands for the state of the file; see :mod:`epicvc.database.sqlite.pages.changetoken`."""
        return change_token(self._path)

    def exists(self) -> bool:
        """Return whether the file exists."""
        try:
            return self._path.is_file()
        except OSError:  # for example a name that is too long
            return False

    def create(self) -> bool:
        """Make an empty file, which SQLite takes for an empty database, and return whether it was made.

        An existing file is left alone.
        """
        try:
            descriptor = os.open(self._path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666)
        except FileExistsError:
            return False
        except OSError as error:
            raise DatabaseUnavailable(self.display, error.strerror or str(error)) from error
        os.close(descriptor)
        # otherwise a crash could lose the file and keep records that refer to it
        fsync_directory(self._path.parent)
        return True

    def discard(self, made_ns: int) -> None:
        """Remove the file if it was made at that moment, and nothing has been written to it."""
        try:
            found = self._path.stat() if self._path.is_file() else None
            if found is not None and found.st_size == 0 and abs(found.st_mtime_ns - made_ns) < _MOMENT_NS:
                self._path.unlink()
                # the journal of a transaction on an empty file; SQLite removes it too where the database is empty
                self._path.with_name(self._path.name + "-journal").unlink(missing_ok=True)
        except OSError as error:
            raise DatabaseUnavailable(self.display, error.strerror or str(error)) from error

    @contextmanager
    def read(self) -> Iterator[SQLiteReader]:
        """Open a read transaction. The file's bytes and times stay as they are.

        Reading a database in WAL mode needs its ``-wal`` and ``-shm``. Where reading made them and nobody else uses the
        database, they are removed again.

        While a write transaction of this backend is open, the read transaction sees the state that the writer found,
        and has to end before the writer commits.
        """
        # imported late: a command that answers from memory never opens the database
        from epicvc.database.sqlite.reader import SQLiteReader

        if self._writing is not None:
            # outside WAL mode, pages that do not fit into memory could not be written out beside a reader
            self._writing.execute("PRAGMA cache_spill=OFF")
        opening.require_file(self._path, self.display)
        self._made_wal = self._made_wal or opening.wal_size(self._path) is None
        with translated(self.display, self._timeout):
            before = self._watch.version()  # before the transaction: a write in between must count as one
            identity = self._identity()
            connection, guard = self._begin_reading()
        held = None if guard is not None else self._held(identity)

        def version() -> object:
            return self._watch.adopt(connection) if before is None else before

        try:
            yield SQLiteReader(connection, self.display, self._timeout, ignore=self._ignore, version=version, held=held)
        finally:
            self._finish(connection)
        if guard is not None and guard != self._stat():
            raise DatabaseUnavailable(self.display, "it was changed while it was read", hint="run the command again")
        if not self._watch.holds(connection):
            self._tidy()

    def _begin_reading(self) -> tuple[sqlite3.Connection, tuple[int, ...] | None]:
        """Begin a read transaction. Where nothing could be locked, also return the file's state before it."""
        try:
            return opening.begin_reading(self._path, self._timeout, self._seconds), None
        except sqlite3.OperationalError as error:
            if not opening.lacks_side_files(error):
                raise
            state = self._stat()
            connection = opening.begin_reading_unlocked(self._path, self._timeout, self._seconds)
            if connection is None:
                raise
            return connection, state

    def _identity(self) -> tuple[int, int] | None:
        try:
            found = self._path.stat()
        except OSError:
            return None
        return found.st_dev, found.st_ino

    def _held(self, before: tuple[int, int] | None) -> HeldFile | None:
        """Return the transaction's file if it was there before the transaction and is worth marking, else ``None``."""
        from epicvc.database.sqlite.pages import marking

        if before is None or before != self._identity():
            return None
        return marking.HeldFile(self._path, before) if self._path.stat().st_size >= marking.WORTH_MARKING else None

    def _stat(self) -> tuple[int, ...]:
        found = self._path.stat()
        return (found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_ino, opening.wal_size(self._path) or 0)

    @property
    def takes_images(self) -> bool:
        """Tell whether Python's SQLite has ``deserialize``; only builds that leave it out have not."""
        return hasattr(sqlite3.Connection, "deserialize")

    @property
    def reads_beside(self) -> bool:
        """Always true: each reader has a view of its own."""
        return True

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
        """Open a write transaction, which is rolled back unless the writer commits."""
        from epicvc.database.sqlite.writer import SQLiteWriter

        opening.require_file(self._path, self.display)
        incoming: Incoming | None = None

        def load(connection: sqlite3.Connection) -> None:
            nonlocal incoming
            if ahead is not None:
                from epicvc.database.sqlite.restore.incoming import Incoming  # only large restores need it

                incoming = Incoming(connection, ahead, self._timeout)
            if image is not None:
                opening.lay_beside(connection, image)

        with translated(self.display, self._timeout):
            connection = opening.begin_writing(
                self._path, self._timeout, self._seconds, as_restore=as_restore, foreign_keys=foreign_keys, before=load
            )
        self._writing = connection
        try:
            with translated(self.display, self._timeout):
                now = self._watch.version() or object()
                number = data_version(connection)  # the lock is held, so nobody else can commit from here on
            writer = SQLiteWriter(
                connection,
                self.display,
                self._timeout,
                self._ignore,
                lambda: now,
                as_restore=as_restore,
                track=track,
                incoming=incoming,
            )
            yield writer
            if writer.committed:
                self._left = self._watch.adopt(connection, number)
        finally:
            self._writing = None
            self._finish(connection, incoming, image)

    def token_left(self) -> str | None:
        """Return the token of the state that the last write transaction left.

        For a large database this waits until the clock has ticked, so that there can be a token.
        """
        try:
            if self._path.stat().st_size >= _WORTH_WAITING:
                wait_until_calm(self._path)
            # The token before the version: a write in between moves the version.
            token = change_token(self._path)
            return token if token is not None and self._left == self._watch.version() else None
        except (OSError, sqlite3.Error):  # locked, removed: it cannot be told
            return None

    def version_left(self) -> object:
        """Return the version of the state that the last write transaction left."""
        return self._left

    def mark_left(self) -> bytes | None:
        """Return a mark of the state that the last write transaction left, if the file still has that state."""
        try:
            with self.read() as reader, reader.marking() as wait:
                return wait() if self._left == self._watch.version() else None
        except (EpicvcError, OSError, sqlite3.Error):  # locked, removed: it cannot be told
            return None

    def marking(self, reader: Reader) -> AbstractContextManager[Callable[[], bytes | None]]:
        """Note the state that a later transaction is compared with."""
        return cast("SQLiteReader", reader).marking()

    def comparing(self, reader: Reader, mark: bytes) -> AbstractContextManager[Callable[[], ChangedKeys | None]]:
        """Find out which rows may have changed since a transaction made a mark."""
        return cast("SQLiteReader", reader).comparing(mark)

    def settle(self) -> None:
        """Commit a transaction that changes nothing on top of the current state."""
        opening.require_file(self._path, self.display)
        with translated(self.display, self._timeout):
            opening.settle(self._path, self._timeout)

    def _finish(
        self, connection: sqlite3.Connection, incoming: Incoming | None = None, image: bytes | None = None
    ) -> None:
        # A rollback that fails (disk error) must not hide the original error; closing rolls back as well.
        with suppress(sqlite3.Error):
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            if incoming is not None:
                incoming.close()
            if image is not None:
                opening.take_away(connection)
        if not self._watch.holds(connection):
            connection.close()

    def scratch(self, *, copy: bool) -> AbstractContextManager[SQLiteBackend]:
        """Open a database in a temporary directory."""
        return scratch_database(
            self._copy_to if copy and self.exists() else None,
            ignore=self._ignore,
            timeout=self._timeout,
            name=self.display if copy else None,
            query_seconds=self._seconds,
        )

    def _copy_to(self, path: Path) -> None:
        with translated(self.display, self._timeout):
            connection, _ = self._begin_reading()
            try:
                opening.copy_into(connection, path)
            finally:
                connection.close()

    def vacuum(self) -> int:
        """Write the file anew without its unused space, and return how many bytes shorter it is."""
        opening.require_file(self._path, self.display)
        before = self._path.stat().st_size
        with translated(self.display, self._timeout):
            opening.vacuum(self._path, self._timeout)
        return before - self._path.stat().st_size

    def close(self) -> None:
        """Close the connections that are kept open between transactions."""
        self._watch.close()
        self._tidy()

    def _tidy(self) -> None:
        """Remove the empty ``-wal`` that reading made, as the last client to leave does."""
        if self._made_wal and opening.wal_size(self._path) == 0:
            # only tidiness: where somebody holds a lock, or writing is forbidden, the file stays
            with suppress(sqlite3.Error):
                opening.visit(self._path, 0.0)
        self._made_wal = self._made_wal and opening.wal_size(self._path) is not None


@contextmanager
def scratch_database(
    fill: Callable[[Path], None] | None,
    *,
    ignore: frozenset[str],
    timeout: float,
    name: str | None,
    query_seconds: int | None = None,
) -> Iterator[SQLiteBackend]:
    """Open a database in a temporary directory, which is removed afterwards.

    Args:
        fill: writes into the empty file; ``None`` for nothing.
        ignore: as for :class:`SQLiteBackend`.
        timeout: as for :class:`SQLiteBackend`.
        name: the database that it stands for.
        query_seconds: as for :class:`SQLiteBackend`.

    Raises:
        DatabaseUnavailable: there is no room for it.
    """
    import tempfile  # imported late: it brings shutil, bz2, lzma and random

    with ExitStack() as stack:
        try:
            directory = stack.enter_context(tempfile.TemporaryDirectory(prefix="epicvc-scratch-"))
        except OSError as error:
            raise DatabaseUnavailable(tempfile.gettempdir(), error.strerror or str(error)) from error
        path = Path(directory) / "scratch.db"
        found = SQLiteBackend(path, ignore=ignore, timeout=timeout, name=name, query_seconds=query_seconds)
        found.create()
        stack.callback(found.close)
        if fill is not None:
            fill(path)
        yield found
