"""Finds the full-text indexes that a restore has to make again because it writes the tables that they index."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

from epicvc.database.sqlite.schema.schema import fold
from epicvc.database.sqlite.schema.virtual import Virtual, exact, owners, virtual_tables
from epicvc.database.tables import Schema


def to_rebuild(
    connection: sqlite3.Connection, old: Schema, target: Schema, written: frozenset[str], ignored: Iterable[Virtual]
) -> list[Virtual]:
    """Return the indexes to make again once the rows are there.

    Args:
        connection: the database, in the transaction of the restore before it writes.
        old: the current definitions.
        target: the definitions to have.
        written: the tables that get other rows, come or go.
        ignored: indexes of ignored tables. They are made again as well if they have agreed with their tables until now.
    """
    names = {fold(name) for name in written}
    within = owners(target)
    tables = [{fold(name) for name in schema.by_name if name not in within} for schema in (old, target)]

    def follows(search: Virtual) -> bool:
        if search.name in written or any(shadow in written for shadow in search.shadows):
            return True
        over = fold(search.content or "")
        # a view, or a table that is not captured, may have changed without being written
        return bool(over) and (over in names or not any(over in known for known in tables))

    def stays(search: Virtual) -> bool:
        over = fold(search.content or "")
        return over in tables[1] or over not in tables[0]

    kept = exact(target)
    found = [search for search in virtual_tables(target).values() if search.is_index and not search.is_bare]
    wanted = [search for search in found if search.name not in kept and follows(search)]
    others = [search for search in ignored if follows(search) and stays(search)]
    return wanted + [search for search in others if search.agrees(connection)]
