"""A database file that is empty or gone: never removed, never taken for a side that agrees."""

from __future__ import annotations

import os
import shutil
import sqlite3
import time

import pytest
from support.repos import EpicRepo

from epicvc.repo.apply import newdatabase
from epicvc.repo.apply.recovery import recover
from epicvc.repo.repository import Repo

COMMANDS = ("sync", "pull", "push", "status", "doctor")


@pytest.mark.parametrize("command", COMMANDS)
def test_an_empty_file_stays_and_is_named(made: EpicRepo, command: str) -> None:
    files = made.files()
    made.database.write_bytes(b"")
    said = made.run(command)
    assert said.code == 4
    assert "framework.db is empty" in said.err
    assert made.database.read_bytes() == b""
    assert made.files() == files


def test_the_application_goes_on_with_its_new_file(made: EpicRepo) -> None:
    made.database.unlink()
    application = sqlite3.connect(made.database)
    application.execute("BEGIN IMMEDIATE")  # the file is there now, and has nothing in it
    made.run("sync")
    made.run("commit", "-m", "whatever there is")
    application.execute("CREATE TABLE later(x)")
    application.commit()
    assert made.one("SELECT count(*) FROM later") == 0


@pytest.mark.parametrize("command", COMMANDS)
def test_a_file_that_is_gone(made: EpicRepo, command: str) -> None:
    made.database.unlink()
    said = made.run(command)
    assert said.code == 6
    assert "does not exist" in said.err
    assert not made.database.exists()


def test_a_file_that_goes_while_the_command_begins(made: EpicRepo, monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(repo: Repo) -> bool:
        made.database.unlink()
        return recover(repo)

    monkeypatch.setattr("epicvc.repo.apply.recovery.recover", gone)
    said = made.run("sync")
    assert (said.code, said.out) == (6, "")
    assert "does not exist" in said.err


@pytest.mark.parametrize("there", [True, False], ids=["empty", "gone"])
def test_rollback_brings_the_rows_back(made: EpicRepo, there: bool) -> None:
    made.sql("PRAGMA journal_mode = DELETE")  # no part of what a commit holds
    dump = made.dump()
    made.database.unlink()
    if there:
        made.database.write_bytes(b"")
    made.ok("rollback", "HEAD")
    assert made.dump() == dump
    assert not (made.root / ".epicvc" / "creating").exists()


def test_what_a_killed_rollback_made_is_taken_back(made: EpicRepo, monkeypatch: pytest.MonkeyPatch) -> None:
    made.database.unlink()

    class Killed(BaseException):
        pass

    def killed(*_: object, **__: object) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr("epicvc.repo.apply.newdatabase.take_back", lambda _: None)  # nobody is left to do it
        patch.setattr("epicvc.repo.repository.Repo.reading", killed)
        with pytest.raises(Killed):
            made.run("rollback", "HEAD")
    assert made.database.read_bytes() == b""
    assert made.run("sync").code == 6
    assert not made.database.exists()


def test_another_empty_file_in_its_place_stays(made: EpicRepo) -> None:
    """The note is about the file that was made, not about any of that name."""
    made.database.unlink()
    repo = Repo.open(made.root)
    opened = repo.backend()
    assert opened is not None
    assert newdatabase.make(repo, opened)
    made.database.unlink()
    made.database.write_bytes(b"")
    later = time.time() + 60
    os.utime(made.database, (later, later))
    newdatabase.take_back(repo)
    assert made.database.read_bytes() == b""
    assert not (made.root / ".epicvc" / "creating").exists()
    repo.close()


@pytest.mark.parametrize("side", ["files", "database"])
def test_a_side_that_has_become_empty_is_named_everywhere(made: EpicRepo, side: str) -> None:
    if side == "files":
        for path in made.directory.rglob("*.json"):
            path.unlink()
    else:
        made.sql("DELETE FROM framework_tasks")
        made.sql("DELETE FROM framework_epics")
    assert "--allow-empty-side" in made.run("sync").err
    made.refused(5, "sync", naming=f"the {side} side is empty")
    assert f"the {side} side is empty" in made.ok("status").out
    said = made.run("doctor")
    assert said.code == 4
    assert f"the {side} side is empty" in said.out + said.err
    made.ok("rollback", "HEAD")
    made.ok("doctor")


def test_a_files_directory_that_is_gone(made: EpicRepo) -> None:
    shutil.rmtree(made.directory)
    for command in ("status", "sync"):
        assert "rollback HEAD" in made.run(command).err
    made.ok("rollback", "HEAD")
    assert made.files()
