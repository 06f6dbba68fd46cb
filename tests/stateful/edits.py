"""What people and the application do between commands, at random: the rules of the state machine that change sides."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from stateful.world import BESIDE, COLUMNS, EXTRA, TASK_EXTRA, World, file_epics

NUMBERS = st.integers(0, 5)
VALUES = st.integers(1, 3)
TEXTS = st.sampled_from(["name", "summary", "duration"])
TASK_TEXTS = st.sampled_from(["title", "description", "risk", "estimate_minutes"])
ITEMS = st.sampled_from("abcdef")


def value_of(field: str, number: int) -> Any:
    """One of a few values, so that both sides sometimes choose the same; never a column's default."""
    return 10 + number if field == "estimate_minutes" else f"{field} {number}"


class Edits(RuleBasedStateMachine):
    """Random edits of both sides."""

    world: World

    def __init__(self) -> None:
        super().__init__()
        self.made = 0
        self.removed_files: dict[Path, bytes] = {}

    # What there is

    def file_epics(self) -> list[str]:
        """The epics that have a file."""
        return file_epics(self.world.repo.files())

    def pick(self, number: int) -> str | None:
        """One of the epics with a file."""
        epics = self.file_epics()
        return epics[number % len(epics)] if epics else None

    def pick_row(self, number: int) -> str:
        """One of the epics with a living row."""
        epics = sorted(self.world.db_documents())
        return epics[number % len(epics)]

    def fresh(self) -> str:
        """A key that nobody has."""
        self.made += 1
        return f"new{self.made}"

    # Files

    @rule(number=NUMBERS, field=TEXTS, value=VALUES)
    def edit_file(self, number: int, field: str, value: int) -> None:
        if epic := self.pick(number):
            with self.world.file(epic) as body:
                body[field] = value_of(field, value)

    @rule(number=NUMBERS, field=st.sampled_from(["labels", "goals"]), item=ITEMS)
    def toggle_in_file(self, number: int, field: str, item: str) -> None:
        if epic := self.pick(number):
            with self.world.file(epic) as body:
                items = body.get(field) or []
                body[field] = [old for old in items if old != item] if item in items else [*items, item]

    @rule(number=NUMBERS, at=NUMBERS, field=TASK_TEXTS, value=VALUES)
    def edit_file_task(self, number: int, at: int, field: str, value: int) -> None:
        if epic := self.pick(number):
            with self.world.file(epic) as body:
                if body.get("tasks"):
                    body["tasks"][at % len(body["tasks"])][field] = value_of(field, value)

    @rule(number=NUMBERS, at=NUMBERS)
    def add_file_task(self, number: int, at: int) -> None:
        if epic := self.pick(number):
            with self.world.file(epic) as body:
                body.setdefault("tasks", []).insert(
                    at, {"id": self.fresh(), "title": "made in a file", "estimate_minutes": 11}
                )

    @rule(number=NUMBERS, at=NUMBERS)
    def remove_file_task(self, number: int, at: int) -> None:
        if epic := self.pick(number):
            with self.world.file(epic) as body:
                if body.get("tasks"):
                    del body["tasks"][at % len(body["tasks"])]

    @rule(number=NUMBERS, at=NUMBERS, to=NUMBERS)
    def move_file_task(self, number: int, at: int, to: int) -> None:
        if epic := self.pick(number):
            with self.world.file(epic) as body:
                if body.get("tasks"):
                    body["tasks"].insert(to, body["tasks"].pop(at % len(body["tasks"])))

    # What only files have

    @rule(number=NUMBERS, name=st.sampled_from(EXTRA), value=VALUES)
    def edit_extra_key(self, number: int, name: str, value: int) -> None:
        if epic := self.pick(number):
            with self.world.file(epic) as body:
                body[name] = {"value": value, "list": [value]}

    @rule(number=NUMBERS, name=st.sampled_from(EXTRA))
    def drop_extra_key(self, number: int, name: str) -> None:
        if epic := self.pick(number):
            with self.world.file(epic) as body:
                body.pop(name, None)

    @rule(number=NUMBERS, value=VALUES)
    def edit_beside_the_epic(self, number: int, value: int) -> None:
        if epic := self.pick(number):
            with self.world.whole_file(epic) as whole:
                if "epic" in whole:
                    whole[BESIDE] = {"by": value, "more": {"value": value}}

    @rule(number=NUMBERS, at=NUMBERS, value=VALUES)
    def edit_task_key(self, number: int, at: int, value: int) -> None:
        if epic := self.pick(number):
            with self.world.file(epic) as body:
                if body.get("tasks"):
                    body["tasks"][at % len(body["tasks"])][TASK_EXTRA] = {"value": value, "rows": [value]}

    @rule(number=NUMBERS)
    def rename_file(self, number: int) -> None:
        if epic := self.pick(number):
            path = self.world.path(epic)
            assert path is not None
            path.rename(path.with_name(f"{self.fresh()}.json"))

    @rule(number=NUMBERS)
    def delete_file(self, number: int) -> None:
        # one at a time: more than half of all epics would be a mishap, and a guard stops it
        if not self.removed_files and (epic := self.pick(number)) and len(self.file_epics()) > 4:
            path = self.world.path(epic)
            assert path is not None
            self.removed_files[path] = path.read_bytes()
            path.unlink()

    @rule()
    def bring_a_file_back(self) -> None:
        for path, data in self.removed_files.items():
            body = json.loads(data)
            if str(body.get("epic", body)["id"]) not in self.file_epics() and not path.exists():
                path.write_bytes(data)
        self.removed_files.clear()

    # Rows

    @rule(number=NUMBERS, field=TEXTS, value=VALUES)
    def edit_row(self, number: int, field: str, value: int) -> None:
        query = f"UPDATE framework_epics SET {COLUMNS.get(field, field)} = ? WHERE epic_key = ?"
        self.world.sql(query, value_of(field, value), self.pick_row(number))

    @rule(number=NUMBERS, field=st.sampled_from(["labels", "goals"]), item=ITEMS)
    def toggle_in_row(self, number: int, field: str, item: str) -> None:
        epic = self.pick_row(number)
        items = list(self.world.db_documents()[epic].get(field, ()))
        items = [old for old in items if old != item] if item in items else [*items, item]
        self.world.sql(f"UPDATE framework_epics SET {field} = ? WHERE epic_key = ?", json.dumps(items), epic)

    def _row_task(self, number: int, at: int) -> str | None:
        tasks = self.world.db_order(self.pick_row(number))
        return tasks[at % len(tasks)] if tasks else None

    @rule(number=NUMBERS, at=NUMBERS, field=TASK_TEXTS, value=VALUES)
    def edit_row_task(self, number: int, at: int, field: str, value: int) -> None:
        query = f"UPDATE framework_tasks SET {field} = ? WHERE task_key = ?"
        self.world.sql(query, value_of(field, value), self._row_task(number, at))

    @rule(number=NUMBERS)
    def add_row_task(self, number: int) -> None:
        self.world.sql(
            "INSERT INTO framework_tasks (task_key, epic_id, title, estimate_minutes, task_sequence) SELECT ?, id, "
            "'made in a row', 12, (SELECT coalesce(max(task_sequence), 0) + 1 FROM framework_tasks "
            "WHERE epic_id = e.id) FROM framework_epics e WHERE epic_key = ?",
            self.fresh(),
            self.pick_row(number),
        )

    @rule(number=NUMBERS, at=NUMBERS)
    def delete_row_task(self, number: int, at: int) -> None:
        query = "UPDATE framework_tasks SET deleted_at = '2026-01-01', status = 'deleted' WHERE task_key = ?"
        self.world.sql(query, self._row_task(number, at))

    @rule(number=NUMBERS, at=NUMBERS, value=NUMBERS)
    def move_row_task(self, number: int, at: int, value: int) -> None:
        # a row without a sequence carries no order, so that there is none to be changed
        query = "UPDATE framework_tasks SET task_sequence = ? WHERE task_key = ? AND task_sequence IS NOT NULL"
        self.world.sql(query, value, self._row_task(number, at))

    @rule(number=NUMBERS, at=NUMBERS)
    def complete_task(self, number: int, at: int) -> None:
        # system fields, with triggers that write to other tables
        self.world.sql("UPDATE framework_tasks SET status = 'completed' WHERE task_key = ?", self._row_task(number, at))

    @rule(number=NUMBERS, column=st.sampled_from(["priority", "icon", "description"]), value=VALUES)
    def edit_row_column(self, number: int, column: str, value: int) -> None:
        query = f"UPDATE framework_epics SET {column} = ? WHERE epic_key = ?"
        self.world.sql(query, value if column == "priority" else f"{column} {value}", self.pick_row(number))

    @rule(number=NUMBERS, at=NUMBERS, column=st.sampled_from(["actual_minutes", "task_group"]), value=VALUES)
    def edit_row_task_column(self, number: int, at: int, column: str, value: int) -> None:
        query = f"UPDATE framework_tasks SET {column} = ? WHERE task_key = ?"
        self.world.sql(query, value if column == "actual_minutes" else str(value), self._row_task(number, at))

    @rule(number=NUMBERS)
    def write_row_again(self, number: int) -> None:
        # a time of writing is nobody's edit
        query = "UPDATE framework_epics SET updated_at = '2031-01-01' WHERE epic_key = ?"
        self.world.sql(query, self.pick_row(number))

    @rule(number=NUMBERS)
    def delete_row(self, number: int) -> None:
        with self.world.connection() as database:
            ((dead,),) = database.execute("SELECT count(*) FROM framework_epics WHERE deleted_at IS NOT NULL")
            if dead < 2:
                key = self.pick_row(number)
                query = "UPDATE framework_epics SET deleted_at = '2026-01-01', status = 'deleted' WHERE epic_key = ?"
                database.execute(query, (key,))

    @rule()
    def revive_rows(self) -> None:
        query = "UPDATE framework_epics SET deleted_at = NULL, status = 'pending' WHERE deleted_at IS NOT NULL"
        self.world.sql(query)

    # Rows of tables that no document knows

    @rule(text=ITEMS)
    def insert_note(self, text: str) -> None:
        self.world.sql("INSERT INTO audit_notes VALUES (?, 2)", text)

    @rule(text=ITEMS)
    def delete_note(self, text: str) -> None:
        self.world.sql("DELETE FROM audit_notes WHERE note = ?", text)

    @rule(value=VALUES)
    def change_setting(self, value: int) -> None:
        self.world.sql("UPDATE settings SET value = ? WHERE name = 'theme'", str(value))
