"""Worker processes save time and change nothing: not what is read, not what goes wrong, not how it ends."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import msgspec
import pytest
from support.epics import task, write_epics
from support.repos import NO_FACTS, EpicRepo

from epicvc.repo.files import filereading, workers
from epicvc.repo.files.workers import WorkerAnswers, Workers
from epicvc.repo.history.objects import DatabaseState
from epicvc.repo.rows import dbcapture, dbside
from epicvc.store.store import Store
from epicvc.store.tree import tree


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
    said = repo.run("sync")
    assert (said.code, "broken.json:1:16: " in said.out + said.err) == (4, True)


@pytest.mark.usefixtures("many")
def test_a_file_that_is_saved_while_processes_read_ahead_is_as_it_was_saved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The database is captured between what the processes read and what counts."""
    repo = made(tmp_path / "repo")
    (repo.root / "epics" / "odd.json").write_text('{"id": "odd", "name": "At first"}')
    answer_at_once(monkeypatch)
    last = '{"id": "odd", "name": "In the end"}'
    during_capture(monkeypatch, lambda: (repo.root / "epics" / "odd.json").write_text(last))
    repo.sql("UPDATE framework_epics SET priority = 'low' WHERE epic_key = 'odd'")
    repo.ok("sync")
    assert repo.one("SELECT name FROM framework_epics WHERE epic_key = 'odd'") == "In the end"
    assert repo.json("status")["clean"]


