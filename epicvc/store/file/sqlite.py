"""The store's SQLite file: opens it safely, makes its tables, and translates SQLite's errors into ours.

This module knows the tables but not their contents.
"""

from __future__ import annotations

import os
import sqlite3
import stat
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from epicvc.base.fileio import odd_companion
from epicvc.errors import DamagedStore, DatabaseLocked, EpicvcError, FileUnavailable, NewerFormat, NotFound, Refused
from epicvc.store.file.census import CENSUS, EMPTY, dump_census
from epicvc.store.file.rowcheck import crc_of

APPLICATION_ID: Final = 0x65707663  # "epvc"
FORMAT: Final = 1
PAGE_SIZE: Final = 4096
TIMEOUT: Final = 10.0
"""Seconds to wait for another process. Transactions are short, but a disk may be slow."""

# Objects lie in the order of writing, and an index holds their ids. Ids are random: data filed under them would be
# written all over the file.
TABLES: Final = {
    "meta": "CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL, crc INTEGER NOT NULL) WITHOUT ROWID",
    "object": """
CREATE TABLE object (
  id BLOB NOT NULL UNIQUE, type INTEGER NOT NULL, codec INTEGER NOT NULL, size INTEGER NOT NULL,
  data BLOB NOT NULL
)""",
    "ref": "CREATE TABLE ref (name TEXT PRIMARY KEY, value TEXT NOT NULL, crc INTEGER NOT NULL) WITHOUT ROWID",
    "operation": """
CREATE TABLE operation (
  seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, time TEXT NOT NULL, command TEXT NOT NULL,
  description TEXT NOT NULL, user TEXT NOT NULL, before TEXT NOT NULL, after TEXT NOT NULL,
  undoes TEXT, redoes TEXT, crc INTEGER NOT NULL
)""",
    "pending": """
CREATE TABLE pending (
  one INTEGER PRIMARY KEY CHECK (one = 1), operation TEXT NOT NULL, command TEXT NOT NULL,
  database INTEGER NOT NULL, prepared INTEGER NOT NULL, before TEXT NOT NULL, after TEXT,
  details TEXT NOT NULL, crc INTEGER NOT NULL
)""",
}

_CATALOGUE: Final = {
    *(("table", name, name, statement.strip()) for name, statement in TABLES.items()),
    ("table", "sqlite_sequence", "sqlite_sequence", "CREATE TABLE sqlite_sequence(name,seq)"),
    *(("index", f"sqlite_autoindex_{table}_1", table, None) for table in ("object", "operation")),
}
"""The entries of SQLite's own catalogue in a sound store."""

Values = Sequence[bytes | str | int | None]

_SUPER_JOURNAL: Final = bytes.fromhex("d9d505f920a163d7")
"""The end of a journal that names another journal above it, which SQLite removes after playing this one back."""

_UNAVAILABLE: Final = frozenset(
    (
        sqlite3.SQLITE_PERM,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_AUTH,
        sqlite3.SQLITE_NOLFS,
        sqlite3.SQLITE_PROTOCOL,
        sqlite3.SQLITE_NOMEM,
    )
)
_LOCKED: Final = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
_DAMAGED: Final = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR, sqlite3.SQLITE_SCHEMA)


