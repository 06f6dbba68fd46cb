"""One bad file or row stops its own epic and no other; what is deleted meanwhile is deleted once all can be read."""

from __future__ import annotations

import json
import random
import re
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.repos import NO_FACTS, EpicRepo

Change = tuple[Callable[[], object], Callable[[], object]]
"""Breaks something, and mends it."""


@pytest.fixture(scope="module")
def schema(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The built-in tables, but with room for two rows of one key."""
    repo = EpicRepo(tmp_path_factory.mktemp("schema"), NO_FACTS)
    repo.directory.mkdir()
    repo.ok("init", "--db", "framework.db")
    rows = repo.sql("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE '\\_%' ESCAPE '\\'")
    unique = re.compile(r",\s*UNIQUE\s*\([^)]*\)|\bUNIQUE\b")
    return [unique.sub("", str(sql)) for (sql,) in rows]


@pytest.fixture
def shelf(tmp_path: Path, schema: list[str]) -> EpicRepo:
    """Eight epics of three tasks, in sync."""
    repo = EpicRepo(tmp_path / "shelf", NO_FACTS)
    repo.directory.mkdir(parents=True)
    for number in map(str, range(1, 9)):
        tasks = [{"id": f"{number}.{task}", "title": f"task {task}"} for task in "123"]
        write(repo, number, {"id": number, "name": f"epic {number}", "tasks": tasks})
    connection = sqlite3.connect(repo.database)
    for sql in schema:
        if not sql.startswith("CREATE TABLE sqlite_"):
            connection.execute(sql)
    connection.close()
    repo.ok("init")
    repo.ok("sync")
    return repo


def path_of(repo: EpicRepo, epic: str) -> Path:
    return repo.directory / f"plan-{epic}.json"


def write(repo: EpicRepo, epic: str, value: Any) -> None:
    path_of(repo, epic).write_text(json.dumps(value, indent=1), encoding="utf-8")


def edit(repo: EpicRepo, epic: str, change: Callable[[dict[str, Any]], object]) -> None:
    """Edit an epic's file."""
    value = json.loads(path_of(repo, epic).read_bytes())
    change(value)
    write(repo, epic, value)


def names(repo: EpicRepo) -> tuple[dict[str, set[str]], dict[str, set[str]]]:
    """The tasks of each epic that can be read, in the files and in the database."""
    files = {}
    for path in repo.directory.glob("*.json"):
        try:
            value = json.loads(path.read_bytes())
            value = value.get("epic", value)
            files[str(value["id"])] = {task["id"] for task in value.get("tasks", ())}
        except (ValueError, KeyError, TypeError, AttributeError):
            continue
    alive = "deleted_at IS NULL AND status != 'deleted'"
    rows = {key: set[str]() for (key,) in repo.sql(f"SELECT epic_key FROM framework_epics WHERE {alive}")}
    owned = "SELECT e.epic_key, t.task_key FROM framework_tasks t JOIN framework_epics e ON e.id = t.epic_id"
    for epic, key in repo.sql(f"{owned} WHERE t.deleted_at IS NULL AND t.status != 'deleted'"):
        rows.setdefault(epic, set()).add(key)
    return files, rows


# What may be wrong with an epic


def _bytes(broken: Callable[[bytes, random.Random], bytes]) -> Callable[[EpicRepo, str, random.Random], Change]:
    def make(repo: EpicRepo, epic: str, chance: random.Random) -> Change:
        path, good = path_of(repo, epic), path_of(repo, epic).read_bytes()
        return lambda: path.write_bytes(broken(good, chance)), lambda: path.write_bytes(good)

    return make


def _twin(repo: EpicRepo, epic: str, _: random.Random) -> Change:
    path = repo.directory / f"another {epic}.json"
    return lambda: path.write_bytes(path_of(repo, epic).read_bytes()), path.unlink


def _cell(table: str, column: str, value: object) -> Callable[[EpicRepo, str, random.Random], Change]:
    key = "epic_key" if table == "framework_epics" else "task_key"

    def make(repo: EpicRepo, epic: str, _: random.Random) -> Change:
        name = epic if key == "epic_key" else f"{epic}.1"
        ((row, good),) = repo.sql(f"SELECT id, {column} FROM {table} WHERE {key} = ?", name)

        def put(cell: object) -> None:
            repo.sql(f"UPDATE {table} SET {column} = ? WHERE id = ?", cell, row)

        return lambda: put(value), lambda: put(good)

    return make


def _second_row(repo: EpicRepo, epic: str, _: random.Random) -> Change:
    add = "INSERT INTO framework_epics (epic_key, name) VALUES (?, 'a second one')"
    return (
        lambda: repo.sql(add, epic),
        lambda: repo.sql("DELETE FROM framework_epics WHERE epic_key = ? AND name = 'a second one'", epic),
    )


def _second_task(repo: EpicRepo, epic: str, _: random.Random) -> Change:
    add = "INSERT INTO framework_tasks (task_key, epic_id, title) SELECT ?, id, 'second' FROM framework_epics"
    return (
        lambda: repo.sql(f"{add} WHERE epic_key = ?", f"{epic}.1", epic),
        lambda: repo.sql("DELETE FROM framework_tasks WHERE title = 'second' AND task_key = ?", f"{epic}.1"),
    )


IN_FILES = {
    "cut off": _bytes(lambda good, chance: good[: chance.randrange(len(good) - 1)]),
    "empty": _bytes(lambda _good, _chance: b""),
    "bytes": _bytes(lambda _good, chance: b"{" + chance.randbytes(40)),
    "markers": _bytes(lambda good, _: b"<<<<<<< ours\n" + good),
    "a number for the name": _bytes(lambda good, _: re.sub(rb'"name": "[^"]*"', b'"name": 5', good)),
    "no id": _bytes(lambda good, _: good.replace(b'"id"', b'"ID"', 1)),
    "tasks that are no list": _bytes(lambda good, _: good.replace(b'"tasks": [', b'"tasks": 1, "x": [')),
    "a list": _bytes(lambda _good, _chance: b"[]"),
    "a twin": _twin,
}
IN_ROWS = {
    "no JSON": _cell("framework_epics", "goals", "nope"),
    "no truth": _cell("framework_epics", "tdd_enabled", "maybe"),
    "no text": _cell("framework_epics", "name", b"\x00\xff"),
    "an empty key": _cell("framework_epics", "epic_key", ""),
    "a number of words": _cell("framework_tasks", "estimate_minutes", "many"),
    "a task without a key": _cell("framework_tasks", "task_key", ""),
    "a second row": _second_row,
    "a second task": _second_task,
}
EVERY = {**IN_FILES, **IN_ROWS}


@pytest.mark.parametrize("how", EVERY)
def test_all_others_go_on(shelf: EpicRepo, how: str) -> None:
    """One side deletes an epic and a task of another meanwhile, and both sides edit."""
    bad, mend = EVERY[how](shelf, "3", random.Random(how))
    bad()
    edit(shelf, "1", lambda body: body.update(name="by the author"))
    edit(shelf, "2", lambda body: body["tasks"].pop())
    path_of(shelf, "4").unlink()
    shelf.sql("UPDATE framework_epics SET name = 'by the application' WHERE epic_key = '5'")
    shelf.sql("DELETE FROM framework_tasks WHERE task_key = '6.1'")
    before, files, bytes_before = names(shelf), shelf.files(), path_of(shelf, "3").read_bytes()
    planned = shelf.json("sync", "--dry-run", code=4)
    report = shelf.json("sync", code=4)
    assert [report[name] for name in ("to_files", "to_db", "errors", "waiting")] == [
        planned[name] for name in ("to_files", "to_db", "errors", "waiting")
    ]
    assert [error["label"] is not None or error["path"] is not None for error in report["errors"]] == [True]
    assert shelf.one("SELECT name FROM framework_epics WHERE epic_key = '1'") == "by the author"
    assert json.loads(path_of(shelf, "5").read_bytes())["name"] == "by the application"
    assert path_of(shelf, "3").read_bytes() == bytes_before
    after = names(shelf)
    if how in IN_FILES:
        assert after[1] == before[1]
        assert {"2:tasks/2.3", "4"} <= set(report["waiting"])
        assert "6.1" not in after[0]["6"]
    else:
        assert shelf.files().keys() == files.keys()
        assert after[0] == before[0]
        assert "6:tasks/6.1" in report["waiting"]
        assert ("4" in after[1], "2.3" in after[1]["2"]) == (False, False)
    status = shelf.json("status")
    assert (status["in_sync"], status["errors"], status["clean"]) == (False, report["errors"], True)
    assert shelf.json("diff")["errors"] == report["errors"]
    marks = [line.split()[0][2] for line in shelf.ok("status", "--porcelain").out.splitlines()]
    assert marks.count("?") == 1
    assert shelf.run("status", "--exit-code").code == shelf.run("diff", "--exit-code").code == 4
    again = shelf.json("sync", code=4)
    assert (again["commit"], again["to_files"], again["to_db"], again["conflicts"]) == (None, 0, 0, [])
    mend()
    assert not shelf.json("status")["errors"]
    shelf.ok("sync")
    files_now, rows_now = names(shelf)
    assert files_now == rows_now
    assert "4" not in rows_now
    assert ("2.3" in rows_now["2"], "6.1" in rows_now["6"], "3" in rows_now) == (False, False, True)
    assert shelf.json("status")["in_sync"] is True


@pytest.mark.parametrize("how", EVERY)
def test_a_commit_has_it_byte_for_byte(shelf: EpicRepo, how: str) -> None:
    bad, mend = EVERY[how](shelf, "3", random.Random(how))
    bad()
    shelf.ok("commit", "-m", "as it is")
    files, dump = shelf.files(), shelf.dump()
    errors = shelf.json("status")["errors"]
    mend()
    shelf.ok("commit", "-m", "mended")
    shelf.ok("checkout", "HEAD~1")
    assert (shelf.files(), shelf.dump()) == (files, dump)
    assert shelf.json("status")["errors"] == errors
    shelf.ok("undo")
    assert shelf.json("status")["in_sync"] is True
    assert shelf.json("fsck")["problems"] == []


# Any mix of it


@pytest.mark.parametrize("seed", range(5))
def test_any_mix(shelf: EpicRepo, seed: int) -> None:
    _mixed(shelf, random.Random(seed))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(5, 200))
