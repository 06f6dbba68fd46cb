"""Edits an epic's rows as the application would, with statements that make the rows say what a body says."""

from __future__ import annotations

import json
from typing import Any

from support.repos import EpicRepo

PLAIN = {
    "name",
    "summary",
    "methodology",
    "tdd_enabled",
    "title",
    "description",
    "estimate_minutes",
    "story_points",
    "risk",
}
COLUMNS = {"duration": "duration_description", "branch": "github_branch"}
"""Fields whose column has another name."""


def apply_to_rows(repo: EpicRepo, epic: str, after: Any) -> None:
    """Make an epic's rows say what a body says.

    Before, the rows must say what the epic's file says.
    """
    before = repo.body(epic)
    surrogate = repo.epic_row(epic)["id"]
    _update(repo, "framework_epics", surrogate, before, after)
    old, new = ({task["id"]: task for task in body.get("tasks", ())} for body in (before, after))
    for key in old.keys() - new.keys():
        repo.sql("UPDATE framework_tasks SET status = 'deleted', deleted_at = '2025-01-01' WHERE task_key = ?", key)
    for number, (key, task) in enumerate(new.items(), start=1):
        if key not in old:
            columns = "task_key, epic_id, title"
            repo.sql(f"INSERT INTO framework_tasks ({columns}) VALUES (?, ?, ?)", key, surrogate, task["title"])
        row = repo.task_row(key)["id"]
        _update(repo, "framework_tasks", row, old.get(key, {"title": task["title"]}), task)
        if list(old) != list(new):
            repo.sql("UPDATE framework_tasks SET task_sequence = ? WHERE id = ?", number, row)
        links = [set(found.get("dependencies", ())) for found in (old.get(key, {}), task)]
        for linked in links[0] - links[1]:
            repo.sql("DELETE FROM task_dependencies WHERE task_id = ? AND depends_on_task_key = ?", row, linked)
        for linked in links[1] - links[0]:
            repo.sql("INSERT INTO task_dependencies (task_id, depends_on_task_key) VALUES (?, ?)", row, linked)


def _update(repo: EpicRepo, table: str, row: int, before: Any, after: Any) -> None:
    for name in {**before, **after}:
        if name in ("id", "tasks", "dependencies") or before.get(name) == after.get(name):
            continue
        value = after.get(name)
        stored = value if name in PLAIN or name in COLUMNS or value is None else json.dumps(value, ensure_ascii=False)
        repo.sql(f"UPDATE {table} SET {COLUMNS.get(name, name)} = ? WHERE id = ?", stored, row)
