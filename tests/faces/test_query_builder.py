"""The builder as the package gives it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from support.epics import write_epics

from epicvc import SafeQueryBuilder
from epicvc.cli.edge import run_application
from epicvc.errors import ConstraintBroken, DatabaseUnavailable, InvalidQuery

SCHEMA = """
CREATE TABLE framework_epics (id INTEGER PRIMARY KEY, name TEXT UNIQUE, status TEXT, assigned_to TEXT, created_at TEXT);
CREATE TABLE framework_tasks (id INTEGER PRIMARY KEY, epic_id INTEGER, title TEXT, status TEXT);
INSERT INTO framework_epics VALUES (1, 'One', 'active', 'user1', '2025-01-01'),
  (2, 'Two', 'active', 'user2', '2025-02-01'),
  (3, 'Three', 'active', 'user3', '2025-03-01'), (4, 'Four', 'closed', 'user1', '2025-04-01');
INSERT INTO framework_tasks VALUES (1, 1, 'open', 'pending'), (2, 1, 'done', 'completed'), (3, 4, 'late', 'pending');
"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    connection = sqlite3.connect(tmp_path / "framework.db")
    connection.executescript(SCHEMA)
    connection.close()
    return tmp_path


@pytest.mark.usefixtures("place")
def test_queries_give_rows_by_column() -> None:
    builder = SafeQueryBuilder()
    query = (
        builder.select("framework_epics").where("status", "=", "active").where("assigned_to", "IN", ["user1", "user2"])
    )
    rows = builder.execute(query.order_by("created_at", "DESC").limit(10).build())
    assert [row["name"] for row in rows] == ["Two", "One"]  # type: ignore[index, union-attr]
    joined = (
        builder.select("e.name, t.title").from_table("framework_epics e").join("framework_tasks t", "t.epic_id = e.id")
    )
    rows = builder.execute(joined.where("e.status", "=", "active").where("t.status", "!=", "completed"))
    assert rows == [{"name": "One", "title": "open"}]


def test_changes_are_counted_and_committed(place: Path) -> None:
    builder = SafeQueryBuilder(place / "framework.db")
    assert builder.execute(builder.update("framework_tasks").set({"status": "x"}).all_rows()) == 3
    assert builder.execute(builder.delete("framework_tasks").where("id", "IN", [1, 2])) == 2
    made = builder.execute(builder.insert("framework_tasks").values({"title": "new"}).returning("id"))
    assert made == [{"id": 4}]
    with closing(sqlite3.connect(place / "framework.db")) as other, other:
        assert other.execute("SELECT id, status FROM framework_tasks ORDER BY id").fetchall() == [(3, "x"), (4, None)]
    other.close()


def test_a_connection_stays_its_owners(place: Path) -> None:
    connection = sqlite3.connect(place / "framework.db")
    builder = SafeQueryBuilder(connection=connection)
    builder.execute(builder.delete("framework_tasks").all_rows())
    connection.rollback()
    assert builder.execute(builder.select("COUNT(*) AS n").from_table("framework_tasks")) == [{"n": 3}]
    connection.close()


def test_the_database_of_the_repo_is_found(place: Path) -> None:
    (place / "framework.db").unlink()
    write_epics(place / "epics")
    assert run_application(["init", "--files", "epics", "--db", "other.db", "--quiet"]) == 0
    assert run_application(["sync", "--quiet"]) == 0
    builder = SafeQueryBuilder()
    assert builder.execute(builder.select("framework_tasks").limit(1))


def test_what_goes_wrong_is_named(place: Path) -> None:
    builder = SafeQueryBuilder(place / "framework.db")
    with pytest.raises(ConstraintBroken):
        builder.execute(builder.insert("framework_epics").values({"name": "One"}))
    with pytest.raises(DatabaseUnavailable, match="no such file"):
        SafeQueryBuilder(place / "missing.db").execute(builder.select("t"))
    assert not (place / "missing.db").exists()
    with pytest.raises(InvalidQuery, match="dialect"):
        SafeQueryBuilder(dialect="oracle")
    assert SafeQueryBuilder(dialect="postgresql").select("t").where("a", "=", 1).build().sql.endswith("a = %s")
