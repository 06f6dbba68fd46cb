"""What one side deletes, and the other edited only for itself: keys without a column, columns without a field."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from support.repos import NO_FACTS, EpicRepo


@pytest.fixture
def small(tmp_path: Path) -> EpicRepo:
    """Two epics, in sync; the first has keys of its own in every place where one can be."""
    repo = EpicRepo(tmp_path / "small", NO_FACTS)
    repo.directory.mkdir(parents=True)
    tasks = [{"id": "1.1", "title": "Dig", "shelf": {"row": "old"}}, {"id": "1.2", "title": "Plant"}]
    first: Any = {"epic": {"id": "1", "name": "Garden", "notes": "old", "tasks": tasks}, "_metadata": {"who": "old"}}
    (repo.directory / "garden.json").write_text(json.dumps(first, indent=2))
    (repo.directory / "shed.json").write_text(json.dumps({"id": "2", "name": "Shed"}))
    repo.ok("init", "--db", "framework.db")
    repo.ok("sync")
    return repo


REMOVED = "DELETE FROM framework_tasks; DELETE FROM framework_epics WHERE epic_key = '1'"
MARKED = "UPDATE framework_epics SET status = 'deleted', deleted_at = '2026-01-01' WHERE epic_key = '1'"

OWN = {
    "a key of the epic": ('"notes": "old"', '"notes": "two hours of work"'),
    "a key beside it": ('"who": "old"', '"who": "two hours of work"'),
    "a key inside one of a task": ('"row": "old"', '"row": "two hours of work"'),
    "a new key": ('"notes": "old"', '"notes": "old", "more": "two hours of work"'),
    "a key taken out": ('"notes": "old",', ""),
}


def _script(repo: EpicRepo, statements: str) -> None:
    for statement in statements.split(";"):
        repo.sql(statement)


def _conflicts(repo: EpicRepo, *command: str) -> list[str]:
    return [found["label"] for found in repo.json(*command, code=1)["conflicts"]]


@pytest.mark.parametrize("deletion", [REMOVED, MARKED], ids=["removed", "marked"])
@pytest.mark.parametrize("place", OWN)
def test_the_application_deletes_what_the_author_edited(small: EpicRepo, place: str, deletion: str) -> None:
    small.edit("1", *OWN[place])
    edited = small.path("1").read_bytes()
    _script(small, deletion)
    for command in (("sync",), ("pull",), ("push",), ("sync", "1")):
        assert _conflicts(small, *command) == ["1"]
    assert small.path("1").read_bytes() == edited
    status = small.json("status")
    assert (status["in_sync"], status["conflicts"]) == (False, 1)
    small.ok("resolve", "1", "--prefer", "files")
    assert small.path("1").read_bytes() == edited
    assert small.one("SELECT count(*) FROM framework_epics WHERE epic_key = '1' AND deleted_at IS NULL") == 1
    assert small.json("status")["in_sync"] is True


def test_a_deletion_that_is_meant(small: EpicRepo) -> None:
    small.edit("1", *OWN["a key of the epic"])
    _script(small, REMOVED)
    assert _conflicts(small, "sync") == ["1"]
    small.ok("resolve", "1", "--prefer", "db")
    assert [*small.files()] == ["shed.json"]
    small.ok("undo")
    assert b"two hours" in small.files()["garden.json"]


def test_a_task_that_the_application_deletes(small: EpicRepo) -> None:
    small.edit("1", *OWN["a key inside one of a task"])
    small.sql("DELETE FROM framework_tasks WHERE task_key = '1.1'")
    assert _conflicts(small, "sync") == ["1:tasks/1.1"]
    (found,) = small.json("sync", code=1)["conflicts"]
    assert (found["base"]["shelf"], found["files"]["shelf"]) == ({"row": "old"}, {"row": "two hours of work"})
    small.ok("resolve", "--prefer", "files")
    assert small.one("SELECT title FROM framework_tasks WHERE task_key = '1.1'") == "Dig"


def test_what_was_edited_elsewhere_does_not_hold_a_deletion_up(small: EpicRepo) -> None:
    small.edit("1", *OWN["a key of the epic"])
    small.sql("DELETE FROM framework_tasks WHERE task_key = '1.1'")
    small.ok("sync")
    assert [task["id"] for task in small.body("1")["tasks"]] == ["1.2"]
    assert small.body("1")["notes"] == "two hours of work"


@pytest.mark.parametrize("edit", ["status = 'completed'", "actual_minutes = 99", "assigned_to = 7"])
def test_the_author_deletes_what_the_application_edited(small: EpicRepo, edit: str) -> None:
    small.sql("PRAGMA foreign_keys = OFF")
    small.sql(f"UPDATE framework_tasks SET {edit} WHERE task_key = '1.1'")
    file = small.path("1")
    file.unlink()
    assert _conflicts(small, "sync") == ["1"]
    assert small.one("SELECT count(*) FROM framework_tasks WHERE deleted_at IS NULL") == 2
    small.ok("resolve", "--prefer", "db")
    assert small.body("1")["name"] == "Garden"


def test_a_task_that_the_author_deletes(small: EpicRepo) -> None:
    small.sql("UPDATE framework_tasks SET status = 'completed' WHERE task_key = '1.2'")
    small.rewrite("1", lambda body: body["tasks"].pop(1))
    assert _conflicts(small, "sync") == ["1:tasks/1.2"]
    small.ok("resolve", "--prefer", "files")
    assert small.one("SELECT status FROM framework_tasks WHERE task_key = '1.2'") == "deleted"


def test_times_of_writing_are_no_edit(small: EpicRepo) -> None:
    small.sql("UPDATE framework_tasks SET updated_at = '2030-01-01' WHERE task_key = '1.2'")
    small.rewrite("1", lambda body: body["tasks"].pop(1))
    small.ok("sync")
    assert small.one("SELECT status FROM framework_tasks WHERE task_key = '1.2'") == "deleted"


def test_a_commit_in_between_does_not_hide_the_edit(small: EpicRepo) -> None:
    small.edit("1", *OWN["a key of the epic"])
    _script(small, REMOVED)
    small.ok("commit", "-m", "both sides as they are")
    assert _conflicts(small, "sync") == ["1"]
    small.ok("commit", "--allow-empty", "-m", "once more")
    assert _conflicts(small, "sync") == ["1"]


def test_an_edit_that_whoever_deleted_could_see(small: EpicRepo) -> None:
    small.edit("1", *OWN["a key of the epic"])
    small.ok("commit", "-m", "the author's words")
    _script(small, REMOVED)
    small.ok("sync")
    assert [*small.files()] == ["shed.json"]


def test_a_renamed_file(small: EpicRepo) -> None:
    small.edit("1", *OWN["a key beside it"])
    small.path("1").rename(small.directory / "elsewhere.json")
    _script(small, REMOVED)
    assert _conflicts(small, "sync") == ["1"]


def test_a_policy_decides(small: EpicRepo) -> None:
    config = small.root / "epicvc.toml"
    config.write_text(config.read_text().replace('policy = "manual"', 'policy = "json_wins"'))
    small.edit("1", *OWN["a key of the epic"])
    _script(small, REMOVED)
    small.ok("sync")
    assert small.one("SELECT name FROM framework_epics WHERE epic_key = '1'") == "Garden"
    assert small.body("1")["notes"] == "two hours of work"


def _many_tasks(repo: EpicRepo, count: int) -> None:
    tasks = [{"id": f"1.{number}", "title": f"Bed {number}"} for number in range(1, count + 1)]
    repo.rewrite("1", lambda body: body.update(tasks=tasks))
    repo.ok("sync", "--allow-mass-delete")


def test_more_than_half_of_the_tasks_deleted(small: EpicRepo) -> None:
    _many_tasks(small, 24)
    small.sql("DELETE FROM framework_tasks WHERE id % 2 = 0 OR task_key = '1.1'")
    gone = 24 - int(small.one("SELECT count(*) FROM framework_tasks"))
    files = small.files()
    assert gone > 12
    small.refused(5, "sync", naming=f"delete {gone} of 24 tasks on the files side")
    assert small.files() == files
    small.ok("sync", "--allow-mass-delete")
    assert len(small.body("1")["tasks"]) == 24 - gone


def test_more_than_half_of_the_tasks_taken_out_of_a_file(small: EpicRepo) -> None:
    _many_tasks(small, 24)
    small.rewrite("1", lambda body: body.update(tasks=body["tasks"][:10]))
    small.refused(5, "push", naming="delete 14 of 24 tasks on the database side")


def test_half_of_few_tasks(small: EpicRepo) -> None:
    _many_tasks(small, 20)
    small.sql("DELETE FROM framework_tasks")
    small.ok("sync")
