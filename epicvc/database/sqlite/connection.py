"""Opens a SQLite file: for reading without leaving a trace, for writing as an application or as a restore.

Databases may be hostile. Extensions are never loaded, and no function is registered that could do harm. While reading
and restoring, ``trusted_schema=OFF`` also keeps functions that SQLite does not call harmless out of views, triggers and
expressions (:mod:`epicvc.database.sqlite.trust` has the one exception). For an application's writes it stays on, since
triggers that keep a full-text index would be refused otherwise. ``cell_size_check`` finds damaged pages early.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from time import perf_counter

from epicvc.base.fileio import odd_companion
from epicvc.base.logs import Log
from epicvc.database.sqlite.deadline import Limited
from epicvc.database.sqlite.trust import let_json_through, mentions_json
from epicvc.errors import DatabaseUnavailable

_LOG = Log("lock")
_WORTH_TELLING = 0.02
"""Seconds. Where somebody else holds the lock, SQLite waits at least this long."""

_HOT_JOURNAL = frozenset({sqlite3.SQLITE_READONLY_ROLLBACK, sqlite3.SQLITE_READONLY_RECOVERY})
_NO_SIDE_FILES = frozenset({sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY})


_CACHE_KIB = 32 * 1024
"""Memory for pages, filled as they are read.

SQLite's own 2 MiB do not even hold the inner pages of a large database's indexes, so that each insertion would read
some of them again.
"""


def require_file(path: Path, display: str) -> None:
    """Raise ``DatabaseUnavailable`` unless ``path`` is a file that can be seen."""
    try:
        is_file = path.is_file()
    except OSError as error:
        raise DatabaseUnavailable(display, error.strerror or str(error)) from error
    if is_file:
        if (odd := odd_companion(path)) is not None:
            raise DatabaseUnavailable(odd, "is not a regular file", hint="see who put it beside the database")
        return
    if path.is_dir():
        raise DatabaseUnavailable(display, "is a directory", hint="name the database file itself")
    raise DatabaseUnavailable(display, "no such file", hint="check the path given by --db or in epicvc.toml")


def wal_of(path: Path) -> Path:
    """Return the path of the write-ahead log beside the database."""
    return path.with_name(path.name + "-wal")


def wal_size(path: Path) -> int | None:
    """Return the size of the write-ahead log in bytes; ``None`` when there is none."""
    try:
        return wal_of(path).stat().st_size
    except OSError:
        return None


def _connect(path: Path, mode: str, timeout: float) -> Limited:
    # as_uri percent-encodes the signs that would end the path (? and #), and bytes that are no UTF-8
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?{mode}",
        uri=True,
        timeout=timeout,
        isolation_level=None,  # transactions are opened and closed here and nowhere else
        check_same_thread=False,  # one user at a time, though not always the same thread
        factory=Limited,
    )
    connection.execute("PRAGMA cell_size_check=ON")
    connection.execute(f"PRAGMA cache_size=-{_CACHE_KIB}")
    return connection


def begin_reading(path: Path, timeout: float, seconds: float) -> sqlite3.Connection:
    """Return a connection inside a read transaction whose view is already fixed.

    A transaction that a crash interrupted in the middle of its commit has to be rolled back before anyone can read. A
    read-only connection cannot do that, so a writing one is opened for it and for nothing else, as any other client
    would.

    Args:
        path: the database.
        timeout: seconds to wait for a lock.
        seconds: the most seconds that a statement may take.

    Raises:
        sqlite3.Error: it cannot be opened or read.
    """
    try:
        return _begin(_connect(path, "mode=ro", timeout), seconds)
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode not in _HOT_JOURNAL:
            raise
    visit(path, timeout)
    return _begin(_connect(path, "mode=ro", timeout), seconds)


def _begin(connection: Limited, seconds: float) -> sqlite3.Connection:
    connection.limit(seconds)
    connection.execute("PRAGMA query_only=ON")
    connection.execute("PRAGMA trusted_schema=OFF")
    connection.execute("BEGIN")
    try:
        # BEGIN takes no lock; the first read does, and fixes the view
        connection.execute("SELECT count(*) FROM main.sqlite_master").fetchall()
        if mentions_json(connection):
            let_json_through(connection)
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def begin_reading_unlocked(path: Path, timeout: float, seconds: float) -> sqlite3.Connection | None:
    """Begin to read a database in WAL mode whose side files cannot be made; ``None`` if a log or journal has more.

    Nothing is locked (``immutable=1``), so the caller must check afterwards that the file did not change.
    """
    if wal_size(path) or path.with_name(path.name + "-journal").exists():
        return None
    return _begin(_connect(path, "mode=ro&immutable=1", timeout), seconds)


def lacks_side_files(error: sqlite3.Error) -> bool:
    """Return whether SQLite could not open, or not make, one of the files."""
    return (getattr(error, "sqlite_errorcode", 0) & 0xFF) in _NO_SIDE_FILES


def visit(path: Path, timeout: float) -> None:
    """Open the database for writing, read it, close it.

    That rolls back the remains of a crash, and removes an empty WAL that nobody else uses.
    """
    connection = _connect(path, "mode=rw", timeout)
    try:
        connection.execute("SELECT count(*) FROM main.sqlite_master").fetchall()
    finally:
        connection.close()


def settle(path: Path, timeout: float) -> None:
    """Write and commit one page unchanged.

    That rolls back or makes durable the remains of a killed writer, deletes its journal, and overwrites the frames of a
    commit that failed at its last sync. SQLite has reported that commit as rolled back, but the next client to open the
    database would take the frames for committed.

    Raises:
        sqlite3.Error: it cannot be opened, is locked, or is read-only.
    """
    connection = _connect(path, "mode=rw", timeout)
    try:
        connection.execute("PRAGMA synchronous=EXTRA")
        # asked before the transaction, since BEGIN IMMEDIATE makes the first page
        if not connection.execute("PRAGMA main.page_count").fetchone()[0]:
            return  # the database was just being made; reading it has rolled that back
        connection.execute("BEGIN IMMEDIATE")
        (version,) = connection.execute("PRAGMA main.user_version").fetchone()
        connection.execute(f"PRAGMA main.user_version={version:d}")
        connection.execute("COMMIT")
    finally:
        connection.close()


def vacuum(path: Path, timeout: float) -> None:
    """Write the file anew without unused space.

    Raises:
        sqlite3.Error: it is locked, read-only or damaged, or there is no space for a second copy.
    """
    connection = _connect(path, "mode=rw", timeout)
    try:
        connection.execute("PRAGMA synchronous=EXTRA")
        connection.execute("VACUUM")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    finally:
        connection.close()


def begin_writing(
    path: Path,
    timeout: float,
    seconds: float,
    *,
    as_restore: bool,
    foreign_keys: bool = True,
    before: Callable[[sqlite3.Connection], object] = lambda _: None,
) -> sqlite3.Connection:
    """Return a connection inside a write transaction that holds the write lock.

    Args:
        path: the database.
        timeout: seconds to wait for the lock.
        seconds: the most seconds that a statement may take.
        as_restore: neither foreign keys nor checks are enforced, and no schema is trusted.
        foreign_keys: enforce foreign keys, where it is no restore.
        before: called with the connection before the lock is taken.

    Raises:
        sqlite3.Error: it cannot be opened, is locked, or is read-only.
    """
    connection = _connect(path, "mode=rw", timeout)
    connection.limit(seconds)
    try:
        # set before the transaction: inside one, SQLite ignores a change of foreign_keys
        connection.execute(f"PRAGMA foreign_keys={'ON' if foreign_keys and not as_restore else 'OFF'}")
        connection.execute(f"PRAGMA ignore_check_constraints={'ON' if as_restore else 'OFF'}")
        connection.execute(f"PRAGMA trusted_schema={'OFF' if as_restore else 'ON'}")
        if as_restore:
            let_json_through(connection)
        # FULL does not sync the directory after the journal is gone: a power loss can bring the journal,
        # and with it the old state, back after the commit was acknowledged
        connection.execute("PRAGMA synchronous=EXTRA")
        if not as_restore:
            # the log of touched rows makes SQLite note down every statement so that it can be undone: 2.7
            # times the work of a bulk insert when that goes to a temporary file, 1.4 times in memory
            connection.execute("PRAGMA temp_store=MEMORY")
        before(connection)
        began = perf_counter()
        connection.execute("BEGIN IMMEDIATE")
        waited = perf_counter() - began
        tell = _LOG.info if waited >= _WORTH_TELLING else _LOG.debug
        tell("waited for the database %s", path.name, seconds=waited)
        connection.execute("SELECT count(*) FROM main.sqlite_master").fetchall()
    except BaseException:
        connection.close()
        raise
    return connection


REPLICATION = {"_litestream_lock": "Litestream", "_litestream_seq": "Litestream"}
"""Tables in which a replication tool counts what it has copied of the database, each with the tool.

