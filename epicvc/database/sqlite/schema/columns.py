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
    found = (parts for parts, partial in _unique_indexes(connection, table) if not partial)
    return frozenset(tuple(str(column) for column in parts) for parts in found if None not in parts)


def unique_in_part_of(connection: sqlite3.Connection, table: str) -> frozenset[tuple[str | None, ...]]:
    """What is unique by the other unique indexes; an expression is ``None``."""
    return frozenset(parts for parts, partial in _unique_indexes(connection, table) if partial or None in parts)


def _unique_indexes(connection: sqlite3.Connection, table: str) -> Iterator[tuple[tuple[str | None, ...], bool]]:
    """The columns of each unique index, and whether it is of some rows only."""
    indexes = connection.execute(f"PRAGMA main.index_list({quote_identifier(table)})").fetchall()
    for _, name, unique, _, partial in indexes:
        if unique:
            parts = connection.execute(f"PRAGMA main.index_info({quote_identifier(name)})").fetchall()
            yield tuple(column for _, _, column in parts), bool(partial)
