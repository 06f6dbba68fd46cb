"""What a synchronisation leaves to do while it holds the application's lock, counted and not timed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.guard import ROOT
from support.lockwatch import Seen, watching
from support.repos import EpicRepo, Facts

from epicvc.database.sqlite import connection as opening
from epicvc.repo.rows import dbside

DECIDING = ("plan_epic", "parse", "read_file_epic", "decode_epic", "core_bytes", "rewrite", "render", "stage_file")
"""Functions that belong before the lock."""

EPICS = 12


def epic(number: int) -> dict[str, object]:
    tasks = [{"id": f"{number}.{n}", "title": f"task {n}", "goals": ["x"]} for n in range(1, 6)]
    return {"epic": {"id": str(number), "name": f"epic {number}", "goals": ["a", "b"], "tasks": tasks}}


@pytest.fixture
def many(tmp_path: Path) -> EpicRepo:
    """Some epics of five tasks, synchronised."""
    root = tmp_path / "many"
    (root / "epics").mkdir(parents=True)
    for number in range(EPICS):
        (root / "epics" / f"{number}.json").write_text(json.dumps(epic(number), indent=2), encoding="utf-8")
    facts = Facts("many", "0", "0.json", (), "1", "1.json", (), "", {str(n): f"{n}.json" for n in range(EPICS)})
    repo = EpicRepo(root, facts)
    repo.ok("init", "--db", "framework.db")
    repo.ok("sync")
    return repo


def retitle(repo: EpicRepo, count: int) -> None:
    for number in range(count):
        path = repo.directory / f"{number}.json"
        whole = json.loads(path.read_bytes())
        whole["epic"]["tasks"][1]["title"] += "!"
        path.write_text(json.dumps(whole, indent=2), encoding="utf-8")


def synced(repo: EpicRepo, monkeypatch: pytest.MonkeyPatch, command: str = "sync") -> Seen:
    with watching(monkeypatch) as seen:
        repo.ok(command)
    return seen


@pytest.mark.parametrize("count", [1, EPICS])
def test_nothing_is_decided_with_the_lock(many: EpicRepo, monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    retitle(many, count)
    many.sql("UPDATE framework_tasks SET description = 'theirs' WHERE task_key LIKE '%.4'")
    seen = synced(many, monkeypatch)
    assert seen.locked["run"]
    assert {name: seen.locked[name] for name in DECIDING} == dict.fromkeys(DECIDING, 0)
    assert seen.free["plan_epic"] == EPICS
    assert seen.free["rewrite"] == EPICS
    assert len(seen.writes("framework_tasks")) == count
    assert many.json("status")["clean"]


def test_an_epic_more_is_one_statement_more(many: EpicRepo, monkeypatch: pytest.MonkeyPatch) -> None:
    found = []
    for count in (1, 4):
        retitle(many, count)
        seen = synced(many, monkeypatch, "push")
        found.append([text for text in seen.statements if not text.startswith("PRAGMA")])
    # one to write the row, one to read it for the new state
    assert len(found[1]) - len(found[0]) == 2 * (4 - 1)


def test_only_rows_that_are_written_are_read(many: EpicRepo, monkeypatch: pytest.MonkeyPatch) -> None:
    many.sql(
        "CREATE TRIGGER stamp AFTER UPDATE ON framework_tasks BEGIN"
        " UPDATE framework_epics SET points_earned = points_earned + 1 WHERE id = NEW.epic_id; END"
    )
    many.ok("commit", "-m", "a trigger")
    retitle(many, 3)
    seen = synced(many, monkeypatch)
    assert seen.locked["rows_seen"] == seen.locked["rows_said"] == 0, "no whole epic is read"
    assert seen.locked["row_said"] == 2 * 2 * 3, "an epic's own row and one task of each, before and after"
    assert many.json("status")["clean"]


def test_new_epics_are_planned_by_nobody(many: EpicRepo, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(EPICS, EPICS + 3):
        (many.directory / f"{number}.json").write_text(json.dumps(epic(number), indent=2), encoding="utf-8")
    seen = synced(many, monkeypatch, "push")
    assert seen.free["plan_epic"] == seen.locked["plan_epic"] == 0
    assert (seen.free["new_epic"], seen.locked["new_epic"]) == (3, 0)
    assert seen.locked["decode_epic"] == 0, "cells alone certify what was inserted"
    assert many.one("SELECT count(*) FROM framework_tasks") == (EPICS + 3) * 5
    assert many.json("status")["clean"]


def test_a_checkout_stages_its_files_before_the_lock(many: EpicRepo, monkeypatch: pytest.MonkeyPatch) -> None:
    retitle(many, 3)
    many.ok("sync")
    with watching(monkeypatch) as seen:
        many.ok("checkout", "HEAD~1")
    assert (seen.free["stage_file"], seen.locked["stage_file"]) == (3, 0)
    assert many.one("SELECT title FROM framework_tasks WHERE task_key = '2.2'") == "task 2"


@pytest.mark.parametrize("kept", [0, dbside.KEPT_BYTES])
def test_going_back_compares_before_the_lock(many: EpicRepo, monkeypatch: pytest.MonkeyPatch, kept: int) -> None:
    monkeypatch.setattr(dbside, "KEPT_BYTES", kept)
    retitle(many, EPICS)
    many.ok("sync")
    with watching(monkeypatch) as seen:
        many.ok("undo")
    assert seen.free["diff"]
    assert seen.locked["diff"] == 0
    assert (seen.locked["decode_row"] == 0) == (kept == 0), "what is many is decoded and bound before"
    assert many.one("SELECT count(*) FROM framework_tasks WHERE title LIKE '%!'") == 0


def test_a_table_that_goes_empty_is_emptied_at_once(many: EpicRepo, monkeypatch: pytest.MonkeyPatch) -> None:
    with watching(monkeypatch) as seen:
        many.ok("undo")
    assert many.one("SELECT count(*) FROM framework_tasks") == 0
    for table in ("framework_epics", "framework_tasks"):
        assert [text for text in seen.writes(table) if "sqlite_sequence" not in text] == [f'DELETE FROM main."{table}"']
    many.ok("redo")
    assert many.json("status")["clean"]


def interfering(monkeypatch: pytest.MonkeyPatch, repo: EpicRepo, statements: Iterator[str]) -> None:
    """Let the application commit a statement whenever the lock is about to be taken, until there are no more."""
    begin = opening.begin_writing

    def begin_writing(*arguments: object, **options: object) -> object:
        statement = next(statements, None)
        if statement is not None:
            repo.sql(statement)
        return begin(*arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(opening, "begin_writing", begin_writing)


def test_rows_that_somebody_changed_meanwhile_are_planned_again(
    many: EpicRepo, monkeypatch: pytest.MonkeyPatch
) -> None:
    retitle(many, 2)
    statement = "UPDATE framework_tasks SET description = 'meanwhile' WHERE task_key = '0.5'"
    with monkeypatch.context() as patch:
        interfering(patch, many, iter([statement]))
        seen = synced(many, patch)
    assert seen.free["plan_epic"] >= 4, "both epics twice"
    assert many.one("SELECT title FROM framework_tasks WHERE task_key = '0.2'") == "task 2!"
    assert many.file_task("0", "0.5")["description"] == "meanwhile"
    assert many.json("status")["clean"]


def test_a_row_of_another_epic_may_change_meanwhile(many: EpicRepo, monkeypatch: pytest.MonkeyPatch) -> None:
    retitle(many, 1)
    # each attempt but the last meets another state of the database, and rows that are none of its business
    texts = (f"UPDATE framework_tasks SET description = 'no {n}' WHERE task_key = '7.1'" for n in range(100))
    with monkeypatch.context() as patch:
        interfering(patch, many, texts)
        many.ok("push")
    assert many.one("SELECT title FROM framework_tasks WHERE task_key = '0.2'") == "task 2!"
    states = {each["id"]: each["db"] for each in many.json("status")["epics"]}
    assert states == {"7": "modified"}


def test_a_trigger_that_changes_what_was_pushed_is_found(many: EpicRepo) -> None:
    many.sql(
        "CREATE TRIGGER meddling AFTER UPDATE OF title ON framework_tasks BEGIN"
        " UPDATE framework_tasks SET risk = 'meddled' WHERE epic_id = NEW.epic_id AND task_key LIKE '%.5'; END"
    )
    many.ok("commit", "-m", "a trigger")
    retitle(many, 1)
    assert "0:tasks/0.5/risk" in many.refused(4, "push")


def test_a_trigger_that_writes_the_same_otherwise_is_accepted(many: EpicRepo) -> None:
    many.sql(
        "CREATE TRIGGER spacing AFTER UPDATE OF acceptance_criteria ON framework_tasks BEGIN"
        " UPDATE framework_tasks SET acceptance_criteria = json(NEW.acceptance_criteria) WHERE id = NEW.id; END"
    )
    many.ok("commit", "-m", "a trigger")
    path = many.directory / "0.json"
    whole = json.loads(path.read_bytes())
    whole["epic"]["tasks"][0]["acceptance_criteria"] = ["one", "two"]
    path.write_text(json.dumps(whole, indent=2), encoding="utf-8")
    many.ok("push")
    assert many.one("SELECT acceptance_criteria FROM framework_tasks WHERE task_key = '0.1'") == '["one","two"]'
    assert many.json("status")["clean"]


def test_the_watch_sees_what_it_is_for() -> None:
    assert (ROOT / "epicvc").samefile(Path(opening.__file__).parents[2])
