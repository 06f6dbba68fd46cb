"""What one side deletes, and the other edited only for itself: keys without a column, columns without a field."""

from __future__ import annotations

from typing import Any

import pytest
from support.repos import EpicRepo

from epicvc.actions.restore import lastseen
from epicvc.repo.documents import Documents
from epicvc.repo.history.objects import Snapshot

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
def test_the_application_deletes_what_the_author_edited(garden: EpicRepo, place: str, deletion: str) -> None:
    garden.edit("1", *OWN[place])
    edited = garden.path("1").read_bytes()
    _script(garden, deletion)
    for command in (("sync",), ("pull",), ("push",), ("sync", "1")):
        assert _conflicts(garden, *command) == ["1"]
    assert garden.path("1").read_bytes() == edited
    status = garden.json("status")
    assert (status["in_sync"], status["conflicts"]) == (False, 1)
    garden.ok("resolve", "1", "--prefer", "files")
    assert garden.path("1").read_bytes() == edited
    assert garden.one("SELECT count(*) FROM framework_epics WHERE epic_key = '1' AND deleted_at IS NULL") == 1
    assert garden.json("status")["in_sync"] is True


def test_a_deletion_that_is_meant(garden: EpicRepo) -> None:
    garden.edit("1", *OWN["a key of the epic"])
    _script(garden, REMOVED)
    assert _conflicts(garden, "sync") == ["1"]
    garden.ok("resolve", "1", "--prefer", "db")
    assert [*garden.files()] == ["shed.json"]
    garden.ok("undo")
    assert b"two hours" in garden.files()["garden.json"]


def test_a_task_that_the_application_deletes(garden: EpicRepo) -> None:
    garden.edit("1", *OWN["a key inside one of a task"])
    garden.sql("DELETE FROM framework_tasks WHERE task_key = '1.1'")
    assert _conflicts(garden, "sync") == ["1:tasks/1.1"]
    (found,) = garden.json("sync", code=1)["conflicts"]
    assert (found["base"]["shelf"], found["files"]["shelf"]) == ({"row": "old"}, {"row": "two hours of work"})
    garden.ok("resolve", "--prefer", "files")
    assert garden.one("SELECT title FROM framework_tasks WHERE task_key = '1.1'") == "Dig"


def test_what_was_edited_elsewhere_does_not_hold_a_deletion_up(garden: EpicRepo) -> None:
    garden.edit("1", *OWN["a key of the epic"])
    garden.sql("DELETE FROM framework_tasks WHERE task_key = '1.1'")
    garden.ok("sync")
    assert [task["id"] for task in garden.body("1")["tasks"]] == ["1.2"]
    assert garden.body("1")["notes"] == "two hours of work"


@pytest.mark.parametrize("edit", ["status = 'completed'", "actual_minutes = 99", "assigned_to = 7"])
def test_the_author_deletes_what_the_application_edited(garden: EpicRepo, edit: str) -> None:
    garden.sql("PRAGMA foreign_keys = OFF")
    garden.sql(f"UPDATE framework_tasks SET {edit} WHERE task_key = '1.1'")
    file = garden.path("1")
    file.unlink()
    assert _conflicts(garden, "sync") == ["1"]
    assert garden.one("SELECT count(*) FROM framework_tasks WHERE deleted_at IS NULL") == 2
    garden.ok("resolve", "--prefer", "db")
    assert garden.body("1")["name"] == "Garden"


def test_a_task_that_the_author_deletes(garden: EpicRepo) -> None:
    garden.sql("UPDATE framework_tasks SET status = 'completed' WHERE task_key = '1.2'")
    garden.rewrite("1", lambda body: body["tasks"].pop(1))
    assert _conflicts(garden, "sync") == ["1:tasks/1.2"]
    garden.ok("resolve", "--prefer", "files")
    assert garden.one("SELECT status FROM framework_tasks WHERE task_key = '1.2'") == "deleted"


def test_times_of_writing_are_no_edit(garden: EpicRepo) -> None:
    garden.sql("UPDATE framework_tasks SET updated_at = '2030-01-01' WHERE task_key = '1.2'")
    garden.rewrite("1", lambda body: body["tasks"].pop(1))
    garden.ok("sync")
    assert garden.one("SELECT status FROM framework_tasks WHERE task_key = '1.2'") == "deleted"


