"""The table of "Merging" in the design, row by row: between the files and the database, and between branches."""

from __future__ import annotations

import copy
import json
from dataclasses import dataclass, field
from typing import Any

import pytest
from support.applying import apply_to_rows
from support.branches import commit
from support.repos import EpicRepo

LINES = "first\nsecond\nthird\nfourth"
GATES = {
    "coverage": {"min": 90, "tool": "c"},
    "steps": [{"id": "a", "n": 1}, {"id": "b", "n": 1}],
    "order": ["x", "y", "z"],
}
BASE: dict[str, Any] = {
    "id": "merged",
    "name": "name",
    "summary": LINES,
    "tdd_enabled": True,
    "duration": "2 days",
    "goals": ["one", "two", "three", "four"],
    "labels": ["red", "green", "blue"],
    "quality_gates": GATES,
    "tasks": [
        {
            "id": f"g.{number}",
            "title": f"title {number}",
            "story_points": 2,
            "dependencies": ["g.1"] if number > 1 else [],
        }
        for number in range(1, 6)
    ],
}
FILE = "merged.json"


def changed(path: str, value: Any) -> Any:
    """An edit: the value at a path; ``None`` takes it away. Tasks go by their id."""

    def edit(body: Any) -> None:
        *inner, name = path.split("/")
        for step in inner:
            body = next(task for task in body if task["id"] == step) if isinstance(body, list) else body[step]
        if isinstance(body, list):
            body[:] = [task for task in body if task["id"] != name] + ([value] if value is not None else [])
        elif value is None:
            del body[name]
        else:
            body[name] = value

    return edit


def ordered(*numbers: int) -> Any:
    def edit(body: Any) -> None:
        by_id = {task["id"]: task for task in body["tasks"]}
        body["tasks"] = [by_id[f"g.{number}"] for number in numbers]

    return edit


def both(*edits: Any) -> Any:
    def edit(body: Any) -> None:
        for each in edits:
            each(body)

    return edit


@dataclass(frozen=True)
class Case:
    """What each side does, and what comes of it: values at paths, and the places that conflict."""

    ours: Any
    theirs: Any
    merged: dict[str, Any] = field(default_factory=dict)
    conflicts: tuple[str, ...] = ()


def nothing(body: Any) -> None:
    """No edit."""


NEW = {"id": "g.9", "title": "new", "story_points": 1}
CASES = {
    "only one side changed": Case(changed("name", "ours"), nothing, {"name": "ours"}),
    "only the other side changed": Case(nothing, changed("name", "theirs"), {"name": "theirs"}),
    "both to the same value": Case(changed("name", "same"), changed("name", "same"), {"name": "same"}),
    "a text": Case(changed("name", "ours"), changed("name", "theirs"), conflicts=("name",)),
    "a number": Case(
        changed("tasks/g.1/story_points", 3),
        changed("tasks/g.1/story_points", 5),
        conflicts=("tasks/g.1/story_points",),
    ),
    "a bool changed here and removed there": Case(
        changed("tdd_enabled", False), changed("tdd_enabled", None), conflicts=("tdd_enabled",)
    ),
    "a long text by lines": Case(
        changed("summary", LINES.replace("first", "1st")),
        changed("summary", LINES.replace("fourth", "4th")),
        {"summary": "1st\nsecond\nthird\n4th"},
    ),
    "a long text whose lines overlap": Case(
        changed("summary", LINES.replace("first", "1st")),
        changed("summary", LINES.replace("first", "I")),
        conflicts=("summary",),
    ),
    "an ordered list by items": Case(
        changed("goals", ["zero", "one", "two", "three", "four"]),
        changed("goals", ["one", "two", "3", "four"]),
        {"goals": ["zero", "one", "two", "3", "four"]},
    ),
    "an ordered list that overlaps": Case(
        changed("goals", ["1", "two", "three", "four"]),
        changed("goals", ["I", "two", "three", "four"]),
        conflicts=("goals",),
    ),
    "labels: a removal wins, and nothing comes back": Case(
        changed("labels", ["green", "blue", "mine"]), changed("labels", ["red", "blue"]), {"labels": ["blue", "mine"]}
    ),
    "tasks: membership": Case(
        changed("tasks/g.9", NEW), changed("tasks/g.4", None), {"tasks/g.9/title": "new", "tasks/g.4": None}
    ),
    "tasks: fields apart": Case(
        changed("tasks/g.2/title", "ours"),
        changed("tasks/g.2/story_points", 8),
        {"tasks/g.2/title": "ours", "tasks/g.2/story_points": 8},
    ),
    "tasks: two moves that do not cross": Case(
        ordered(2, 1, 3, 4, 5), ordered(1, 2, 3, 5, 4), {"order": [2, 1, 3, 5, 4]}
    ),
    "tasks: moves that cross": Case(ordered(2, 1, 3, 4, 5), ordered(1, 3, 2, 4, 5), conflicts=("tasks",)),
    "tasks: dependencies are a set": Case(
        changed("tasks/g.5/dependencies", ["g.1", "g.2"]),
        changed("tasks/g.5/dependencies", ["g.3"]),
        {"tasks/g.5/dependencies": ["g.2", "g.3"]},
    ),
    "a nested object by key": Case(
        changed("quality_gates/coverage/min", 95),
        changed("quality_gates/lint", True),
        {"quality_gates/coverage": {"min": 95, "tool": "c"}, "quality_gates/lint": True},
    ),
    "an ordered list inside": Case(
        changed("quality_gates/order", ["w", "x", "y", "z"]),
        changed("quality_gates/order", ["x", "y"]),
        {"quality_gates/order": ["w", "x", "y"]},
    ),
    "a keyed list inside": Case(
        changed("quality_gates/steps/a/n", 2),
        both(changed("quality_gates/steps/b/n", 3), changed("quality_gates/steps/c", {"id": "c"})),
        {"quality_gates/steps": [{"id": "a", "n": 2}, {"id": "b", "n": 3}, {"id": "c"}]},
    ),
    "one item of a keyed list": Case(
        changed("quality_gates/steps/a/n", 2),
        changed("quality_gates/steps/a/n", 3),
        conflicts=("quality_gates/steps/a/n",),
    ),
    "deleted here, unchanged there": Case(changed("duration", None), nothing, {"duration": None}),
    "a task deleted here, unchanged there": Case(changed("tasks/g.4", None), nothing, {"tasks/g.4": None}),
    "deleted here, modified there": Case(
        changed("duration", None), changed("duration", "3 days"), conflicts=("duration",)
    ),
    "a task deleted here, modified there": Case(
        changed("tasks/g.4", None),
        both(changed("tasks/g.4/title", "theirs"), changed("tasks/g.4/story_points", 8)),
        conflicts=("tasks/g.4",),
    ),
    "both add the same": Case(changed("tasks/g.9", NEW), changed("tasks/g.9", NEW), {"tasks/g.9/title": "new"}),
    "both add, with parts of their own": Case(
        changed("tasks/g.9", {**NEW, "risk": "ours"}),
        changed("tasks/g.9", {**NEW, "description": "theirs"}),
        {"tasks/g.9/risk": "ours", "tasks/g.9/description": "theirs"},
    ),
    "both add, differently": Case(
        changed("tasks/g.9", {**NEW, "title": "ours"}),
        changed("tasks/g.9", {**NEW, "title": "theirs"}),
        conflicts=("tasks/g.9/title",),
    ),
    "an object replaced here, edited inside there": Case(
        changed("quality_gates/coverage", "none"),
        changed("quality_gates/coverage/min", 95),
        conflicts=("quality_gates/coverage",),
    ),
}


