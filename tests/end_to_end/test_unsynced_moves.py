"""Merges of branches that moved tasks, of which one has synchronised and the other has its edit in the files alone."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.repos import NO_FACTS, EpicRepo

Edit = Callable[[EpicRepo], None]

SYNCED = [(False, False), (True, False), (False, True), (True, True)]
"""Whether theirs, and ours, synchronises before it commits."""


@pytest.fixture
def four(tmp_path: Path) -> EpicRepo:
    """Four epics with two tasks each, in sync; a row of the application refers to the task 2.1."""
    repo = EpicRepo(tmp_path / "four", NO_FACTS)
    repo.directory.mkdir(parents=True)
    for epic in "1234":
        tasks = [{"id": f"{epic}.{n}", "title": f"Task {n} of {epic}", "risk": "low", "own": [n]} for n in (1, 2)]
        file_of(repo, epic).write_text(
            json.dumps({"epic": {"id": epic, "name": f"Epic {epic}", "tasks": tasks}}, indent=2)
        )
    repo.ok("init", "--db", "framework.db")
    repo.ok("sync")
    repo.sql("CREATE TABLE c (id INTEGER PRIMARY KEY, task INTEGER REFERENCES framework_tasks(id))")
    repo.sql("INSERT INTO c SELECT 7, id FROM framework_tasks WHERE task_key = '2.1'")
    repo.ok("commit", "-m", "base")
    return repo


def file_of(repo: EpicRepo, epic: str) -> Path:
    return repo.directory / f"{epic}.json"


def tasks(repo: EpicRepo, epic: str) -> list[Any]:
    found: list[Any] = repo.body(epic).get("tasks", [])
    return found


def move(key: str, to: str) -> Edit:
    def edit(repo: EpicRepo) -> None:
        source = key[0]
        task = next(task for task in tasks(repo, source) if task["id"] == key)
        repo.rewrite(source, lambda body: body["tasks"].remove(task))
        repo.rewrite(to, lambda body: body["tasks"].append(task))

    return edit


def delete(epic: str) -> Edit:
    return lambda repo: repo.path(epic).unlink()


def rename(key: str, new: str) -> Edit:
    return lambda repo: repo.rewrite(
        key[0], lambda body: [task.update(id=new) for task in body["tasks"] if task["id"] == key]
    )


def add(epic: str, depends: str) -> Edit:
    new = {"id": "o1", "title": "New", "dependencies": [depends]}
    return lambda repo: repo.rewrite(epic, lambda body: body["tasks"].append(new))


def branches(repo: EpicRepo, theirs: Edit, ours: Edit, synced: tuple[bool, bool]) -> None:
    repo.ok("switch", "-c", "theirs")
    for name, edit, sync in (("theirs", theirs, synced[0]), ("ours", ours, synced[1])):
        edit(repo)
        if sync:
            repo.ok("sync")
        repo.ok("commit", "-m", name)
        if name == "theirs":
            repo.ok("switch", "main")


def in_files(repo: EpicRepo) -> set[tuple[str, str]]:
    return {(path.stem, task["id"]) for path in repo.directory.glob("*.json") for task in tasks(repo, path.stem)}


def in_rows(repo: EpicRepo) -> set[tuple[str, str]]:
    query = (
        "SELECT e.epic_key, t.task_key FROM framework_tasks t JOIN framework_epics e ON e.id = t.epic_id "
        "WHERE t.deleted_at IS NULL AND e.deleted_at IS NULL"
    )
    return set(repo.sql(query))


def sound(repo: EpicRepo) -> None:
    """References hold, and after a ``sync`` both sides have the same tasks."""
    assert repo.sql("PRAGMA foreign_key_check") == []
    repo.ok("sync")
    assert in_files(repo) == in_rows(repo)
    assert repo.sql("PRAGMA foreign_key_check") == []
    repo.ok("fsck")


@pytest.mark.parametrize("synced", SYNCED)
def test_both_moved_a_task_to_one_epic(four: EpicRepo, synced: tuple[bool, bool]) -> None:
    row = four.task_row("1.2")
    branches(four, move("1.2", "2"), move("1.2", "2"), synced)
    assert four.json("merge", "theirs")["conflicts"] == []
    wanted = {("1", "1.1"), ("2", "2.1"), ("2", "2.2"), ("2", "1.2")}
    assert {found for found in in_files(four) if found[0] in "12"} == wanted
    sound(four)
    assert {found for found in in_files(four) if found[0] in "12"} == wanted
    assert four.task_row("1.2")["id"] == row["id"]


@pytest.mark.parametrize("synced", SYNCED)
@pytest.mark.parametrize("answer", ["ours", "theirs"])
def test_moved_to_an_epic_whose_file_is_gone(four: EpicRepo, synced: tuple[bool, bool], answer: str) -> None:
    branches(four, move("1.2", "3"), delete("3"), synced)
    (conflict,) = four.json("merge", "theirs", code=1)["conflicts"]
    assert (conflict["ours"], conflict["theirs"]) == ("1:tasks/1.2", "3:tasks/1.2")
    assert four.sql("PRAGMA foreign_key_check") == []
    assert not file_of(four, "3").exists()
    four.ok("resolve", "--prefer", answer)
    four.ok("merge", "--continue")
    sound(four)
    assert ({"ours": "1", "theirs": "3"}[answer], "1.2") in in_files(four)
    assert file_of(four, "3").exists() == (answer == "theirs")


@pytest.mark.parametrize("synced", SYNCED)
@pytest.mark.parametrize("answer", ["ours", "theirs"])
def test_another_id_in_an_epic_whose_file_is_gone(four: EpicRepo, synced: tuple[bool, bool], answer: str) -> None:
    branches(four, delete("3"), rename("3.1", "3.9"), synced)
    (conflict,) = four.json("merge", "theirs", code=1)["conflicts"]
    assert conflict["label"] == "3"
    four.ok("resolve", "--prefer", answer)
    four.ok("merge", "--continue")
    sound(four)
    wanted = {("3", "3.9"), ("3", "3.2")} if answer == "ours" else set()
    assert {found for found in in_files(four) if found[0] == "3"} == wanted


@pytest.mark.parametrize("synced", SYNCED)
@pytest.mark.parametrize("answer", ["ours", "theirs"])
@pytest.mark.parametrize("deleting", ["ours", "theirs"])
def test_moved_and_edited_in_the_database_and_deleted_on_the_other_branch(
    four: EpicRepo, synced: tuple[bool, bool], answer: str, deleting: str
) -> None:
    """The title, by which a task is known, is changed in its row while its file has the move."""

    def moves(repo: EpicRepo) -> None:
        repo.sql("UPDATE framework_tasks SET title = 'edited' WHERE task_key = '1.2'")
        move("1.2", "2")(repo)

    def deletes(repo: EpicRepo) -> None:
        repo.rewrite("1", lambda body: body["tasks"].pop())

    edits = (moves, deletes) if deleting == "ours" else (deletes, moves)
    branches(four, *edits, synced)
    (conflict,) = four.json("merge", "theirs", code=1)["conflicts"]
    moving = "theirs" if deleting == "ours" else "ours"
    assert conflict == {"label": "1:tasks/1.2", "base": "1:tasks/1.2", moving: "2:tasks/1.2", deleting: None}
    four.ok("resolve", "--prefer", answer)
    four.ok("merge", "--continue")
    open_edit = not any(synced) and answer == deleting
    if open_edit:  # the branch that moves has its edit of the row still before it
        (conflict,) = four.json("sync", code=1)["conflicts"]
        assert (conflict["label"], conflict["files"]) == ("1:tasks/1.2", None)
        four.ok("resolve", "--prefer", "files")
    sound(four)
    here = {found for found in in_files(four) if found[1] == "1.2"}
    assert here == ({("2", "1.2")} if answer == moving else set())
    if answer == moving:
        assert four.task_row("1.2")["title"] == "edited"


@pytest.mark.parametrize("answer", ["ours", "theirs", "base"])
def test_one_answer_is_for_the_places_of_files_and_of_rows(four: EpicRepo, answer: str) -> None:
    """Files and rows of a branch that did not synchronise have a task in two epics; the other branch deleted it."""

    def theirs(repo: EpicRepo) -> None:
        repo.sql("UPDATE framework_tasks SET epic_id = (SELECT id FROM framework_epics WHERE epic_key = '3') "
                 "WHERE task_key = '1.2'")  # fmt: skip
        move("1.2", "2")(repo)

    branches(four, theirs, lambda repo: repo.rewrite("1", lambda body: body["tasks"].pop()), (False, True))
    (conflict,) = four.json("merge", "theirs", code=1)["conflicts"]
    assert (conflict["label"], conflict["theirs"]) == ("1:tasks/1.2", "2:tasks/1.2")
    four.ok("resolve", "--prefer", answer)
    four.ok("merge", "--continue")
    wanted = {"ours": (set(), set()), "theirs": ({("2", "1.2")}, {("3", "1.2")}), "base": ({("1", "1.2")},) * 2}[answer]
    assert tuple({at for at in found if at[1] == "1.2"} for found in (in_files(four), in_rows(four))) == wanted
    four.ok("fsck")


@pytest.mark.parametrize("answer", ["ours", "theirs"])
@pytest.mark.parametrize("deleting", ["ours", "theirs"])
def test_after_an_answer_for_files_and_rows_a_sync_asks_nothing(four: EpicRepo, deleting: str, answer: str) -> None:
    """One branch edited a task in its file and in its row and did not synchronise; the other deleted it and did."""

    def edits(repo: EpicRepo) -> None:
        repo.sql("UPDATE framework_tasks SET title = 'of the row' WHERE task_key = '1.2'")
        repo.rewrite("1", lambda body: body["tasks"][1].update(risk="of the file"))

    def deletes(repo: EpicRepo) -> None:
        repo.rewrite("1", lambda body: body["tasks"].pop())

    order, synced = ((edits, deletes), (False, True)) if deleting == "ours" else ((deletes, edits), (True, False))
    branches(four, *order, synced)
    (conflict,) = four.json("merge", "theirs", code=1)["conflicts"]
    assert conflict["label"] == "1:tasks/1.2"
    four.ok("resolve", "--prefer", answer)
    four.ok("merge", "--continue")
    sound(four)
    left = [(item["title"], item["risk"]) for item in tasks(four, "1") if item["id"] == "1.2"]
    assert left == ([] if answer == deleting else [("of the row", "of the file")])


@pytest.mark.parametrize("synced", SYNCED)
@pytest.mark.parametrize("editing", ["ours", "theirs"])
def test_moved_in_the_files_with_a_row_that_changed_and_edited_on_the_other_branch(
    four: EpicRepo, synced: tuple[bool, bool], editing: str
) -> None:
    def moves(repo: EpicRepo) -> None:
        repo.sql("UPDATE framework_tasks SET mitigation = 'of the row' WHERE task_key = '1.2'")
        move("1.2", "2")(repo)

    def edits(repo: EpicRepo) -> None:
        repo.rewrite("1", lambda body: body["tasks"][1].update(risk="edited"))

    branches(four, *((moves, edits) if editing == "ours" else (edits, moves)), synced)
    assert four.json("merge", "theirs")["conflicts"] == []
    sound(four)
    assert {found for found in in_files(four) if found[1] == "1.2"} == {("2", "1.2")}
    (found,) = [item for item in tasks(four, "2") if item["id"] == "1.2"]
    assert (found["risk"], found["mitigation"], found["own"]) == ("edited", "of the row", [2])


@pytest.mark.parametrize("synced", SYNCED)
@pytest.mark.parametrize("moving", ["ours", "theirs"])
def test_moves_that_share_an_epic_are_merged_together(four: EpicRepo, synced: tuple[bool, bool], moving: str) -> None:
    """Of two epics that give a task to a third, the other branch edited one; every row moves, and none is made anew."""
    rows = {key: four.task_row(key)["id"] for key in ("1.2", "3.2", "4.2")}

    def moves(repo: EpicRepo) -> None:
        for key, to in (("1.2", "2"), ("3.2", "2"), ("4.2", "3")):
            move(key, to)(repo)

    def edits(repo: EpicRepo) -> None:
        repo.rewrite("1", lambda body: body["tasks"][0].update(own=[9]))

    branches(four, *((moves, edits) if moving == "theirs" else (edits, moves)), synced)
    assert four.json("merge", "theirs")["conflicts"] == []
    sound(four)
    assert {("2", "1.2"), ("2", "3.2"), ("3", "4.2")} <= in_files(four)
    living = dict(four.sql("SELECT task_key, id FROM framework_tasks WHERE deleted_at IS NULL"))
    assert {key: living[key] for key in rows} == rows
    assert four.sql("SELECT task_key FROM framework_tasks GROUP BY task_key HAVING count(*) > 1") == []


@pytest.mark.parametrize("synced", SYNCED)
@pytest.mark.parametrize("renaming", ["ours", "theirs"])
def test_moved_to_an_epic_to_which_the_other_branch_gave_another_key(
    four: EpicRepo, synced: tuple[bool, bool], renaming: str
) -> None:
    """Both in the rows: the task is nowhere lost, and what refers to it still does."""
    row = four.task_row("2.1")["id"]

    def renames(repo: EpicRepo) -> None:
        repo.sql("UPDATE framework_epics SET epic_key = 'k4' WHERE epic_key = '4'")

    def moves(repo: EpicRepo) -> None:
        query = "UPDATE framework_tasks SET epic_id = (SELECT id FROM framework_epics WHERE epic_key = '4')"
        repo.sql(f"{query} WHERE task_key = '2.1'")

    branches(four, *((moves, renames) if renaming == "ours" else (renames, moves)), synced)
    four.json("merge", "theirs", code=1)
    four.ok("resolve", "--prefer", "theirs" if renaming == "ours" else "ours")
    four.ok("merge", "--continue")
    assert four.sql("PRAGMA foreign_key_check") == []
    assert four.sql("SELECT id FROM framework_tasks WHERE task_key = '2.1' AND deleted_at IS NULL") == [(row,)]
    assert four.sql("SELECT t.task_key FROM c JOIN framework_tasks t ON t.id = c.task") == [("2.1",)]
    four.ok("fsck")


@pytest.mark.parametrize("edited", ["1", "2", "14"])
@pytest.mark.parametrize("change", [
    "task_key = '9', title = 'Other', risk = 'high'",
    "task_key = '9', epic_id = (SELECT id FROM framework_epics WHERE epic_key = '4')",
    "title = 'Other', risk = 'high', epic_id = (SELECT id FROM framework_epics WHERE epic_key = '4')",
])  # fmt: skip
@pytest.mark.parametrize("synced", SYNCED)
def test_a_row_that_is_another_task_by_now_keeps_its_number(
    four: EpicRepo, synced: tuple[bool, bool], change: str, edited: str
) -> None:
    """By what it says it is one task removed and one added; it is one row, to which the application's rows refer."""
    row = four.task_row("2.1")["id"]

    def edits(repo: EpicRepo) -> None:
        for epic in {*edited, "2"}:
            repo.rewrite(epic, lambda body: body["tasks"][1].update(risk="edited"))

    branches(four, lambda repo: repo.sql(f"UPDATE framework_tasks SET {change} WHERE id = ?", row), edits, synced)
    rows = four.sql("SELECT count(*) FROM framework_tasks")
    assert four.json("merge", "theirs")["conflicts"] == []
    assert four.sql("PRAGMA foreign_key_check") == []
    assert four.sql("SELECT count(*) FROM framework_tasks") == rows
    (found,) = four.sql("SELECT t.task_key, t.title FROM c JOIN framework_tasks t ON t.id = c.task")
    assert found != ("2.1", "Task 1 of 2")
    four.ok("fsck")


