"""Writes the rows of one table exactly, and reads them back."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from itertools import zip_longest

from epicvc.database.batches import batches
from epicvc.database.quoting import quote_identifier
from epicvc.database.rowcodec import RawText, SQLValue, decode_key, decode_row, runs, show_key, show_value
from epicvc.database.sqlite.rows import read_row, read_rows, read_rows_between
from epicvc.database.sqlite.statements import TableSQL
from epicvc.database.tables import KeyKind
from epicvc.errors import ChangedSince, InvalidRow


class RowWriter:
    """Deletes, inserts and verifies rows of one table, which must have no trigger left.

    Args:
        connection: a connection in a write transaction.
        sql: the table's statements.
    """

    def __init__(self, connection: sqlite3.Connection, sql: TableSQL) -> None:
        self._connection = connection
        self._sql = sql
        self._table = sql.table
        self._at = b""  # key of the row being written, for messages

    def clear(self) -> None:
        """Delete all rows."""
        self._connection.execute(f"DELETE FROM {self._sql.name}")

    def delete(self, rows: Iterable[tuple[bytes, bytes]], *, undisturbed: bool = False) -> None:
        """Delete these rows.

        Args:
            rows: the rows.
            undisturbed: the stored rows are certain to be these, so that they are not read first.

        Raises:
            ChangedSince: a stored row is another one.
            InvalidData: a key is damaged.
        """
        if undisturbed and self._table.kind is not KeyKind.PRIMARY:
            numbers = (self._sql.condition(key)[1] for key, _ in rows)
            self._connection.executemany(f"DELETE FROM {self._sql.name} WHERE {self._sql.number} = ?", numbers)
            return
        for key, old in rows:
            if read_row(self._connection, self._sql, key) != old:
                raise ChangedSince("write to the database", [f"@{self._table.name}/{show_key(key)}"])
            condition, values = self._sql.condition(key)
            self._connection.execute(f"DELETE FROM {self._sql.name} WHERE {condition}", values)

    def insert(self, rows: Iterable[tuple[bytes, bytes]]) -> None:
        """Insert these rows, each under the row number in its key if there is one.

        Raises:
            InvalidRow: the database refuses a row, or it does not fit the table.
            InvalidData: a row or a key is damaged.
        """
        special: list[tuple[bytes, tuple[SQLValue, ...]]] = []
        numbered = self._table.kind is KeyKind.ROWID
        statement, _ = self._sql.insert([None] * len(self._table.columns), 0 if numbered else None)
        try:
            self._connection.executemany(statement, self._ordinary(rows, special))
        except (sqlite3.IntegrityError, sqlite3.DataError) as error:
            raise self._refused(error) from error
        for key, values in special:
            self._at = key
            self._insert_special(key, values)

    def _ordinary(
        self, rows: Iterable[tuple[bytes, bytes]], special: list[tuple[bytes, tuple[SQLValue, ...]]]
    ) -> Iterator[tuple[SQLValue, ...]]:
        """Yield the rows that one statement can insert; put the others into ``special``."""
        by_columns = self._table.kind is KeyKind.PRIMARY
        numbered = self._table.kind is KeyKind.ROWID
        width, at = len(self._table.columns), self._table.key_indexes
        for key, row in rows:
            self._at = key
            values = decode_row(row)
            if len(values) != width:
                raise self._invalid(None, f"{len(values)} values for {width} columns")
            if any(type(value) is RawText for value in values) or (
                by_columns and any(values[index] is None for index in at)
            ):
                special.append((key, values))
            elif numbered:
                yield *values, self._sql.rowid_in(key)
            else:
                yield values

    def _insert_special(self, key: bytes, values: tuple[SQLValue, ...]) -> None:
        number = self._sql.rowid_in(key)
        try:
            if number is not None and self._table.kind is KeyKind.PRIMARY:
                self._make_way(number)
            self._connection.execute(*self._sql.insert(values, number))
        except (sqlite3.IntegrityError, sqlite3.DataError) as error:
            raise self._refused(error) from error

    def _make_way(self, number: int) -> None:
        """Give another row number to a row that has this one by chance, since its columns identify it."""
        known = " AND ".join(f"{quote_identifier(column)} IS NOT NULL" for column in self._table.key)
        free = f"(SELECT max({self._sql.rowid}) + 1 FROM {self._sql.name})"
        self._connection.execute(
            f"UPDATE {self._sql.name} SET {self._sql.rowid} = {free} WHERE {self._sql.rowid} = ? AND {known}", [number]
        )

    def verify(self, rows: Iterable[tuple[bytes, bytes | None]]) -> None:
        """Read these rows back.

        Raises:
            InvalidRow: a row is not as given (``None``: a row still exists).
        """
        numbered = self._table.kind is not KeyKind.PRIMARY
        for batch in map(dict, batches(rows)):
            for run in runs(batch) if numbered else ([key] for key in batch):
                found = self._found(run)
                for key in run:
                    self._compare(key, found.get(key), batch[key])

    def _found(self, run: Sequence[bytes]) -> dict[bytes, bytes]:
        """Read the row of one key, or the rows of several consecutive numbers."""
        if len(run) > 1:
            first, last = decode_key(run[0]), decode_key(run[-1])
            return dict(read_rows_between(self._connection, self._sql, first, last))
        row = read_row(self._connection, self._sql, run[0])
        return {} if row is None else {run[0]: row}

    def verify_all(self, rows: Iterable[tuple[bytes, bytes]]) -> None:
        """Read the whole table back.

        Raises:
            InvalidRow: a row is not as given, is missing, or is one too many.
        """
        for found, wanted in zip_longest(read_rows(self._connection, self._sql), rows):
            if found == wanted:
                continue
            if wanted is None or (found is not None and found[0] < wanted[0]):
                self._compare(found[0], found[1], None)
            else:
                self._compare(wanted[0], found[1] if found and found[0] == wanted[0] else None, wanted[1])

    def _compare(self, key: bytes, found: bytes | None, wanted: bytes | None) -> None:
        if found == wanted:
            return
        self._at = key
        if wanted is None:
            raise self._invalid(None, "a row that should be gone is there")
        if found is None:
            raise self._invalid(None, "the row does not come back under its key")
        for column, here, there in zip(self._table.columns, decode_row(found), decode_row(wanted), strict=False):
            if here != there or type(here) is not type(there):
                what = f"{_typed(there)} comes back as {_typed(here)}"
                raise self._invalid(column, what)
        raise self._invalid(None, "the row does not come back as it was")

    def _refused(self, error: sqlite3.Error) -> InvalidRow:
        return self._invalid(None, f"the database refuses it: {error}")

    def _invalid(self, column: str | None, reason: str) -> InvalidRow:
        return InvalidRow(self._table.name, show_key(self._at), column, reason, hint="nothing was written")


def _typed(value: SQLValue) -> str:
    return show_value(value) if value is None else f"{type(value).__name__} {show_value(value)}"
