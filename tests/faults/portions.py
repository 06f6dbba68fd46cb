"""A run of several portions, interrupted: between two of them a third state is right, so it has its own oracle."""

from __future__ import annotations

import json
from pathlib import Path

from support.repos import EpicRepo, Facts

from faults.client import Answer, Fault, Mode

EPICS = 8
FACTS = Facts("portions", "00", "00.json", (), "01", "01.json", (), "", {})
TABLES = ("framework_epics", "framework_tasks", "task_dependencies")
COLUMNS = {"framework_epics": "id, epic_key, name, summary", "framework_tasks": "id, epic_id, task_key, title"}


def small() -> None:
    """Have two epics fill a portion, in the child that calls this."""
    from epicvc.actions.sync import newepics

    newepics.PORTION = 13


def packed() -> None:
    """The same, in parcels."""
    from epicvc.repo.files import workers

    small()
    workers.LEAST = 1


def _epic(number: int) -> dict[str, object]:
    tasks = [
        {"id": f"{number}.{n}", "title": f"task {n}", "dependencies": [f"{number - 1}.{n}", f"{number + 1}.{n}"]}
        for n in range(1, 3)
    ]
    return {"epic": {"id": f"{number:02}", "name": f"epic {number}", "tasks": tasks}}


def make(root: Path, *, wal: bool) -> EpicRepo:
    """A repo in which one epic was changed on both sides, and many are in the files alone."""
    repo = EpicRepo(root / "repo", FACTS)
    repo.directory.mkdir(parents=True)
    for numbers in (range(1), range(1, EPICS + 1)):
        for number in numbers:
            (repo.directory / f"{number:02}.json").write_text(json.dumps(_epic(number), indent=2), encoding="utf-8")
            repo.facts.paths[f"{number:02}"] = f"{number:02}.json"
        if len(numbers) == 1:
            repo.ok("init", "--db", "framework.db")
            repo.sql(f"PRAGMA journal_mode={'wal' if wal else 'delete'}")
            repo.ok("sync")
    repo.rewrite("00", lambda body: body.update(name="Renamed"))
    repo.sql("UPDATE framework_epics SET summary = 'theirs' WHERE epic_key = '00'")
    return repo


def sides(repo: EpicRepo) -> tuple[dict[str, bytes], list[str]]:
    """Both sides to the byte, but for how the database writes its journal."""
    return repo.files(), [line for line in repo.dump() if "journal_mode" not in line]


def rows(repo: EpicRepo) -> list[object]:
    """The rows without the times at which they were made."""
    return [
        repo.sql(f"SELECT {COLUMNS.get(table, 'id, task_id, depends_on_task_key')} FROM {table} ORDER BY id")
        for table in TABLES
    ]


def judge(root: Path, before: EpicRepo, after: EpicRepo, fault: Fault, answer: Answer) -> str:
    """Look at what a run with a fault left; use it up.

    Args:
        root: where it is.
        before: the state before the run.
        after: the state after one without a fault.
        fault: what was injected.
        answer: how it ended.

    Returns:
        How it ended: ``killed``, ``done``, ``old``, or what the error said.
    """
    repo = EpicRepo(root / "repo", before.facts)
    killed = answer.signal == 9 and fault.mode in (Mode.KILL, Mode.TORN)  # the point may lie behind the last call
    assert killed or answer.code in ((0,) if fault.mode in (Mode.KILL, Mode.TORN) else (0, 6)), answer
    said = answer.err or ""
    end = "killed" if killed else "done" if answer.code == 0 else "old"
    if end == "old":
        end = next((words for words in ("still there", "unfinished") if words in said), end)
    if end == "old":
        assert sides(repo) == sides(before), said
    repo.ok("doctor", "--repair")
    repo.ok("fsck", "--full")
    if end != "done":
        there = repo.one("SELECT count(*) FROM framework_epics") - 1
        ahead = {item["id"] for item in repo.json("status")["epics"]} - {"00"}
        assert ahead == {f"{number:02}" for number in range(there + 1, EPICS + 1)}, said
    repo.ok("sync")
    status = repo.json("status")
    assert status["clean"]
    assert status["in_sync"]
    assert (repo.files(), rows(repo)) == (after.files(), rows(after))
    return end
