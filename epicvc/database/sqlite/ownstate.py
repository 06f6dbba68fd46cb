"""Reads and writes epicvc's own table in a database, and finds objects that must not be about it.

The table is written last in a transaction, when the new state is already known. So nothing may hang on it: a trigger on
it, or a foreign key that refers to it and cascades, would change rows after they were captured or compared.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from typing import Final

from epicvc.database.backend import Intruder
from epicvc.database.quoting import quote_identifier
from epicvc.database.sqlite.schema.schema import OWN_PREFIX, fold
from epicvc.errors import InvalidData

STATE_TABLE: Final = "_epicvc_state"

_CREATE: Final = (
    "CREATE TABLE {}_epicvc_state (repo_id TEXT PRIMARY KEY, operation_id TEXT NOT NULL, snapshot TEXT NOT NULL)"
)
_OWN: Final = r"LIKE '\_epicvc\_%' ESCAPE '\'"


def create_state(connection: sqlite3.Connection) -> None:
    """Make the table."""
    connection.execute(_CREATE.format("main."))


def write_state(connection: sqlite3.Connection, repo_id: str, operation_id: str, snapshot: str) -> None:
    """Record the operation of a repo in place of its last one.

    Raises:
        InvalidData: recording it changed other rows too.
    """
    before = connection.total_changes  # the count includes the rows that triggers and cascades change
    gone = connection.execute(f"DELETE FROM main.{STATE_TABLE} WHERE repo_id = ?", [repo_id]).rowcount
    connection.execute(f"INSERT INTO main.{STATE_TABLE} VALUES (?, ?, ?)", [repo_id, operation_id, snapshot])
    if connection.total_changes != before + gone + 1:
        raise InvalidData(
            f"writing {STATE_TABLE} changed other rows too; nothing was written",
            hint="see what is defined on that table, which is epicvc's own",
        )


def intruders(connection: sqlite3.Connection) -> Iterator[Intruder]:
    """Find the objects that hang on a table of epicvc's own or take its place."""
    query = rf"""
        SELECT type, name, tbl_name, sql IS ? FROM main.sqlite_master
        WHERE type IN ('trigger', 'view') AND (name {_OWN} OR tbl_name {_OWN})
            OR type = 'table' AND sql LIKE '%\_epicvc\_%' ESCAPE '\' ORDER BY rowid"""
    for kind, name, table, is_made in connection.execute(query, [_CREATE.format("")]).fetchall():
        if kind != "table" or (fold(name) == STATE_TABLE and not is_made):
            yield Intruder(kind, name, table)
            continue
        for row in connection.execute(f"PRAGMA main.foreign_key_list({quote_identifier(name)})").fetchall():
            if fold(row[2]).startswith(OWN_PREFIX):
                yield Intruder("foreign key", name, row[2])