MIGRATIONS = {
    "a column with a default": "ALTER TABLE framework_tasks ADD COLUMN effort INTEGER DEFAULT 3",
    "a column without": "ALTER TABLE framework_tasks ADD COLUMN effort INTEGER",
    "a column with another name": "ALTER TABLE framework_tasks RENAME COLUMN assigned_to TO assignee",
    "a column that is gone": "ALTER TABLE framework_tasks DROP COLUMN milestone",
    "another column of the epics": "ALTER TABLE framework_epics ADD COLUMN budget TEXT DEFAULT 'none'",
}


@pytest.mark.parametrize("deleted", ["the task", "the epic"])
@pytest.mark.parametrize("migration", MIGRATIONS)
def test_a_migration_is_no_edit(garden: EpicRepo, migration: str, deleted: str) -> None:
    garden.sql("ALTER TABLE framework_tasks ADD COLUMN milestone TEXT DEFAULT 'none'")
    garden.sql("UPDATE framework_tasks SET assigned_to = 7, milestone = 'spring' WHERE task_key = '1.2'")
    garden.ok("commit", "-m", "seen by the author")
    if deleted == "the task":
        garden.rewrite("1", lambda body: body["tasks"].pop(1))
    else:
        garden.path("1").unlink()
    garden.sql(MIGRATIONS[migration])
    garden.ok("sync")
    assert garden.one("SELECT status FROM framework_tasks WHERE task_key = '1.2'") == "deleted"


def test_a_value_in_a_new_column_is_an_edit(garden: EpicRepo) -> None:
    garden.rewrite("1", lambda body: body["tasks"].pop(1))
    garden.sql(MIGRATIONS["a column with a default"])
    garden.sql("UPDATE framework_tasks SET effort = 8 WHERE task_key = '1.2'")
    assert _conflicts(garden, "sync") == ["1:tasks/1.2"]
    (found,) = garden.json("sync", code=1)["conflicts"]
    assert (found["base"]["effort"], found["db"]["effort"]) == (3, 8)


def _replaced(repo: EpicRepo, key: str) -> None:
    """The row as applications replace it, with a new surrogate key."""
    row = repo.task_row(key)
    repo.sql("DELETE FROM framework_tasks WHERE id = ?", row.pop("id"))
    names = ", ".join(row)
    repo.sql(f"INSERT INTO framework_tasks ({names}) VALUES ({', '.join('?' * len(row))})", *row.values())


@pytest.mark.parametrize("edited", [False, True])
def test_a_row_that_was_replaced(garden: EpicRepo, edited: bool) -> None:
    garden.sql("UPDATE framework_tasks SET actual_minutes = 7 WHERE task_key = '1.2'")
    garden.ok("commit", "-m", "seen by the author")
    old = garden.task_row("1.2")["id"]
    _replaced(garden, "1.2")
    assert garden.task_row("1.2")["id"] != old
    if edited:
        garden.sql("UPDATE framework_tasks SET actual_minutes = 8 WHERE task_key = '1.2'")
    garden.rewrite("1", lambda body: body["tasks"].pop(1))
    if edited:
        (found,) = garden.json("sync", code=1)["conflicts"]
        assert (found["base"]["actual_minutes"], found["db"]["actual_minutes"]) == (7, 8)
    else:
        garden.ok("sync")
        assert garden.one("SELECT status FROM framework_tasks WHERE task_key = '1.2'") == "deleted"


def test_a_task_is_compared_since_it_was_there_not_since_its_epic_was(garden: EpicRepo) -> None:
    garden.sql("UPDATE framework_tasks SET deleted_at = '2026-01-01', status = 'deleted' WHERE task_key = '1.1'")
    garden.ok("commit", "-m", "the task is gone")
    garden.edit("1", *OWN["a key inside one of a task"])
    garden.ok("commit", "-m", "two hours of work")
    _script(garden, MARKED)
    garden.ok("commit", "-m", "the epic is gone")
    garden.sql("UPDATE framework_epics SET deleted_at = NULL, status = 'pending' WHERE epic_key = '1'")
    assert _conflicts(garden, "sync") == ["1:tasks/1.1"]


