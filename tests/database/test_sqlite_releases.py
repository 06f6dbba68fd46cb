"""Nothing that is compared or stored depends on the release of SQLite: this Python's beside another one.

From 3.53 on SQLite makes a text of a fraction with up to 17 digits, before that with 15.
"""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from typing import Any

import pytest

from epicvc.database.documents.layout import Columns
from epicvc.database.documents.values import stored_default
from epicvc.database.query import Select
from epicvc.database.tables import ColumnInfo
from epicvc.model.mapping import TableMap

OTHER = """
import apsw, json, sys
connection = apsw.Connection(":memory:")
answers = [connection.execute(statement).fetchall() for statement in json.load(sys.stdin)]
json.dump([apsw.sqlitelibversion(), answers], sys.stdout)
"""
"""In a process of its own: two libraries in one process do not see each other's locks."""

KEYS = (
    "7",
    "'7'",
    "0.1 + 0.2",
    "1.0 / 3",
    "1e15",
    "'0.3'",
    "'0.30000000000000004'",
    "'1.0e+15'",
    "-0.0",
    "NULL",
    "x'37'",
)
ASKED = ("7", "0.3", "0.30000000000000004", "0.333333333333333", "1.0e+15", "1000000000000000.0", "0.0", "")
DEFAULTS = ("7", "0.25", "0.30000000000000004", "1e15", "-1e300", "'0.3'", "TRUE", "NULL", "1000000000000000.0")
TYPES = ("", "TEXT", "VARCHAR(9)", "REAL", "NUMERIC", "INTEGER", "BLOB", "DECIMAL(10,2)")


def both(*statements: str) -> tuple[list[Any], list[Any], str]:
    """What this library and the other one answer, and which that is."""
    connection = sqlite3.connect(":memory:")
    ours = [[list(row) for row in connection.execute(statement).fetchall()] for statement in statements]
    connection.close()
    done = subprocess.run([sys.executable, "-c", OTHER], input=json.dumps(statements), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    release, theirs = json.loads(done.stdout)
    return ours, theirs, release


def released(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))


def columns(*, plain: bool) -> Columns:
    return Columns(TableMap("t", "id", "key", ()), (), {}, None, None, None, plain)


def test_the_other_release_is_another_one() -> None:
    """The tests below say something where this Python's library is older than 3.53."""
    ours, theirs, release = both("SELECT CAST(0.1 + 0.2 AS TEXT)")
    assert released(release) >= (3, 53)
    assert theirs == [[["0.30000000000000004"]]]
    assert (ours == theirs) == (sqlite3.sqlite_version_info >= (3, 53))


@pytest.mark.parametrize("plain", [True, False])
def test_keys_are_found_alike(plain: bool) -> None:
    kind = "TEXT" if plain else ""
    insert = ", ".join(f"({number}, {key})" for number, key in enumerate(KEYS) if not plain or key.startswith("'"))
    query, values = (
        Select(columns=("t.id",)).from_table("t").where_condition(columns(plain=plain).keyed("t", ASKED)).build()
    )
    for value in values:
        query = query.replace("?", repr(value), 1)
    ours, theirs, _ = both(
        f"CREATE TABLE t (id INTEGER PRIMARY KEY, key {kind})", f"INSERT INTO t VALUES {insert}", query + " ORDER BY 1"
    )
    assert ours == theirs
    found = [KEYS[number] for (number,) in ours[2]]
    assert found == [*(() if plain else ("7",)), "'7'", "'0.3'", "'0.30000000000000004'", "'1.0e+15'"]


@pytest.mark.parametrize("kind", TYPES)
def test_what_a_default_becomes_is_known_or_said_to_be_computed(kind: str) -> None:
    known = {default: stored_default(ColumnInfo("c", kind, default)) for default in DEFAULTS}
    statements = [f"CREATE TABLE t (a{', '.join(['', *(f'c{n} {kind} DEFAULT {d}' for n, d in enumerate(DEFAULTS))])})",
                  "INSERT INTO t (a) VALUES (1)", "SELECT * FROM t"]  # fmt: skip
    for answers in both(*statements)[:2]:
        for default, value in zip(DEFAULTS, answers[2][0][1:], strict=True):
            assert known[default] in ((), (value,)), (default, kind)
            if known[default]:
                assert type(known[default][0]) is type(value), (default, kind)
    assert sum(value == () for value in known.values()) <= 5
