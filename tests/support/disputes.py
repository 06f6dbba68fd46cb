"""Makes two conflicts in one epic, in a text and in a list, and reads what either side has there later."""

from __future__ import annotations

import json
from typing import Any

from support.repos import EpicRepo


def make_conflicts(repo: EpicRepo) -> tuple[str, str]:
    """Make the epic's name and its goals conflict. Returns both labels."""
    epic = repo.facts.epic
    goals = repo.body(epic)["goals"]
    repo.rewrite(epic, lambda body: body.update(name="name of the files", goals=["mine", *goals[1:], "files' own"]))
    query = "UPDATE framework_epics SET name = 'name of the db', goals = ? WHERE epic_key = ?"
    repo.sql(query, json.dumps(["theirs", *goals[1:], "db's own"], ensure_ascii=False), epic)
    return f"{epic}:name", f"{epic}:goals"


def sides_of(repo: EpicRepo, field: str) -> tuple[Any, Any]:
    """Return the values of a field in the files and in the database."""
    epic = repo.facts.epic
    value = repo.epic_row(epic)[field]
    return repo.body(epic)[field], json.loads(value) if field == "goals" else value
