"""Rehearses a restore: makes a schema in memory, so that no schema is captured which could not be brought back."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing

from epicvc.database.backend import Stranded
from epicvc.database.sqlite.connection import empty_copy
from epicvc.database.sqlite.failures import translated
from epicvc.database.sqlite.reader import SQLiteReader
from epicvc.database.sqlite.restore.restore import Restore
from epicvc.database.tables import Schema


def rehearse(schema: Schema, display: str) -> Sequence[Stranded]:
    """Restore a schema, without rows, into an empty database in memory, as a restore would.

    Args:
        schema: the schema.
        display: the name in messages of the database that it comes from.

    Returns:
        The triggers that name a table which the schema does not have.

    Raises:
        UnsupportedSchema: a definition cannot be made, or is stored differently.
    """
    with translated(display, 0.0), closing(empty_copy()) as connection:
        reader = SQLiteReader(connection, display, 0.0, frozenset(), lambda: None)
        # The wanted rows are the present ones, since a virtual table puts rows of its own into the tables that it
        # makes.
        restore = Restore(connection, reader, schema, {}, reader.rows)
        restore.run(None)
        return restore.stranded
