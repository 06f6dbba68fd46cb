"""What the definitions of an untrusted schema may call, while it is read or restored.

``trusted_schema=OFF`` is the rule: SQLite then refuses every function and virtual table that it does not call
harmless. SQLite 3.38 to 3.40 forgot to say so of its JSON functions, which CHECKs, indexes and generated columns of
ordinary applications use. Python cannot mark a function as harmless, and no schema can be searched for functions
reliably from outside. So on these versions the switch is turned, and what it kept out is kept out otherwise: every
other function that SQLite does not call harmless is replaced by one that fails, and no statement may read one of the
virtual tables that exist without being made.
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
_OWN: Final = (
    "pragma_foreign_key_list"  # which only epicvc's own queries have need of, and which shows definitions alone
)
_INNOCUOUS: Final = 0x200000  # flags of `function_list`
_DIRECT_ONLY: Final = 0x80000  # never run by a schema, whatever is trusted

_MENTIONS_JSON: Final = "SELECT EXISTS (SELECT 1 FROM main.sqlite_master WHERE sql LIKE '%json%' OR sql LIKE '%->%')"


def mentions_json(connection: sqlite3.Connection) -> bool:
    """Whether a definition may call a JSON function. Without, nothing need be let through."""
    return bool(connection.execute(_MENTIONS_JSON).fetchone()[0])


def let_json_through(connection: sqlite3.Connection) -> None:
    """Allow the JSON functions to the schema, where SQLite does not by itself.

    Args:
        connection: with ``trusted_schema=OFF``; nothing that a schema could call has been registered with it.
    """
    unsafe = _unsafe_functions(connection)
    if not any(name in JSON_FUNCTIONS for name, _ in unsafe):
        return
    if connection.execute("PRAGMA main.encoding").fetchone()[0] != "UTF-8":
        return  # functions are kept by encoding, and only those for UTF-8 can be replaced
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
    """The names and numbers of arguments of functions that ``trusted_schema=OFF`` bars, and nothing else does."""
    found = connection.execute("PRAGMA function_list").fetchall()  # nothing where SQLite was built without
    return frozenset(
        (str(name).lower(), int(width))
        for name, _, _, _, width, flags in found
        if not flags & _INNOCUOUS and not flags & _DIRECT_ONLY
    )


def _refuse(*_: object) -> None:
    raise ValueError("not allowed in a schema")