def answer_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever asks about many files has all answers, so that nothing depends on who is quicker."""
    ask = Workers.all

    def answered(crew: Workers, items: Sequence[Any]) -> WorkerAnswers:
        answers = ask(crew, items)
        for _, future in answers._asked:
            future.result()
        return answers

    monkeypatch.setattr(Workers, "all", answered)


@pytest.fixture
def unknown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> EpicRepo:
    """A repo that remembers nothing of its sides, and goes on with the files at each row of the database."""
    repo = made(tmp_path / "repo")
    for name in ("files.cache", "database.cache", "database.mark"):
        (repo.root / ".epicvc" / name).unlink(missing_ok=True)
    answer_at_once(monkeypatch)
    monkeypatch.setattr(dbside, "TELL_EVERY", 1)
    return repo


def during_capture(monkeypatch: pytest.MonkeyPatch, happens: Callable[[], object]) -> None:
    """Have something happen when the capture of the database begins."""
    capture = dbside.capture

    def capturing(*arguments: Any) -> Any:
        happens()
        return capture(*arguments)

    monkeypatch.setattr(dbside, "capture", capturing)


def after_reading(monkeypatch: pytest.MonkeyPatch, happens: Callable[[str], None]) -> None:
    """Have something happen whenever a file has been read here."""
    read = filereading.read_below

    def reading(root: Path, path: str, *limits: int) -> bytes:
        data = read(root, path, *limits)
        happens(path)
        return data

    monkeypatch.setattr(filereading, "read_below", reading)


@pytest.mark.usefixtures("many")
def test_files_are_read_while_the_database_is_captured(unknown: EpicRepo, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = list[str]()
    build = tree.build

    def building(*arguments: Any) -> Any:
        root = build(*arguments)
        seen.append("tree")
        return root

    after_reading(monkeypatch, lambda _: seen.append("file"))
    monkeypatch.setattr(dbside.tree, "build", building)
    assert unknown.json("status")["clean"]
    assert seen.count("file") == len(list((unknown.root / "epics").rglob("*.json")))
    assert set(seen[: seen.index("tree")]) == {"file"}


@pytest.mark.usefixtures("many")
def test_a_file_that_goes_while_the_database_is_captured_is_gone(
    unknown: EpicRepo, monkeypatch: pytest.MonkeyPatch
) -> None:
    odd = unknown.root / "epics" / "odd.json"
    during_capture(monkeypatch, lambda: odd.unlink(missing_ok=True))
    unknown.ok("sync")
    assert unknown.one("SELECT count(*) FROM framework_epics WHERE epic_key = 'odd' AND deleted_at IS NULL") == 0
    assert unknown.json("status")["clean"]


@pytest.mark.usefixtures("many")
def test_a_file_that_cannot_be_read_while_the_database_is_captured_is_an_error(
    unknown: EpicRepo, monkeypatch: pytest.MonkeyPatch
) -> None:
    odd = unknown.root / "epics" / "odd.json"

    def replaced() -> None:
        odd.unlink()
        odd.symlink_to("elsewhere.json")

    during_capture(monkeypatch, replaced)
    result = unknown.run("sync")
    assert (result.code, result.out) == (6, "")
    assert "odd.json: a symlink, which is not followed" in result.err


@pytest.mark.usefixtures("many")
@pytest.mark.parametrize("told", range(1, 8))
def test_files_that_change_while_the_database_is_captured_are_as_they_are_in_the_end(
    unknown: EpicRepo, monkeypatch: pytest.MonkeyPatch, told: int
) -> None:
    """Some are read before the change and some after it: what counts must have been there at one time."""
    first, last = (unknown.root / "epics" / name for name in ("epico_1.json", "epico_5.json"))
    rows = 0

    def swap(_: str) -> None:
        nonlocal rows
        rows += 1
        if rows == told:
            spare = first.with_suffix(".spare")
            first.rename(spare)
            last.rename(first)
            spare.rename(last)

    after_reading(monkeypatch, swap)
    before = unknown.sql("SELECT epic_key, name FROM framework_epics ORDER BY id")
    unknown.ok("sync")
    assert rows > told
    assert unknown.sql("SELECT epic_key, name FROM framework_epics ORDER BY id") == before
    unknown.ok("commit", "-m", "swapped")
    assert unknown.json("status")["clean"]


@pytest.mark.usefixtures("many")
def test_what_is_wrong_with_a_file_is_told_once_and_as_it_is_in_the_end(
    unknown: EpicRepo, monkeypatch: pytest.MonkeyPatch
) -> None:
    odd = unknown.root / "epics" / "odd.json"
    good = odd.read_bytes()
    odd.write_text("{")
    mended = unknown.root / "epics" / "broken.json"
    mended.write_text("[")
    later = {"broken.json": '{"id": "mended", "name": "M"}', "odd.json": '{"id": "odd"'}

    def save(path: str) -> None:
        if path in later:
            (unknown.root / "epics" / path).write_text(later[path])

    read = filereading.read_below
    after_reading(monkeypatch, save)
    (error,) = unknown.json("status")["errors"]
    assert error["message"] == "epics/odd.json:1:13: the text ends too early"
    monkeypatch.setattr(filereading, "read_below", read)
    odd.write_bytes(good)
    unknown.ok("sync")
    assert unknown.one("SELECT name FROM framework_epics WHERE epic_key = 'mended'") == "M"


def test_a_processor_is_left_to_a_capture_of_the_whole_database_only(
    unknown: EpicRepo, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = list[bool]()
    begin = Workers.__init__

    def noted(crew: Workers, chore: str, setup: object, *, beside: bool = False) -> None:
        asked.append(beside)
        begin(crew, chore, setup, beside=beside)

    monkeypatch.setattr(workers, "LEAST", 1)
    monkeypatch.setattr(workers, "processors", lambda: 2)
    monkeypatch.setattr(Workers, "__init__", noted)
    states, capture = list[DatabaseState](), dbside.capture
    monkeypatch.setattr(dbside, "capture", lambda *given: states.append(found := capture(*given)) or found)
    unknown.ok("commit", "-m", "m", "--allow-empty")
    (unknown.root / ".epicvc" / "files.cache").unlink()
    monkeypatch.setattr(dbcapture, "recalled", lambda *_: states[0])
    unknown.ok("commit", "-m", "m", "--allow-empty")
    assert asked == [True, False]
    assert len(states) == 1


def test_who_is_awaited_is_not_asked_yet() -> None:
    soon, late = Future[bytes | None](), Future[bytes | None]()
    answers = WorkerAnswers([(["a", "b"], soon), (["c"], late)])
    assert answers.awaited
    soon.set_result(msgspec.msgpack.encode([1, 2]))
    assert not answers.awaited
    assert [next(answers), answers.awaited, next(answers), answers.awaited] == [1, False, 2, True]
    late.set_result(None)
    assert [answers.awaited, list(answers), answers.awaited] == [False, [None], False]


def chore(tmp_path: Path) -> Workers:
    (tmp_path / "a.json").write_text('{"id": "a", "name": "A"}')
    from epicvc.model.mapping import BUILTIN

    return Workers("identify", {"root": os.fspath(tmp_path), "mapping": BUILTIN.to_json(), "file_size": 1_000_000})


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
