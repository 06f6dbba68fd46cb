"""What rows refer to that are in no database: tried in an empty one in memory, of the same definitions.

Bringing rows back writes them with constraints off, which is right for a state that was there. A merge makes rows that
never were; what they refer to is found here, and whether they break a CHECK constraint in :mod:`.checks`.
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
    """The foreign keys that a table of this definition declares."""
    with closing(sqlite3.connect(":memory:")) as scratch:
        create(scratch, "table", Definition(definition.name, definition.sql))
        return tuple(references_of(scratch, definition.name).values())


def referred(child: TableInfo, rows: Iterable[tuple[bytes, bytes]], columns: Sequence[str]) -> dict[bytes, Row]:
    """What rows have in the columns that refer, computed ones too, by key; none of NULL, which refers to nothing.

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
    """The rows that others refer to, by the keys of those, where they are among some rows.

    Args:
        wanted: what is referred by, as :func:`referred` gives it.
        parent: the table that is referred to.
        columns: the columns of it that are referred to.
        rows: rows of it, by key.
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
    """The same among the rows of a database."""
    found = {}
    factory, connection.text_factory = connection.text_factory, raw_text
    try:
        for key, values in wanted.items():
            # a bound value takes the type and the collation of the column, as a reference does
            terms = [f"{quote_identifier(name)} = {mark(value)}" for name, value in zip(columns, values, strict=True)]
            row = connection.execute(f"{sql.select} WHERE {' AND '.join(terms)}", [*map(bound, values)]).fetchone()
            if row is not None:
                found[key] = sql.key_of(row)
    finally:
        connection.text_factory = factory
    return found
