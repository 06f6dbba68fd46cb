"""The least that filling a database can take: bare_insert.py EPICS SCHEMA DATABASE.

Parses every file with a fast parser that checks nothing, and inserts the rows that a first sync gives with
``executemany`` in one transaction, into a database with the same schema and its indexes (SCHEMA is SQL). Keeps no
history, verifies nothing, and could not do it a second time.
"""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

EPIC_TEXT = ("name", "summary", "tdd_enabled", "methodology", "duration")
EPIC_JSON = (
    "goals",
    "definition_of_done",
    "labels",
    "performance_constraints",
    "quality_gates",
    "automation_hooks",
    "checklist_epic_level",
)
TASK_TEXT = ("title", "description", "tdd_phase", "estimate_minutes", "risk", "mitigation", "tdd_skip_reason", "branch")
TASK_JSON = ("test_specs", "acceptance_criteria", "deliverables", "files_touched", "test_plan", "priority_tags")
RENAMED = {"duration": "duration_description", "branch": "github_branch"}


def _insert(table: str, columns: tuple[str, ...]) -> str:
    names = ", ".join(RENAMED.get(column, column) for column in columns)
    return f"INSERT INTO {table} ({names}) VALUES ({', '.join('?' * len(columns))})"


def _json(value: Any) -> str | None:
    return None if value is None else orjson.dumps(value).decode()


def _row(item: dict[str, Any], plain: tuple[str, ...], as_json: tuple[str, ...]) -> list[Any]:
    return [*map(item.get, plain), *(_json(item.get(name)) for name in as_json)]


def fill(directory: Path, database: sqlite3.Connection) -> None:
    """Parse all files and insert all rows."""
    epics: list[list[Any]] = []
    tasks: list[list[Any]] = []
    links: list[tuple[int, str]] = []

    def flush() -> None:
        database.executemany(_insert("framework_epics", ("id", "epic_key", *EPIC_TEXT, *EPIC_JSON)), epics)
        columns = ("id", "epic_id", "task_key", "task_sequence", "story_points", *TASK_TEXT, *TASK_JSON)
        database.executemany(_insert("framework_tasks", columns), tasks)
        database.executemany(_insert("task_dependencies", ("task_id", "depends_on_task_key")), links)
        epics.clear()
        tasks.clear()
        links.clear()

    task_number = 0
    for epic_number, epic in enumerate(_epics(directory), 1):
        epics.append([epic_number, epic["id"], *_row(epic, EPIC_TEXT, EPIC_JSON)])
        for position, task in enumerate(epic["tasks"], 1):
            task_number += 1
            first = [task_number, epic_number, task["id"], position, task.get("story_points", 1)]
            tasks.append([*first, *_row(task, TASK_TEXT, TASK_JSON)])
            links.extend((task_number, needed) for needed in task["dependencies"])
        if len(epics) == 500:
            flush()
    flush()
    database.commit()


def _epics(directory: Path) -> Iterator[dict[str, Any]]:
    for path in sorted(directory.rglob("*.json")):
        yield orjson.loads(path.read_bytes())["epic"]


def main() -> None:
    """Make the database and fill it."""
    directory, schema, target = map(Path, sys.argv[1:])
    target.unlink(missing_ok=True)
    database = sqlite3.connect(target)
    database.executescript(schema.read_text("utf-8"))
    fill(directory, database)
    database.close()


if __name__ == "__main__":
    main()
