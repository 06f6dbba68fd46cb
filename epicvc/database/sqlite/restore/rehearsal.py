"""The rehearsal of a restore: a schema is made in memory, so that what could not be brought back is never taken."""

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
        display: how the database that it comes from is named in messages.

    Returns:
        The triggers that name a table which the schema does not have.

    Raises:
        UnsupportedSchema: a definition cannot be made, or does not come back as it was.
    """
    with translated(display, 0.0), closing(empty_copy()) as connection:
        reader = SQLiteReader(connection, display, 0.0, frozenset(), lambda: None)
        # the rows to have are those that are there: a virtual table puts some of its own into what it makes
        restore = Restore(connection, reader, schema, {}, reader.rows)
        restore.run(None)
        return restore.stranded
