"""Translates SQLite's errors into epicvc's."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from epicvc.base.limits import QUERY_SECONDS
from epicvc.database.sqlite.deadline import expired
from epicvc.errors import (
    ConstraintBroken,
    DatabaseLocked,
    DatabaseUnavailable,
    EpicvcError,
    InvalidData,
    NotADatabase,
    NotUnique,
    QueryTooLong,
)

_LOCKED = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})
_REFUSED = frozenset({sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_MISMATCH, sqlite3.SQLITE_TOOBIG})
_UNIQUE = frozenset({sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY})
_UNIQUE_WORDS = "UNIQUE constraint failed: "
_UNAVAILABLE = {
    sqlite3.SQLITE_CANTOPEN: "check the path and the permissions of the file and of its directory",
    sqlite3.SQLITE_READONLY: "make the file and its directory writable",
    sqlite3.SQLITE_PERM: "check the permissions of the file and of its directory",
    sqlite3.SQLITE_FULL: "free some space; nothing was written",
    sqlite3.SQLITE_IOERR: "check the disk; nothing was written",
    sqlite3.SQLITE_NOMEM: None,
}


def explain(error: sqlite3.Error, display: str, timeout: float) -> EpicvcError | None:
    """Return the error that a user can act on, or ``None`` for a bug of the caller.

    Args:
        error: the exception that SQLite raised.
        display: the database's name in messages.
        timeout: seconds that were waited for a lock.
    """
    if isinstance(error, sqlite3.ProgrammingError | sqlite3.InterfaceError):
        return None
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF  # extended codes hold it in the low byte
    if code in _LOCKED:
        return DatabaseLocked(display, timeout)
    if getattr(error, "sqlite_errorcode", 0) in _UNIQUE:
        return _not_unique(display, str(error))
    if code in _REFUSED:
        return ConstraintBroken(display, str(error))
    if code == sqlite3.SQLITE_NOTADB:
        return NotADatabase(display)
    if code in _UNAVAILABLE:
        return DatabaseUnavailable(display, str(error), hint=_UNAVAILABLE[code])
    if str(error).startswith("no such collation sequence: "):
        return InvalidData(
            f"{display}: {error}", hint="only the application has this order, and can write to its index"
        )
    if code == sqlite3.SQLITE_CORRUPT:
        return InvalidData(f"{display} is damaged: {error}", hint="restore it from a backup")
    return InvalidData(f"{display}: {error}")


def _not_unique(display: str, words: str) -> NotUnique:
    """Return the error with the unique columns, from words such as ``UNIQUE constraint failed: tasks.a, tasks.b``."""
    named = words.removeprefix(_UNIQUE_WORDS)
    table, dot, _ = named.partition(".")
    if not dot or named == words or named.startswith("index '"):
        return NotUnique(display, words, "", ())
    return NotUnique(display, words, table, tuple(named.removeprefix(f"{table}.").split(f", {table}.")))


@contextmanager
def translated(display: str, timeout: float) -> Iterator[None]:
    """Raise the errors that :func:`explain` returns in place of SQLite's; a bug goes through unchanged."""
    try:
        yield
    except sqlite3.Error as error:
        if getattr(error, "sqlite_errorcode", 0) == sqlite3.SQLITE_INTERRUPT:
            if (seconds := expired()) is not None:
                raise QueryTooLong(display, seconds, QUERY_SECONDS.variable) from error
            raise KeyboardInterrupt from error  # SQLite swallowed the KeyboardInterrupt; raise it again
        mendable = explain(error, display, timeout)
        if mendable is None:
            raise
        raise mendable from error
    except OverflowError as error:  # a bound integer has over 64 bits
        raise ConstraintBroken(display, "integer over 64 bits") from error
    except UnicodeEncodeError as error:
        raise ConstraintBroken(display, "text with a lone surrogate") from error
