"""The two sides as the test sees and changes them, by its own reading of files and rows."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from support.database import make_database
from support.repos import EpicRepo, Facts

from stateful.model import SETS, Document, Files, Order, Own, Rows, State

FIELDS = ("name", "summary", "labels", "goals", "duration")
TASK_FIELDS = ("title", "description", "estimate_minutes", "risk")
COLUMNS = {"duration": "duration_description"}

EXTRA = ("private_notes", "origin")
BESIDE = "_metadata"
TASK_EXTRA = "shelf"
"""What only files have: keys of an epic, what stands beside it, and a key of a task."""

EPIC_COLUMNS = (
    "description",
    "status",
    "priority",
    "points_earned",
    "actual_hours",
    "assigned_to",
    "sync_status",
    "icon",
)
TASK_COLUMNS = (
    "status",
    "actual_minutes",
    "points_earned",
    "difficulty_modifier",
    "assigned_to",
    "completed_at",
    "task_group",
    "parent_task_key",
    "points_value",
)
"""What only the database has, but for keys and times of writing."""

TRIGGERED = "sync_status"
"""The one of them that the application's triggers write when a task gets another title."""

FACTS = Facts("stateful", "1", "one.json", (), "2", "two.json", (), "OWN_T2")


def make(root: Path) -> EpicRepo:
    """A synchronised repo: three epics with tasks, one without, and those that the database began with."""
    (root / "epics").mkdir(parents=True)
    for number, path in enumerate(("one.json", "two.json", "below/three.json", "four.json"), 1):
        tasks = [
            {
                "id": f"{number}.{task}",
                "title": f"Task {task}",
                "description": "A",
                "estimate_minutes": 10,
                "risk": "low",
                "shelf": {"value": number, "rows": [task]},
            }
            for task in range(1, 4)
        ]
        epic = {
            "id": str(number),
            "name": f"Epic {number}",
            "summary": "A",
            "labels": ["a", "b"],
            "goals": ["x", "y"],
            "duration": "1 day",
            "tasks": tasks if number < 4 else [],
        }
        target = root / "epics" / path
        target.parent.mkdir(exist_ok=True)
        target.write_text(json.dumps({"epic": epic, "_metadata": {"by": number}}, indent=2 + number))
    make_database(root / "framework.db")
    repo = EpicRepo(root, FACTS)
    for words in ("init", "sync"):
        repo.ok(words)
    return repo


def body_of(value: Any) -> Any:
    """The object with an epic's own fields."""
    return value.get("epic", value)


def _plain(name: str, value: Any) -> Any:
    """A value as documents have it; a set in no order."""
    if isinstance(value, list):
        return tuple(sorted(value)) if name in SETS else tuple(value)
    return value


def documents_of(files: Files) -> dict[str, Document]:
    """The documents in files."""
    found = {}
    for data in files.values():
        body = body_of(json.loads(data))
        document = {name: _plain(name, body[name]) for name in FIELDS if body.get(name) is not None}
        document["tasks"] = {
            task["id"]: {name: task[name] for name in TASK_FIELDS if task.get(name) is not None}
            for task in body.get("tasks", ())
        }
        found[str(body["id"])] = document
    return found


def own_of(files: Files) -> dict[str, Own]:
    """What the files alone have."""
    found = {}
    for data in files.values():
        value = json.loads(data)
        body = body_of(value)
        own: Own = {"": {name: body[name] for name in EXTRA if body.get(name) is not None}}
        if BESIDE in value:
            own[""][BESIDE] = value[BESIDE]
        for task in body.get("tasks", ()):
            own[task["id"]] = {TASK_EXTRA: task[TASK_EXTRA]} if task.get(TASK_EXTRA) is not None else {}
        found[str(body["id"])] = own
    return found


def file_epics(files: Files) -> list[str]:
    """The epics that have a file, one for each file."""
    return sorted(str(body_of(json.loads(data))["id"]) for data in files.values())


def file_order(files: Files, epic: str) -> list[str]:
    """The tasks of an epic in the order of its file."""
    bodies = (body_of(json.loads(data)) for data in files.values())
    return next([task["id"] for task in body.get("tasks", ())] for body in bodies if str(body["id"]) == epic)


def file_labels(files: Files, epic: str) -> list[str]:
    """The labels of an epic in the order of its file."""
    bodies = (body_of(json.loads(data)) for data in files.values())
    return next(body.get("labels") or [] for body in bodies if str(body["id"]) == epic)


