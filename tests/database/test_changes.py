"""Changes of rows: whatever an epic becomes, the rows say it afterwards, and the digest foretells them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from model.epics import EPIC, changed, cores

from epicvc.base.jsonio import JSON
from epicvc.database.builtin import create_schema
from epicvc.database.documents.changes import EpicRowsChange, epic_change, new_epic, proof_of_new, revived
from epicvc.database.documents.documents import EpicRows, decode_epic, read_rows
from epicvc.database.documents.fingerprint import rows_said, rows_seen
from epicvc.database.documents.layout import Layout, read_layout
from epicvc.database.documents.push import Push
from epicvc.database.sqlite.backend import SQLiteBackend
from epicvc.database.sqlite.writer import SQLiteWriter
from epicvc.model.document import Core, same_core, settle, tasks_of
from epicvc.model.mapping import BUILTIN

ONE_DATABASE = [HealthCheck.function_scoped_fixture]  # each example rolls back what it did to it

NOW = "2025-01-01 00:00:00"

_FILLED: dict[str, JSON] = {"name": "n", "title": "t"}
"""What the built-in schema wants to be there."""


def complete(core: Core) -> Core:
    """The core with what the schema requires, and with integers as its columns give them back."""
    tasks: list[JSON] = [
        {**task, "title": task.get("title") or _FILLED["title"]}
        | ({"story_points": 1} if task.get("story_points") == 1 else {})
        for task in tasks_of(core)
    ]
    whole = {**core, "name": core.get("name") or _FILLED["name"]}
    return {**whole, "tasks": tasks} if tasks else whole


@pytest.fixture
def backend(tmp_path: Path) -> SQLiteBackend:
    backend = SQLiteBackend(tmp_path / "framework.db")
    backend.create()
    create_schema(backend, by="test", at=NOW)
    return backend


@pytest.fixture
def layout(backend: SQLiteBackend) -> Layout:
    with backend.read() as reader:
        return read_layout(reader, BUILTIN, "framework.db")


def pushed(writer: SQLiteWriter, layout: Layout, *changes: EpicRowsChange) -> EpicRows | None:
    """Write changes as they come out of a message, and read the epic's rows."""
    push = Push(writer, layout, NOW)
    push.apply([revived(msgspec.msgpack.decode(msgspec.msgpack.encode(change))) for change in changes])
    push.finish()
    return next(read_rows(writer, layout, [EPIC]), None)


@st.composite
def pairs(draw: st.DrawFn) -> tuple[Core, Core]:
    before = draw(cores())
    return complete(before), complete(draw(changed(before)))


def fresh(layout: Layout, core: Core) -> EpicRowsChange:
    return new_epic(BUILTIN, EPIC, core)


@settings(max_examples=60, deadline=None, suppress_health_check=ONE_DATABASE)
@given(pairs())
def test_rows_become_what_was_meant(backend: SQLiteBackend, layout: Layout, pair: tuple[Core, Core]) -> None:
    before, after = pair
    with backend.write() as writer:  # never committed
        rows = pushed(writer, layout, first := fresh(layout, before))
        assert rows is not None
        assert rows_said(layout, rows) == proof_of_new(layout, first)
        change = epic_change(layout, EPIC, rows, before, after)
        assert change.seen == rows_seen(layout, rows)
        rows = pushed(writer, layout, change)
        assert rows is not None
        assert same_core(settle(decode_epic(layout, rows), after), after)
        assert rows_said(layout, rows) == change.proof


@settings(max_examples=20, deadline=None, suppress_health_check=ONE_DATABASE)
@given(pairs())
def test_what_goes_and_comes_back_is_the_same(backend: SQLiteBackend, layout: Layout, pair: tuple[Core, Core]) -> None:
    before, after = pair
    with backend.write() as writer:
        rows = pushed(writer, layout, fresh(layout, before))
        assert pushed(writer, layout, epic_change(layout, EPIC, rows, before, None)) is None
        change = epic_change(layout, EPIC, None, None, after)
        rows = pushed(writer, layout, change)
        assert rows is not None
        assert rows_said(layout, rows) == change.proof
        assert same_core(settle(decode_epic(layout, rows), after), after)


def test_what_stays_is_not_written(backend: SQLiteBackend, layout: Layout) -> None:
    core: Core = {"name": "n", "tasks": [{"id": key, "title": key} for key in "abc"]}
    other: Core = {"name": "n", "tasks": [{"id": key, "title": "B" if key == "b" else key} for key in "abc"]}
    with backend.write() as writer:
        rows = pushed(writer, layout, fresh(layout, core))
        change = epic_change(layout, EPIC, rows, core, other)
        assert (change.values, change.new, change.left, change.rows) == ({}, [], [], 2)
        assert [(task.key, task.values) for task in change.changed] == [("b", {"title": "B"})]


def states(rows: EpicRows) -> Iterator[tuple[object, ...]]:
    for row in rows.tasks:
        yield row[3], row[0]


def test_order_is_written_in_as_few_numbers_as_can_be(backend: SQLiteBackend, layout: Layout) -> None:
    core: Core = {"name": "n", "tasks": [{"id": key, "title": key} for key in "abcd"]}
    moved: Core = {"name": "n", "tasks": [{"id": key, "title": key} for key in "abdc"]}
    with backend.write() as writer:
        rows = pushed(writer, layout, fresh(layout, core))
        change = epic_change(layout, EPIC, rows, core, moved)
        assert [task.key for task in change.changed] == ["c"]
        rows = pushed(writer, layout, change)
        assert rows is not None
        assert [key for key, _ in states(rows)] == list("abdc")


def test_the_digest_sees_every_cell(backend: SQLiteBackend, layout: Layout) -> None:
    core: Core = {"name": "n", "tasks": [{"id": key, "title": key, "dependencies": ["x"]} for key in "ab"]}
    with backend.write() as writer:
        rows = pushed(writer, layout, fresh(layout, core))
        assert rows is not None
        seen = {rows_seen(layout, rows)}
        for statement in (
            "UPDATE framework_epics SET summary = 'x' WHERE epic_key = ?",
            "UPDATE framework_tasks SET risk = 'x' WHERE task_key = 'a' AND ? != ''",
            "UPDATE framework_tasks SET task_sequence = 9 WHERE task_key = 'a' AND ? != ''",
            "DELETE FROM task_dependencies WHERE ? != ''",
            "UPDATE framework_tasks SET deleted_at = 'x' WHERE task_key = 'b' AND ? != ''",
        ):
            list(writer.execute(statement, [EPIC]))
            found = next(read_rows(writer, layout, [EPIC]))
            seen.add(rows_seen(layout, found))
        assert len(seen) == 6
