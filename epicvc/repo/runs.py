"""The runs of commands, kept in ``.epicvc/runs.db``: their durations, counts and exit codes.

They are no history. Nothing depends on them, and the file may be removed at any time. So nothing here raises: a run
that cannot be written is dropped, a file that cannot be read has no runs, and a damaged file is begun anew.
"""

from __future__ import annotations

import os
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec import Struct

FILE: Final = "runs.db"
KEPT: Final = 10_000
"""The number of runs of one command that are kept; the oldest go first.

A month of one run every five minutes takes half a megabyte.
"""

_VERSION: Final = 1
_PATIENCE_S: Final = 0.1  # a figure is not worth a longer wait
_TABLE: Final = """
CREATE TABLE run (
  command TEXT NOT NULL, number INTEGER NOT NULL, started_ms INTEGER NOT NULL, took_ms REAL NOT NULL,
  exit INTEGER NOT NULL, error TEXT, records INTEGER NOT NULL, to_files INTEGER NOT NULL, to_db INTEGER NOT NULL,
  conflicts INTEGER NOT NULL, PRIMARY KEY (command, number)
) WITHOUT ROWID"""
# placeholders have names, since Python 3.12 warns of numbered ones that are bound to a sequence
_INSERT: Final = """
INSERT INTO run
SELECT :command, ifnull(max(number), 0) + 1, :started_ms, :took_ms, :exit, :error,
       :records, :to_files, :to_db, :conflicts
FROM run WHERE command = :command"""
_FORGET: Final = """
DELETE FROM run
WHERE command = :command AND number <= (SELECT max(number) FROM run WHERE command = :command) - :kept"""
# up to the year 9999, since a number in a damaged file may be no time
_SELECT: Final = """
SELECT command, started_ms, took_ms, exit, error, records, to_files, to_db, conflicts FROM run
WHERE started_ms BETWEEN ? AND 253370764800000 ORDER BY started_ms, command, number"""
_DAMAGED: Final = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR)
"""The errors of SQLite for a file that is not ours, or no more. The last one says that the table is missing."""

_DONE: Final = (0, 1)
_INTERRUPTED: Final = 130


class Counts(Struct, frozen=True):
    """The counts of one run.

    Attributes:
        records: the epics that the run changed on either side.
        to_files: the values that it wrote into files.
        to_db: the values that it wrote into the database.
        conflicts: the conflicts that it left open.
    """

    records: int = 0
    to_files: int = 0
    to_db: int = 0
    conflicts: int = 0


class Run(Struct, frozen=True, array_like=True):
    """One run of a command.

    Attributes:
        command: the words of the command, such as ``backup create``.
        started_ms: the time at which it began, in milliseconds since 1970, UTC.
        took_ms: its duration in milliseconds, with the time that it waited for others.
        exit: its exit code.
        error: the kind of the error that it ended with, as machine output names it.
        records: as in :class:`Counts`, like the fields that follow.
    """

    command: str
    started_ms: int
    took_ms: float
    exit: int
    error: str | None = None
    records: int = 0
    to_files: int = 0
    to_db: int = 0
    conflicts: int = 0

    @property
    def started(self) -> datetime:
        """The time at which it began, in UTC."""
        return datetime.fromtimestamp(self.started_ms / 1000, UTC)

    @property
    def succeeded(self) -> bool:
        """Tell whether it did its work. Conflicts that are left for a person are no failure."""
        return self.exit in _DONE

    @property
    def interrupted(self) -> bool:
        """Tell whether the user stopped it."""
        return self.exit == _INTERRUPTED


def keep_run(private: Path, run: Run) -> None:
    """Keep a run, if that can be done at once.

    Args:
        private: the private directory of an opened repo, which is known to lead nowhere else.
        run: the run.
    """
    path = private / FILE
    try:
        _add(path, run)
    except sqlite3.DatabaseError as error:
        if _is_damaged(error):
            with suppress(OSError, sqlite3.Error):
                path.unlink()
                _add(path, run)
    except (OSError, sqlite3.Error, OverflowError):
        pass


def kept_runs(private: Path, since_ms: int = 0) -> list[Run]:
    """Return the runs that began at a time or later, oldest first; none where they cannot be read."""
    path = private / FILE
    try:
        if not _is_file(path):
            return []
        with _opened(path) as connection:
            rows = connection.execute(_SELECT, (since_ms,)).fetchall() if _version(connection) == _VERSION else []
        return msgspec.convert(rows, list[Run])
    except (OSError, sqlite3.Error, msgspec.ValidationError, UnicodeDecodeError):
        return []


def _add(path: Path, run: Run) -> None:
    if not _is_file(path):
        # made here and not by SQLite, so that only its user can read it and no link is followed
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        os.close(os.open(path, flags, 0o600))
    with _opened(path) as connection:
        # Killed in the middle the last transaction is rolled back; a power cut may damage the file, which is then made
        # anew. Syncing would take longer than most commands run.
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute("PRAGMA journal_mode = TRUNCATE")
        connection.execute("BEGIN IMMEDIATE")
        version = _version(connection)
        if version == 0:
            connection.execute(_TABLE)
            connection.execute(f"PRAGMA user_version = {_VERSION}")
        elif version != _VERSION:
            return  # the file of a later release, which goes on using it
        connection.execute(_INSERT, msgspec.structs.asdict(run))
        connection.execute(_FORGET, {"command": run.command, "kept": KEPT})
        connection.execute("COMMIT")


@contextmanager
def _opened(path: Path) -> Iterator[sqlite3.Connection]:
    # for a file that may not be written SQLite falls back to reading by itself
    uri = f"{path.absolute().as_uri()}?mode=rw"
    with closing(sqlite3.connect(uri, uri=True, timeout=_PATIENCE_S, isolation_level=None)) as connection:
        connection.execute("PRAGMA trusted_schema = OFF")
        yield connection


def _version(connection: sqlite3.Connection) -> int:
    found: Any = connection.execute("PRAGMA user_version").fetchone()[0]
    return int(found)


def _is_file(path: Path) -> bool:
    """Return whether a path is a regular file; ``False`` where nothing is there.

    Raises:
        OSError: it is something else (a link, a FIFO, a device), or cannot be looked at.
    """
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return False
    if not stat.S_ISREG(mode):
        raise OSError(0, "not a regular file")
    return True


def _is_damaged(error: sqlite3.DatabaseError) -> bool:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in _DAMAGED