class World:
    """Both sides of a repo."""

    def __init__(self, repo: EpicRepo) -> None:
        self.repo = repo

    # Seeing

    def state(self) -> State:
        """All bytes and all rows."""
        rows: Rows = {}
        with self.connection() as database:
            names = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
            for table in names:
                if table.startswith("_epicvc_"):
                    continue
                key = "category || '/' || name" if table == "settings" else "rowid"
                key = "name" if table == "sqlite_sequence" else key
                for found, *row in database.execute(f"SELECT {key}, * FROM {table}"):
                    rows[table, found] = tuple(row)
        return State(self.repo.files(), rows)

    def db_documents(self) -> dict[str, Document]:
        """The documents in the database."""
        found = {}
        with self.connection() as database:
            database.row_factory = sqlite3.Row
            alive = "deleted_at IS NULL AND coalesce(status, '') <> 'deleted'"
            for epic in database.execute(f"SELECT * FROM framework_epics WHERE {alive}").fetchall():
                document: Document = {}
                for name in FIELDS:
                    value = epic[COLUMNS.get(name, name)]
                    if value is not None:
                        document[name] = _plain(name, json.loads(value) if name in ("labels", "goals") else value)
                query = f"SELECT * FROM framework_tasks WHERE epic_id = ? AND {alive}"
                document["tasks"] = {
                    task["task_key"]: {name: task[name] for name in TASK_FIELDS if task[name] is not None}
                    for task in database.execute(query, (epic["id"],)).fetchall()
                }
                found[epic["epic_key"]] = document
        return found

    def db_own(self) -> dict[str, Own]:
        """What the database alone has of living epics and tasks."""
        found: dict[str, Own] = {}
        with self.connection() as database:
            database.row_factory = sqlite3.Row
            alive = "deleted_at IS NULL AND coalesce(status, '') <> 'deleted'"
            for epic in database.execute(f"SELECT * FROM framework_epics WHERE {alive}").fetchall():
                own: Own = {"": {name: epic[name] for name in EPIC_COLUMNS}}
                query = f"SELECT * FROM framework_tasks WHERE epic_id = ? AND {alive}"
                for task in database.execute(query, (epic["id"],)).fetchall():
                    own[task["task_key"]] = {name: task[name] for name in TASK_COLUMNS}
                found[epic["epic_key"]] = own
        return found

    def orders(self, side: str) -> dict[str, Order]:
        """The order of tasks and labels of every epic that a side has."""
        if side == "files":
            files = self.repo.files()
            return {epic: Order(file_order(files, epic), file_labels(files, epic)) for epic in file_epics(files)}
        return {epic: Order(self.db_order(epic), self.db_labels(epic)) for epic in self.db_documents()}

    def db_order(self, epic: str) -> list[str]:
        """The living tasks of an epic in the application's order."""
        query = (
            "SELECT task_key FROM framework_tasks t JOIN framework_epics e ON e.id = t.epic_id WHERE epic_key = ? "
            "AND t.deleted_at IS NULL AND t.status <> 'deleted' ORDER BY task_sequence, task_key"
        )
        with self.connection() as database:
            return [key for (key,) in database.execute(query, (epic,))]

    def db_labels(self, epic: str) -> list[str]:
        """The labels of a living epic in the application's order."""
        query = (
            "SELECT labels FROM framework_epics WHERE epic_key = ? AND deleted_at IS NULL "
            "AND coalesce(status, '') <> 'deleted'"
        )
        with self.connection() as database:
            return next(json.loads(labels or "[]") for (labels,) in database.execute(query, (epic,)))

    # Changing

    @contextmanager
    def connection(self) -> Iterator[sqlite3.Connection]:
        """The application's connection; what is done is committed."""
        connection = sqlite3.connect(self.repo.database)
        try:
            with connection:
                yield connection
        finally:
            connection.close()

    def sql(self, query: str, *values: Any) -> None:
        """Run a statement."""
        with self.connection() as database:
            database.execute(query, values)

    def path(self, epic: str) -> Path | None:
        """An epic's file."""
        for path in sorted(self.repo.directory.rglob("*.json")):
            if str(body_of(json.loads(path.read_bytes()))["id"]) == epic:
                return path
        return None

    @contextmanager
    def file(self, epic: str) -> Iterator[Any]:
        """An epic's own object, to be changed and saved."""
        with self.whole_file(epic) as value:
            yield body_of(value)

    @contextmanager
    def whole_file(self, epic: str) -> Iterator[Any]:
        """All that an epic's file says, to be changed and saved."""
        path = self.path(epic)
        assert path is not None
        value = json.loads(path.read_bytes())
        yield value
        path.write_text(json.dumps(value, indent=2, ensure_ascii=False), encoding="utf-8")
