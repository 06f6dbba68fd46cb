"""Statements: what the SQL says, what is bound, what is refused, and that nobody's text becomes SQL."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from epicvc.database.query import (
    Condition,
    Delete,
    Dialect,
    Insert,
    Query,
    Select,
    Statement,
    Update,
    all_of,
    any_of,
    compare,
    constant,
)
from epicvc.database.query.conditions import OPERATORS
from epicvc.database.query.terms import FUNCTIONS, KEYWORDS, identifier, target
from epicvc.database.quoting import quote_identifier
from epicvc.errors import InvalidQuery, UnsafeName

ATTACKS = (
    "'; DROP TABLE epics; --",
    'x" OR "1"="1',
    "name); DELETE FROM epics; --",
    "a, (SELECT key FROM secrets)",
    "* FROM secrets --",
    "name/**/OR/**/1=1",
    "epics e; ATTACH 'x' AS y",
    "load_extension('evil')",
    "COUNT(*)); DROP TABLE epics",
    "x\nUNION SELECT 1",
    "a AS b; --",
    "?",
    "%s",
    "A A",
)


GROUPED = Select(columns=("kind, COUNT(*) AS n",)).from_table("t")


def select(*columns: str | Condition) -> Select:
    return Select(columns=columns)


def insert(name: str) -> Insert:
    return Insert(target=target(name))


def update(name: str) -> Update:
    return Update(target=target(name))


def delete(name: str) -> Delete:
    return Delete(target=target(name))


@pytest.mark.parametrize(
    ("statement", "sql", "params"),
    [
        (select("epics").where("name", "=", "x"), "SELECT * FROM epics WHERE name = ?", ["x"]),
        (select().from_table("epics e"), "SELECT * FROM epics e", []),
        (select("e.*, t.title AS what").from_table("epics e"), "SELECT e.*, t.title AS what FROM epics e", []),
        (select("name", "order").from_table("epics"), 'SELECT name, "order" FROM epics', []),
        (select('"odd, name"').from_table("t"), 'SELECT "odd, name" FROM t', []),
        (select("name").from_table("epics"), "SELECT name FROM epics", []),
        (
            select("e.name").from_table("epics e").join("tasks t", "t.epic_id = e.id AND t.a<b.c"),
            "SELECT e.name FROM epics e JOIN tasks t ON t.epic_id = e.id AND t.a < b.c",
            [],
        ),
        (
            select("e.name").from_table("epics", "e").left_join("my tasks", "t.x = e.y", alias="t"),
            'SELECT e.name FROM epics e LEFT JOIN "my tasks" t ON t.x = e.y',
            [],
        ),
        (
            select("t").where("a", ">", 1).or_where("b", "IS", None).where("c", "!=", None),
            "SELECT * FROM t WHERE a > ? OR b IS NULL AND c IS NOT NULL",
            [1],
        ),
        (
            select("t").where_any(("a", "=", None), ("a", "=", "")).where("b", "=", 1),
            "SELECT * FROM t WHERE (a IS NULL OR a = ?) AND b = ?",
            ["", 1],
        ),
        (select("t").where_any(), "SELECT * FROM t WHERE 1 = 0", []),
        (select("t").where("a", "IN", []), "SELECT * FROM t WHERE 1 = 0", []),
        (select("t").where("a", "not  in", []), "SELECT * FROM t WHERE 1 = 1", []),
        (select("t").where("a", "IN", [1, None]), "SELECT * FROM t WHERE (a IN (?) OR a IS NULL)", [1]),
        (select("t").where("a", "NOT IN", (None,)), "SELECT * FROM t WHERE a IS NOT NULL", []),
        (
            select("t").where("a", "IN", select("id").from_table("u").where("b", "LIKE", "x%")),
            "SELECT * FROM t WHERE a IN (SELECT id FROM u WHERE b LIKE ?)",
            ["x%"],
        ),
        (select("t").where("a", "between", (1, 2)), "SELECT * FROM t WHERE a BETWEEN ? AND ?", [1, 2]),
        (
            select("kind, COUNT(*) AS n")
            .from_table("t")
            .group_by("kind")
            .having("count(*)", ">", 1)
            .order_by("n", "desc"),
            "SELECT kind, COUNT(*) AS n FROM t GROUP BY kind HAVING COUNT(*) > ? ORDER BY n DESC",
            [1],
        ),
        (
            select("t").order_by("a").order_by("MAX(b)").limit(5),
            "SELECT * FROM t ORDER BY a ASC, MAX(b) ASC LIMIT ?",
            [5],
        ),
        (select("t").offset(3), "SELECT * FROM t LIMIT ? OFFSET ?", [-1, 3]),
        (select("a").from_table("t").distinct(), "SELECT DISTINCT a FROM t", []),
        (insert("t").values({"a": 1, "b": None}), "INSERT INTO t (a, b) VALUES (?, ?)", [1, None]),
        (insert("t").values([{"a": 1}, {"a": 2}]), "INSERT INTO t (a) VALUES (?), (?)", [1, 2]),
        (insert("t").values({}), "INSERT INTO t DEFAULT VALUES", []),
        (insert("t").values({"a": 1}).on_conflict(), "INSERT INTO t (a) VALUES (?) ON CONFLICT DO NOTHING", [1]),
        (
            insert("t").values({"a": 1, "b": 2}).on_conflict("a", update=["b"]).returning("id"),
            "INSERT INTO t (a, b) VALUES (?, ?) ON CONFLICT (a) DO UPDATE SET b = excluded.b RETURNING id",
            [1, 2],
        ),
        (
            update("t").set({"a": 1}).set({"b": 2}).where("id", "=", 3),
            "UPDATE t SET a = ?, b = ? WHERE id = ?",
            [1, 2, 3],
        ),
        (update("t").set({"a": True}).all_rows(), "UPDATE t SET a = ?", [1]),
        (delete("t").where("a", "<>", 1), "DELETE FROM t WHERE a != ?", [1]),
        (delete("t").all_rows(), "DELETE FROM t", []),
        (delete("t").where("order", "=", 1), 'DELETE FROM t WHERE t."order" = ?', [1]),
        (select().from_table("t u").where("a b", "=", 1), 'SELECT * FROM t u WHERE u."a b" = ?', [1]),
        (
            select("t").where("a", "=", date(2025, 8, 17)).where("b", "=", datetime(2025, 8, 17, 10, 30, tzinfo=UTC)),
            "SELECT * FROM t WHERE a = ? AND b = ?",
            ["2025-08-17", "2025-08-17 10:30:00+00:00"],
        ),
        (select("t").where("a", "=", Decimal("1.10")), "SELECT * FROM t WHERE a = ?", ["1.10"]),
        (
            select("e.name")
            .from_table("epics", "e")
            .join('"t and u"', 'e."this AND that"=u.b AnD e.c = u."x and"', alias="u"),
            'SELECT e.name FROM epics e JOIN "t and u" u ON e."this AND that" = u.b AND e.c = u."x and"',
            [],
        ),
        (
            select("cast( e.version as text ) AS v").from_table("t e").where('CAST(e."a b" AS TEXT)', "IN", ["1"]),
            'SELECT CAST(e.version AS TEXT) AS v FROM t e WHERE CAST(e."a b" AS TEXT) IN (?)',
            ["1"],
        ),
        (delete("t").where('CAST("a b" AS TEXT)', "=", 1), 'DELETE FROM t WHERE CAST(t."a b" AS TEXT) = ?', [1]),
        (
            select("t").where_condition(all_of()).where_condition(any_of()).where("a", "=", 1),
            "SELECT * FROM t WHERE 1 = 1 AND 1 = 0 AND a = ?",
            [1],
        ),
        (
            select(constant("x"), compare("a b", "=", "y").negated(), "c")
            .from_table("t")
            .where_condition(any_of(compare("a", "=", 1), all_of(compare("b", "=", 2), compare("c", "=", None))))
            .having("COUNT(*)", ">", 3)
            .limit(4),
            'SELECT ?, NOT (t."a b" = ?), c FROM t WHERE (a = ? OR (b = ? AND c IS NULL)) HAVING COUNT(*) > ? LIMIT ?',
            ["x", "y", 1, 2, 3, 4],
        ),
        (
            update("t").set({"a": 1}).where_condition(compare("b", "=", 2).negated()),
            "UPDATE t SET a = ? WHERE NOT (b = ?)",
            [1, 2],
        ),
        (
            insert("t").from_select(["a", "order"], select("b", constant(5)).from_table("u").where("c", "=", 6)),
            'INSERT INTO t (a, "order") SELECT b, ? FROM u WHERE c = ?',
            [5, 6],
        ),
        (
            insert("t").from_select(["a"], select("b").from_table("u")).on_conflict().returning("id"),
            "INSERT INTO t (a) SELECT b FROM u WHERE 1 = 1 ON CONFLICT DO NOTHING RETURNING id",
            [],
        ),
        (
            insert("t").from_select(["a"], select("b").from_table("u")).values({"c": 1}),
            "INSERT INTO t (c) VALUES (?)",
            [1],
        ),
        (insert("t").values({"c": 1}).from_select(["a"], select("u")), "INSERT INTO t (a) SELECT * FROM u", []),
    ],
)
def test_what_is_built(statement: Statement, sql: str, params: list[Any]) -> None:
    assert statement.build() == Query(sql, params)


def test_postgresql_marks_values_its_own_way() -> None:
    query = Select(Dialect.POSTGRESQL, columns=("t",)).where("100%", "LIKE", "x%").offset(2).build()
    assert query == ('SELECT * FROM t WHERE t."100%%" LIKE %s OFFSET %s', ["x%", 2])


def test_a_statement_is_a_value_that_never_changes() -> None:
    first = select("t")
    first.where("a", "=", 1).limit(2)
    assert first.build() == ("SELECT * FROM t", [])


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: select().build(),
        lambda: select("a", "b").build(),
        lambda: select("a, b").build(),
        lambda: select("t").where("a", "= 1 OR", 2),
        lambda: select("t").where("a", "<", None),
        lambda: select("t").where("a", "IS", 1),
        lambda: select("t").where("a", "IN", "text"),
        lambda: select("t").where("a", "IN", 5),
        lambda: select("t").where("a", "BETWEEN", [1]),
        lambda: select("t").where("a", "=", object()),
        lambda: select("t").where("", "=", 1),
        lambda: select("t").order_by("a", "ASC; DROP TABLE t"),
        lambda: select("t").limit(-1),
        lambda: select("t").limit(True),
        lambda: select("t").offset("1"),  # type: ignore[arg-type]
        lambda: select("t").join("u", "1 = 1"),
        lambda: select("t").from_table("t").join("u", "t.a = u.b").where("odd name", "=", 1).build(),
        lambda: select("t").join("u", "a = b OR 1 = 1"),
        lambda: select("t").join("u", "a = b AND"),
        lambda: select("t").join("u", "a = b c = d"),
        lambda: select("t").join("u", "a = b AND c"),
        lambda: select("t").join("u", ""),
        lambda: select(constant(1)).build(),
        lambda: select(compare("a b", "=", 1)).from_table("t").join("u", "t.a = u.b").build(),
        lambda: constant(object()),
        lambda: insert("t").from_select([], select("u")),
        lambda: insert("t").from_select(["a"], select("a", "b")).build(),
        lambda: insert("t").build(),
        lambda: insert("t").values([]),
        lambda: insert("t").values([{"a": 1}, {"b": 1}]),
        lambda: insert("t").values([{}, {}]),
        lambda: insert("t").values({"a": 1}).on_conflict(update=["a"]),
        lambda: update("t").where("a", "=", 1).build(),
        lambda: update("t").set({"a": 1}).build(),
        lambda: delete("t").build(),
    ],
)
def test_what_is_refused(wrong: Callable[[], object]) -> None:
    with pytest.raises(InvalidQuery):
        wrong()


def _everywhere(text: str) -> list[Callable[[], Statement]]:
    """A text in every position of every method."""
    return [
        lambda: select(text).from_table("epics"),
        lambda: select(text),
        lambda: select("name").from_table(text),
        lambda: select("name").from_table(text, "e"),
        lambda: select("name").from_table("epics", text),
        lambda: select("name").from_table("epics e").join(text, "e.id = e.id"),
        lambda: select("name").from_table("epics e").join("epics f", text),
        lambda: select("e.name").from_table("epics e").left_join("epics", "e.id = e.id", alias=text),
        lambda: select("epics").where(text, "=", 1),
        lambda: select("epics").where("name", text, 1),
        lambda: select("epics").where("name", "=", text),
        lambda: select("epics").where("name", "IN", [text, text]),
        lambda: select("epics").where("name", "BETWEEN", [text, text]),
        lambda: select("epics").or_where(text, "LIKE", text),
        lambda: select("epics").where_any((text, "=", text)),
        lambda: select("name").from_table("epics").group_by(text),
        lambda: select("name").from_table("epics").group_by("name").having(text, ">", 0),
        lambda: select("name").from_table("epics").group_by("name").having("COUNT(*)", text, 0),
        lambda: select("epics").order_by(text),
        lambda: select("epics").order_by("name", text),
        lambda: select("epics").limit(text),  # type: ignore[arg-type]
        lambda: select("epics").offset(text),  # type: ignore[arg-type]
        lambda: select(f"CAST({text} AS TEXT)").from_table("epics"),
        lambda: select("epics").where(f"CAST({text} AS TEXT)", "=", text),
        lambda: select(constant(text), compare(text, "=", text)).from_table("epics"),
        lambda: select("epics").where_condition(any_of(compare(text, "=", text), compare("id", "=", text)).negated()),
        lambda: insert("epics").from_select([text], select("name").from_table("epics")),
        lambda: insert("epics").from_select(["name"], select(text).from_table("epics")),
        lambda: insert("epics").from_select(["name"], select(constant(text)).from_table("epics").where("id", "=", 7)),
        lambda: insert(text).values({"name": 1}),
        lambda: insert("epics").values({text: 1}),
        lambda: insert("epics").values({"name": text}),
        lambda: insert("epics").values({"name": 1}).on_conflict(text, update=["name"]),
        lambda: insert("epics").values({"name": 1}).on_conflict("id", update=[text]),
        lambda: insert("epics").values({"name": 1}).returning(text),
        lambda: update(text).set({"name": 1}).where("id", "=", 1),
        lambda: update("epics").set({text: 1}).where("id", "=", 1),
        lambda: update("epics").set({"name": text}).where(text, "=", text),
        lambda: delete(text).where("id", "=", 1),
        lambda: delete("epics").where(text, "=", text),
    ]


def _database() -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    connection.executescript(
        "CREATE TABLE epics (id INTEGER PRIMARY KEY, name TEXT); CREATE TABLE secrets (key TEXT);"
        "INSERT INTO epics VALUES (7, 'kept'); INSERT INTO secrets VALUES ('hidden');"
    )
    return connection


def _try(text: str) -> None:
    """Run a text in every position: no statement reads, changes or drops what it was not asked for."""
    for make in _everywhere(text):
        try:
            query = make().build()
        except (InvalidQuery, UnsafeName):
            continue
        database = _database()
        try:
            rows = database.execute(query.sql, query.params).fetchall()
        except sqlite3.OperationalError as error:
            # a name that is not there is the worst: whatever was given is one name, and the statement is well-formed
            assert not re.search("syntax|incomplete|unrecognized|one statement", str(error)), (query, error)
            continue
        finally:
            assert database.execute("SELECT key FROM secrets").fetchall() == [("hidden",)]
            assert database.execute("SELECT count(*) FROM epics WHERE id = 7").fetchone() == (1,), query
            database.close()
        assert "hidden" not in str(rows), query


@pytest.mark.parametrize("attack", ATTACKS)
def test_attacks_in_every_position_are_bound_quoted_or_refused(attack: str) -> None:
    _try(attack)


@given(st.text(max_size=20))
def test_no_text_anywhere_becomes_sql(text: str) -> None:
    _try(text)


@given(st.lists(st.one_of(st.text(min_size=8), st.binary(min_size=8)), min_size=1))
def test_no_value_reaches_the_text(values: list[str | bytes]) -> None:
    plain = select("t").where("a", "IN", ["x"] * len(values)).build()
    assert select("t").where("a", "IN", values).build() == (plain.sql, values)


@given(st.text(min_size=8), st.binary(min_size=8))
def test_no_value_of_a_composed_statement_reaches_the_text(one: str, other: bytes) -> None:
    def composed(first: str | bytes, second: str | bytes) -> Query:
        either = any_of(compare("a", "=", first), compare("b", "!=", second).negated())
        chosen = select(constant(first), either).from_table("u").where_condition(either)
        return insert("t").from_select(["a", "b"], chosen).build()

    assert composed(one, other) == (composed("x", "x").sql, [one, one, other, one, other])


@given(st.text())
def test_an_identifier_round_trips_or_is_refused(name: str) -> None:
    try:
        sql = identifier(name)
    except (UnsafeName, InvalidQuery):
        assert not name or "\0" in name or any("\ud800" <= char <= "\udfff" for char in name)
        return
    with closing(sqlite3.connect(":memory:")) as connection, connection:
        connection.execute(f"CREATE TABLE t ({sql} INTEGER)")
        assert [row[1] for row in connection.execute("PRAGMA table_info(t)")] == [name]
    connection.close()


@given(st.text(min_size=1), st.text(min_size=1))
def test_exact_names_stay_exact_in_every_position(name: str, other: str) -> None:
    try:
        column, table_name = quote_identifier(name), quote_identifier(other)
    except UnsafeName:
        return
    if other.lower().startswith("sqlite_"):
        return  # SQLite keeps such names for itself
    connection = sqlite3.connect(":memory:")
    connection.execute(f"CREATE TABLE {table_name} ({column})")
    connection.execute(f"INSERT INTO {table_name} VALUES (5)")
    names = f"a.{column}", f"CAST(b.{column} AS TEXT)"
    statement = select(*names).from_table(table_name, "a").join(table_name, f"a.{column} = b.{column}", alias="b")
    statement = statement.where(names[1], "=", "5").group_by(names[0]).order_by(names[0])
    assert connection.execute(*statement.build()).fetchall() == [(5, "5")]
    copied = insert(table_name).from_select([name], select(column).from_table(table_name).where(column, "=", 5))
    connection.execute(*copied.build())
    assert connection.execute(*select("COUNT(*)").from_table(table_name).build()).fetchone() == (2,)
    connection.close()


_Truth = tuple[Condition, "bool | None"]


def _negated(one: _Truth) -> _Truth:
    return one[0].negated(), None if one[1] is None else not one[1]


def _all(several: list[_Truth]) -> _Truth:
    truths = [truth for _, truth in several]
    return all_of(*(each for each, _ in several)), False if False in truths else None if None in truths else True


def _any(several: list[_Truth]) -> _Truth:
    truths = [truth for _, truth in several]
    return any_of(*(each for each, _ in several)), True if True in truths else None if None in truths else False


_TRUTHS = st.recursive(
    st.sampled_from(
        [
            (compare("one", "=", 1), True),
            (compare("one", "IN", []), False),
            (compare("none", "=", 1), None),
            (compare("one", "IN", [2, None]), False),
            (compare("none", "=", None), True),
            (compare("one", "BETWEEN", [1, 2]), True),
        ]
    ),
    lambda inner: st.one_of(
        inner.map(_negated), st.lists(inner, max_size=3).map(_all), st.lists(inner, max_size=3).map(_any)
    ),
)


@given(_TRUTHS, _TRUTHS)
def test_a_composed_condition_means_what_its_parts_mean(first: _Truth, second: _Truth) -> None:
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE TABLE t (one, none)")
    connection.execute("INSERT INTO t VALUES (1, NULL)")
    statement = select(first[0], second[0]).from_table("t")
    found = [None if value is None else bool(value) for value in connection.execute(*statement.build()).fetchone()]
    assert found == [first[1], second[1]]
    both = statement.where_condition(first[0]).where_condition(second[0])
    assert bool(connection.execute(*both.build()).fetchall()) == (first[1] is True and second[1] is True)
    connection.close()


_NAMES = st.sampled_from(["id", "name", "e.id", "order", 'odd "name"', "epics.name"])
_VALUES = st.one_of(st.none(), st.integers(-(2**63), 2**63 - 1), st.text(), st.floats(allow_nan=False), st.binary())


@st.composite
def selects(draw: st.DrawFn) -> Select:
    """Any SELECT that can be built."""
    columns: list[str | Condition] = list(draw(st.lists(_NAMES, min_size=2, max_size=3)))
    columns += draw(st.lists(_VALUES.map(constant), max_size=1))
    statement = select(*columns).from_table("epics", "e")
    if draw(st.booleans()):
        nested = all_of(compare(draw(_NAMES), "=", draw(_VALUES)), compare("CAST(e.id AS TEXT)", "!=", "x"))
        statement = statement.where_condition(any_of(nested.negated(), compare("id", "=", 1)))
    for _ in range(draw(st.integers(0, 3))):
        operator = draw(st.sampled_from(OPERATORS))
        value: Any = draw(_VALUES)
        if operator in ("IN", "NOT IN"):
            value = draw(st.lists(_VALUES, max_size=3))
        elif "BETWEEN" in operator:
            value = [value, draw(_VALUES)]
        elif operator in ("IS", "IS NOT"):
            value = None
        elif value is None and operator not in ("=", "==", "!=", "<>"):
            value = 1
        add = draw(st.sampled_from(["where", "or_where"]))
        statement = getattr(statement, add)(draw(_NAMES), operator, value)
    if draw(st.booleans()):
        statement = statement.group_by(draw(_NAMES)).having("COUNT(*)", ">", draw(st.integers(0, 9)))
    if draw(st.booleans()):
        statement = statement.order_by(draw(_NAMES), draw(st.sampled_from(["ASC", "desc"])))
    for method in ("limit", "offset"):
        if draw(st.booleans()):
            statement = getattr(statement, method)(draw(st.integers(0, 2**40)))
    return statement


@given(selects())
def test_what_is_built_parses(statement: Select) -> None:
    connection = sqlite3.connect(":memory:")
    connection.execute('CREATE TABLE epics (id, name, "order", "odd ""name""")')
    sql, params = statement.build()
    try:
        connection.execute(f"EXPLAIN {sql}", params)
    except sqlite3.OperationalError as error:
        assert "no such column" in str(error), (sql, error)  # `epics.name`, under the alias e
    connection.close()


def test_keywords_and_functions_are_upper_case_words() -> None:
    assert all(word.isupper() for word in KEYWORDS | FUNCTIONS)
    for word in sorted(KEYWORDS):
        assert identifier(word.lower()) == f'"{word.lower()}"'
