"""Many new epics go into the database in portions: what is seen in the end, in between, and when it fails."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from support.killing import kill_points, run_killed
from support.repos import EpicRepo, Facts

from epicvc.actions.sync import newepics
from epicvc.actions.sync import work as syncwork
from epicvc.database.sqlite import connection as opening
from epicvc.database.sqlite.backend import SQLiteBackend
from epicvc.errors import LossyField
from epicvc.repo.apply import apply
from epicvc.repo.files import workers

EPICS = 12
TASKS = 4
ROWS_OF_EPIC = 1 + TASKS * 3 + 1
"""An epic, and its tasks with two dependencies each; one task has a third."""

SMALL = 2 * ROWS_OF_EPIC - 1
"""A size of portions that two epics fill."""

TABLES = ("framework_epics", "framework_tasks", "task_dependencies")


def epic(number: int) -> dict[str, Any]:
    """An epic whose tasks depend on those of the epics before and behind it, which come in other portions."""
    tasks = [
        {
            "id": f"{number}.{n}",
            "title": f"task {n}",
            "dependencies": [f"{number}.{n % TASKS + 1}", f"{number - 1}.{n}"],
        }
        for n in range(1, TASKS + 1)
    ]
    tasks[0]["dependencies"].append(f"{number + 3}.2")  # type: ignore[attr-defined]
    return {"epic": {"id": f"{number:02}", "name": f"epic {number}", "goals": ["a"], "tasks": tasks}}


def write(repo: EpicRepo, numbers: range) -> None:
    for number in numbers:
        (repo.directory / f"{number:02}.json").write_text(json.dumps(epic(number), indent=2), encoding="utf-8")
        repo.facts.paths[f"{number:02}"] = f"{number:02}.json"


@pytest.fixture(params=["delete", "wal", "parcels", "no shortcuts"])
def bare(tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> EpicRepo:
    """A repo with one epic on both sides and many in the files alone, which go row by row or in parcels."""
    if request.param in ("parcels", "no shortcuts"):
        monkeypatch.setattr(workers, "LEAST", 1)
    if request.param == "no shortcuts":
        monkeypatch.setattr(SQLiteBackend, "shortcuts", None)
    journal = "wal" if request.param == "wal" else "delete"
    root = tmp_path / "bare"
    (root / "epics").mkdir(parents=True)
    repo = EpicRepo(root, Facts("bare", "00", "00.json", (), "01", "01.json", (), "", {}))
    write(repo, range(1))
    repo.ok("init", "--db", "framework.db")
    repo.sql(f"PRAGMA journal_mode={journal}")
    repo.ok("sync")
    write(repo, range(1, EPICS + 1))
    return repo


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(newepics, "PORTION", SMALL)
    return


def rows(repo: EpicRepo) -> list[str]:
    """All rows of the documents, without the times at which they were made."""
    found = [str(repo.sql(f"SELECT * FROM {table} ORDER BY id")) for table in TABLES]
    return [re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", "time", text) for text in found]


def log_of(repo: EpicRepo) -> tuple[list[str], list[str]]:
    """The descriptions of operations and the messages of commits, newest first."""
    operations = [item["description"] for item in repo.json("op", "log")["operations"]]
    return operations, [item["message"] for item in repo.json("log")["commits"]]


def sides(repo: EpicRepo) -> tuple[dict[str, bytes], list[str]]:
    return repo.files(), [line for line in repo.dump() if "journal_mode" not in line]


def transactions(monkeypatch: pytest.MonkeyPatch, before: Callable[[int], None] = lambda _: None) -> list[int]:
    """Count write transactions; something may be done before each, given its number from 1."""
    begun: list[int] = []
    begin = opening.begin_writing

    def begin_writing(*arguments: Any, **options: Any) -> Any:
        begun.append(len(begun) + 1)
        before(begun[-1])
        return begin(*arguments, **options)

    monkeypatch.setattr(opening, "begin_writing", begin_writing)
    return begun


def in_sync(repo: EpicRepo) -> bool:
    status = repo.json("status")
    return bool(status["in_sync"] and status["clean"])


@pytest.mark.parametrize("command", ["sync", "push"])
def test_portions_are_one_run(bare: EpicRepo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    whole = bare.copy_to(tmp_path / "whole")
    once = transactions(monkeypatch)
    said = whole.json(command)
    assert len(once) == 1
    monkeypatch.setattr(newepics, "PORTION", SMALL)
    begun = transactions(monkeypatch)
    done = bare.json(command)
    assert len(begun) == EPICS / 2
    assert {**done, "commit": None} == {**said, "commit": None}
    assert rows(bare) == rows(whole)
    assert log_of(bare) == log_of(whole)
    assert in_sync(bare)
    assert done["commit"] == bare.head()
    assert bare.json("sync")["commit"] is None
    bare.ok("fsck", "--full")
    bare.ok("doctor")


def test_the_trees_are_those_of_one_portion(bare: EpicRepo, small: None) -> None:
    """What each portion noted on top of the last is what reading everything gives."""
    bare.ok("sync")
    for cache in ("database.cache", "database.mark", "documents.cache"):
        (bare.root / ".epicvc" / cache).unlink(missing_ok=True)
    assert in_sync(bare)


def test_no_transaction_writes_much_more_than_a_portion(bare: EpicRepo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(newepics, "PORTION", SMALL)
    had = [bare.one(f"SELECT count(*) FROM {table}") for table in TABLES]
    counts = [sum(had)]
    transactions(monkeypatch, lambda _: counts.append(sum(bare.one(f"SELECT count(*) FROM {t}") for t in TABLES)))
    bare.ok("sync")
    counts.append(sum(bare.one(f"SELECT count(*) FROM {table}") for table in TABLES))
    written = [after - before for before, after in pairwise(counts)]
    assert max(written) == 2 * ROWS_OF_EPIC
    assert sum(written) == EPICS * ROWS_OF_EPIC


def test_undo_and_redo_are_about_the_run(bare: EpicRepo, small: None) -> None:
    before, log = sides(bare), log_of(bare)
    bare.ok("sync")
    after = sides(bare)
    bare.ok("undo")
    assert sides(bare) == before
    assert log_of(bare)[1] == log[1]
    bare.ok("redo")
    assert sides(bare) == after
    assert in_sync(bare)
    bare.ok("undo")
    bare.ok("undo")  # the sync before it


def test_edits_of_other_epics_come_with_the_last_portion(bare: EpicRepo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(newepics, "PORTION", SMALL)
    bare.rewrite("00", lambda body: body.update(name="Renamed"))
    bare.sql("UPDATE framework_epics SET summary = 'theirs' WHERE epic_key = '00'")
    names: list[Any] = []
    begun = transactions(monkeypatch, lambda _: names.append(bare.epic_row("00")["name"]))
    done = bare.json("sync")
    in_parcels = workers.LEAST == 1 and SQLiteBackend.shortcuts is not None
    assert len(begun) == EPICS / 2 + in_parcels, "parcels hold new epics alone"
    assert set(names) == {"epic 0"}
    assert bare.epic_row("00")["name"] == "Renamed"
    assert bare.body("00")["summary"] == "theirs"
    assert (done["to_files"], done["to_db"]) == (1, EPICS + 1)
    assert in_sync(bare)


def test_a_task_that_moves_to_a_new_epic_keeps_its_row(bare: EpicRepo, small: None) -> None:
    bare.sql("CREATE UNIQUE INDEX once ON framework_tasks (task_key)")
    bare.ok("commit", "-m", "unique")
    row = bare.task_row("0.3")["id"]
    task = bare.file_task("00", "0.3")
    bare.rewrite("00", lambda body: body["tasks"].remove(task))
    bare.rewrite("05", lambda body: body["tasks"].append(task))
    bare.ok("sync")
    moved = bare.task_row("0.3")
    assert moved["id"] == row
    assert moved["epic_id"] == bare.epic_row("05")["id"]
    assert in_sync(bare)


def test_keys_that_bind_epics_keep_them_in_one_transaction(bare: EpicRepo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(newepics, "PORTION", SMALL)
    bare.sql("DROP TABLE task_dependencies")
    bare.sql("CREATE UNIQUE INDEX once ON framework_tasks (task_key)")
    bare.sql(
        "CREATE TABLE task_dependencies (id INTEGER PRIMARY KEY, task_id INTEGER REFERENCES framework_tasks(id),"
        " depends_on_task_key TEXT REFERENCES framework_tasks(task_key) DEFERRABLE INITIALLY DEFERRED)"
    )
    bare.rewrite("00", lambda body: [task.update(dependencies=[]) for task in body["tasks"]])
    for number, known in ((1, "0"), (EPICS, str(EPICS - 1))):
        bare.rewrite(
            f"{number:02}",
            lambda body, known=known: [task.update(dependencies=[f"{known}.2"]) for task in body["tasks"]],
        )
    for number in range(2, EPICS):
        bare.rewrite(
            f"{number:02}", lambda body, n=number: [task.update(dependencies=[f"{n + 1}.1"]) for task in body["tasks"]]
        )
    begun = transactions(monkeypatch)
    bare.ok("sync")
    assert len(begun) == 1
    assert in_sync(bare)


def test_an_epic_that_was_deleted_there_comes_back(bare: EpicRepo, small: None) -> None:
    """It keeps its row, which is none for a parcel."""
    bare.sql("INSERT INTO framework_epics (id, epic_key, name, deleted_at) VALUES (70, '07', 'gone', '2025-01-01')")
    bare.ok("sync")
    assert bare.sql("SELECT id, name, deleted_at FROM framework_epics WHERE epic_key = '07'") == [(70, "epic 7", None)]
    assert bare.one("SELECT count(*) FROM framework_tasks WHERE epic_id = 70") == TASKS
    assert len(log_of(bare)[1]) == 3, "one for the run"
    assert in_sync(bare)


# Others


def test_the_application_writes_between_portions(bare: EpicRepo, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its rows are none of the run's business; they show as a change since, and undo leaves them alone."""
    monkeypatch.setattr(newepics, "PORTION", SMALL)

    def application(number: int) -> None:
        bare.sql(f"INSERT INTO framework_epics (epic_key, name) VALUES ('app {number}', 'of the application')")
        bare.sql("UPDATE framework_epics SET summary = coalesce(summary, '') || '.' WHERE epic_key = '00'")

    with monkeypatch.context() as patch:
        begun = transactions(patch, lambda number: application(number) if number > 1 else None)
        bare.ok("push")
    others = len(begun) - 1
    assert len(begun) == EPICS / 2
    assert len(log_of(bare)[1]) == 3
    states = {item["id"]: item["db"] for item in bare.json("status")["epics"]}
    assert states == {"00": "modified", **{f"app {n + 2}": "added" for n in range(others)}}
    kept = bare.copy_to(bare.root.parent / "kept")
    bare.ok("sync")
    assert in_sync(bare)
    assert bare.body("00")["summary"] == "." * others
    kept.ok("undo")
    assert kept.epic_row("00")["summary"] == "." * others
    assert kept.one("SELECT count(*) FROM framework_epics") == 1 + others


