"""Capturing a database on top of what is remembered of it gives what reading all of it gives."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.epics import write_epics
from support.repos import NO_FACTS, EpicRepo

from epicvc.database.sqlite.pages import marking
from epicvc.database.sqlite.reader import SQLiteReader
from epicvc.errors import DamagedObject
from epicvc.repo.history.objects import DatabaseState
from epicvc.repo.repository import Repo
from epicvc.repo.rows import dbmark, dbside
from epicvc.repo.rows.dbmark import MarkedState
from epicvc.store.tree import tree


@pytest.fixture
def repo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> EpicRepo:
    """A repo with two epics of which the last command has read the whole database."""
    monkeypatch.setattr(marking, "WORTH_MARKING", 0)
    root = tmp_path / "repo"
    root.mkdir()
    write_epics(root / "epics")
    made = EpicRepo(root, NO_FACTS)
    made.ok("init", "--files", "epics", "--db", "framework.db")
    made.ok("sync")
    made.sql("UPDATE framework_tasks SET status = 'completed'")
    made.ok("commit", "-m", "as it is")
    return made


@pytest.fixture
def read_whole(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The tables that are read as a whole from now on."""
    read: list[str] = []
    rows = SQLiteReader.rows

    def noting(reader: SQLiteReader, table: str) -> Iterator[tuple[bytes, bytes]]:
        if reader._connection.execute("PRAGMA database_list").fetchone()[2]:  # not the rehearsal of a schema in memory
            read.append(table)
        return rows(reader, table)

    monkeypatch.setattr(SQLiteReader, "rows", noting)
    return read


def captured(repo: EpicRepo) -> DatabaseState:
    """The database as a command that only looks captures it."""
    opened = Repo.open(repo.root)
    try:
        with opened.staging(writable=False) as staging, opened.reading(staging) as (working, _):
            assert working.database is not None
            return working.database
    finally:
        opened.close()


def read_anew(repo: EpicRepo) -> DatabaseState:
    """The database, all of it read."""
    opened = Repo.open(repo.root)
    backend = opened.require_backend()
    try:
        with opened.staging(writable=False) as staging, backend.read() as reader:
            return dbside.capture(reader, staging)
    finally:
        backend.close()
        opened.close()


def forget_token(repo: EpicRepo) -> None:
    """Have the database count as changed."""
    (repo.root / ".epicvc/database.cache").unlink(missing_ok=True)


def mark_of(repo: EpicRepo) -> Path:
    return repo.root / ".epicvc" / dbmark.FILE


def test_only_what_changed_is_read(repo: EpicRepo, read_whole: list[str]) -> None:
    repo.sql("UPDATE framework_tasks SET title = 'changed' WHERE id = (SELECT min(id) FROM framework_tasks)")
    repo.sql("DELETE FROM framework_tasks WHERE id = (SELECT max(id) FROM framework_tasks)")
    found = captured(repo)
    assert not read_whole
    assert found == read_anew(repo)
    assert set(read_whole) > {"framework_tasks", "framework_epics"}


def test_a_table_that_was_not_there_is_read(repo: EpicRepo, read_whole: list[str]) -> None:
    repo.sql("CREATE TABLE more (a)")
    repo.sql("INSERT INTO more VALUES (1)")
    found = captured(repo)
    assert read_whole == ["more"]
    assert found == read_anew(repo)


def test_a_table_that_is_gone_is_gone(repo: EpicRepo) -> None:
    repo.sql("DROP TABLE work_sessions")
    assert captured(repo) == read_anew(repo)


def test_a_long_row_is_found(repo: EpicRepo) -> None:
    repo.sql("UPDATE framework_tasks SET description = ?", "long " * 10_000)
    repo.ok("commit", "-m", "long")
    repo.sql("UPDATE framework_tasks SET description = substr(description, 1, 49999) || '!'")
    assert captured(repo) == read_anew(repo)


def test_commands_after_one_another_agree(repo: EpicRepo) -> None:
    for number in range(4):
        repo.sql("UPDATE framework_tasks SET title = ?", f"title {number}")
        repo.ok("sync")
        repo.sql("INSERT INTO framework_users (username) VALUES (?)", f"user {number}")
        forget_token(repo)
        assert captured(repo) == read_anew(repo)


@pytest.mark.parametrize("damage", ["gone", "empty", "cut", "flipped", "foreign"])
def test_without_a_mark_everything_is_read(repo: EpicRepo, read_whole: list[str], damage: str) -> None:
    data = mark_of(repo).read_bytes()
    mark_of(repo).unlink()
    if damage != "gone":
        flipped = data[:-9] + bytes((data[-9] ^ 1,)) + data[-8:]
        changed = {"empty": b"", "cut": data[:-1], "flipped": flipped, "foreign": b"x\n\x80"}[damage]
        mark_of(repo).write_bytes(changed)
    repo.sql("UPDATE framework_tasks SET title = 'changed'")
    found = captured(repo)
    assert "framework_tasks" in read_whole
    assert found == read_anew(repo)


def test_a_mark_of_a_state_that_the_store_has_not_is_of_no_use(repo: EpicRepo, read_whole: list[str]) -> None:
    marked = MarkedState.load(mark_of(repo).parent, frozenset())
    assert marked is not None
    state = DatabaseState(marked.state.schema, b"?" * 32)
    MarkedState(state, frozenset(), marked.mark).save(mark_of(repo).parent)
    forget_token(repo)
    assert captured(repo) == read_anew(repo)
    assert "framework_tasks" in read_whole


def test_a_mark_with_other_tables_left_out_is_of_no_use(repo: EpicRepo, read_whole: list[str]) -> None:
    config = repo.root / "epicvc.toml"
    config.write_text(config.read_text() + '\n[tables]\nignore = ["work_sessions"]\n')
    assert captured(repo) == read_anew(repo)
    assert "framework_tasks" in read_whole


def test_a_damaged_state_is_not_built_upon(
    repo: EpicRepo, read_whole: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def damaged(*_: object) -> bytes:
        raise DamagedObject("00", "missing")

    forget_token(repo)
    monkeypatch.setattr(tree, "get", damaged)
    found = captured(repo)
    assert "framework_tasks" in read_whole
    assert found == read_anew(repo)


def test_looking_leaves_the_mark_alone(repo: EpicRepo) -> None:
    before = mark_of(repo).read_bytes()
    repo.sql("UPDATE framework_tasks SET title = 'changed'")
    repo.sql("CREATE TABLE more (a)")
    repo.ok("status")
    assert mark_of(repo).read_bytes() == before
    repo.ok("commit", "-m", "changed")
    assert mark_of(repo).read_bytes() != before


def test_a_first_sync_leaves_a_mark(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, read_whole: list[str]) -> None:
    monkeypatch.setattr(marking, "WORTH_MARKING", 0)
    write_epics(tmp_path / "repo/epics")
    repo = EpicRepo(tmp_path / "repo", NO_FACTS)
    repo.ok("init", "--files", "epics", "--db", "framework.db")
    repo.ok("sync")
    read_whole.clear()
    repo.sql("UPDATE framework_tasks SET title = 'changed'")
    found = captured(repo)
    assert not read_whole
    assert found == read_anew(repo)


def test_it_can_be_forgotten(repo: EpicRepo) -> None:
    repo.ok("clean", "cache", "--checksums")
    assert not mark_of(repo).exists()
