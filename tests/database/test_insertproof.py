"""Proof of inserted epics by rows that were read anyway: it proves nothing that reading the epics would not."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from model.epics import cores

from epicvc.database.builtin import create_schema
from epicvc.database.changes import EpicChange, new_epic, proof_of_new
from epicvc.database.documents import epic_heads, read_rows
from epicvc.database.fingerprint import rows_said
from epicvc.database.insertproof import InsertProof
from epicvc.database.layout import Layout, read_layout
from epicvc.database.push import Push
from epicvc.database.sqlite.backend import SQLiteBackend
from epicvc.database.sqlite.writer import SQLiteWriter
from epicvc.errors import ConstraintBroken
from epicvc.jsonio import JSON
from epicvc.model.document import Core, tasks_of
from epicvc.model.mapping import BUILTIN
from epicvc.repo.dbside import capture, recapture
from epicvc.store.staging import Staging
from epicvc.store.store import Store

NOW = "2025-01-01 00:00:00"

HARMLESS = (
    "UPDATE framework_tasks SET actual_minutes = 5",
    "UPDATE framework_tasks SET status = 'in_progress'",
    "UPDATE framework_epics SET status = 'active'",
    "UPDATE framework_tasks SET title = title",
)
"""Edits that no document shows; whether they leave something to prove does not matter."""

HARMFUL = (
    "UPDATE framework_tasks SET title = 'other' WHERE id = (SELECT max(id) FROM framework_tasks)",
    "UPDATE framework_tasks SET story_points = 1.5",
    "UPDATE framework_tasks SET risk = 'some'",
    "UPDATE framework_tasks SET estimate_minutes = 60.5",
    "UPDATE framework_tasks SET deleted_at = ''",
    "UPDATE framework_tasks SET deleted_at = '2025-01-01' WHERE id = (SELECT min(id) FROM framework_tasks)",
    "UPDATE framework_tasks SET status = 'deleted'",
    "UPDATE framework_tasks SET task_key = task_key || '1'",
    "UPDATE framework_tasks SET epic_id = 1 WHERE id = (SELECT max(id) FROM framework_tasks) AND task_key = 'd'",
    "UPDATE framework_tasks SET epic_id = 9 WHERE id = (SELECT max(id) FROM framework_tasks)",
    "UPDATE framework_tasks SET id = id + 100",
    "UPDATE framework_tasks SET id = 1000 - id",
    "DELETE FROM framework_tasks WHERE id = (SELECT max(id) FROM framework_tasks)",
    "INSERT INTO framework_tasks (epic_id, task_key, title) SELECT id, 'z', 'z' FROM framework_epics",
    "INSERT INTO framework_tasks (id, epic_id, task_key, title) SELECT -1, max(id), 'z', 'z' FROM framework_epics",
    "DELETE FROM task_dependencies WHERE id = (SELECT max(id) FROM task_dependencies)",
    "INSERT INTO task_dependencies (task_id, depends_on_task_key) SELECT max(id), 'z' FROM framework_tasks",
    "INSERT INTO task_dependencies (id, task_id, depends_on_task_key) SELECT -1, max(id), 'z' FROM framework_tasks",
    "UPDATE task_dependencies SET depends_on_task_key = depends_on_task_key || 'y'",
    "UPDATE task_dependencies SET task_id = (SELECT max(id) FROM framework_tasks) WHERE id = 1",
)

BEFORE = (
    "",
    "INSERT INTO framework_tasks (id, epic_id, task_key, title) VALUES (1, 1, 'left', 'behind')",
    "INSERT INTO framework_tasks (id, epic_id, task_key, title, deleted_at) VALUES (1, 2, 'left', 'behind', 'then')",
    "INSERT INTO task_dependencies (id, task_id, depends_on_task_key) VALUES (1, 1, 'left')",
    "INSERT INTO task_dependencies (id, task_id, depends_on_task_key) VALUES (1, 3, 'left')",
)
"""What belongs to epics and tasks that do not exist yet."""


@pytest.fixture
def database(tmp_path: Path) -> Path:
    path = tmp_path / "framework.db"
    backend = SQLiteBackend(path)
    backend.create()
    create_schema(backend, by="test", at=NOW)
    return path


@pytest.fixture
def sink(tmp_path: Path) -> Iterator[Staging]:
    with Store.open(tmp_path / "store.db", create=True) as store, Staging(store, flush_bytes=None) as sink:
        yield sink


def whole(core: Core) -> Core:
    """The core with what the schema requires."""
    tasks: list[JSON] = [{**task, "title": task.get("title") or "t"} for task in tasks_of(core)]
    named = {**core, "name": core.get("name") or "n"}
    return {**named, "tasks": tasks} if tasks else named


def inserted(writer: SQLiteWriter, layout: Layout, changes: list[EpicChange]) -> InsertProof:
    proof = InsertProof(layout, writer.tables())
    push = Push(writer, layout, NOW, inserted=proof)
    push.apply(changes)
    push.finish()
    return proof


def holds(writer: SQLiteWriter, sink: Staging, layout: Layout, changes: list[EpicChange], edits: list[str]) -> bool:
    """Insert, edit, capture: whether the epics are proven. If they are, reading them says the same."""
    before = capture(writer, sink)
    proof = inserted(writer, layout, changes)
    for edit in edits:
        writer.execute(edit)
    recapture(writer, sink, before, proof.found)
    wanted = {change.epic: proof_of_new(layout, change) for change in changes}
    heads = list(epic_heads(writer, layout, list(wanted)))
    if not proof.holds(writer, [surrogate for surrogate, _, _ in heads]):
        return False
    assert {rows.key: rows_said(layout, rows) for rows in read_rows(writer, layout, list(wanted))} == wanted
    return True


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(cores().map(whole), min_size=1, max_size=3),
    st.lists(st.sampled_from(HARMLESS + HARMFUL), max_size=2),
    st.sampled_from(BEFORE),
)
def test_what_is_proven_is_what_reading_says(
    database: Path, sink: Staging, found: list[Core], edits: list[str], before: str
) -> None:
    changes = [new_epic(BUILTIN, str(number), core) for number, core in enumerate(found)]
    backend = SQLiteBackend(database)
    with backend.write(foreign_keys=False) as writer:  # never committed
        layout = read_layout(writer, BUILTIN, "framework.db")
        if before:
            writer.execute(before)
        try:
            proven = holds(writer, sink, layout, changes, edits)
        except ConstraintBroken:
            return  # two edits that do not go together
        floats = any(isinstance(task.get("story_points"), float) for core in found for task in tasks_of(core))
        # one row is read by itself, and not kept
        runs = all(len(rows) != 1 for rows in _rows(changes)) or not any(_rows(changes))
        if not edits and not before and not floats and runs:
            assert proven


def _rows(changes: list[EpicChange]) -> tuple[list[object], list[object]]:
    tasks = [task for change in changes for task in change.new]
    return list(tasks), [link for task in tasks for link in task.links]


TASKS: list[JSON] = [
    {"id": "a", "title": "A", "story_points": 2, "dependencies": ["b", "c"]},
    {"id": "b", "title": "B", "risk": "much", "dependencies": ["c"]},
]
LAST: JSON = {"id": "d", "title": "D"}
CORE: Core = {"name": "One", "tasks": TASKS}


@pytest.mark.parametrize("edit", ["", *HARMLESS[:1], *HARMLESS[2:]])
def test_ordinary_epics_are_proven(database: Path, sink: Staging, edit: str) -> None:
    with SQLiteBackend(database).write() as writer:
        layout = read_layout(writer, BUILTIN, "framework.db")
        changes = [new_epic(BUILTIN, key, CORE) for key in ("1", "2")]
        assert holds(writer, sink, layout, changes, [edit] if edit else [])


@pytest.mark.parametrize("edit", HARMFUL)
def test_what_was_changed_is_not_proven(database: Path, sink: Staging, edit: str) -> None:
    with SQLiteBackend(database).write(foreign_keys=False) as writer:
        layout = read_layout(writer, BUILTIN, "framework.db")
        changes = [new_epic(BUILTIN, "1", CORE), new_epic(BUILTIN, "2", {**CORE, "tasks": [*TASKS, LAST]})]
        assert not holds(writer, sink, layout, changes, [edit])


@pytest.mark.parametrize("before", BEFORE[1:])
def test_rows_that_waited_for_their_epic_are_not_overlooked(database: Path, sink: Staging, before: str) -> None:
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute(before)
    with SQLiteBackend(database).write() as writer:
        layout = read_layout(writer, BUILTIN, "framework.db")
        changes = [new_epic(BUILTIN, key, CORE) for key in ("1", "2")]
        assert not holds(writer, sink, layout, changes, [])


def test_a_column_that_makes_floats_of_integers_is_not_proven(database: Path, sink: Staging) -> None:
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("PRAGMA writable_schema = ON")
        change = "UPDATE sqlite_master SET sql = replace(sql, 'story_points INTEGER', 'story_points REAL')"
        assert connection.execute(change).rowcount > 0
    with SQLiteBackend(database).write() as writer:
        layout = read_layout(writer, BUILTIN, "framework.db")
        assert not holds(writer, sink, layout, [new_epic(BUILTIN, "1", CORE)], [])


def test_text_that_is_none_is_not_proven(database: Path, sink: Staging) -> None:
    edit = "UPDATE framework_tasks SET risk = CAST(x'ff' AS TEXT)"
    with SQLiteBackend(database).write() as writer:
        layout = read_layout(writer, BUILTIN, "framework.db")
        assert not holds(writer, sink, layout, [new_epic(BUILTIN, "1", CORE)], [edit])
