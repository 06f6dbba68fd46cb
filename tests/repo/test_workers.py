"""Worker processes save time and change nothing: not what is read, not what goes wrong, not how it ends."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support.epics import task, write_epics
from support.repos import NO_FACTS, EpicRepo

from epicvc.repo import dbside, workers
from epicvc.repo.workers import Workers
from epicvc.store.store import Store


@pytest.fixture
def many(monkeypatch: pytest.MonkeyPatch) -> None:
    """One file is many already."""
    monkeypatch.setattr(workers, "LEAST", 1)
    monkeypatch.setattr(workers, "PORTION", 2)
    monkeypatch.setattr(workers, "processors", lambda: 2)


def snapshot(repo: EpicRepo) -> dict[str, Any]:
    """HEAD's snapshot, as the store has it."""
    commit = json.loads(_object(repo, bytes.fromhex(repo.head()), 7))
    found: dict[str, Any] = json.loads(_object(repo, bytes.fromhex(commit["snapshot"]), 6))
    return found


def _object(repo: EpicRepo, oid: bytes, kind: Any) -> bytes:
    with Store.open(repo.root / ".epicvc" / "store.db") as store:
        return store.get(oid, kind)


def made(root: Path) -> EpicRepo:
    """A repo whose epics went from files into an empty database, by the ordinary commands."""
    root.mkdir()
    write_epics(root / "epics")
    odd = {"id": "odd", "name": "Odd", "tdd_enabled": True, "goals": ["é", 1.5, {"a": None}], "unknown": 10**30}
    odd["tasks"] = [task("odd.1", "one", dependencies=["odd.2"]), task("odd.2", "two", estimate_minutes=15)]
    (root / "epics" / "odd.json").write_text(json.dumps(odd))
    repo = EpicRepo(root, NO_FACTS)
    repo.ok("init", "--files", "epics", "--db", "framework.db")
    repo.ok("sync")
    return repo


def test_everything_is_as_without_workers(
    tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = made(tmp_path / "alone")
    request.getfixturevalue("many")
    answers: list[Any] = []
    unpack = workers._answers
    monkeypatch.setattr(workers, "_answers", lambda *asked: answers.extend(found := unpack(*asked)) or found)
    helped = made(tmp_path / "helped")
    assert sum(len(answer) == 4 for answer in answers if answer) > 4, "nobody helped"
    one, other = snapshot(alone), snapshot(helped)
    assert (one["files"], one["base"]) == (other["files"], other["base"])
    columns = "task_key, task_sequence, title, description, estimate_minutes, acceptance_criteria, test_specs, risk"
    query = f"SELECT {columns} FROM framework_tasks ORDER BY id"
    assert alone.sql(query) == helped.sql(query)
    assert helped.json("status")["clean"]


@pytest.mark.usefixtures("many")
def test_what_a_worker_leaves_is_done_here(tmp_path: Path) -> None:
    repo = made(tmp_path / "repo")
    (repo.root / "epics" / "new.json").write_text('{"id": "new", "name": "New"}')
    (repo.root / "epics" / "template.json").write_text('{"id": "[EPIC-ID]", "name": "T"}')
    repo.ok("sync")
    assert repo.one("SELECT name FROM framework_epics WHERE epic_key = 'new'") == "New"
    (repo.root / "epics" / "broken.json").write_text('{"id": "broken"')
    assert "broken.json" in repo.refused(4, "sync", naming="broken.json")


@pytest.mark.usefixtures("many")
def test_a_file_that_is_saved_while_processes_read_ahead_is_as_it_was_saved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The database is captured between what the processes read and what counts."""
    repo = made(tmp_path / "repo")
    (repo.root / "epics" / "odd.json").write_text('{"id": "odd", "name": "At first"}')
    capture, answered = dbside.capture, Workers.all

    def saving(*arguments: Any) -> Any:
        (repo.root / "epics" / "odd.json").write_text('{"id": "odd", "name": "In the end"}')
        return capture(*arguments)

    monkeypatch.setattr(Workers, "all", lambda crew, items: iter(list(answered(crew, items))))
    monkeypatch.setattr(dbside, "capture", saving)
    repo.sql("UPDATE framework_epics SET priority = 'low' WHERE epic_key = 'odd'")
    repo.ok("sync")
    assert repo.one("SELECT name FROM framework_epics WHERE epic_key = 'odd'") == "In the end"
    assert repo.json("status")["clean"]


def chore(tmp_path: Path) -> Workers:
    (tmp_path / "a.json").write_text('{"id": "a", "name": "A"}')
    from epicvc.model.mapping import BUILTIN

    return Workers("identify", {"root": os.fspath(tmp_path), "mapping": BUILTIN.to_json()})


@pytest.mark.usefixtures("many")
def test_answers_come_in_order(tmp_path: Path) -> None:
    for number in range(40):
        (tmp_path / f"{number}.json").write_text(f'{{"id": "{number}", "name": "N"}}')
    names = [f"{number}.json" for number in range(40)]
    with chore(tmp_path) as crew:
        answers = list(crew.map([*names, "missing.json"]))
        assert list(crew.all([*names, "missing.json"])) == answers
    assert [answer[1] for answer in answers[:40]] == [str(number) for number in range(40)]
    assert answers[40] is None


@pytest.mark.usefixtures("many")
def test_workers_that_die_or_never_start_leave_their_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with chore(tmp_path) as crew:
        for process in crew._processes:
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
        assert list(crew.map(["a.json"] * 5)) == list(crew.all(["a.json"] * 5)) == [None] * 5
    monkeypatch.setattr(workers.sys, "executable", os.fspath(tmp_path / "no-python"))
    with chore(tmp_path) as crew:
        assert list(crew.map(["a.json"] * 5)) == [None] * 5


@pytest.mark.usefixtures("many")
@pytest.mark.parametrize("asked", [Workers.map, Workers.all])
def test_no_worker_outlives_its_work(tmp_path: Path, asked: Callable[..., Iterator[object]]) -> None:
    with pytest.raises(KeyboardInterrupt), chore(tmp_path) as crew:
        next(asked(crew, ["a.json"] * 50))
        processes = list(crew._processes)
        raise KeyboardInterrupt
    assert processes
    assert all(process.poll() is not None for process in processes)
