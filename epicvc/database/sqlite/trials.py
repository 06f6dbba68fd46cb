"""What SQLite says of rows that are in no database: tried in an empty one in memory, of the same definitions.

Bringing rows back writes them with constraints off, which is right for a state that was there. A merge makes rows that
never were, and these are tried here. A constraint may use built-in functions only; one that needs a function or a
collation of the application's cannot be asked, and says nothing.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from typing import Final

from epicvc.database.backend import Reference
from epicvc.database.sqlite.definitions import create
from epicvc.database.sqlite.foreign import faults_of, references_of
from epicvc.database.sqlite.rowwriter import RowWriter
from epicvc.database.sqlite.statements import TableSQL
from epicvc.database.tables import Definition, TableInfo
from epicvc.errors import InvalidRow, UnsupportedSchema

_CHECK: Final = re.compile(r"\bCHECK\b", re.IGNORECASE)


def broken_checks(table: TableInfo, rows: Iterable[tuple[bytes, bytes]]) -> Iterator[tuple[bytes, str]]:
    """The rows that break a CHECK constraint, with SQLite's words for it.

    Args:
        table: the table's definition.
        rows: the rows, by key.
    """
    if not _CHECK.search(table.sql):
        return
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as scratch:
        try:
            create(scratch, "table", Definition(table.name, table.sql))
        except (sqlite3.Error, UnsupportedSchema):
            return
        writer = RowWriter(scratch, TableSQL(table))
        for key, row in rows:
            try:
                writer.insert([(key, row)])
            except InvalidRow as error:
                cause = error.__cause__
                if isinstance(cause, sqlite3.IntegrityError) and (
                    cause.sqlite_errorcode == sqlite3.SQLITE_CONSTRAINT_CHECK
                ):
                    yield key, str(cause)
            except sqlite3.OperationalError:
                return  # it uses a function or a collation of the application's
            writer.clear()


def references_by(definition: TableInfo) -> tuple[Reference, ...]:
    """The foreign keys that a table of this definition declares."""
    with closing(sqlite3.connect(":memory:")) as scratch:
        create(scratch, "table", Definition(definition.name, definition.sql))
        return tuple(references_of(scratch, definition.name).values())


def finds_parent(
    child: TableInfo,
    row: tuple[bytes, bytes],
    columns: tuple[str, ...],
    parent: TableInfo,
    rows: Sequence[tuple[bytes, bytes]],
) -> bool:
    """Whether one of some rows is what a row refers to, by SQLite's own rules for affinities and collations.

    Args:
        child: the table of the row that refers.
        row: that row, with its key.
        columns: the columns that refer.
        parent: the table that they refer to.
        rows: rows of it, by key; none of the row itself.
    """
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as scratch:
        scratch.execute("PRAGMA ignore_check_constraints=ON")
        for table in {child.name: child, parent.name: parent}.values():
            create(scratch, "table", Definition(table.name, table.sql))
            for index in table.indexes:  # a foreign key may need a unique one
                create(scratch, "index", index)
        RowWriter(scratch, TableSQL(parent)).insert(rows)
        if child.name != parent.name or row[0] not in dict(rows):
            RowWriter(scratch, TableSQL(child)).insert([row])
        faults = faults_of(scratch, TableSQL(child))
        return not any(fault.key in (row[0], b"") and fault.columns in (columns, ()) for fault in faults)
