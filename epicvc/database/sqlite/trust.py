"""Limits the functions that the definitions of an untrusted schema may call, while it is read or restored.

``trusted_schema=OFF`` is the rule: SQLite then refuses every function and virtual table that it does not call harmless.
SQLite 3.38 to 3.40 do not call their JSON functions harmless, although CHECKs, indexes and generated columns of
ordinary applications use them. Python cannot mark a function as harmless, and no schema can be searched for functions
reliably from outside. So on these versions the switch is turned on, and the other functions and tables are kept out in
other ways: every other function that SQLite does not call harmless is replaced by one that fails, and no statement may
read one of the virtual tables that exist without being made.
"""

from __future__ import annotations

import sqlite3
from typing import Final

JSON_FUNCTIONS: Final = frozenset({
    *("->", "->>", "json", "json_array", "json_array_length", "json_extract", "json_group_array"),
    *("json_group_object", "json_insert", "json_object", "json_patch", "json_quote", "json_remove", "json_replace"),
    *("json_set", "json_type", "json_valid"),
})  # fmt: skip
"""The functions that are let through: they depend on their arguments alone, and change nothing."""

_JSON_TABLES: Final = frozenset({"json_each", "json_tree"})
_OWN: Final = "pragma_foreign_key_list"  # epicvc's own queries need it, and it shows nothing but definitions
_INNOCUOUS: Final = 0x200000  # flags of `function_list`
_DIRECT_ONLY: Final = 0x80000  # never run by a schema, whatever is trusted

_MENTIONS_JSON: Final = "SELECT EXISTS (SELECT 1 FROM main.sqlite_master WHERE sql LIKE '%json%' OR sql LIKE '%->%')"


def mentions_json(connection: sqlite3.Connection) -> bool:
    """Return whether a definition may call a JSON function. If not, nothing has to be let through."""
    return bool(connection.execute(_MENTIONS_JSON).fetchone()[0])


def let_json_through(connection: sqlite3.Connection) -> None:
    """Allow the JSON functions to the schema, where SQLite itself does not.

    Args:
        connection: a connection with ``trusted_schema=OFF``, with which no function has been registered that a schema
            could call.
    """
    unsafe = _unsafe_functions(connection)
    if not any(name in JSON_FUNCTIONS for name, _ in unsafe):
        return
    if connection.execute("PRAGMA main.encoding").fetchone()[0] != "UTF-8":
        return  # SQLite keeps functions by encoding, and Python can replace only those for UTF-8
    for name, width in sorted(unsafe):
        if name not in JSON_FUNCTIONS:
            connection.create_function(name, width, _refuse)
    tables = {str(row[0]).lower() for row in connection.execute("SELECT name FROM main.sqlite_master")}
    modules = {str(row[0]).lower() for row in connection.execute("PRAGMA module_list")}
    barred = modules - _JSON_TABLES - tables

    def authorize(action: int, first: str | None, *_: object) -> int:
        if action != sqlite3.SQLITE_READ or first is None:
            return sqlite3.SQLITE_OK
        name = first.lower()
        pragma = name.startswith("pragma_") and name != _OWN and name not in tables
        return sqlite3.SQLITE_DENY if pragma or name in barred else sqlite3.SQLITE_OK

    connection.set_authorizer(authorize)
    connection.execute("PRAGMA trusted_schema=ON")


def _unsafe_functions(connection: sqlite3.Connection) -> frozenset[tuple[str, int]]:
    """Return the names and argument counts of the functions that only ``trusted_schema=OFF`` bars."""
    found = connection.execute("PRAGMA function_list").fetchall()  # empty where SQLite was built without this pragma
    return frozenset(
        (str(name).lower(), int(width))
        for name, _, _, _, width, flags in found
        if not flags & _INNOCUOUS and not flags & _DIRECT_ONLY
    )


def _refuse(*_: object) -> None:
    raise ValueError("not allowed in a schema")
