"""Statements without end are ended, each by itself, and a signal is told from the time that ran out."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from epicvc.database.sqlite import deadline
from epicvc.database.sqlite.backend import SQLiteBackend
from epicvc.database.sqlite.deadline import Limited, expired
from epicvc.database.sqlite.failures import translated
from epicvc.errors import QueryTooLong

ENDLESS = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT x FROM c"
NEVER = f"{ENDLESS} WHERE x < 0"
MUCH = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c LIMIT 300) SELECT max(x) FROM c"


@pytest.fixture
def connection(monkeypatch: pytest.MonkeyPatch) -> Iterator[Limited]:
    monkeypatch.setattr(deadline, "STEPS", 1000)
    with closing(sqlite3.connect(":memory:", factory=Limited, isolation_level=None)) as made:
        made.limit(0.1)
        yield made


@pytest.mark.parametrize("sql", [NEVER, f"SELECT sum(x) FROM ({ENDLESS})", f"{NEVER} ORDER BY x DESC"])
def test_a_statement_without_end(connection: Limited, sql: str) -> None:
    with pytest.raises(sqlite3.OperationalError, match="interrupted"):
        connection.execute(sql).fetchall()
    assert expired() == 0.1
    assert expired() is None
    assert connection.execute("SELECT 1").fetchone() == (1,)


def test_rows_without_end(connection: Limited) -> None:
    with pytest.raises(QueryTooLong, match=r"p\.db: a statement took more than 0\.1 s"), translated("p.db", 0):
        for _ in connection.execute(ENDLESS):
            pass


def test_each_statement_has_its_own_time(connection: Limited) -> None:
    """Of each there are many looks at the clock; together they take longer than one may."""
    ticks = 0.0

    def clock() -> float:
        nonlocal ticks
        ticks += 0.002
        return ticks

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(deadline, "monotonic", clock)
        for _ in range(50):
            connection.execute(MUCH).fetchone()
        connection.execute("CREATE TABLE t(a, b)")
        connection.executemany(f"INSERT INTO t VALUES (?, ({MUCH}))", [(number,) for number in range(50)])
    assert ticks > 0.5
    assert connection.execute("SELECT count(*), max(b) FROM t").fetchone() == (50, 300)


def test_waiting_for_somebody_else_is_not_the_database(connection: Limited, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reader of our output that comes back after an hour finds the statement where it was."""
    connection.limit(60)
    now = 0.0

    def clock() -> float:
        nonlocal now
        now += 3600.0 if now == 3600.0 else 1e-6
        return now

    monkeypatch.setattr(deadline, "monotonic", clock)
    rows = connection.execute(ENDLESS)
    for _ in range(10_000):
        now = max(now, 3600.0) if _ == 5000 else now
        next(rows)


def test_a_signal_is_no_deadline() -> None:
    with closing(sqlite3.connect(":memory:", factory=Limited)) as connection:
        connection.set_progress_handler(lambda: 1, 1000)
        with pytest.raises(KeyboardInterrupt), translated("p.db", 0):
            connection.execute(NEVER).fetchall()


def test_a_trigger_without_end_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "p.db"
    with closing(sqlite3.connect(path)) as made:
        made.execute("CREATE TABLE t(a)")
        made.execute(f"CREATE TRIGGER g AFTER INSERT ON t BEGIN INSERT INTO t {NEVER}; END")
    backend = SQLiteBackend(path, query_seconds=0)
    with pytest.raises(QueryTooLong) as caught, backend.write() as writer, translated(backend.display, 0):
        writer._connection.execute("INSERT INTO t VALUES (1)")
    assert caught.value.exit_code == 4
    assert "EPICVC_QUERY_TIMEOUT" in str(caught.value.hint)
    with closing(sqlite3.connect(path)) as again:
        assert again.execute("SELECT count(*) FROM t").fetchone() == (0,)