@pytest.mark.parametrize("seen", [True, False])
def test_a_task_that_was_not_marked_as_deleted_went_with_its_epic(garden: EpicRepo, seen: bool) -> None:
    """What the author edited before the epic was deleted was there to be seen; what came after it was not."""
    if seen:
        garden.edit("1", *OWN["a key inside one of a task"])
        garden.ok("commit", "-m", "two hours of work")
        _script(garden, MARKED)
    else:
        _script(garden, MARKED)
        garden.edit("1", *OWN["a key inside one of a task"])
    garden.ok("commit", "-m", "the epic is gone, its tasks are not marked")
    garden.sql("UPDATE framework_tasks SET deleted_at = '2026-01-01', status = 'deleted' WHERE task_key = '1.1'")
    garden.sql("UPDATE framework_epics SET deleted_at = NULL, status = 'pending' WHERE epic_key = '1'")
    if seen:
        assert garden.json("sync", "--dry-run")["conflicts"] == []
    else:
        assert _conflicts(garden, "sync") == ["1:tasks/1.1"]


def test_a_file_that_its_author_made_again(garden: EpicRepo) -> None:
    """What it says for itself was not there when the other side last had the epic."""
    file = garden.path("1")
    again = file.read_bytes()
    file.unlink()
    garden.ok("commit", "-m", "gone for a while")
    file.write_bytes(again)
    _script(garden, REMOVED)
    assert _conflicts(garden, "sync") == ["1"]
    assert file.read_bytes() == again


def test_a_commit_in_between_does_not_hide_the_edit(garden: EpicRepo) -> None:
    garden.edit("1", *OWN["a key of the epic"])
    _script(garden, REMOVED)
    garden.ok("commit", "-m", "both sides as they are")
    assert _conflicts(garden, "sync") == ["1"]
    garden.ok("commit", "--allow-empty", "-m", "once more")
    assert _conflicts(garden, "sync") == ["1"]


def test_an_edit_that_whoever_deleted_could_see(garden: EpicRepo) -> None:
    garden.edit("1", *OWN["a key of the epic"])
    garden.ok("commit", "-m", "the author's words")
    _script(garden, REMOVED)
    garden.ok("sync")
    assert [*garden.files()] == ["shed.json"]


def test_a_renamed_file(garden: EpicRepo) -> None:
    garden.edit("1", *OWN["a key beside it"])
    garden.path("1").rename(garden.directory / "elsewhere.json")
    _script(garden, REMOVED)
    assert _conflicts(garden, "sync") == ["1"]


@pytest.mark.parametrize("committed", ["nothing", "the deletion"])
@pytest.mark.parametrize("side", ["files", "db"])
@pytest.mark.parametrize("renamed", ["files", "db"])
def test_an_epic_with_another_key(garden: EpicRepo, renamed: str, side: str, committed: str) -> None:
    def rename() -> None:
        if renamed == "db":
            garden.sql("UPDATE framework_epics SET epic_key = '9' WHERE epic_key = '1'")
        else:
            garden.edit("1", '"id": "1"', '"id": "9"')

    path = garden.path("1")
    if side == "db":
        garden.sql("DELETE FROM framework_tasks WHERE task_key = '1.1'")
    else:
        garden.rewrite("1", lambda body: body["tasks"].pop(0))
    if committed == "the deletion":
        garden.ok("commit", "-m", "deleted")
    if side == "db":
        path.write_bytes(path.read_bytes().replace(b'"row": "old"', b'"row": "two hours of work"'))
    else:
        garden.sql("UPDATE framework_tasks SET status = 'completed' WHERE task_key = '1.1'")
    rename()
    assert _conflicts(garden, "sync") == ["9:tasks/1.1"]


def test_a_policy_decides(garden: EpicRepo) -> None:
    config = garden.root / "epicvc.toml"
    config.write_text(config.read_text().replace('policy = "manual"', 'policy = "json_wins"'))
    garden.edit("1", *OWN["a key of the epic"])
    _script(garden, REMOVED)
    garden.ok("sync")
    assert garden.one("SELECT name FROM framework_epics WHERE epic_key = '1'") == "Garden"
    assert garden.body("1")["notes"] == "two hours of work"


