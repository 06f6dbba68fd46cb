"""Finds the parents of rows that are in no database, by trying them in an empty one with the same definitions.

Bringing rows back writes them with constraints off, which is right for a state that once existed. A merge makes rows
that never existed. Their references are checked here, and their CHECK constraints in
:mod:`epicvc.database.sqlite.checks`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing

from epicvc.database.backend import Reference, Row
from epicvc.database.quoting import quote_identifier
from epicvc.database.rowcodec import raw_text
from epicvc.database.sqlite.foreign import references_of
from epicvc.database.sqlite.restore.rowwriter import RowWriter
from epicvc.database.sqlite.schema.definitions import create
from epicvc.database.sqlite.statements import TableSQL, bound, mark
from epicvc.database.tables import Definition, TableInfo


def references_by(definition: TableInfo) -> tuple[Reference, ...]:
    """Return the foreign keys that a table with this definition declares."""
    with closing(sqlite3.connect(":memory:")) as scratch:
        create(scratch, "table", Definition(definition.name, definition.sql))
        return tuple(references_of(scratch, definition.name).values())


def referred(child: TableInfo, rows: Iterable[tuple[bytes, bytes]], columns: Sequence[str]) -> dict[bytes, Row]:
    """Return the values of rows in the referring columns, computed ones too, by key.

    A row with NULL in one of the columns refers to nothing and is left out.

    Args:
        child: the table of the rows.
        rows: the rows, by key.
        columns: the columns.
    """
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as scratch:
        scratch.execute("PRAGMA ignore_check_constraints=ON")
        create(scratch, "table", Definition(child.name, child.sql))
        sql = TableSQL(child)
        writer = RowWriter(scratch, sql)
        scratch.text_factory = raw_text
        names = ", ".join(map(quote_identifier, columns))
        found = {}
        for key, row in rows:
            writer.insert([(key, row)])
            values = scratch.execute(f"SELECT {names} FROM {sql.name}").fetchone()
            if None not in values:
                found[key] = values
            writer.clear()
        return found


def parents_among(
    wanted: Mapping[bytes, Row], parent: TableInfo, columns: Sequence[str], rows: Iterable[tuple[bytes, bytes]]
) -> dict[bytes, bytes]:
    """Find the parent of each row among some rows.

    Args:
        wanted: the values of the referring columns, from :func:`referred`.
        parent: the table that is referred to.
        columns: its columns that are referred to.
        rows: its rows, by key.

    Returns:
        The key of the parent, by the key of the row that refers to it.
    """
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as scratch:
        scratch.execute("PRAGMA ignore_check_constraints=ON")
        create(scratch, "table", Definition(parent.name, parent.sql))
        for index in parent.indexes:
            create(scratch, "index", index)
        RowWriter(scratch, TableSQL(parent)).insert(rows)
        return parents_in(scratch, TableSQL(parent), columns, wanted)


def parents_in(
    connection: sqlite3.Connection, sql: TableSQL, columns: Sequence[str], wanted: Mapping[bytes, Row]
) -> dict[bytes, bytes]:
    """Find the parent of each row among the rows of a database, as :func:`parents_among` does."""
    found = {}
    factory, connection.text_factory = connection.text_factory, raw_text
    try:
        for key, values in wanted.items():
            # a bound value is compared with the column's type and collation, as a reference is
            terms = [f"{quote_identifier(name)} = {mark(value)}" for name, value in zip(columns, values, strict=True)]
            row = connection.execute(f"{sql.select} WHERE {' AND '.join(terms)}", [*map(bound, values)]).fetchone()
            if row is not None:
                found[key] = sql.key_of(row)
    finally:
        connection.text_factory = factory
    return found