@pytest.mark.parametrize("synced", SYNCED)
def test_what_refers_to_a_moved_task_still_does(four: EpicRepo, synced: tuple[bool, bool]) -> None:
    branches(four, move("2.1", "4"), add("2", "1.1"), synced)
    assert four.json("merge", "theirs")["conflicts"] == []
    sound(four)
    assert {("4", "2.1"), ("2", "o1")} <= in_files(four)
    assert four.sql("SELECT t.task_key FROM c JOIN framework_tasks t ON t.id = c.task") == [("2.1",)]


@pytest.mark.parametrize("synced", SYNCED)
@pytest.mark.parametrize("answer", ["ours", "theirs"])
def test_links_of_a_task_go_with_its_row(four: EpicRepo, synced: tuple[bool, bool], answer: str) -> None:
    branches(four, delete("3"), add("3", "2.2"), synced)
    (conflict,) = four.json("merge", "theirs", code=1)["conflicts"]
    assert conflict["label"] == "3"
    four.ok("resolve", "--prefer", answer)
    assert four.sql("PRAGMA foreign_key_check") == []
    four.ok("merge", "--continue")
    sound(four)
    assert (("3", "o1") in in_files(four)) == (answer == "ours")
    living = (
        "SELECT count(*) FROM task_dependencies JOIN framework_tasks t ON t.id = task_id WHERE t.deleted_at IS NULL"
    )
    assert four.one(living) == (answer == "ours")
