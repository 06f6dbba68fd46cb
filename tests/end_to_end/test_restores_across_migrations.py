"""``restore LABEL`` from a commit before a migration: every value finds its column, or is named."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from support.repos import EpicRepo

TASKS = "framework_tasks"
WORK = f"UPDATE {TASKS} SET points_earned = 7 WHERE task_key = '1.1'"


def _then_and_now(repo: EpicRepo, migration: Iterable[str], work: str = WORK) -> None:
    """A commit, and one after it with a migration and some work."""
    repo.sql(f"UPDATE {TASKS} SET actual_minutes = 30, points_earned = 2, assigned_to = 'ana' WHERE task_key = '1.1'")
    repo.sql(f"UPDATE {TASKS} SET actual_minutes = 15 WHERE task_key = '1.2'")
    repo.ok("commit", "-m", "then")
    for statement in (*migration, work):
        repo.sql(statement)
    repo.ok("commit", "-m", "now")


def _task(repo: EpicRepo, *columns: str) -> tuple[object, ...]:
    (row,) = repo.sql(f"SELECT {', '.join(columns)} FROM {TASKS} WHERE task_key = '1.1'")
    return tuple(row)


places = pytest.mark.parametrize("label", ["1", "1:tasks", "1:tasks/1.1"])


@places
def test_a_column_that_is_new_since_stays_as_it_is(garden: EpicRepo, label: str) -> None:
    migration = (f"ALTER TABLE {TASKS} ADD COLUMN owner TEXT DEFAULT 'nobody'",)
    _then_and_now(garden, migration, f"UPDATE {TASKS} SET points_earned = 7, owner = 'rui'")
    garden.ok("restore", "--source", "HEAD~1", label)
    assert _task(garden, "actual_minutes", "points_earned", "owner") == (30, 2, "rui")


@places
def test_a_task_that_is_gone_comes_back_with_the_default(garden: EpicRepo, label: str) -> None:
    garden.ok("commit", "-m", "then")
    garden.sql(f"ALTER TABLE {TASKS} ADD COLUMN owner TEXT DEFAULT 'nobody'")
    garden.ok("commit", "-m", "a column")
    garden.rewrite("1", lambda body: body["tasks"].pop(0))
    garden.ok("sync")
    garden.ok("commit", "-m", "now")
    garden.ok("restore", "--source", "HEAD~2", label)
    assert _task(garden, "title", "owner") == ("Dig", "nobody")
    assert garden.json("status")["in_sync"] is True


@places
def test_values_of_a_renamed_column_come_back(garden: EpicRepo, label: str) -> None:
    migration = (
        f"ALTER TABLE {TASKS} ADD COLUMN owner TEXT",
        f"ALTER TABLE {TASKS} RENAME COLUMN actual_minutes TO spent",
    )
    _then_and_now(garden, migration)
    garden.sql(f"UPDATE {TASKS} SET spent = 99 WHERE task_key = '1.1'")
    garden.ok("restore", "--source", "HEAD~1", label)
    assert _task(garden, "spent", "points_earned", "assigned_to", "owner") == (30, 2, "ana", None)


def test_a_field_of_a_renamed_column_comes_back(garden: EpicRepo) -> None:
    _then_and_now(garden, (f"ALTER TABLE {TASKS} RENAME COLUMN actual_minutes TO spent",))
    garden.sql(f"UPDATE {TASKS} SET spent = 99, points_earned = 8 WHERE task_key = '1.1'")
    garden.ok("restore", "--source", "HEAD~1", "1:tasks/1.1/spent")
    assert _task(garden, "spent", "points_earned") == (30, 8)


@places
@pytest.mark.parametrize("beside", [(), (f"ALTER TABLE {TASKS} ADD COLUMN owner TEXT",)], ids=["", "and one added"])
def test_a_value_without_a_column_is_named(garden: EpicRepo, label: str, beside: tuple[str, ...]) -> None:
    """As many columns as before are no reason to put values into those that happen to be in their place."""
    _then_and_now(garden, (f"ALTER TABLE {TASKS} DROP COLUMN actual_minutes", *beside))
    garden.refused(5, "restore", "--source", "HEAD~1", label, naming=f"{TASKS}.actual_minutes")
    garden.ok("restore", "--source", "HEAD~1", "1:tasks/1.1/points_earned")
    assert _task(garden, "points_earned", "assigned_to") == (2, "ana")


@places
def test_a_dropped_column_that_had_no_value(garden: EpicRepo, label: str) -> None:
    _then_and_now(
        garden, (f"ALTER TABLE {TASKS} DROP COLUMN github_branch", f"ALTER TABLE {TASKS} ADD COLUMN owner TEXT")
    )
    garden.ok("restore", "--source", "HEAD~1", label)
    assert _task(garden, "actual_minutes", "points_earned", "assigned_to", "owner") == (30, 2, "ana", None)


def test_rows_whose_owner_cannot_be_told(garden: EpicRepo) -> None:
    _then_and_now(garden, (f"ALTER TABLE {TASKS} RENAME COLUMN epic_id TO parent_id",))
    config = garden.root / "epicvc.toml"
    config.write_text(config.read_text() + '\n[mapping.tasks]\nparent = "parent_id"\n')
    garden.refused(5, "restore", "--source", "HEAD~1", "1", naming="no column parent_id there")
