"""Tables whose keys are integers: what the database refuses is named by its label, like anything else."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from support.repos import NO_FACTS, EpicRepo

CONFIG = """
[files]
dir = "epics"
[database]
url = "app.db"
[mapping]
dependencies = false
[mapping.epics]
table = "books"
key = "id"
deleted_at = false
status = {status}
[mapping.epics.fields]
name = "title"
{epics}
[mapping.tasks]
table = "chapters"
key = "id"
parent = "book"
sequence = false
deleted_at = false
status = {status}
[mapping.tasks.fields]
{tasks}
"""

EPIC_FIELDS = """summary tdd_enabled methodology goals definition_of_done duration labels performance_constraints
quality_gates automation_hooks checklist_epic_level planned_start_date planned_end_date calculated_duration_days
duration_unit actual_start_date actual_end_date"""
TASK_FIELDS = """tdd_phase tdd_skip_reason estimate_minutes story_points description test_specs acceptance_criteria
deliverables branch files_touched test_plan risk mitigation priority_tags"""


def library(root: Path, *statements: str, marks: bool = False) -> EpicRepo:
    """Three books and a chapter of the first."""
    (root / "epics").mkdir(parents=True)
    with sqlite3.connect(root / "app.db") as connection:
        state = ", state TEXT DEFAULT 'new' CHECK (state <> 'deleted')" if marks else ""
        connection.execute(f"CREATE TABLE books (id INTEGER PRIMARY KEY, title TEXT{state})")
        connection.execute(f"CREATE TABLE chapters (id INTEGER PRIMARY KEY, book INTEGER, title TEXT{state})")
        connection.execute("INSERT INTO books(id, title) VALUES (1, 'one'), (2, 'two'), (3, 'three')")
        connection.execute("INSERT INTO chapters(id, book, title) VALUES (7, 1, 'first')")
        for statement in statements:
            connection.execute(statement)
    connection.close()
    repo = EpicRepo(root, NO_FACTS)
    repo.database = root / "app.db"
    repo.ok("init")
    off = ["\n".join(f"{name} = false" for name in names.split()) for names in (EPIC_FIELDS, TASK_FIELDS)]
    status = '"state"' if marks else "false"
    (root / "epicvc.toml").write_text(CONFIG.format(status=status, epics=off[0], tasks=off[1]))
    repo.ok("sync")
    return repo


REFUSALS = {
    "trigger": "CREATE TRIGGER kept BEFORE DELETE ON chapters BEGIN SELECT raise(ABORT, 'it is kept'); END",
    "reference": "CREATE TABLE notes (id INTEGER PRIMARY KEY, chapter INTEGER REFERENCES chapters(id))",
}


@pytest.mark.parametrize("how", REFUSALS)
@pytest.mark.parametrize("whole", [True, False], ids=["epic", "task"])
def test_a_deletion_that_is_refused(tmp_path: Path, how: str, whole: bool) -> None:
    more = ["INSERT INTO notes VALUES (1, 7)"] if how == "reference" else []
    repo = library(tmp_path / "repo", REFUSALS[how], *more)
    (path,) = repo.directory.glob("*1.json")
    if whole:
        path.unlink()
    else:
        path.write_text('{"id": "1", "name": "one", "tasks": []}')
    message = repo.refused(4, "sync", naming="1:tasks/7")
    assert ("@notes/1/chapter" in message) == (how == "reference")
    assert repo.one("SELECT count(*) FROM chapters") == 1


def test_a_mark_that_is_refused(tmp_path: Path) -> None:
    repo = library(tmp_path / "repo", marks=True)
    (path,) = repo.directory.glob("*1.json")
    path.unlink()
    repo.refused(4, "sync", naming="1:tasks/7")


def test_a_key_that_is_none_is_all_that_is_said(tmp_path: Path) -> None:
    repo = library(tmp_path / "repo")
    repo.sql("DROP TABLE books")
    repo.sql("CREATE TABLE books (id BLOB PRIMARY KEY, title TEXT)")
    repo.sql("INSERT INTO books VALUES (x'00ff', 'B')")
    said = repo.process("sync")
    assert said.code == 4
    assert "is no key" in said.err
    assert "Traceback" not in said.err