Restoring them would mislead the tool.
"""

BESIDE = "_epicvc_beside"
"""The name of the schema that is laid beside a database."""


def lay_beside(connection: sqlite3.Connection, image: bytes) -> None:
    """Attach a database that exists in memory alone.

    Args:
        connection: a connection outside of a transaction.
        image: the database, as it would be in a file.
    """
    connection.execute(f"ATTACH ':memory:' AS {BESIDE}")
    connection.deserialize(image, name=BESIDE)


def take_away(connection: sqlite3.Connection) -> None:
    """Detach the database that was laid beside, after the transaction has ended."""
    connection.execute(f"DETACH {BESIDE}")


def empty_copy() -> sqlite3.Connection:
    """Return a connection to an empty database in memory, in a transaction with the settings of a restore."""
    connection = sqlite3.connect(":memory:", isolation_level=None)
    connection.execute("PRAGMA trusted_schema=OFF")
    let_json_through(connection)
    connection.execute("BEGIN")
    return connection


def copy_into(connection: sqlite3.Connection, target: Path) -> None:
    """Write everything that a connection's transaction sees into an empty file.

    Raises:
        sqlite3.Error: it cannot be read or written.
    """
    copy = sqlite3.connect(f"{target.absolute().as_uri()}?mode=rw", uri=True, isolation_level=None)
    try:
        connection.backup(copy)
        # the copy of a database in WAL mode would be in that mode too, needlessly
        copy.execute("PRAGMA journal_mode=DELETE")
    finally:
        copy.close()
