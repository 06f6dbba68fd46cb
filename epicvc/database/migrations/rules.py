"""Refuses statements that a migration may not contain, because its transaction could not keep its promise.

Each migration runs in one transaction with its record. A statement that ends that transaction, cannot run inside one,
or reaches beyond the migration's database is refused before anything runs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from epicvc.database.migrations.statements import SQLStatement

TRANSACTION: Final = "each migration runs in a transaction of its own, which it cannot begin or end"
BEYOND: Final = "a migration is for one database; it cannot reach another one"
_REFUSED: Final = {
    "BEGIN": TRANSACTION,
    "COMMIT": TRANSACTION,
    "END": TRANSACTION,
    "ROLLBACK": TRANSACTION,
    "SAVEPOINT": TRANSACTION,
    "RELEASE": TRANSACTION,
    "ATTACH": BEYOND,
    "DETACH": BEYOND,
    "VACUUM": "it cannot run in a transaction; run it beside the migrations",
}
# These are transactional, or concern this transaction only. All others set something of the connection or the file.
_PRAGMAS: Final = frozenset({"user_version", "application_id", "defer_foreign_keys", "legacy_alter_table"})
# PRAGMAs that a function uses to look at the schema, and those that SQLite's own modules use on its behalf.
_QUESTIONS: Final = frozenset(
    {
        *("table_info", "table_xinfo", "table_list", "index_list", "index_info", "index_xinfo"),
        *("foreign_key_list", "foreign_key_check", "database_list", "compile_options", "encoding", "page_size"),
        *("page_count", "foreign_keys", "schema_version", "data_version"),
    }
)
_SETTINGS: Final = frozenset({"encoding", "page_size", "foreign_keys", "schema_version"})
_SWITCH: Final = {
    **dict.fromkeys(("ON", "YES", "TRUE", "1"), True),
    **dict.fromkeys(("OFF", "NO", "FALSE", "0"), False),
}


def objection(statement: SQLStatement) -> str | None:
    """Return the reason why a migration may not contain a statement; ``None`` when it may."""
    first = statement.words[0]
    if first in _REFUSED:
        return f"{first} is refused: {_REFUSED[first]}"
    if statement.binds is not None:
        return f"{statement.binds} stands for a value that nobody binds; write the value itself"
    if first == "PRAGMA":
        return _objection_to_pragma(statement)
    return None


def refused_pragma(name: str, argument: str | None) -> str | None:
    """Return the reason why a function may not run a PRAGMA; ``None`` when it may.

    A PRAGMA is allowed that is part of the transaction, or that only asks.

    Args:
        name: the name of the PRAGMA.
        argument: its argument; ``None`` for none.
    """
    name = name.lower()
    if name in _PRAGMAS or (name in _QUESTIONS and (argument is None or name not in _SETTINGS)):
        return None
    if name == "foreign_keys":
        if _SWITCH.get(str(argument).upper()) is False:
            return None  # they are off already, since a function may be going to drop a table
        return "PRAGMA foreign_keys is refused: references are compared before the commit, and not enforced until then"
    return f"PRAGMA {name} is refused: it is no part of a transaction"


def _objection_to_pragma(statement: SQLStatement) -> str | None:
    name = _pragma(statement)[:1]
    if name == ("FOREIGN_KEYS",):
        return None if switches_foreign_keys(statement) is not None else "PRAGMA foreign_keys is set to ON or OFF"
    if name and name[0].lower() in _PRAGMAS:
        return None
    return (
        f"PRAGMA {' '.join(name).lower()} is refused: it is no part of a transaction; "
        f"allowed are foreign_keys, {', '.join(sorted(_PRAGMAS))}"
    )


def _pragma(statement: SQLStatement) -> tuple[str, ...]:
    """Return the words of a PRAGMA from its name on. Only the database's own schema may stand before the name."""
    words = statement.words[1:]
    return words[2:] if words[:2] == ("MAIN", ".") else words


def switches_foreign_keys(statement: SQLStatement) -> bool | None:
    """Return the value that a statement sets ``PRAGMA foreign_keys`` to; ``None`` for any other statement.

    SQLite ignores this PRAGMA inside a transaction, so the runner does what it asks for instead of running it.
    """
    if statement.words[0] != "PRAGMA":
        return None
    words = _pragma(statement)
    if len(words) < 3 or words[0] != "FOREIGN_KEYS" or words[1] not in ("=", "("):
        return None
    return _SWITCH.get(words[2])


def enforces_foreign_keys(statements: Sequence[SQLStatement]) -> bool:
    """Return whether foreign keys are enforced while these statements run.

    They are not where the migration switches them off, and not where it drops a table: ``DROP TABLE`` deletes the rows
    first, and with foreign keys on that would cascade into the tables that refer to it. Rebuilding a table (make the
    new one, copy, drop the old one, rename) would empty its children.
    """
    for statement in statements:
        if statement.words[:2] == ("DROP", "TABLE") or switches_foreign_keys(statement) is False:
            return False
    return True