def test_any_mix_of_many(shelf: EpicRepo, seed: int) -> None:
    _mixed(shelf, random.Random(seed))


def _mixed(repo: EpicRepo, chance: random.Random) -> None:
    """Break some epics, edit others on both sides, delete and add; then mend everything."""
    epics = list(map(str, range(1, 9)))
    broken = chance.sample(epics, chance.randint(1, 4))
    changes = [chance.choice([*EVERY.values()])(repo, epic, chance) for epic in broken]
    for bad, _ in changes:
        bad()
    others = [epic for epic in epics if epic not in broken]
    gone: dict[str, set[str]] = {"files": set(), "db": set()}
    for epic in chance.sample(others, len(others)):
        match chance.randrange(7):
            case 0:
                edit(repo, epic, lambda body: body.update(name="edited"))
            case 1:
                repo.sql("UPDATE framework_epics SET summary = 'edited' WHERE epic_key = ?", epic)
            case 2:
                edit(repo, epic, lambda body: body["tasks"].pop(0))
                gone["files"].add(f"{epic}.1")
            case 3:
                repo.sql("DELETE FROM framework_tasks WHERE task_key = ?", f"{epic}.2")
                gone["db"].add(f"{epic}.2")
            case 4:
                edit(repo, epic, lambda body, key=epic: body["tasks"].append({"id": f"{key}.new", "title": "new"}))
            case 5 if chance.random() < 0.5:
                path_of(repo, epic).unlink()
                gone["files"].add(epic)
            case _:
                pass
    write(repo, "9", {"id": "9", "name": "new here", "tasks": []})
    repo.sql("INSERT INTO framework_epics (epic_key, name) VALUES ('10', 'new there')")
    before = names(repo)
    if chance.random() < 0.3:
        repo.ok("commit", "-m", "as it is")
    report = repo.json("sync", code=4)
    assert not report["conflicts"]
    after = names(repo)
    files_bad, rows_bad = (
        any(error["path"] for error in report["errors"]),
        any(not e["path"] for e in report["errors"]),
    )
    for side, was, now, blind in (("db", before[1], after[1], files_bad), ("files", before[0], after[0], rows_bad)):
        other = gone["files" if side == "db" else "db"]
        for epic, tasks in was.items():
            assert epic in now or (epic in other and not blind), (side, epic)
            assert tasks - now.get(epic, set()) <= (set() if blind else {*other, *(tasks if epic in other else ())})
    assert "9" in after[1]
    assert "10" in after[0] or "10" in report["waiting"]
    for epic in others:
        if epic in after[0] and epic in after[1] and not gone["files"] | gone["db"]:
            assert after[0][epic] == after[1][epic]
    again = repo.json("sync", code=4)
    assert (again["commit"], again["errors"]) == (None, report["errors"])
    for _, mend in changes:
        mend()
    assert not repo.json("sync")["errors"]
    assert repo.json("status")["in_sync"] is True
    files, rows = names(repo)
    assert files == rows
    everything = {*files, *(task for tasks in files.values() for task in tasks)}
    assert not everything & (gone["files"] | gone["db"])
    assert {"9", "10", *broken} <= files.keys()