class Connection:
    """A connection that raises our errors.

    Args:
        path: the file, which must exist.
        timeout: seconds to wait for another process.
        frozen: read the file as it is, without locks and without the files beside it.
    """

    def __init__(self, path: Path, timeout: float, *, frozen: bool = False) -> None:
        self.path, self.timeout = path, timeout
        # mode=rw: a file that vanished must not come back empty. SQLite falls back to reading by itself.
        uri = f"{path.absolute().as_uri()}?{'mode=ro&immutable=1' if frozen else 'mode=rw'}"
        try:
            self._raw = sqlite3.connect(uri, uri=True, timeout=timeout, isolation_level=None)
        except sqlite3.Error as error:
            raise self.translate(error) from error
        self.run("PRAGMA synchronous = EXTRA")
        # The schema comes from the file: nothing in it may call functions or hide a damaged page.
        self.run("PRAGMA trusted_schema = OFF")
        self.run("PRAGMA cell_size_check = ON")

    def run(self, sql: str, values: Values = ()) -> list[tuple[Any, ...]]:
        """Run one statement and read all of its rows, so that no read lock outlives the call.

        Raises:
            EpicvcError: see :meth:`translate`.
        """
        try:
            return self._raw.execute(sql, values).fetchall()
        except sqlite3.Error as error:
            raise self.translate(error) from error
        except UnicodeDecodeError as error:  # Python fails to decode SQLite's message about a damaged definition
            raise DamagedStore(str(self.path), "its definitions are no text") from error

    def run_many(self, sql: str, rows: Iterable[Values]) -> int:
        """Run one statement for each row, and return how many rows of the table it changed.

        Raises:
            EpicvcError: see :meth:`translate`.
        """
        try:
            return self._raw.executemany(sql, rows).rowcount
        except sqlite3.Error as error:
            raise self.translate(error) from error

    @property
    def in_transaction(self) -> bool:
        """Tell whether a transaction is open."""
        return self._raw.in_transaction

    def begin(self) -> None:
        """Begin a write transaction.

        Raises:
            EpicvcError: see :meth:`translate`.
        """
        self.run("BEGIN IMMEDIATE")

    def rollback(self) -> None:
        """Roll the transaction back, if one is open."""
        if self._raw.in_transaction:
            # The next process that opens the file repairs a failed rollback; the first error matters more.
            with suppress(sqlite3.Error):
                self._raw.execute("ROLLBACK")

    def close(self) -> None:
        """Close the connection, which rolls back an open transaction."""
        self._raw.close()

    def translate(self, error: sqlite3.Error) -> EpicvcError | sqlite3.Error:
        """Return the error in our words; the error itself when it can only be a bug."""
        path, text = str(self.path), str(error)
        code = getattr(error, "sqlite_errorcode", None)
        if code is None:
            # An error of the sqlite3 module itself: text that is no UTF-8 is damage, anything else is misuse.
            return DamagedStore(path, text) if "decode" in text else error
        primary = code & 0xFF
        if primary in _LOCKED:
            return DatabaseLocked(path, self.timeout)
        if primary in _UNAVAILABLE:
            return FileUnavailable(path, text)
        return DamagedStore(path, text) if primary in _DAMAGED else error