def test_what_somebody_changed_meanwhile_is_planned_again(bare: EpicRepo, monkeypatch: pytest.MonkeyPatch) -> None:
    """The application adds one of the epics itself: the rest of the run starts over, with it as a merge."""
    monkeypatch.setattr(newepics, "PORTION", SMALL)

    def application(number: int) -> None:
        if number == 4:
            bare.sql("INSERT INTO framework_epics (epic_key, name, summary) VALUES ('09', 'epic 9', 'theirs')")

    transactions(monkeypatch, application)
    done = bare.json("sync")
    assert in_sync(bare)
    assert bare.body("09")["summary"] == "theirs"
    assert bare.task_order("09") == [f"9.{n}" for n in range(1, TASKS + 1)]
    assert done["commit"] == bare.head()
    operations, commits = log_of(bare)
    assert (len(operations), len(commits)) == (4, 4), "what was done before the change is an operation of its own"
    assert bare.one("SELECT count(*) FROM framework_epics WHERE epic_key != '00'") == EPICS
    bare.ok("undo")
    assert bare.epic_row("09")["summary"] == "theirs"
    bare.ok("undo")
    assert bare.one("SELECT group_concat(epic_key) FROM framework_epics") == "00,09"


# What goes wrong


def failing(monkeypatch: pytest.MonkeyPatch, at: int, also: Callable[[], None] = lambda: None) -> None:
    """Have the certificate of a portion fail."""
    certify = syncwork.SyncWork._certify
    seen: list[int] = []

    def fails(work: Any, *arguments: Any) -> None:
        seen.append(1)
        if len(seen) == at:
            also()
            raise LossyField("05:name", "one", "another")
        certify(work, *arguments)

    monkeypatch.setattr(syncwork.SyncWork, "_certify", fails)


