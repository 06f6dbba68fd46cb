"""Handles collations that the application registers and epicvc does not know.

An unknown order does no harm to values: they are read in the order of their bytes. It does harm to an index, whose rows
are in that order: no row may be looked up by it, and writing in another order would damage it.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Iterable
from typing import Final, TypeVar

from epicvc.database.quoting import quote_identifier

T = TypeVar("T")

_BUILT_IN: Final = frozenset({"BINARY", "NOCASE", "RTRIM"})
_MISSING: Final = re.compile("no such collation sequence: (.+)", re.DOTALL)


def unordered(connection: sqlite3.Connection, tables: Iterable[str] | None = None) -> dict[str, str]:
    """Return the tables with an index in an unknown order, each with the collation.

    Args:
        connection: the database.
        tables: the tables to look at; all by default.
    """
    # The definitions are searched first, which is cheaper than asking for every index.
    texts = connection.execute("SELECT name FROM main.sqlite_master WHERE type = 'table' AND sql LIKE '%collate%'")
    names = {str(row[0]) for row in texts.fetchall()}
    texts = connection.execute("SELECT tbl_name FROM main.sqlite_master WHERE type = 'index' AND sql LIKE '%collate%'")
    names |= {str(row[0]) for row in texts.fetchall()}
    found = {}
    for table in sorted(names if tables is None else names.intersection(tables)):
        for _, index, *_ in connection.execute(f"PRAGMA main.index_list({quote_identifier(table)})").fetchall():
            parts = connection.execute(f"PRAGMA main.index_xinfo({quote_identifier(index)})").fetchall()
            for _, _, _, _, collation, in_order in parts:
                if in_order and collation is not None and str(collation).upper() not in _BUILT_IN:
                    found[table] = str(collation)
    return found


def stand_in(connection: sqlite3.Connection, collation: str) -> None:
    """Register the order of bytes under the name of a collation."""
    connection.create_collation(collation, _by_bytes)


def standing_in(connection: sqlite3.Connection, work: Callable[[], T]) -> T:
    """Run ``work`` with stand-ins for the collations that turn out to be missing, and return its result."""
    while True:
        try:
            return work()
        except sqlite3.OperationalError as error:
            missing = _MISSING.fullmatch(str(error))
            if missing is None:
                raise
            stand_in(connection, missing[1])


def _by_bytes(one: str, other: str) -> int:
    return (one > other) - (one < other)  # the order of code points is that of UTF-8