def test_the_history_is_read_once_and_as_far_as_it_must_be(garden: EpicRepo, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(8):
        garden.sql("UPDATE framework_epics SET priority = ? WHERE epic_key = '1'", number)
        garden.ok("commit", "-m", "earlier")
    garden.sql("DELETE FROM framework_tasks WHERE task_key = '1.1'")
    garden.sql("DELETE FROM framework_epics WHERE epic_key = '2'")
    garden.ok("commit", "-m", "what is gone here is read up to the state before")
    garden.sql("DELETE FROM framework_tasks WHERE task_key = '1.2'")
    garden.edit("1", *OWN["a key inside one of a task"])
    garden.edit("2", '"Shed"', '"Shed", "notes": "two hours of work"')
    states: list[Snapshot] = []

    class Counted(lastseen.HistoryStep):
        def __init__(self, documents: Documents, places_in: Any, state: Snapshot, after: Snapshot) -> None:
            states.append(state)
            super().__init__(documents, places_in, state, after)

    monkeypatch.setattr(lastseen, "HistoryStep", Counted)
    assert _conflicts(garden, "sync", "--dry-run") == ["1:tasks/1.1", "2"]
    assert len(states) == 2


def _many_tasks(repo: EpicRepo, count: int) -> None:
    tasks = [{"id": f"1.{number}", "title": f"Bed {number}"} for number in range(1, count + 1)]
    repo.rewrite("1", lambda body: body.update(tasks=tasks))
    repo.ok("sync", "--allow-mass-delete")


def test_more_than_half_of_the_tasks_deleted(garden: EpicRepo) -> None:
    _many_tasks(garden, 24)
    garden.sql("DELETE FROM framework_tasks WHERE id % 2 = 0 OR task_key = '1.1'")
    gone = 24 - int(garden.one("SELECT count(*) FROM framework_tasks"))
    files = garden.files()
    assert gone > 12
    garden.refused(5, "sync", naming=f"delete {gone} of 24 tasks on the files side")
    assert garden.files() == files
    garden.ok("sync", "--allow-mass-delete")
    assert len(garden.body("1")["tasks"]) == 24 - gone


def test_more_than_half_of_the_tasks_taken_out_of_a_file(garden: EpicRepo) -> None:
    _many_tasks(garden, 24)
    garden.rewrite("1", lambda body: body.update(tasks=body["tasks"][:10]))
    garden.refused(5, "push", naming="delete 14 of 24 tasks on the database side")


def test_half_of_few_tasks(garden: EpicRepo) -> None:
    _many_tasks(garden, 20)
    garden.sql("DELETE FROM framework_tasks")
    garden.ok("sync")


def _moved(body: dict[str, Any], tasks: list[Any]) -> None:
    body["tasks"] = [*body.get("tasks", ()), *tasks]


def test_tasks_that_move_on_one_side_do_not_hide_those_that_the_other_loses(garden: EpicRepo) -> None:
    _many_tasks(garden, 30)
    moving = garden.body("1")["tasks"][:12]
    garden.rewrite("1", lambda body: body.update(tasks=body["tasks"][12:]))
    garden.rewrite("2", lambda body: _moved(body, moving))
    last = "SELECT id FROM framework_tasks ORDER BY task_sequence DESC LIMIT 16"
    garden.sql(f"DELETE FROM framework_tasks WHERE id IN ({last})")
    assert garden.one("SELECT count(*) FROM framework_tasks") == 14
    garden.refused(5, "sync", naming="delete 16 of 30 tasks on the files side")


@pytest.mark.parametrize("side", ["files", "database"])
def test_more_than_half_of_the_tasks_moved(garden: EpicRepo, side: str) -> None:
    _many_tasks(garden, 24)
    if side == "files":
        moving = garden.body("1")["tasks"][:20]
        garden.rewrite("1", lambda body: body.update(tasks=body["tasks"][20:]))
        garden.rewrite("2", lambda body: _moved(body, moving))
    else:
        other = "(SELECT id FROM framework_epics WHERE epic_key = '2')"
        garden.sql(f"UPDATE framework_tasks SET epic_id = {other} WHERE task_sequence > 4")
    assert len(garden.json("sync")["tasks_moved"]) == 20
    assert (len(garden.body("1")["tasks"]), len(garden.body("2")["tasks"])) == (4, 20)