@pytest.mark.parametrize("at", [1, 2, EPICS // 2])
def test_an_error_leaves_the_old_state(bare: EpicRepo, monkeypatch: pytest.MonkeyPatch, at: int) -> None:
    monkeypatch.setattr(newepics, "PORTION", SMALL)
    before, head, (operations, commits) = sides(bare), bare.head(), log_of(bare)
    with monkeypatch.context() as patch:
        failing(patch, at)
        said = bare.run("sync")
    assert said.code == 4
    assert "05:name" in said.err
    assert "still there" not in said.err
    assert sides(bare) == before
    assert bare.head() == head
    found = log_of(bare)
    assert found[1] == commits
    taken_back = [f"undo sync: 0 to files, {2 * (at - 1)} to database"] if at > 1 else []
    assert found[0] == taken_back + operations
    bare.ok("fsck", "--full")
    stacks = bare.copy_to(bare.root.parent / "stacks")
    assert "nothing to redo" in stacks.run("redo").err
    stacks.ok("undo")  # the sync before it
    assert stacks.one("SELECT count(*) FROM framework_epics") == 0
    bare.ok("sync")
    assert in_sync(bare)


def test_an_error_after_a_new_plan_takes_all_back(bare: EpicRepo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(newepics, "PORTION", SMALL)
    files, head = bare.files(), bare.head()

    def application(number: int) -> None:
        if number == 4:
            bare.sql("INSERT INTO framework_epics (epic_key, name, summary) VALUES ('09', 'epic 9', 'theirs')")

    with monkeypatch.context() as patch:
        transactions(patch, application)
        failing(patch, 6)
        assert "still there" not in bare.run("sync").err
    assert bare.files() == files
    assert bare.head() == head
    assert bare.one("SELECT group_concat(epic_key) FROM framework_epics") == "00,09"
    assert bare.epic_row("09")["summary"] == "theirs"
    bare.ok("sync")
    assert in_sync(bare)


def test_a_row_that_the_database_refuses_takes_all_back(bare: EpicRepo, small: None) -> None:
    bare.rewrite("12", lambda body: body["tasks"][2].update(tdd_phase="purple"))
    before = sides(bare)
    assert "12:tasks/12.3" in bare.run("sync").err
    assert sides(bare) == before


def test_a_task_that_two_new_epics_have_takes_all_back(bare: EpicRepo, small: None) -> None:
    """Where its key is unique the database refuses the second, in whatever portion that comes."""
    bare.sql("CREATE UNIQUE INDEX once ON framework_tasks (task_key)")
    bare.ok("commit", "-m", "unique")
    bare.rewrite("11", lambda body: body["tasks"].append({"id": "2.1", "title": "of epic 2"}))
    before, head = sides(bare), bare.head()
    assert "11:tasks/2.1" in bare.run("sync").err
    assert (sides(bare), bare.head()) == (before, head)
    bare.rewrite("11", lambda body: body["tasks"].pop())
    bare.ok("sync")
    assert in_sync(bare)


def test_what_cannot_be_taken_back_is_said(bare: EpicRepo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(newepics, "PORTION", SMALL)
    with monkeypatch.context() as patch:
        begin = opening.begin_writing
        done: list[int] = []

        def begin_writing(*arguments: Any, **options: Any) -> Any:
            done.append(1)
            if len(done) == 4:
                bare.sql("UPDATE framework_epics SET summary = 'theirs' WHERE epic_key = '02'")
            return begin(*arguments, **options)

        patch.setattr(opening, "begin_writing", begin_writing)
        failing(patch, 4)
        said = bare.run("push")
    assert said.code == 4
    assert "still there: 01, 02, 03, 04, 05 and 1 more" in said.err
    assert "epicvc undo" in said.err
    states = {item["id"]: (item["files"], item["db"]) for item in bare.json("status")["epics"]}
    assert states.pop("02") == ("unchanged", "modified")
    assert {key for key in states if int(key) <= 6} == set()
    assert "@framework_epics/3" in bare.run("undo").err
    bare.ok("sync")
    assert in_sync(bare)


def test_a_run_that_is_interrupted_says_the_truth(bare: EpicRepo, monkeypatch: pytest.MonkeyPatch) -> None:
    """After any portion both sides and the base agree on what was done; the next command goes on."""
    monkeypatch.setattr(newepics, "PORTION", SMALL)
    perform, done = apply.perform, []

    def killed(*arguments: Any) -> Any:
        if len(done) == 3:
            raise KeyboardInterrupt
        done.append(1)
        return perform(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(apply, "perform", killed)
        assert bare.run("sync").code != 0
    states = {item["id"]: item["state"] for item in bare.json("status")["epics"]}
    assert states == {f"{number:02}": "files_ahead" for number in range(7, EPICS + 1)}
    assert log_of(bare)[1][0] == "sync: 0 to files, 6 to database"
    again = bare.copy_to(bare.root.parent / "again")
    again.ok("undo")
    assert again.one("SELECT group_concat(epic_key) FROM framework_epics") == "00"
    bare.ok("sync")
    assert in_sync(bare)


KILLS = 14


def test_killed_anywhere_the_next_sync_finishes(bare: EpicRepo, tmp_path: Path) -> None:
    setup = (
        "import epicvc.repo.files.workers, epicvc.actions.sync.newepics; "
        f"epicvc.actions.sync.newepics.PORTION = {SMALL}; epicvc.repo.files.workers.LEAST = {workers.LEAST}"
    )
    whole = bare.copy_to(tmp_path / "whole")
    steps = run_killed(whole.root, 0, "sync", setup=setup)
    assert steps is not None
    counts = set()
    for at in kill_points(steps, KILLS):
        repo = bare.copy_to(tmp_path / f"killed-{at}")
        assert run_killed(repo.root, at, "sync", setup=setup) is None, at
        repo.ok("doctor", "--repair")
        there = repo.one("SELECT count(*) FROM framework_epics") - 1
        ahead = {item["id"]: item["state"] for item in repo.json("status")["epics"]}
        assert ahead == {f"{number:02}": "files_ahead" for number in range(there + 1, EPICS + 1)}, at
        operations, commits = log_of(repo)
        assert len(operations) == len(commits) == 2 + bool(there), at
        repo.ok("fsck", "--full")
        repo.ok("sync")
        assert in_sync(repo), at
        assert rows(repo) == rows(whole), at
        counts.add(there)
    assert len(counts) > 4
