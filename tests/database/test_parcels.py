"""Parcels of new epics: they insert what would be inserted row by row, and prove nothing that reading would not."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from model.epics import cores

from epicvc.base.jsonio import JSON
from epicvc.database.builtin import create_schema
from epicvc.database.documents.changes import EpicRowsChange, new_epic, proof_of_new
from epicvc.database.documents.documents import read_rows
from epicvc.database.documents.fingerprint import rows_said
from epicvc.database.documents.layout import Layout, read_layout
from epicvc.database.documents.parcels import NotInParcels, Packer, Parcel, Unpacking
from epicvc.database.documents.push import Push
from epicvc.database.sqlite.backend import SQLiteBackend
from epicvc.database.sqlite.connection import BESIDE
from epicvc.database.sqlite.writer import SQLiteWriter
from epicvc.errors import ConstraintBroken, InvalidData
from epicvc.model.document import Core, tasks_of
from epicvc.model.mapping import BUILTIN

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


def whole(core: Core) -> Core:
    """The core with what the schema requires."""
    tasks: list[JSON] = [{**task, "title": task.get("title") or "t"} for task in tasks_of(core)]
    named = {**core, "name": core.get("name") or "n"}
    return {**named, "tasks": tasks} if tasks else named


def packed(changes: list[EpicRowsChange]) -> Parcel:
    parcel = Packer(BUILTIN).pack(changes)
    assert parcel is not None
    return parcel


def unpacked(writer: SQLiteWriter, layout: Layout, parcel: Parcel) -> Unpacking:
    """Insert what is in a parcel."""
    found = Unpacking(writer, layout)
    push = Push(writer, layout, NOW)
    push.apply(parcel.changes)
    push.unpack([change.epic for change in parcel.changes], found)
    push.finish()
    return found


def holds(writer: SQLiteWriter, layout: Layout, changes: list[EpicRowsChange], edits: list[str]) -> bool:
    """Insert out of a parcel and edit: whether the epics are proven. If they are, reading them says the same."""
    try:
        parcel = unpacked(writer, layout, packed(changes))
    except NotInParcels:
        return False
    for edit in edits:
        writer.execute(edit)
    if not parcel.holds():
        return False
    wanted = {change.epic: proof_of_new(layout, change) for change in changes}
    assert {rows.key: rows_said(layout, rows) for rows in read_rows(writer, layout, list(wanted))} == wanted
    return True


def rows(writer: SQLiteWriter) -> list[object]:
    """All rows of the documents, without the times at which they were made."""
    writer.execute("UPDATE framework_epics SET created_at = '', updated_at = ''")
    writer.execute("UPDATE framework_tasks SET created_at = '', updated_at = ''")
    writer.execute("UPDATE task_dependencies SET created_at = ''")
    tables = ("framework_epics", "framework_tasks", "task_dependencies", "sqlite_sequence")
    return [list(writer.execute(f"SELECT * FROM {table} ORDER BY 1")) for table in tables]


def new_epics(found: list[Core]) -> list[EpicRowsChange]:
    return [new_epic(BUILTIN, str(number), core) for number, core in enumerate(found)]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(cores().map(whole), min_size=1, max_size=3),
    st.lists(st.sampled_from(HARMLESS + HARMFUL), max_size=2),
    st.sampled_from(BEFORE),
)
def test_what_is_proven_is_what_reading_says(database: Path, found: list[Core], edits: list[str], before: str) -> None:
    changes = new_epics(found)
    parcel = Packer(BUILTIN).pack(changes)
    if parcel is None:
        return
    with SQLiteBackend(database).write(foreign_keys=False, image=parcel.image) as writer:  # never committed
        layout = read_layout(writer, BUILTIN, "framework.db")
        if before:
            writer.execute(before)
        try:
            proven = holds(writer, layout, changes, edits)
        except ConstraintBroken:
            return  # two edits that do not go together
        if not edits and not before and not _has_floats(found):
            assert proven


def _has_floats(found: list[Core]) -> bool:
    """Whether an integer column may make an integer of a number."""
    return any(isinstance(value, float) for core in found for task in tasks_of(core) for value in task.values())


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(cores().map(whole), min_size=1, max_size=3))
def test_the_rows_are_those_that_are_inserted_one_by_one(database: Path, found: list[Core]) -> None:
    changes = new_epics(found)
    parcel = Packer(BUILTIN).pack(changes)
    if parcel is None:
        return
    backend = SQLiteBackend(database)
    with backend.write(image=parcel.image) as writer:  # never committed
        unpacked(writer, read_layout(writer, BUILTIN, "framework.db"), parcel)
        one = rows(writer)
    with backend.write() as writer:
        push = Push(writer, read_layout(writer, BUILTIN, "framework.db"), NOW)
        push.apply(changes)
        push.finish()
        assert rows(writer) == one


TASKS: list[JSON] = [
    {"id": "a", "title": "A", "story_points": 2, "dependencies": ["b", "c"]},
    {"id": "b", "title": "B", "risk": "much", "dependencies": ["c"]},
]
LAST: JSON = {"id": "d", "title": "D"}
CORE: Core = {"name": "One", "tasks": TASKS}


def one_and_two(*more: JSON) -> list[EpicRowsChange]:
    return [new_epic(BUILTIN, "1", CORE), new_epic(BUILTIN, "2", {**CORE, "tasks": [*TASKS, *more]})]


def proven(database: Path, changes: list[EpicRowsChange], *edits: str, foreign_keys: bool = True) -> bool:
    """Whether new epics are proven that are put into the database, and then edited."""
    with SQLiteBackend(database).write(foreign_keys=foreign_keys, image=packed(changes).image) as writer:
        return holds(writer, read_layout(writer, BUILTIN, "framework.db"), changes, list(edits))


def prepare(database: Path, statement: str) -> None:
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute(statement)


@pytest.mark.parametrize("edits", [(), *((edit,) for edit in (HARMLESS[0], *HARMLESS[2:]))])
def test_ordinary_epics_are_proven(database: Path, edits: tuple[str, ...]) -> None:
    assert proven(database, one_and_two(), *edits)


@pytest.mark.parametrize("edit", HARMFUL)
def test_what_was_changed_is_not_proven(database: Path, edit: str) -> None:
    assert not proven(database, one_and_two(LAST), edit, foreign_keys=False)


@pytest.mark.parametrize("before", BEFORE[1:])
def test_rows_that_waited_for_their_epic_are_not_overlooked(database: Path, before: str) -> None:
    prepare(database, before)
    assert not proven(database, one_and_two())


def test_an_epic_that_was_deleted_is_not_taken_for_a_new_one(database: Path) -> None:
    prepare(database, "INSERT INTO framework_epics (epic_key, name, deleted_at) VALUES ('2', 'Two', 'then')")
    assert not proven(database, one_and_two())


def test_a_dead_task_whose_key_is_wanted_stands_in_the_way(database: Path) -> None:
    prepare(database, "CREATE UNIQUE INDEX keys ON framework_tasks (task_key)")
    prepare(database, "INSERT INTO framework_epics (epic_key, name) VALUES ('0', 'None')")
    values = "(epic_id, task_key, title, deleted_at) VALUES (1, 'd', 'D', 'then')"
    prepare(database, f"INSERT INTO framework_tasks {values}")
    assert not proven(database, [new_epic(BUILTIN, "1", CORE)])


NO: Final = "CREATE TRIGGER no BEFORE INSERT ON framework_tasks WHEN NEW.task_key = 'b' BEGIN SELECT RAISE({}); END"
UP: Final = "CREATE TRIGGER up AFTER INSERT ON framework_tasks BEGIN UPDATE framework_tasks SET {}; END"
ONE: Final = "CREATE TRIGGER one AFTER INSERT ON framework_tasks BEGIN INSERT INTO task_dependencies {}; END"


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE UNIQUE INDEX keys ON framework_tasks (task_key)",
        NO.format("ABORT, 'no'"),
        NO.format("ROLLBACK, 'no'"),
        NO.format("IGNORE"),
        UP.format("title = title || 'x'"),
        ONE.format("(task_id, depends_on_task_key) VALUES (NEW.id, 'z')"),
    ],
)
def test_what_the_database_makes_of_it_is_seen(database: Path, statement: str) -> None:
    prepare(database, statement)
    assert not proven(database, one_and_two())


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("story_points INTEGER DEFAULT 1", "story_points REAL DEFAULT 1"),
        ("title VARCHAR(255)", "title INTEGER"),
        ("risk TEXT", "risk TEXT DEFAULT (lower('X'))"),
        (
            "status VARCHAR(50) DEFAULT 'pending',\n    tdd_phase",
            "status VARCHAR(50) DEFAULT 'deleted',\n    tdd_phase",
        ),
    ],
)
def test_a_column_that_makes_something_else_of_values_is_not_proven(database: Path, old: str, new: str) -> None:
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("PRAGMA writable_schema = ON")
        change = "UPDATE sqlite_master SET sql = replace(sql, ?, ?) WHERE instr(sql, ?)"
        assert connection.execute(change, (old, new, old)).rowcount > 0
    tasks: list[JSON] = [{"id": "a", "title": "12"}]
    assert not proven(database, [new_epic(BUILTIN, "1", {"name": "One", "tasks": tasks})])


def test_text_that_is_none_is_not_proven(database: Path) -> None:
    assert not proven(database, one_and_two(), "UPDATE framework_tasks SET risk = CAST(x'ff' AS TEXT)")


@pytest.mark.parametrize("value", [-0.0, 1 << 63])
def test_what_a_parcel_cannot_say_is_in_none(value: float) -> None:
    tasks: list[JSON] = [{"id": "a", "title": "A", "story_points": value}]
    assert Packer(BUILTIN).pack([new_epic(BUILTIN, "1", {"name": "One", "tasks": tasks})]) is None


def test_nothing_stays_beside_the_database(database: Path) -> None:
    """Whether or not the transaction is committed, and though the connection is kept."""
    backend = SQLiteBackend(database)
    for commits in (True, False, True):
        with backend.write(image=packed(one_and_two()).image) as writer:
            query = f"SELECT count(*) FROM {BESIDE}.tasks"
            assert list(writer.execute(query)) == [(4,)]
            if commits:
                writer.commit()
    with backend.write() as writer, pytest.raises(InvalidData, match="no such table"):
        list(writer.execute(query))
