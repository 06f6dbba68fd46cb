"""Makes and drops schema objects from their stored text."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Final

from epicvc.database.quoting import quote_identifier
from epicvc.database.sqlite.schema.collations import standing_in
from epicvc.database.sqlite.schema.virtual import parse
from epicvc.database.tables import Definition
from epicvc.errors import UnsupportedSchema

# SQLite's stored texts begin like this, whatever was typed. Any other text could not be made again by running it, and
# must not be run.
PREFIX: Final = {
    "table": ("CREATE TABLE ",),
    "index": ("CREATE INDEX ", "CREATE UNIQUE INDEX "),
    "view": ("CREATE VIEW ",),
    "trigger": ("CREATE TRIGGER ",),
}


def first_difference(old: Sequence[Definition], new: Sequence[Definition]) -> int:
    """Return the position of the first definition that differs."""
    count = 0
    for left, right in zip(old, new, strict=False):
        if left != right:
            break
        count += 1
    return count


def drop(connection: sqlite3.Connection, kind: str, name: str) -> None:
    """Drop one object; it may be gone already together with another one."""
    connection.execute(f"DROP {kind.upper()} IF EXISTS main.{quote_identifier(name)}")


def create(connection: sqlite3.Connection, kind: str, definition: Definition, table: str | None = None) -> None:
    """Make one object from its text.

    Args:
        connection: the database.
        kind: ``table``, ``index``, ``view`` or ``trigger``.
        definition: the name and the text.
        table: the table or view that an index or trigger belongs to, where it is known.

    Raises:
        UnsupportedSchema: the text is no such definition, cannot be run, or is stored differently.
    """
    virtual = kind == "table" and parse(definition.name, definition.sql) is not None
    if not virtual and not definition.sql.startswith(PREFIX[kind]):
        raise UnsupportedSchema(definition.name, f"its definition is no CREATE {kind.upper()} statement", table)
    try:
        standing_in(connection, lambda: connection.execute(definition.sql))
    except (sqlite3.Error, sqlite3.Warning) as error:  # a warning: more than one statement
        if isinstance(error, sqlite3.OperationalError) and error.sqlite_errorcode != sqlite3.SQLITE_ERROR:
            raise
        raise UnsupportedSchema(definition.name, f"its definition cannot be run: {error}", table) from error
    found = connection.execute(
        "SELECT sql FROM main.sqlite_master WHERE type = ? AND name = ?", [kind, definition.name]
    ).fetchone()
    if found is None or found[0] != definition.sql:
        raise UnsupportedSchema(definition.name, "its definition does not come back as it was", table)