def bindable(text: str) -> str:
    """Return a text that SQLite accepts: bytes that are no UTF-8, shown by Python as lone surrogates, are escaped."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def connect(path: Path, *, create: bool, timeout: float, frozen: bool = False, any_owner: bool = False) -> Connection:
    """Open the store's file, and make it if need be.

    Args:
        path: the file.
        create: make the file where there is none.
        timeout: seconds to wait for another process.
        frozen: see :class:`Connection`.
        any_owner: the file may belong to another user, since ours trusts it.

    Raises:
        NotFound: there is no file, or it is empty, and it is not to be made.
        Refused: it belongs to another user or is no ordinary file.
        NewerFormat: a newer version wrote it.
        DamagedStore: it is no store.
        Unavailable: the system does not let us.
    """
    if create:
        _create_file(path)
    _check_owner(path, any_owner=any_owner)
    _check_journal(path, frozen=frozen)
    connection = Connection(path, timeout, frozen=frozen)
    try:
        _check_format(connection, create=create)
    except BaseException:
        connection.close()
        raise
    return connection


def _create_file(path: Path) -> None:
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise FileUnavailable(str(path.parent), error.strerror or str(error)) from error
    try:
        # Made here and not by SQLite, which would make it readable by everyone.
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    except FileExistsError:
        return
    except OSError as error:
        raise FileUnavailable(str(path), error.strerror or str(error)) from error


def _check_owner(path: Path, *, any_owner: bool) -> None:
    try:
        found, above = path.lstat(), path.parent.stat()
    except (FileNotFoundError, NotADirectoryError) as error:
        raise NotFound(f"there is no store at {path}", hint="run `epicvc init`") from error
    except OSError as error:
        raise FileUnavailable(str(path), error.strerror or str(error)) from error
    if not stat.S_ISREG(found.st_mode):
        raise Refused(f"{path} is not an ordinary file", hint="put the store's file itself there")
    if (odd := odd_companion(path)) is not None:
        raise Refused(f"{odd} is not an ordinary file", hint="take it away")
    own = os.geteuid()
    # The owner of the directory can put a journal beside the file, which SQLite would play back into it.
    if not any_owner and (found.st_uid != own or above.st_uid not in (own, 0)):
        raise Refused(f"{path} belongs to another user", hint="if you trust who owns it, run `epicvc adopt`")


def _check_journal(path: Path, *, frozen: bool) -> None:
    """Refuse a journal that would make SQLite remove a file elsewhere, or one that a frozen reader cannot apply."""
    journal = path.with_name(path.name + "-journal")
    try:
        with journal.open("rb") as file:
            file.seek(0, os.SEEK_END)
            file.seek(max(0, file.tell() - len(_SUPER_JOURNAL)))
            ends_in_name = file.read() == _SUPER_JOURNAL
    except FileNotFoundError:
        return
    except OSError as error:
        raise FileUnavailable(str(journal), error.strerror or str(error)) from error
    if ends_in_name:
        raise DamagedStore(str(journal), "it names a journal of another database, which no store has")
    if frozen and journal.stat().st_size:
        hint = "if this store is yours, run `epicvc adopt`"
        raise Refused(f"{path} has an unfinished write beside it", hint=hint)


def _check_format(connection: Connection, *, create: bool) -> None:
    application, version = _format(connection)
    if application == 0 and create:
        _create_tables(connection)
        application, version = _format(connection)
    elif (application, version) == (0, 0) and not connection.run("SELECT 1 FROM sqlite_master LIMIT 1"):
        # The process that made it crashed before it had tables.
        raise NotFound(f"the store {connection.path} is empty", hint="run `epicvc init`")
    if application != APPLICATION_ID:
        raise DamagedStore(str(connection.path), "it is not an epicvc store")
    if version > FORMAT:
        raise NewerFormat(f"the store {connection.path}", version, FORMAT)
    if version < 1:
        raise DamagedStore(str(connection.path), f"it has format {version}")
    # Nothing but our tables: a trigger or view in the file could change what is read and written.
    if set(connection.run("SELECT type, name, tbl_name, sql FROM sqlite_master")) != _CATALOGUE:
        raise DamagedStore(str(connection.path), "its tables are not those of this format")


def _format(connection: Connection) -> tuple[int, int]:
    return connection.run("PRAGMA application_id")[0][0], connection.run("PRAGMA user_version")[0][0]


def _create_tables(connection: Connection) -> None:
    import uuid  # imported late: needed only for a new store

    connection.run(f"PRAGMA page_size = {PAGE_SIZE}")
    connection.run("PRAGMA journal_mode = DELETE")
    connection.begin()
    try:
        # Another process may have made the tables meanwhile, and somebody else's database must stay as it is.
        if not connection.run("SELECT 1 FROM sqlite_master LIMIT 1"):
            for statement in TABLES.values():
                connection.run(statement)
            for row in (("repo_id", uuid.uuid4().hex), (CENSUS, dump_census(EMPTY))):
                connection.run("INSERT INTO meta VALUES (?, ?, ?)", (*row, crc_of(*row)))
            connection.run(f"PRAGMA application_id = {APPLICATION_ID}")
            connection.run(f"PRAGMA user_version = {FORMAT}")
        connection.run("COMMIT")
    finally:
        connection.rollback()
