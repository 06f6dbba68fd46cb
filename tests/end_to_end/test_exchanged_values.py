"""Unique values that rows exchange or hand over: what is right in the end goes through, whatever the order."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from support.repos import EpicRepo

from epicvc.actions.sync import newepics, operations
from epicvc.actions.sync.job import Portion

PER_EPIC = "CREATE UNIQUE INDEX one_title ON framework_tasks(epic_id, title)"
ANYWHERE = "CREATE UNIQUE INDEX one_title ON framework_tasks(title)"
ALIVE = "CREATE UNIQUE INDEX one_title ON framework_tasks(title) WHERE deleted_at IS NULL"
NO_CASE = "CREATE UNIQUE INDEX one_title ON framework_tasks(title COLLATE NOCASE)"
LOWER = "CREATE UNIQUE INDEX one_title ON framework_tasks(lower(title))"
NAMES = "CREATE UNIQUE INDEX one_name ON framework_epics(name)"
ALIVE_NAMES = "CREATE UNIQUE INDEX one_name ON framework_epics(name) WHERE deleted_at IS NULL"

SWAP = {"1.1": "b", "1.2": "a"}
ROTATION = {"1.1": "b", "1.2": "c", "1.3": "d", "1.4": "a"}
HANDED_DOWN = {"1.1": "b", "1.2": "c", "1.3": "d", "1.4": "new"}
HANDED_UP = {"1.1": "new", "1.2": "a", "1.3": "b", "1.4": "c"}


@pytest.fixture
def repo(made: EpicRepo) -> EpicRepo:
    """Tasks of the first epic are called a, b, c, d."""
    made.sql("UPDATE framework_tasks SET title = 'task ' || id")
    for key, title in zip(made.facts.tasks, "abcd", strict=True):
        made.sql("UPDATE framework_tasks SET title = ? WHERE task_key = ?", title, key)
    made.ok("sync")
    return made


def retitle(repo: EpicRepo, titles: Mapping[str, str], epic: str = "1") -> None:
    def change(body: dict[str, Any]) -> None:
        for task in body["tasks"]:
            task["title"] = titles.get(task["id"], task["title"])

    repo.rewrite(epic, change)


def write(repo: EpicRepo, key: str, body: dict[str, Any]) -> None:
    (repo.directory / f"{key}.json").write_text(json.dumps({"id": key, **body}), encoding="utf-8")


def titles_of(repo: EpicRepo) -> dict[str, str]:
    rows = repo.sql("SELECT task_key, title FROM framework_tasks WHERE task_key LIKE '1.%' AND deleted_at IS NULL")
    return {str(key): str(title) for key, title in rows}


@pytest.mark.parametrize("index", [PER_EPIC, ANYWHERE, ALIVE, NO_CASE, LOWER])
@pytest.mark.parametrize("titles", [SWAP, ROTATION, HANDED_DOWN, HANDED_UP])
def test_titles(repo: EpicRepo, index: str, titles: dict[str, str]) -> None:
    repo.sql(index)
    repo.ok("commit", "-m", "titles are unique")
    before, ids = titles_of(repo), repo.sql("SELECT id, task_key, created_at FROM framework_tasks")
    retitle(repo, titles)
    repo.ok("sync")
    assert titles_of(repo) == before | titles
    assert repo.sql("SELECT id, task_key, created_at FROM framework_tasks") == ids
    assert repo.json("status")["in_sync"]
    repo.ok("undo")
    assert titles_of(repo) == before
    repo.ok("redo")
    assert titles_of(repo) == before | titles


def test_no_more_is_written_than_must_be(repo: EpicRepo) -> None:
    """Handed over, each row is written once; in a circle, one of them twice."""
    repo.sql(PER_EPIC)
    repo.sql("CREATE TABLE written(task)")
    repo.sql("CREATE TRIGGER note AFTER UPDATE ON framework_tasks BEGIN INSERT INTO written VALUES (NEW.task_key); END")
    repo.ok("commit", "-m", "titles are unique")
    for titles, rows in ((HANDED_DOWN, 4), ({"1.1": "c", "1.2": "b"}, 3), ({"1.1": "b", "1.2": "d", "1.3": "c"}, 4)):
        repo.sql("DELETE FROM written")
        retitle(repo, titles)
        repo.ok("sync")
        assert repo.one("SELECT count(*) FROM written") == rows


def test_across_epics(repo: EpicRepo) -> None:
    repo.sql(ANYWHERE)
    other = repo.body(repo.facts.other)["tasks"][0]["id"]
    title = repo.one("SELECT title FROM framework_tasks WHERE task_key = ?", other)
    retitle(repo, {"1.1": title})
    retitle(repo, {other: "a"}, epic=repo.facts.other)
    repo.ok("sync")
    assert titles_of(repo)["1.1"] == title
    assert repo.one("SELECT title FROM framework_tasks WHERE task_key = ?", other) == "a"


@pytest.mark.parametrize("order", [("1", "2", "3"), ("3", "2", "1")])
def test_names_of_epics(repo: EpicRepo, order: tuple[str, ...]) -> None:
    for key in "123":
        repo.sql("UPDATE framework_epics SET name = 'epic ' || epic_key WHERE epic_key = ?", key)
    repo.ok("sync")
    repo.sql(NAMES)
    for key, giver in zip(order, order[1:] + order[:1], strict=True):
        repo.rewrite(key, lambda body, giver=giver: body.update(name=f"epic {giver}"))
    repo.ok("sync")
    for key, giver in zip(order, order[1:] + order[:1], strict=True):
        assert repo.one("SELECT name FROM framework_epics WHERE epic_key = ?", key) == f"epic {giver}"


@pytest.mark.parametrize("portion", [1, 10_000])
def test_a_new_epic_takes_a_name(repo: EpicRepo, monkeypatch: pytest.MonkeyPatch, portion: int) -> None:
    monkeypatch.setattr(newepics, "PORTION", portion)
    repo.sql(NAMES)
    name = repo.one("SELECT name FROM framework_epics WHERE epic_key = '2'")
    repo.rewrite("2", lambda body: body.update(name="given up"))
    for key in ("00", "01"):
        task = {"id": f"{key}.1", "title": "of a new one"}
        write(repo, key, {"name": name if key == "00" else "other", "tasks": [task]})
    repo.ok("sync")
    assert repo.one("SELECT name FROM framework_epics WHERE epic_key = '00'") == name
    assert repo.one("SELECT count(*) FROM framework_tasks WHERE title = 'of a new one'") == 2


@pytest.mark.parametrize("index", [ANYWHERE, ALIVE, NO_CASE, LOWER])
def test_a_task_of_a_new_epic_takes_a_title(garden: EpicRepo, monkeypatch: pytest.MonkeyPatch, index: str) -> None:
    """It would come with the first portion, and what gives the title up comes with the last."""
    monkeypatch.setattr(newepics, "PORTION", 1)
    garden.sql(index)
    retitle(garden, {"1.1": "given up"})
    for key, title in (("00", "Dig"), ("01", "of its own")):
        write(garden, key, {"name": key, "tasks": [{"id": f"{key}.1", "title": title}]})
    garden.ok("sync")
    assert garden.sql("SELECT task_key FROM framework_tasks WHERE title = 'Dig'") == [("00.1",)]


@pytest.mark.parametrize("index", [NAMES, ALIVE_NAMES, NAMES.replace("(name)", "(lower(name))")])
@pytest.mark.parametrize("leaves", [False, True])
def test_a_new_epic_of_many_takes_a_name(
    garden: EpicRepo, monkeypatch: pytest.MonkeyPatch, index: str, leaves: bool
) -> None:
    monkeypatch.setattr(newepics, "PORTION", 1)
    garden.sql(index)
    if leaves and index == ALIVE_NAMES:
        garden.path("2").unlink()
    else:
        garden.rewrite("2", lambda body: body.update(name="given up"))
    for key, name in (("00", "Shed"), ("01", "of its own")):
        write(garden, key, {"name": name, "tasks": [{"id": f"{key}.1", "title": "t"}]})
    garden.ok("sync")
    found = garden.sql("SELECT epic_key FROM framework_epics WHERE name = 'Shed' AND deleted_at IS NULL")
    assert found == [("00",)]


def test_what_is_unique_within_its_epic_comes_in_portions(garden: EpicRepo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(newepics, "PORTION", 1)
    garden.sql("CREATE UNIQUE INDEX alive ON framework_tasks(epic_id, task_key) WHERE deleted_at IS NULL")
    for key in ("00", "01"):
        write(garden, key, {"name": key, "tasks": [{"id": f"{key}.1", "title": "t"}]})
    portions: list[bool] = []
    perform = operations.Operations.perform

    def noted(series: operations.Operations, portion: Portion, *, last: bool) -> None:
        portions.append(last)
        perform(series, portion, last=last)

    monkeypatch.setattr(operations.Operations, "perform", noted)
    garden.ok("sync")
    assert len(portions) > 1


def test_a_new_epic_takes_the_name_of_one_that_goes(repo: EpicRepo) -> None:
    repo.sql(ALIVE_NAMES)
    name = repo.one("SELECT name FROM framework_epics WHERE epic_key = '2'")
    repo.path("2").unlink()
    write(repo, "00", {"name": name})
    repo.ok("sync")
    assert repo.one("SELECT name FROM framework_epics WHERE epic_key = '00'") == name


def test_tasks_take_what_others_give_up(repo: EpicRepo) -> None:
    """A new one takes the title of one that changes, another that of one that goes."""
    repo.sql(ALIVE)

    def change(body: dict[str, Any]) -> None:
        one, two, three, four = body["tasks"]
        one["title"], four["title"] = "changed", two["title"]
        body["tasks"] = [{"id": "1.0", "title": "a"}, one, three, four]

    repo.rewrite("1", change)
    repo.ok("sync")
    assert titles_of(repo) == {"1.0": "a", "1.1": "changed", "1.3": "c", "1.4": "b"}


def test_what_is_taken_in_the_end_is_refused_with_both_places(repo: EpicRepo) -> None:
    repo.sql(ANYWHERE)
    retitle(repo, {"1.1": "b", "1.2": "c"})
    message = repo.refused(4, "sync", naming="UNIQUE")
    assert "1:tasks/1.2/title" in message
    assert "1:tasks/1.3/title" in message


def test_rows_none_of_which_can_stand_aside(repo: EpicRepo) -> None:
    repo.sql(ANYWHERE)
    repo.sql(
        "CREATE TRIGGER known BEFORE UPDATE ON framework_tasks WHEN NEW.title IS NULL OR NEW.title NOT IN ('a', 'b') "
        "BEGIN SELECT raise(ABORT, 'no such title'); END"
    )
    retitle(repo, SWAP)
    message = repo.refused(4, "sync", naming="none of them can take another one meanwhile")
    assert "1:tasks/1.1" in message
    assert "1:tasks/1.2" in message


def test_what_the_application_exchanged_comes_to_the_files(repo: EpicRepo) -> None:
    repo.sql(PER_EPIC)
    repo.sql("UPDATE framework_tasks SET title = '-' WHERE task_key = '1.1'")
    repo.sql("UPDATE framework_tasks SET title = 'a' WHERE task_key = '1.2'")
    repo.sql("UPDATE framework_tasks SET title = 'b' WHERE task_key = '1.1'")
    repo.ok("sync")
    assert [task["title"] for task in repo.body("1")["tasks"]] == ["b", "a", "c", "d"]


def test_merged(repo: EpicRepo) -> None:
    repo.sql(ANYWHERE)
    repo.ok("commit", "-m", "titles are unique")
    repo.ok("switch", "-c", "side")
    retitle(repo, SWAP)
    repo.ok("sync")
    repo.ok("switch", "main")
    retitle(repo, {"1.3": "d", "1.4": "c"})
    repo.ok("sync")
    repo.ok("merge", "side")
    assert titles_of(repo) == {"1.1": "b", "1.2": "a", "1.3": "d", "1.4": "c"}
