"""CHECK constraints of a definition, each by itself."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

from epicvc.database.backend import BrokenCheck
from epicvc.database.rowcodec import SQLValue, encode_integer_key, encode_row
from epicvc.database.sqlite.checks import broken_checks, checks_in
from epicvc.database.sqlite.schema.schema import captured_schema
from epicvc.database.tables import TableInfo


def _table(sql: str) -> TableInfo:
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.create_function("theirs", 1, lambda _: True, deterministic=True)
        connection.execute(sql)
        (table,) = captured_schema(connection, frozenset(), frozenset()).tables
        return table


def _broken(sql: str, *rows: tuple[SQLValue, ...]) -> list[tuple[int, str]]:
    keyed = [(encode_integer_key(number), encode_row((number, *row))) for number, row in enumerate(rows, 1)]
    numbers = {key: number for number, (key, _) in enumerate(keyed, 1)}
    return [(numbers[one.key], one.expression) for one in broken_checks(_table(sql), keyed)]


SPAN = "CREATE TABLE span(id INTEGER PRIMARY KEY, a INT CHECK (a < 100), b INT, CHECK (a <= b), CHECK (b > 0))"


def test_each_of_several_is_told() -> None:
    rows = [(1, 2), (200, 1), (1, -1), (200, -1), (3, 4)]
    assert _broken(SPAN, *rows) == [
        (2, "a < 100"), (2, "a < = b"),
        (3, "a < = b"), (3, "b > 0"),
        (4, "a < 100"), (4, "a < = b"), (4, "b > 0"),
    ]  # fmt: skip


def test_many_constraints_and_rows() -> None:
    columns = ", ".join(f"c{number} INT CHECK (c{number} <> {number})" for number in range(40))
    sql = f"CREATE TABLE wide(id INTEGER PRIMARY KEY, {columns})"
    rows = [tuple(number if number in (row % 40, 39) else -1 for number in range(40)) for row in range(400)]
    wanted = [(row + 1, f"c{number} < > {number}") for row in range(400) for number in sorted({row % 40, 39})]
    assert _broken(sql, *rows) == wanted


def test_a_function_of_the_application_hides_no_other_constraint() -> None:
    sql = "CREATE TABLE t(id INTEGER PRIMARY KEY, a INT CHECK (theirs(a)), b INT CHECK (b > 0))"
    assert _broken(sql, (1, 0), (1, 1)) == [(1, "b > 0")]


def test_an_expression_without_a_value_is_the_rows_fault_alone() -> None:
    sql = "CREATE TABLE t(id INTEGER PRIMARY KEY, kind TEXT, doc TEXT, CHECK (kind = 'x' OR json_extract(doc, '$.a')))"
    rows = [("x", "no JSON"), ("y", "no JSON"), ("y", '{"a": 0}'), ("y", '{"a": 1}')]
    assert [number for number, _ in _broken(sql, *rows)] == [2, 3]


def test_another_constraint_hides_none() -> None:
    sql = "CREATE TABLE t(id INTEGER PRIMARY KEY, a INT UNIQUE, b INT CHECK (b > 0))"
    assert _broken(sql, (1, 1), (1, 0), (1, 0)) == [(2, "b > 0"), (3, "b > 0")]


@pytest.mark.parametrize(
    "sql",
    [
        'CREATE TABLE "check"(id INTEGER PRIMARY KEY, [CHECK] TEXT, check_b INT)',
        "CREATE TABLE t(id INTEGER PRIMARY KEY, a TEXT DEFAULT 'CHECK (0)' /* CHECK (0) */ -- CHECK (0)\n)",
    ],
)
def test_what_only_looks_like_one(sql: str) -> None:
    assert checks_in(sql) == []


def test_names_and_expressions() -> None:
    sql = """CREATE TABLE t(id INTEGER PRIMARY KEY, a INT CONSTRAINT "Small" check(A<(1+ 2) /* ) */ ), b TEXT,
        CONSTRAINT twice CHECK (b <> ')'), CONSTRAINT twice CHECK (b <> 'B'))"""
    assert [(check.name, check.expression) for check in checks_in(sql)] == [
        ("small", "a < ( 1 + 2 )"),
        (None, "b < > ')'"),
        (None, "b < > 'B'"),
    ]
    assert [sql[check.start] + sql[check.stop - 1] for check in checks_in(sql)] == ["()"] * 3


def test_one_constraint_by_name_or_by_expression() -> None:
    one = BrokenCheck(b"", "", "a < 1", "small")
    assert one.is_among([BrokenCheck(b"", "", "a < 2", "small")])
    assert one.is_among([BrokenCheck(b"", "", "a < 1")])
    assert not one.is_among([BrokenCheck(b"", "", "a < 2"), BrokenCheck(b"", "", "a < 3", "other")])
    assert not BrokenCheck(b"", "", "a < 1").is_among([BrokenCheck(b"", "", "b < 1")])
