"""Brings many rows into a database: first into a nameless one beside it, before the database is locked.

Binding a row's values costs more than inserting them, and decoding it as much again. With that done beforehand, four
statements per table are left to do under the lock, which stay within SQLite: delete rows, insert rows, and check both.
So an application waits for a third of the time.

Some values SQLite cannot copy or compare exactly: text that is no UTF-8, a NaN, a zero with a sign, a key of several
columns. Tables with such rows are not taken, and are written row by row.
"""

from __future__ import annotations

import os
import sqlite3
from array import array
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from math import copysign
from typing import TYPE_CHECKING, Final

from epicvc.base.fileio import remove_file
from epicvc.database.backend import Change
from epicvc.database.quoting import quote_identifier
from epicvc.database.rowcodec import RawText, SQLValue, decode_key, decode_row
from epicvc.database.sqlite.failures import translated
from epicvc.database.sqlite.statements import TableSQL, exactly
from epicvc.database.tables import KeyKind, TableInfo
from epicvc.errors import FileUnavailable

if TYPE_CHECKING:
    from epicvc.database.shortcuts import Ahead

_NAME: Final = "_epicvc_incoming"
_SCHEMA: Final = quote_identifier(_NAME)
_PRAGMAS = ("journal_mode=OFF", "synchronous=OFF")  # nobody needs this file after a crash


class _Inexact(Exception):  # not an error: the table is written row by row
    """A row that cannot be taken exactly and has to be written by itself."""


class Incoming:
    """Rows that wait in a database that is attached to a connection.

    Args:
        connection: a connection outside of a transaction; the caller closes it when this fails.
        ahead: the rows, and the path where they may wait.
        timeout: seconds, for messages.

    Raises:
        DatabaseUnavailable: there is no space for the rows.
        InvalidData: a row or a key is damaged.
    """

    def __init__(self, connection: sqlite3.Connection, ahead: Ahead, timeout: float) -> None:
        self._connection = connection
        self._path = ahead.path
        self._tables: dict[str, _Waiting] = {}
        with translated(os.fspath(ahead.path.parent), timeout):
            connection.execute(f"ATTACH ? AS {_SCHEMA}", [f"{ahead.path.absolute().as_uri()}?mode=rwc"])
            self._forget_name()
            for pragma in _PRAGMAS:
                connection.execute(f"PRAGMA {_SCHEMA}.{pragma}").fetchall()
            connection.execute("BEGIN")
            self._load(ahead.tables)
            connection.execute("COMMIT")

    def _load(self, tables: Mapping[str, tuple[TableInfo, Iterable[Change]]]) -> None:
        for number, (name, (table, changes)) in enumerate(tables.items()):
            waiting = _Waiting(self._connection, TableSQL(table), number)
            if waiting.load(changes):
                self._tables[name] = waiting

    def of(self, table: TableInfo) -> _Waiting | None:
        """Return the waiting rows of a table with this definition; ``None`` where they must be written one by one."""
        waiting = self._tables.get(table.name)
        return waiting if waiting is not None and waiting.table == table else None

    def close(self) -> None:
        """Drop the rows, after the transaction has ended."""
        self._forget_name()
        self._connection.execute(f"DETACH {_SCHEMA}")

    def _forget_name(self) -> None:
        """Unlink the file, so that the system removes it when the process ends, however it ends."""
        with suppress(FileUnavailable):  # close() tries again; after that, recovery removes files of this name
            remove_file(self._path)


class _Waiting:
    """The differences of one table, in two tables: the numbers of rows to delete, and the rows to insert."""

    def __init__(self, connection: sqlite3.Connection, sql: TableSQL, number: int) -> None:
        self.table = sql.table
        self._connection = connection
        self._sql = sql
        self._gone = f"{_SCHEMA}.gone{number}"
        self._new = f"{_SCHEMA}.new{number}"
        self._cells = [f"c{place}" for place in range(len(self.table.columns))]

    def load(self, changes: Iterable[Change]) -> bool:
        """Take the differences, and return whether all of them could be taken exactly."""
        if self.table.kind is KeyKind.PRIMARY:
            return False
        run = self._connection.execute
        run(f"CREATE TABLE {self._gone} (n INTEGER PRIMARY KEY)")
        run(f"CREATE TABLE {self._new} (n INTEGER PRIMARY KEY, {', '.join(self._cells)})")
        # an array: a list of Python's integers would take several times the memory
        gone: array[int] = array("q")
        marks = ", ".join("?" * (len(self._cells) + 1))
        many = self._connection.executemany
        try:
            many(f"INSERT INTO {self._new} VALUES ({marks})", self._rows(changes, gone))
        except _Inexact:
            return False
        many(f"INSERT INTO {self._gone} VALUES (?)", ((number,) for number in gone))
        return True

    def _rows(self, changes: Iterable[Change], gone: array[int]) -> Iterator[tuple[SQLValue, ...]]:
        width = len(self._cells)
        for key, old, new in changes:
            (number,) = decode_key(key)
            if not isinstance(number, int):
                raise _Inexact
            if old is not None:
                gone.append(number)
            if new is None:
                continue
            values = decode_row(new)
            if len(values) != width or any(type(value) in (float, RawText) and _is_odd(value) for value in values):
                raise _Inexact
            yield number, *values

    def write(self) -> bool:
        """Delete and insert the rows.

        Returns:
            Whether all rows could be inserted. If not, the caller inserts them one by one, which finds the refused one.
        """
        here, number = self._sql.name, self._sql.number
        self._connection.execute(f"DELETE FROM {here} WHERE {number} IN (SELECT n FROM {self._gone})")
        names = [*map(quote_identifier, self.table.columns), *([self._sql.rowid] if self._sql.rowid else [])]
        cells = [*self._cells, *(["n"] if self._sql.rowid else [])]
        insertion = f"INSERT INTO {here} ({', '.join(names)}) SELECT {', '.join(cells)} FROM {self._new} ORDER BY n"
        try:
            self._connection.execute(insertion)
        except (sqlite3.IntegrityError, sqlite3.DataError):
            return False
        return True

    def is_there(self) -> bool:
        """Return whether the new rows are there exactly, and the deleted ones are gone."""
        number = f"here.{self._sql.number}"
        same = [f"{number} IS new.n"]
        for column, cell in zip(self.table.columns, self._cells, strict=True):
            same.append(exactly(f"here.{quote_identifier(column)}", f"new.{cell}"))
        missing = (
            f"SELECT 1 FROM {self._new} AS new LEFT JOIN {self._sql.name} AS here ON {number} = new.n "
            f"WHERE NOT ({' AND '.join(same)})"
        )
        left = (
            f"SELECT 1 FROM {self._gone} AS gone JOIN {self._sql.name} AS here ON {number} = gone.n "
            f"WHERE gone.n NOT IN (SELECT n FROM {self._new})"
        )
        found = self._connection.execute(f"SELECT EXISTS ({missing}) OR EXISTS ({left})").fetchone()
        return not found[0]


def _is_odd(value: SQLValue) -> bool:
    """Return whether SQLite would change a value, or take another value for the same."""
    if isinstance(value, float):
        return value != value or (value == 0 and copysign(1, value) < 0)
    return True
