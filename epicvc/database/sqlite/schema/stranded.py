"""Finds triggers that cannot run because a table that they name does not exist.

Every write to such a trigger's own table fails.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from epicvc.database.quoting import quote_identifier

_MISSING: Final = re.compile(r"no such table: (?:main\.)?(.+)", re.DOTALL)
_STORED: Final = 0  # `hidden` of table_xinfo


def missing_table(connection: sqlite3.Connection, table: str) -> str | None:
    """Return a table that a trigger on ``table`` names and that does not exist, or ``None``.

    Nothing runs: statements that would fire the triggers are only compiled.
    """
    with _trusting(connection):
        for statement in _statements(connection, table):
            try:
                connection.execute(f"EXPLAIN {statement}").fetchone()
            except sqlite3.OperationalError as error:
                missing = _MISSING.fullmatch(str(error))
                if missing is not None:
                    return missing[1]
    return None


@contextmanager
def _trusting(connection: sqlite3.Connection) -> Iterator[None]:
    """Trust the schema meanwhile, so that only a missing table can stop SQLite from compiling."""
    before = connection.execute("PRAGMA trusted_schema").fetchone()[0]
    connection.execute("PRAGMA trusted_schema=ON")
    try:
        yield
    finally:
        connection.execute(f"PRAGMA trusted_schema={int(before)}")


def _statements(connection: sqlite3.Connection, table: str) -> Iterator[str]:
    name = "main." + quote_identifier(table)
    described = connection.execute(f"PRAGMA main.table_xinfo({quote_identifier(table)})").fetchall()
    columns = [quote_identifier(row[1]) for row in described if row[6] == _STORED]
    yield f"INSERT INTO {name} DEFAULT VALUES"
    yield f"DELETE FROM {name}"
    yield f"UPDATE {name} SET {', '.join(f'{column} = NULL' for column in columns)}"
