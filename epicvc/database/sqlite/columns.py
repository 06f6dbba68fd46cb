"""What SQLite's catalogue says: everything that is defined, a table's columns and unique keys."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

from epicvc.database.quoting import quote_identifier
from epicvc.database.tables import CatalogueEntry, ColumnInfo


def catalogue(connection: sqlite3.Connection) -> tuple[CatalogueEntry, ...]:
    """Every definition with a text of its own, in the order of the catalogue; SQLite's and epicvc's are left out."""
    rows = connection.execute(
        "SELECT type, name, tbl_name, sql FROM main.sqlite_master WHERE sql IS NOT NULL ORDER BY rowid"
    )
    own = ("sqlite_", "_epicvc_")
    return tuple(CatalogueEntry(*map(str, row)) for row in rows if not str(row[2]).lower().startswith(own))


def columns_of(connection: sqlite3.Connection, table: str) -> tuple[ColumnInfo, ...]:
    """The columns in their order, generated ones left out; none where there is no such table."""
    rows = connection.execute(f"PRAGMA main.table_xinfo({quote_identifier(table)})")
    return tuple(
        ColumnInfo(name, declared, default, nullable=not required)
        for _, name, declared, required, default, _, hidden in rows
        if hidden == 0
    )


def unique_keys_of(connection: sqlite3.Connection, table: str) -> frozenset[tuple[str, ...]]:
    """The sets of columns that are unique by a whole index; expressions and partial indexes do not count."""
    return frozenset(_unique_keys(connection, table))


def _unique_keys(connection: sqlite3.Connection, table: str) -> Iterator[tuple[str, ...]]:
    indexes = connection.execute(f"PRAGMA main.index_list({quote_identifier(table)})").fetchall()
    for _, name, unique, _, partial in indexes:
        if unique and not partial:
            parts = connection.execute(f"PRAGMA main.index_info({quote_identifier(name)})").fetchall()
            if all(column is not None for _, _, column in parts):
                yield tuple(column for _, _, column in parts)
