"""Both sides of one epic changed: what merges, on real files and a real database."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from support.epics import write_epics
from support.repos import EpicRepo

from .conftest import MADE_FACTS


def _in_sync(repo: EpicRepo) -> None:
    status = repo.json("status")
    assert (status["in_sync"], status["clean"], status["conflicts"]) == (True, True, 0)


def _insert_task(repo: EpicRepo, key: str, after: str, title: str) -> None:
    """Let the application add a task between others."""
    row = repo.task_row(after)
    repo.sql(
        "UPDATE framework_tasks SET task_sequence = task_sequence + 1 WHERE epic_id = ? AND task_sequence > ?",
        row["epic_id"],
        row["task_sequence"],
    )
    repo.sql(
        "INSERT INTO framework_tasks (task_key, epic_id, title, task_sequence) VALUES (?, ?, ?, ?)",
        key,
        row["epic_id"],
        title,
        row["task_sequence"] + 1,
    )


def _ids(repo: EpicRepo, epic: str) -> list[str]:
    return [str(task["id"]) for task in repo.body(epic)["tasks"]]


def _move_in_files(repo: EpicRepo, position: int) -> dict[str, Any]:
    """Move a task of the first epic to the end of the other, with a key that no column has."""
    facts = repo.facts
    task = {**repo.file_task(facts.epic, facts.tasks[position]), "reviewers": ["one", "two"]}
    repo.rewrite(facts.epic, lambda body: body["tasks"].pop(position))
    repo.rewrite(facts.other, lambda body: body["tasks"].append(task))
    return task


def _move_in_database(repo: EpicRepo, key: str) -> None:
    repo.sql(
        "UPDATE framework_tasks SET epic_id = ?, task_sequence = 900 WHERE task_key = ?",
        repo.epic_row(repo.facts.other)["id"],
        key,
    )


def test_goals_that_stand_side_by_side(repo: EpicRepo) -> None:
    epic = repo.facts.epic
    goals = repo.body(epic)["goals"]
    repo.rewrite(epic, lambda body: body.update(goals=["changed in the files", *goals[1:]]))
    changed = [goals[0], "changed in the database", *goals[2:]]
    repo.sql("UPDATE framework_epics SET goals = ? WHERE epic_key = ?", json.dumps(changed), epic)
    assert repo.json("sync")["conflicts"] == []
    merged = ["changed in the files", "changed in the database", *goals[2:]]
    assert repo.body(epic)["goals"] == json.loads(repo.epic_row(epic)["goals"]) == merged
    _in_sync(repo)


def test_one_goal_changed_on_both_sides_is_a_conflict_of_the_list(repo: EpicRepo) -> None:
    epic = repo.facts.epic
    goals = repo.body(epic)["goals"]
    repo.rewrite(epic, lambda body: body.update(goals=["changed in the files", *goals[1:]]))
    changed = json.dumps(["changed in the database", *goals[1:]])
    repo.sql("UPDATE framework_epics SET goals = ? WHERE epic_key = ?", changed, epic)
    (conflict,) = repo.json("sync", code=1)["conflicts"]
    assert conflict["label"] == f"{epic}:goals" and conflict["base"] == goals


def test_two_tasks_added_on_each_side_merge_in_order(repo: EpicRepo) -> None:
    facts = repo.facts
    first, second = facts.tasks[0], facts.tasks[1]
    before = _ids(repo, facts.epic)
    new = [{"id": "f.1", "title": "files, one"}, {"id": "f.2", "title": "files, two"}]
    repo.rewrite(facts.epic, lambda body: body["tasks"].__setitem__(slice(1, 1), new))
    _insert_task(repo, "d.1", second, "database, one")
    _insert_task(repo, "d.2", "d.1", "database, two")
    assert repo.json("sync")["conflicts"] == []
    merged = [first, "f.1", "f.2", second, "d.1", "d.2", *before[2:]]
    assert _ids(repo, facts.epic) == merged
    keys = "SELECT group_concat(task_key, ' ') FROM (SELECT task_key FROM framework_tasks WHERE epic_id = ? "
    order = repo.one(keys + "ORDER BY task_sequence, task_key)", repo.epic_row(facts.epic)["id"])
    assert order == " ".join(merged)
    _in_sync(repo)


def test_a_task_moved_in_files_and_edited_in_the_database(repo: EpicRepo) -> None:
    facts = repo.facts
    key = facts.tasks[2]
    row = repo.task_row(key)
    _move_in_files(repo, 2)
    repo.sql("UPDATE framework_tasks SET title = 'edited' WHERE task_key = ?", key)
    status = repo.json("status")
    assert status["conflicts"] == 0
    done = repo.json("sync")
    assert done["conflicts"] == []
    assert done["tasks_moved"] == [{"from": f"{facts.epic}:tasks/{key}", "to": f"{facts.other}:tasks/{key}"}]
    after = repo.task_row(key)
    assert (after["id"], after["epic_id"], after["title"]) == (row["id"], repo.epic_row(facts.other)["id"], "edited")
    assert repo.file_task(facts.other, key)["title"] == "edited"
    assert repo.file_task(facts.other, key)["reviewers"] == ["one", "two"]
    _in_sync(repo)


def test_a_task_moved_in_the_database_and_edited_in_files(repo: EpicRepo) -> None:
    facts = repo.facts
    key = facts.tasks[2]
    before = repo.file_task(facts.epic, key)
    repo.rewrite(facts.epic, lambda body: body["tasks"][2].update(title="edited", reviewers=["one"]))
    _move_in_database(repo, key)
    assert repo.json("sync")["conflicts"] == []
    assert key not in _ids(repo, facts.epic)
    task = repo.file_task(facts.other, key)
    assert task == {**before, "title": "edited", "reviewers": ["one"]}
    assert repo.task_row(key)["title"] == "edited"
    _in_sync(repo)


@pytest.mark.parametrize("order", [("pull", "push"), ("push", "pull")])
def test_one_direction_after_the_other(repo: EpicRepo, order: tuple[str, str]) -> None:
    facts = repo.facts
    key = facts.tasks[2]
    _move_in_files(repo, 2)
    repo.sql("UPDATE framework_tasks SET title = 'edited' WHERE task_key = ?", key)
    for command in order:
        assert repo.json(command)["conflicts"] == []
    assert repo.file_task(facts.other, key)["title"] == repo.task_row(key)["title"] == "edited"
    _in_sync(repo)


def test_a_field_of_a_moved_task_that_both_changed(repo: EpicRepo) -> None:
    facts = repo.facts
    key = facts.tasks[2]
    repo.rewrite(facts.epic, lambda body: body["tasks"][2].update(title="in the files"))
    _move_in_files(repo, 2)
    repo.sql("UPDATE framework_tasks SET title = 'in the database' WHERE task_key = ?", key)
    (conflict,) = repo.json("sync", code=1)["conflicts"]
    assert conflict["label"] == f"{facts.other}:tasks/{key}/title"
    assert repo.task_row(key)["epic_id"] == repo.epic_row(facts.other)["id"]
    repo.ok("resolve", "--prefer", "files")
    assert repo.task_row(key)["title"] == "in the files"
    _in_sync(repo)


def test_a_conflict_in_a_moved_task_can_be_resolved_at_once(repo: EpicRepo) -> None:
    facts = repo.facts
    key = facts.tasks[2]
    repo.rewrite(facts.epic, lambda body: body["tasks"][2].update(title="in the files"))
    _move_in_files(repo, 2)
    repo.sql("UPDATE framework_tasks SET title = 'in the database' WHERE task_key = ?", key)
    repo.ok("resolve", f"{facts.other}:tasks/{key}/title", "--prefer", "db")
    assert repo.file_task(facts.other, key)["title"] == "in the database"
    _in_sync(repo)


def test_a_task_deleted_here_and_edited_there_conflicts_once_at_the_task(repo: EpicRepo) -> None:
    facts = repo.facts
    key = facts.tasks[2]
    repo.rewrite(facts.epic, lambda body: body["tasks"].pop(2))
    repo.sql("UPDATE framework_tasks SET title = 'edited', risk = 'edited' WHERE task_key = ?", key)
    (conflict,) = repo.json("sync", code=1)["conflicts"]
    assert conflict["label"] == f"{facts.epic}:tasks/{key}" and conflict["files"] is None
    repo.ok("resolve", "--prefer", "files")
    assert repo.task_row(key)["status"] == "deleted"
    _in_sync(repo)


def test_a_task_moved_here_and_deleted_there_conflicts_once_at_the_task(repo: EpicRepo) -> None:
    facts = repo.facts
    key = facts.tasks[2]
    _move_in_files(repo, 2)
    repo.sql("UPDATE framework_tasks SET status = 'deleted', deleted_at = '2025-01-01' WHERE task_key = ?", key)
    (conflict,) = repo.json("sync", code=1)["conflicts"]
    place = f"{facts.epic}:tasks/{key}"
    assert conflict == {"label": place, "base": place, "files": f"{facts.other}:tasks/{key}", "db": None}
    repo.ok("resolve", "--prefer", "db")
    assert key not in _ids(repo, facts.other)
    _in_sync(repo)


def test_a_task_with_another_id_keeps_its_row_and_its_dependants(repo: EpicRepo) -> None:
    facts = repo.facts
    repo.rewrite(facts.epic, lambda body: body["tasks"].append({"id": "old.1", "title": "To be called otherwise"}))
    repo.rewrite(
        facts.epic,
        lambda body: body["tasks"].append({"id": "user.1", "title": "Depends on it", "dependencies": ["old.1"]}),
    )
    repo.ok("sync")
    row = repo.task_row("old.1")
    repo.sql("UPDATE framework_tasks SET risk = 'edited' WHERE task_key = 'old.1'")
    repo.rewrite(facts.epic, lambda body: body["tasks"][-2].update(id="new.1", reviewers=["one"]))
    done = repo.json("sync")
    assert done["conflicts"] == [] and len(done["tasks_moved"]) == 1
    assert (repo.task_row("new.1")["id"], repo.task_row("new.1")["risk"]) == (row["id"], "edited")
    assert repo.file_task(facts.epic, "new.1")["risk"] == "edited"
    assert repo.file_task(facts.epic, "user.1")["dependencies"] == ["new.1"]
    linked = "SELECT depends_on_task_key FROM task_dependencies WHERE task_id = ?"
    assert repo.one(linked, repo.task_row("user.1")["id"]) == "new.1"
    assert repo.one("SELECT count(*) FROM framework_tasks WHERE task_key = 'old.1'") == 0
    _in_sync(repo)


def test_a_row_with_another_id_keeps_what_the_file_says_beside_it(repo: EpicRepo) -> None:
    facts = repo.facts
    repo.rewrite(
        facts.epic, lambda body: body["tasks"].append({"id": "old.1", "title": "To be called otherwise", "cost": 7})
    )
    repo.ok("sync")
    repo.rewrite(facts.epic, lambda body: body["tasks"][-1].update(risk="edited"))
    repo.sql("UPDATE framework_tasks SET task_key = 'new.1' WHERE task_key = 'old.1'")
    assert repo.json("sync")["conflicts"] == []
    task = repo.file_task(facts.epic, "new.1")
    assert task == {"id": "new.1", "title": "To be called otherwise", "cost": 7, "risk": "edited"}
    assert "old.1" not in _ids(repo, facts.epic)
    assert repo.task_row("new.1")["risk"] == "edited"
    _in_sync(repo)


def test_one_id_in_two_epics_is_not_a_move(tmp_path: Path) -> None:
    """Ids of the built-in schema are unique within their epic only: one in two places may be two tasks."""
    repo = EpicRepo(tmp_path, MADE_FACTS)
    write_epics(tmp_path / "epics")
    repo.ok("init", "--db", "framework.db")
    facts = repo.facts
    repo.rewrite(facts.epic, lambda body: body["tasks"].append({"id": "x", "title": "One thing"}))
    repo.ok("sync")
    repo.rewrite(facts.epic, lambda body: body["tasks"].pop())
    repo.rewrite(facts.other, lambda body: body["tasks"].append({"id": "x", "title": "Quite another thing"}))
    assert repo.json("sync")["tasks_moved"] == []
    rows = "SELECT count(*) FROM framework_tasks WHERE task_key = 'x'"
    assert repo.one(rows) == 2 and repo.one(rows + " AND status = 'deleted' AND title = 'One thing'") == 1
    repo.rewrite(facts.other, lambda body: body["tasks"].pop())
    repo.rewrite(facts.epic, lambda body: body["tasks"].append({"id": "x", "title": "Quite another thing"}))
    assert len(repo.json("sync")["tasks_moved"]) == 1
    _in_sync(repo)


def test_a_task_that_both_sides_add_gets_no_defaults(repo: EpicRepo) -> None:
    """What the base does not know is read against the file."""
    epic = repo.facts.epic
    repo.rewrite(epic, lambda body: body["tasks"].append({"id": "both.1", "title": "On both sides"}))
    columns = "task_key, epic_id, title, task_sequence"
    repo.sql(
        f"INSERT INTO framework_tasks ({columns}) VALUES ('both.1', ?, 'On both sides', 99)", repo.epic_row(epic)["id"]
    )
    assert repo.json("sync")["conflicts"] == []
    assert repo.file_task(epic, "both.1") == {"id": "both.1", "title": "On both sides"}
    _in_sync(repo)


def test_a_first_sync_in_parts_is_the_same_as_one(fresh: EpicRepo, tmp_path: Path) -> None:
    parts = fresh.copy_to(tmp_path / "parts")
    epic = fresh.facts.epic
    for repo in (fresh, parts):
        repo.ok("init")
        keys = ", ".join(f"('{key}', 1, 'In the database')" for key in fresh.facts.tasks[:2])
        repo.sql("INSERT INTO framework_epics (id, epic_key, name) VALUES (900, ?, 'n')", epic)
        repo.sql(f"INSERT INTO framework_tasks (task_key, epic_id, title) VALUES {keys.replace(', 1,', ', 900,')}")
    parts.ok("push", f"{epic}:name", "--policy", "json_wins")
    for repo in (fresh, parts):
        repo.ok("sync", "--policy", "json_wins")
        _in_sync(repo)
    assert parts.files() == fresh.files()


def test_crossing_moves_conflict_and_others_merge(repo: EpicRepo) -> None:
    facts = repo.facts
    repo.rewrite(facts.epic, lambda body: body["tasks"].extend({"id": f"z.{n}", "title": f"z{n}"} for n in range(4)))
    repo.ok("sync")
    before = _ids(repo, facts.epic)
    repo.rewrite(facts.epic, lambda body: body["tasks"].insert(0, body["tasks"].pop(1)))
    numbers = [repo.task_row(key)["task_sequence"] for key in before]
    for key, number in zip([*before[:-2], before[-1], before[-2]], numbers, strict=True):
        repo.sql("UPDATE framework_tasks SET task_sequence = ? WHERE task_key = ?", number, key)
    assert repo.json("sync")["conflicts"] == []
    assert _ids(repo, facts.epic) == [before[1], before[0], *before[2:-2], before[-1], before[-2]]
    _in_sync(repo)
