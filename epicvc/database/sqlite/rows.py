"""Reads rows as bytes."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Final

from epicvc.database.rowcodec import SQLValue, encode_integer_key, raw_text, row_encoder
from epicvc.database.sqlite.statements import TableSQL
from epicvc.database.tables import KeyKind

_BATCH: Final = 256


def read_rows(connection: sqlite3.Connection, sql: TableSQL) -> Iterator[tuple[bytes, bytes]]:
    """Stream every row of a table as (key, row), in the order of the keys' bytes."""
    rows = _encoded(connection, sql, sql.ordered, sql.skip)
    if sql.mixes_numbers and connection.execute(sql.mixes_numbers).fetchone()[0]:
        return iter(sorted(rows))
    return rows


def read_rows_between(
    connection: sqlite3.Connection, sql: TableSQL, first: Sequence[SQLValue], last: Sequence[SQLValue]
) -> Iterator[tuple[bytes, bytes]]:
    """Stream the rows of a range of keys, both ends included, of a table that is keyed by the row number."""
    return _encoded(connection, sql, sql.between, (*first, *last))


def _encoded(
    connection: sqlite3.Connection, sql: TableSQL, query: str, values: Sequence[SQLValue]
) -> Iterator[tuple[bytes, bytes]]:
    """Stream the rows in SQLite's order, encoded.

    The driver decodes text until a value turns out to be no UTF-8; from there on each text is tried by itself.
    """
    encode = _row_of(sql)
    done = 0
    try:
        cursor = connection.execute(query, values)
        for pair in encode(cursor):
            yield pair
            done += 1
    except sqlite3.OperationalError as error:
        if not is_decoding_error(error):
            raise
    else:
        return
    # the same query in the same transaction returns the rows in the same order
    yield from islice(encode(_exact(connection, query, values)), done, None)


def _row_of(sql: TableSQL) -> Callable[[Iterator[tuple[SQLValue, ...]]], Iterator[tuple[bytes, bytes]]]:
    """Return the encoding loop for the table's kind of key, so that nothing is decided per row."""
    encode = row_encoder()
    kind = sql.table.kind

    def by_column(rows: Iterator[tuple[SQLValue, ...]]) -> Iterator[tuple[bytes, bytes]]:
        at = sql.table.key_indexes[0]
        for row in rows:
            yield encode_integer_key(row[at]), encode(row)  # type: ignore[arg-type]

    def by_number(rows: Iterator[tuple[SQLValue, ...]]) -> Iterator[tuple[bytes, bytes]]:
        for row in rows:
            yield encode_integer_key(row[-1]), encode(row[:-1])  # type: ignore[arg-type]

    def by_columns(rows: Iterator[tuple[SQLValue, ...]]) -> Iterator[tuple[bytes, bytes]]:
        width = len(sql.table.columns)
        for row in rows:
            yield sql.key_of(row), encode(row[:width])

    return {KeyKind.INTEGER: by_column, KeyKind.ROWID: by_number, KeyKind.PRIMARY: by_columns}[kind]


def _exact(connection: sqlite3.Connection, query: str, values: Sequence[SQLValue]) -> Iterator[tuple[SQLValue, ...]]:
    """Stream the rows with each text tried for UTF-8 by itself."""
    cursor = connection.execute(query, values)
    while batch := _fetch_exact(connection, cursor):
        yield from batch


def _fetch_exact(connection: sqlite3.Connection, cursor: sqlite3.Cursor) -> list[tuple[SQLValue, ...]]:
    # The factory belongs to the connection and works when a row is fetched, so it must not be left set for other
    # cursors.
    connection.text_factory = raw_text
    try:
        return cursor.fetchmany(_BATCH)
    finally:
        connection.text_factory = str


def read_row(connection: sqlite3.Connection, sql: TableSQL, key: bytes) -> bytes | None:
    """Return one row, or ``None`` when no row has this key."""
    condition, values = sql.condition(key)
    joint = " AND " if sql.only else " WHERE "
    cursor = connection.execute(sql.select + joint + condition, [*sql.skip, *values])
    width = len(sql.table.columns)
    for row in _fetch_exact(connection, cursor):
        if sql.key_of(row) == key:
            return row_encoder()(row[:width])
    return None


def is_decoding_error(error: sqlite3.Error) -> bool:
    """Return whether the driver could not decode TEXT. That error is the driver's own, without a SQLite code."""
    return isinstance(error, sqlite3.OperationalError) and str(error).startswith("Could not decode to UTF-8")
