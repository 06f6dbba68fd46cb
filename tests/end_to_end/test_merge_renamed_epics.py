"""Merges in which one branch gives an epic another key: its tasks' rows are the same bytes, and go with it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from support.repos import EpicRepo

Edit = Callable[[EpicRepo], None]


def _by_author(repo: EpicRepo) -> None:
    repo.edit("1", '"id": "1"', '"id": "9"')
    repo.ok("sync")


def _by_application(repo: EpicRepo) -> None:
    repo.sql("UPDATE framework_epics SET epic_key = '9' WHERE epic_key = '1'")


def _by_application_and_synchronised(repo: EpicRepo) -> None:
    _by_application(repo)
    repo.ok("sync")


def _title(repo: EpicRepo) -> None:
    repo.edit("1", '"title": "Dig"', '"title": "Digs"')


def _task_id(repo: EpicRepo) -> None:
    repo.edit("1", '"id": "1.1"', '"id": "1.1a"')


def _row(repo: EpicRepo) -> None:
    repo.sql("UPDATE framework_tasks SET actual_minutes = 7 WHERE task_key = '1.1'")


def _new_row(repo: EpicRepo) -> None:
    number = repo.one("SELECT id FROM framework_epics WHERE epic_key = '1'")
    repo.sql("INSERT INTO framework_tasks (epic_id, task_key, title) VALUES (?, '1.3', 'Water')", number)


OWNER = (
    "SELECT e.epic_key, t.title FROM note n JOIN framework_epics e ON e.id = n.epic "
    "JOIN framework_tasks t ON t.id = n.task"
)
RENAMES: list[Edit] = [_by_author, _by_application, _by_application_and_synchronised]
EDITS: list[Edit] = [_title, _task_id, _row]


@pytest.fixture
def noted(garden: EpicRepo) -> EpicRepo:
    """A table of the application's refers to the epic and to a task by their numbers."""
    garden.sql("CREATE TABLE note (id INTEGER PRIMARY KEY, epic INT REFERENCES framework_epics(id), task INT)")
    garden.sql("INSERT INTO note SELECT 1, epic_id, id FROM framework_tasks WHERE task_key = '1.1'")
    garden.ok("commit", "-m", "base")
    return garden


def _state(repo: EpicRepo) -> list[tuple[object, ...]]:
    return repo.sql(
        "SELECT t.id, e.epic_key, t.title FROM framework_tasks t JOIN framework_epics e ON e.id = t.epic_id"
    )


def _merge(repo: EpicRepo, rename: Edit, edit: Edit, renamed_by: str, code: int = 0) -> None:
    steps = {"theirs": edit, "ours": edit, renamed_by: rename}
    repo.ok("switch", "-c", "theirs")
    steps["theirs"](repo)
    repo.run("commit", "-m", "theirs")
    repo.ok("switch", "main")
    steps["ours"](repo)
    repo.run("commit", "-m", "ours")
    assert repo.run("merge", "theirs").code == code
    assert repo.sql("PRAGMA foreign_key_check") == []


@pytest.mark.parametrize("renamed_by", ["theirs", "ours"])
@pytest.mark.parametrize("edit", EDITS)
@pytest.mark.parametrize("rename", RENAMES)
def test_what_the_other_branch_did_follows(noted: EpicRepo, rename: Edit, edit: Edit, renamed_by: str) -> None:
    before = {number for number, *_ in _state(noted)}
    _merge(noted, rename, edit, renamed_by)
    assert {number for number, *_ in _state(noted)} == before
    assert {key for _, key, _ in _state(noted)} == {"9"}
    assert noted.sql(OWNER) == [("9", "Dig")]
    noted.ok("sync")
    assert noted.json("status")["conflicts"] == 0
    title = "Digs" if edit is _title else "Dig"
    assert sorted(found for _, _, found in _state(noted)) == [title, "Plant"]
    assert sorted(task["title"] for task in noted.body("9")["tasks"]) == [title, "Plant"]
    assert noted.sql("SELECT actual_minutes FROM framework_tasks WHERE title = ?", title) == [(7 * (edit is _row),)]
    assert noted.run("fsck").code == 0


@pytest.mark.parametrize("synced", [False, True])
@pytest.mark.parametrize("renamed_by", ["theirs", "ours"])
def test_a_task_that_says_something_else_by_now_is_the_same(noted: EpicRepo, renamed_by: str, synced: bool) -> None:
    def rename(repo: EpicRepo) -> None:
        repo.sql("UPDATE framework_tasks SET title = 'Level', description = 'new' WHERE task_key = '1.1'")
        _by_application(repo)
        if synced:
            repo.ok("sync")

    before = {number for number, *_ in _state(noted)}
    _merge(noted, rename, _row, renamed_by)
    assert {number for number, *_ in _state(noted)} == before
    assert noted.sql("SELECT title, actual_minutes FROM framework_tasks WHERE task_key = '1.1'") == [("Level", 7)]


@pytest.mark.parametrize("renamed_by", ["theirs", "ours"])
@pytest.mark.parametrize("rename", RENAMES)
def test_a_new_task_of_the_other_branch_is_a_conflict(noted: EpicRepo, rename: Edit, renamed_by: str) -> None:
    _merge(noted, rename, _new_row, renamed_by, code=1)
    noted.ok("resolve", "--prefer", "theirs" if renamed_by == "ours" else "ours")
    noted.ok("merge", "--continue")
    assert {key for _, key, title in _state(noted) if title == "Water"} == {"1"}


def _move(repo: EpicRepo) -> None:
    task = next(task for task in repo.body("1")["tasks"] if task["id"] == "1.1")
    repo.rewrite("1", lambda body: body["tasks"].remove(task))
    repo.rewrite("2", lambda body: body.update(tasks=[task]))
    repo.ok("sync")


def _title_and_back(repo: EpicRepo) -> None:
    _title(repo)
    repo.ok("sync")
    repo.edit("1", '"title": "Digs"', '"title": "Dig"')


@pytest.mark.parametrize("moved_by", ["theirs", "ours"])
@pytest.mark.parametrize(("edit", "title"), [(_title, "Digs"), (_title_and_back, "Dig")])
def test_an_edit_of_a_file_alone_goes_with_a_task_that_the_other_branch_moved(
    noted: EpicRepo, edit: Edit, title: str, moved_by: str
) -> None:
    _merge(noted, _move, edit, moved_by)
    noted.ok("sync")
    assert [task["title"] for task in noted.body("2")["tasks"]] == [title]
    assert {(key, title) for _, key, title in _state(noted)} == {("2", title), ("1", "Plant")}
