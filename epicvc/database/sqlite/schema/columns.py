"""Reads SQLite's catalogue: all definitions, and a table's columns and unique keys."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

from epicvc.database.quoting import quote_identifier
from epicvc.database.tables import CatalogueEntry, ColumnInfo


def catalogue(connection: sqlite3.Connection) -> tuple[CatalogueEntry, ...]:
    """Return every definition that has a text, in the order of the catalogue, without SQLite's own and epicvc's."""
    rows = connection.execute(
        "SELECT type, name, tbl_name, sql FROM main.sqlite_master WHERE sql IS NOT NULL ORDER BY rowid"
    )
    own = ("sqlite_", "_epicvc_")
    return tuple(CatalogueEntry(*map(str, row)) for row in rows if not str(row[2]).lower().startswith(own))


def columns_of(connection: sqlite3.Connection, table: str) -> tuple[ColumnInfo, ...]:
    """Return the columns in their order without the generated ones; empty where there is no such table."""
    rows = connection.execute(f"PRAGMA main.table_xinfo({quote_identifier(table)})")
    return tuple(
        ColumnInfo(name, declared, default, nullable=not required)
        for _, name, declared, required, default, _, hidden in rows
        if hidden == 0
    )


def unique_keys_of(connection: sqlite3.Connection, table: str) -> frozenset[tuple[str, ...]]:
    """Return the sets of columns that a whole index keeps unique; expressions and partial indexes do not count."""
    found = (parts for parts, partial in _unique_indexes(connection, table) if not partial)
    return frozenset(tuple(str(column) for column in parts) for parts in found if None not in parts)


def unique_in_part_of(connection: sqlite3.Connection, table: str) -> frozenset[tuple[str | None, ...]]:
    """Return the column sets of partial unique indexes and of those with an expression, given as ``None``."""
    return frozenset(parts for parts, partial in _unique_indexes(connection, table) if partial or None in parts)


def _unique_indexes(connection: sqlite3.Connection, table: str) -> Iterator[tuple[tuple[str | None, ...], bool]]:
    """Yield the columns of each unique index, and whether the index is partial."""
    indexes = connection.execute(f"PRAGMA main.index_list({quote_identifier(table)})").fetchall()
    for _, name, unique, _, partial in indexes:
        if unique:
            parts = connection.execute(f"PRAGMA main.index_info({quote_identifier(name)})").fetchall()
            yield tuple(column for _, _, column in parts), bool(partial)
