"""A SQLite file as a backend."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from epicvc.base.fileio import fsync_directory
from epicvc.base.limits import QUERY_SECONDS
from epicvc.database.sqlite import connection as opening
from epicvc.database.sqlite.failures import translated
from epicvc.database.sqlite.pages.changetoken import change_token, wait_until_calm
from epicvc.database.sqlite.pages.watch import Watch, data_version
from epicvc.errors import DatabaseUnavailable, EpicvcError

if TYPE_CHECKING:
    from epicvc.database.backend import Ahead
    from epicvc.database.sqlite.pages.marking import HeldFile
    from epicvc.database.sqlite.reader import SQLiteReader
    from epicvc.database.sqlite.restore.incoming import Incoming
    from epicvc.database.sqlite.writer import SQLiteWriter

_MOMENT_NS: Final = 10 * 10**9
"""Nanoseconds within which an empty file counts as made at a moment; its time stands still while nobody writes."""

_WORTH_WAITING: Final = 16 << 20
"""Bytes of a database that take longer to read again than its time stamps take to grow old."""


class SQLiteBackend:
    """A :class:`~epicvc.database.backend.Backend`.

    Args:
        path: the database file.
        ignore: tables that are not captured, with their indexes and triggers; case does not matter. What a
            replication tool keeps in the database is left out as well.
        timeout: seconds to wait for a lock.
        name: how messages name it: by its path, unless it is a copy that stands for another one.
        query_seconds: how long a statement may take; what the user says, or the default, unless given.
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
        """The path, if it goes by no other name."""
        return self._name or str(self._path)

    def token(self) -> str | None:
        """What stands for the state of the file; see :mod:`epicvc.database.sqlite.pages.changetoken`."""
        return change_token(self._path)

    def exists(self) -> bool:
        """Whether the file is there."""
        try:
            return self._path.is_file()
        except OSError:  # a name that is too long, say
            return False

    def create(self) -> bool:
        """Make an empty file, which SQLite takes for an empty database; one that is there is left alone."""
        try:
            descriptor = os.open(self._path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666)
        except FileExistsError:
            return False
        except OSError as error:
            raise DatabaseUnavailable(self.display, error.strerror or str(error)) from error
        os.close(descriptor)
        fsync_directory(self._path.parent)  # what refers to it must not outlive its name
        return True

    def discard(self, made_ns: int) -> None:
        """Remove the file if it was made at that moment, and nothing has been written to it."""
        try:
            found = self._path.stat() if self._path.is_file() else None
            if found is not None and found.st_size == 0 and abs(found.st_mtime_ns - made_ns) < _MOMENT_NS:
                self._path.unlink()
                # of a transaction that began with nothing; SQLite too removes it where the database is empty
                self._path.with_name(self._path.name + "-journal").unlink(missing_ok=True)
        except OSError as error:
            raise DatabaseUnavailable(self.display, error.strerror or str(error)) from error

    @contextmanager
    def read(self) -> Iterator[SQLiteReader]:
        """One read transaction. The file's bytes and times stay as they are.

        Reading a database in WAL mode needs its ``-wal`` and ``-shm``; where they were not there before and
        nobody else has come, they are removed again.

        While a write transaction of this backend is open, this sees what that one found; it has to end before the
        writer commits.
        """
        from epicvc.database.sqlite.reader import SQLiteReader  # who finds what is remembered opens nothing

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
            yield SQLiteReader(connection, self.display, self._timeout, self._ignore, version, held)
        finally:
            self._finish(connection)
        if guard is not None and guard != self._stat():
            raise DatabaseUnavailable(self.display, "it was changed while it was read", hint="run the command again")
        if not self._watch.holds(connection):
            self._tidy()

    def _begin_reading(self) -> tuple[sqlite3.Connection, tuple[int, ...] | None]:
        """A read transaction, and where nothing could be locked the file's state before it."""
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
        """The file of a transaction that has begun, if it is the one that was there before and worth marking."""
        from epicvc.database.sqlite.pages import marking

        if before is None or before != self._identity():
            return None
        return marking.HeldFile(self._path, before) if self._path.stat().st_size >= marking.WORTH_MARKING else None

    def _stat(self) -> tuple[int, ...]:
        found = self._path.stat()
        return (
            found.st_mtime_ns,
            found.st_ctime_ns,
            found.st_size,
            found.st_ino,
            opening.wal_size(self._path) or 0,
        )

    @property
    def takes_images(self) -> bool:
        """Whether Python's SQLite was built with what it takes, as it is unless somebody left it out."""
        return hasattr(sqlite3.Connection, "deserialize")

    @property
    def reads_beside(self) -> bool:
        """A reader has a view of its own."""
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
        """One write transaction; rolled back unless the writer commits."""
        from epicvc.database.sqlite.writer import SQLiteWriter

        opening.require_file(self._path, self.display)
        incoming: Incoming | None = None

        def load(connection: sqlite3.Connection) -> None:
            nonlocal incoming
            if ahead is not None:
                from epicvc.database.sqlite.restore.incoming import Incoming  # only a restore of much has need of it

                incoming = Incoming(connection, ahead, self._timeout)
            if image is not None:
                opening.lay_beside(connection, image)

        with translated(self.display, self._timeout):
            connection = opening.begin_writing(
                self._path,
                self._timeout,
                self._seconds,
                as_restore=as_restore,
                foreign_keys=foreign_keys,
                before=load,
            )
        self._writing = connection
        try:
            with translated(self.display, self._timeout):
                now = self._watch.version() or object()
                number = data_version(connection)  # nobody else can commit any more
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
        """The token of the state that the last write transaction left; waits for the clock's tick where that pays."""
        try:
            if self._path.stat().st_size >= _WORTH_WAITING:
                wait_until_calm(self._path)
            token = change_token(self._path)
            return token if token is not None and self._left == self._watch.version() else None
        except (OSError, sqlite3.Error):  # locked, removed: it cannot be told
            return None

    def version_left(self) -> object:
        """The version of what the last write transaction left."""
        return self._left

    def mark_left(self) -> bytes | None:
        """A mark of the state that the last write transaction left, if the file still has it."""
        try:
            with self.read() as reader, reader.marking() as wait:
                return wait() if self._left == self._watch.version() else None
        except (EpicvcError, OSError, sqlite3.Error):  # locked, removed: it cannot be told
            return None

    def settle(self) -> None:
        """Commit a transaction that changes nothing on top of whatever is there."""
        opening.require_file(self._path, self.display)
        with translated(self.display, self._timeout):
            opening.settle(self._path, self._timeout)

    def _finish(
        self, connection: sqlite3.Connection, incoming: Incoming | None = None, image: bytes | None = None
    ) -> None:
        # a rollback that fails (disk error) must not hide why we are here; closing rolls back as well
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
        """A database in a temporary directory."""
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
        """Write the file anew without what is unused; how many bytes shorter it is."""
        opening.require_file(self._path, self.display)
        before = self._path.stat().st_size
        with translated(self.display, self._timeout):
            opening.vacuum(self._path, self._timeout)
        return before - self._path.stat().st_size

    def close(self) -> None:
        """Close what is kept open between transactions."""
        self._watch.close()
        self._tidy()

    def _tidy(self) -> None:
        """Remove the empty ``-wal`` that reading made, as the last client to leave does."""
        if self._made_wal and opening.wal_size(self._path) == 0:
            # only tidiness: whoever holds a lock or forbids writing keeps the file
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
    """A database in a temporary directory, which goes away again.

    Args:
        fill: writes into its empty file; ``None`` for nothing.
        ignore: as for :class:`SQLiteBackend`.
        timeout: as for :class:`SQLiteBackend`.
        name: the database that it stands for.
        query_seconds: as for :class:`SQLiteBackend`.

    Raises:
        DatabaseUnavailable: there is no room for it.
    """
    import tempfile  # brings shutil, bz2, lzma and random

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
