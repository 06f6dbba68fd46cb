"""``restore`` of rows whose parents are gone and whose tables have other columns by now."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing

import pytest
from support.repos import EpicRepo

BASE = (
    "CREATE TABLE p(id INTEGER PRIMARY KEY, code TEXT UNIQUE, note TEXT, old TEXT)",
    "INSERT INTO p VALUES(1, 'x', 'one', NULL), (2, 'y', 'two', NULL), (3, 'z', 'three', NULL)",
    "CREATE TABLE c(id INTEGER PRIMARY KEY, code TEXT REFERENCES p(code), n INT DEFAULT 0)",
    "INSERT INTO c VALUES(1, 'y', 5), (2, 'x', 6), (3, 'z', 7)",
)
GONE = ("DELETE FROM c WHERE id = 1", "DELETE FROM p WHERE id = 2")
MIGRATIONS: dict[str, tuple[str, ...]] = {
    "added": ("ALTER TABLE p ADD COLUMN extra TEXT DEFAULT 'd'",),
    "added to both": ("ALTER TABLE p ADD COLUMN extra TEXT NOT NULL DEFAULT ''", "ALTER TABLE c ADD COLUMN extra"),
    "the key renamed": ("ALTER TABLE p RENAME COLUMN code TO mark",),
    "what refers renamed": ("ALTER TABLE c RENAME COLUMN code TO mark",),
    "another renamed, one dropped": ("ALTER TABLE p RENAME COLUMN note TO remark", "ALTER TABLE p DROP COLUMN old"),
    "in another order": (
        "CREATE TABLE q(note TEXT, extra INT DEFAULT 3, id INTEGER PRIMARY KEY, code TEXT UNIQUE, old TEXT)",
        "INSERT INTO q(note, id, code, old) SELECT note, id, code, old FROM p",
        "DROP TABLE p",
        "ALTER TABLE q RENAME TO p",
    ),
}


def _work(repo: EpicRepo, statements: Sequence[str]) -> None:
    with closing(sqlite3.connect(repo.database)) as application:
        for statement in statements:
            application.execute(statement)
        application.commit()
    repo.ok("commit", "-m", "work")


@pytest.mark.parametrize("migration", MIGRATIONS)
def test_parents_are_named_and_come_along(garden: EpicRepo, migration: str) -> None:
    _work(garden, BASE)
    _work(garden, MIGRATIONS[migration])
    wanted = [garden.row(table, f"id = {number}") for table, number in (("c", 1), ("p", 2))]
    _work(garden, GONE)
    restore = ("restore", "--source", "HEAD~2", "@c/1")
    garden.refused(4, *restore, naming="@p/2, which is gone")
    assert garden.json(*restore, "--with-parents")["parents"] == ["@p/2"]
    assert [garden.row(table, f"id = {number}") for table, number in (("c", 1), ("p", 2))] == wanted
    assert garden.sql("PRAGMA foreign_key_check") == []


def test_a_value_that_no_column_takes(garden: EpicRepo) -> None:
    _work(garden, (*BASE, "UPDATE p SET old = 'kept' WHERE id = 2"))
    _work(garden, ("ALTER TABLE p DROP COLUMN old", *GONE))
    restore = ("restore", "--source", "HEAD~1", "@c/1")
    garden.refused(5, *restore, "--with-parents", naming="@p/2: it has a value in p.old there")


def test_a_parent_that_was_changed(garden: EpicRepo) -> None:
    _work(garden, BASE)
    _work(
        garden, ("ALTER TABLE p ADD COLUMN extra", "DELETE FROM c WHERE id = 1", "UPDATE p SET code = 'q' WHERE id = 2")
    )
    restore = ("restore", "--source", "HEAD~1", "@c/1", "--with-parents")
    garden.refused(4, *restore, naming="@p/2, which has another value by now")


def test_a_row_without_a_parent_in_the_commit_either(garden: EpicRepo) -> None:
    _work(garden, (*BASE, "INSERT INTO c VALUES(9, 'none', 1)"))
    _work(garden, ("ALTER TABLE p ADD COLUMN extra", "ALTER TABLE c ADD COLUMN extra", "DELETE FROM c WHERE id = 9"))
    garden.ok("restore", "--source", "HEAD~1", "@c/9")
    assert garden.row("c", "id = 9") == {"id": 9, "code": "none", "n": 1, "extra": None}


def test_a_task_with_the_row_that_it_refers_to(garden: EpicRepo) -> None:
    """A chain: the task to a person, the person to a team; each table has one more column by now."""
    _work(
        garden,
        (
            "CREATE TABLE team(id INTEGER PRIMARY KEY, name TEXT)",
            "CREATE TABLE person(id INTEGER PRIMARY KEY, name TEXT, team INT REFERENCES team(id))",
            "INSERT INTO team VALUES(4, 'gardeners')",
            "INSERT INTO person VALUES(7, 'ana', 4)",
            "ALTER TABLE framework_tasks ADD COLUMN person INT REFERENCES person(id)",
            "UPDATE framework_tasks SET person = 7 WHERE task_key = '1.1'",
        ),
    )
    _work(
        garden,
        (
            *(f"ALTER TABLE {table} ADD COLUMN later TEXT" for table in ("team", "person", "framework_tasks")),
            "DELETE FROM framework_tasks WHERE task_key = '1.1'",
            "DELETE FROM person",
            "DELETE FROM team",
        ),
    )
    garden.ok("sync")
    restore = ("restore", "--source", "HEAD~2", "1:tasks/1.1")
    garden.refused(4, *restore, naming="@person/7, which is gone")
    assert garden.json(*restore, "--with-parents")["parents"] == ["@person/7", "@team/4"]
    assert garden.task_row("1.1")["person"] == 7
    assert garden.sql("PRAGMA foreign_key_check") == []


def test_a_check_that_the_row_broke_before_the_migration(garden: EpicRepo) -> None:
    garden.sql("CREATE TABLE span(id INTEGER PRIMARY KEY, a INT, b INT, CHECK (a <= b))")
    with closing(sqlite3.connect(garden.database)) as application:
        application.execute("PRAGMA ignore_check_constraints = ON")
        application.execute("INSERT INTO span VALUES(1, 9, 1)")
        application.commit()
    garden.ok("commit", "-m", "broken")
    _work(garden, ("ALTER TABLE span ADD COLUMN note", "DELETE FROM span"))
    garden.ok("restore", "--source", "HEAD~1", "@span/1")
    assert garden.sql("SELECT * FROM span") == [(1, 9, 1, None)]