@pytest.fixture
def merging(made: EpicRepo) -> EpicRepo:
    """A repo with one more epic, which both sides have."""
    made.facts.paths["merged"] = FILE
    made.directory.joinpath(FILE).write_text('{"epic": {"id": "merged", "name": "n"}}')
    made.rewrite("merged", lambda body: body.update(copy.deepcopy(BASE)))
    made.ok("sync")
    made.ok("commit", "-m", "before")
    yield made
    made.facts.paths.pop("merged")


def look(body: Any, path: str) -> Any:
    """The value at a path of a body; ``None`` where there is none."""
    if path == "order":
        return [int(task["id"][2:]) for task in body["tasks"]]
    for step in path.split("/"):
        members = {item["id"]: item for item in body} if isinstance(body, list) else body
        body = members.get(step)
        if body is None:
            return None
    return body


@pytest.mark.parametrize("name", CASES)
def test_between_files_and_database(merging: EpicRepo, name: str) -> None:
    repo, case = merging, CASES[name]
    theirs = copy.deepcopy(repo.body("merged"))
    case.theirs(theirs)
    apply_to_rows(repo, "merged", theirs)
    repo.rewrite("merged", case.ours)
    found = repo.json("sync", code=1 if case.conflicts else 0)
    assert [conflict["label"] for conflict in found["conflicts"]] == [f"merged:{path}" for path in case.conflicts]
    for path, value in case.merged.items():
        assert look(repo.body("merged"), path) == value, path
    status = repo.json("status")
    assert (status["conflicts"], status["in_sync"]) == (len(case.conflicts), not case.conflicts)
    if case.conflicts:
        assert "epicvc resolve" in repo.ok("status").out
        usable(repo)
        repo.ok("resolve", "--prefer", "db")
        assert repo.json("status")["in_sync"]
    usable(repo)


@pytest.mark.parametrize("name", CASES)
def test_between_branches(merging: EpicRepo, name: str) -> None:
    repo, case = merging, CASES[name]
    repo.ok("switch", "-c", "theirs")
    repo.rewrite("merged", both(case.theirs, changed("methodology", "keeps the branch apart")))
    commit(repo, "theirs")
    repo.ok("switch", "main")
    repo.rewrite("merged", both(case.ours, changed("performance_constraints", {"keeps": "apart"})))
    commit(repo, "ours")
    found = repo.json("merge", "theirs", code=1 if case.conflicts else 0)
    assert [conflict["label"] for conflict in found["conflicts"]] == [f"merged:{path}" for path in case.conflicts]
    for path, value in case.merged.items():
        assert look(repo.body("merged"), path) == value, path
    if case.conflicts:
        assert "epicvc resolve" in repo.ok("status").out
        usable(repo)
        repo.ok("resolve", "--prefer", "theirs")
        repo.ok("merge", "--continue")
    status = repo.json("status")
    assert (status["conflicts"], status["in_sync"], status["clean"]) == (0, True, True)
    usable(repo)


def usable(repo: EpicRepo) -> None:
    """Every file is JSON, and the database is sound."""
    assert all(json.loads(data) for data in repo.files().values())
    assert repo.one("PRAGMA integrity_check") == "ok"
    known = ("audit_results", "epic_json_sync", "task_dependencies")  # the made database has orphans there
    assert [fault for fault in repo.sql("PRAGMA foreign_key_check") if fault[0] not in known] == []
