"""A process that dies in the middle: the next command finishes what it began, or forgets it, and loses nothing."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable

import pytest
from support.disputes import make_conflicts, sides_of
from support.guard import ROOT
from support.repos import EpicRepo
from support.terminal import terminal

from epicvc.errors import FileUnavailable
from epicvc.repo.apply import apply, interrupted

#: Ends the process at a named point, as ``kill -9`` does: no handler runs, nothing is tidied up.
DYING = """
import os, sys
import epicvc.repo.apply.apply as apply
from epicvc.database.sqlite.writer import SQLiteWriter

point, *arguments = sys.argv[1:]

def die(*_, **__):
    os._exit(9)

if point == "before the work":
    apply._prepare = die
elif point == "before the database's commit":
    SQLiteWriter.commit = die
elif point == "after the database's commit":
    commit = SQLiteWriter.commit
    SQLiteWriter.commit = lambda self: (commit(self), die())
elif point == "after one file":
    place, done = apply.place, []
    apply.place = lambda *args: die() if done else (done.append(1), place(*args))[1]
elif point == "before the refs move":
    apply.complete = die

from epicvc.cli.edge import run_application
sys.exit(run_application(arguments))
"""
BEFORE = ("before the work", "before the database's commit")
AFTER = ("after the database's commit", "after one file", "before the refs move")


def _die(repo: EpicRepo, point: str, *arguments: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", DYING, point, *arguments],
        cwd=repo.root,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 9, done


def _edit(repo: EpicRepo) -> None:
    """Both sides of two epics, so that there are two files and several rows to be written."""
    for epic in (repo.facts.epic, repo.facts.other):
        repo.rewrite(epic, lambda body: body.update(name="of the files"))
        repo.sql("UPDATE framework_epics SET summary = 'of the db' WHERE epic_key = ?", epic)


def _edited(repo: EpicRepo) -> list[tuple[object, ...]]:
    return [
        (repo.body(epic)["name"], repo.body(epic)["summary"], row["name"], row["summary"])
        for epic in (repo.facts.epic, repo.facts.other)
        for row in [repo.epic_row(epic)]
    ]


DONE = [("of the files", "of the db", "of the files", "of the db")] * 2


@pytest.mark.parametrize("point", BEFORE)
def test_a_sync_that_died_early_is_forgotten(repo: EpicRepo, point: str) -> None:
    _edit(repo)
    files, dump, before = repo.files(), repo.dump(), _edited(repo)
    _die(repo, point, "sync")
    assert repo.dump() == dump
    assert repo.json("status")["in_sync"] is False
    assert repo.json("doctor")["findings"]
    repo.ok("tag", "next")  # any command that writes
    assert (repo.files(), repo.dump(), _edited(repo)) == (files, dump, before)
    assert [entry["command"] for entry in repo.json("op", "log")["operations"]] == ["tag", "sync", "init"]
    repo.ok("sync")
    assert _edited(repo) == DONE


@pytest.mark.parametrize("point", AFTER)
@pytest.mark.parametrize("command", ["tag next", "sync"])
def test_a_sync_that_died_late_is_finished(repo: EpicRepo, point: str, command: str) -> None:
    _edit(repo)
    names = sorted(repo.files())
    _die(repo, point, "sync")
    assert repo.run("status").code == 0
    repo.ok(*command.split())
    assert _edited(repo) == DONE
    assert sorted(repo.files()) == names  # nothing temporary is left
    assert repo.json("status")["in_sync"] is True
    assert repo.json("fsck")["problems"] == []
    repo.json("gc")
    assert repo.json("fsck")["problems"] == []


@pytest.mark.parametrize("point", AFTER)
def test_a_rollback_that_died_late_is_finished_and_can_be_undone(repo: EpicRepo, point: str) -> None:
    repo.ok("checkpoint", "good")
    good = repo.files(), repo.dump()
    _edit(repo)
    damaged = repo.files(), repo.dump()
    _die(repo, point, "rollback", "good")
    repo.ok("commit", "-m", "next", "--allow-empty")
    assert (repo.files(), repo.dump()) == good
    repo.ok("undo")
    repo.ok("undo")
    assert (repo.files(), repo.dump()) == damaged


@pytest.mark.parametrize("point", [AFTER[0], AFTER[2]])
def test_an_edit_after_the_crash_is_kept(repo: EpicRepo, point: str) -> None:
    """The author goes on before anybody recovers: the edit is merged, not overwritten."""
    _edit(repo)
    _die(repo, point, "sync")
    repo.rewrite(repo.facts.other, lambda body: body.update(duration="edited since"))
    repo.ok("sync")
    assert _edited(repo) == DONE
    assert repo.body(repo.facts.other)["duration"] == "edited since"
    assert repo.epic_row(repo.facts.other)["duration_description"] == "edited since"


def test_resolve_finishes_first_what_a_crash_left(repo: EpicRepo) -> None:
    repo.rewrite(repo.facts.epic, lambda body: body.update(name="of the files"))
    repo.sql("UPDATE framework_epics SET name = 'of the db' WHERE epic_key = ?", repo.facts.epic)
    assert repo.run("sync").code == 1
    _die(repo, "before the refs move", "resolve", "--prefer", "files")
    repo.ok("resolve", "--prefer", "files")
    assert repo.json("status")["clean"] is True
    assert repo.epic_row(repo.facts.epic)["name"] == "of the files"


def test_the_resolver_finishes_first_what_a_crash_left(repo: EpicRepo) -> None:
    """The database has the answer already, the file not yet: a conflict that nobody made is not asked about."""
    name, goals = make_conflicts(repo)
    values = [f'{name}="settled"', f'{goals}=["settled"]']
    _die(repo, "after the database's commit", "resolve", *(word for value in values for word in ("--set", value)))
    with terminal([sys.executable, "-m", "epicvc", "resolve"], repo.root, columns=80, lines=24) as tty:
        assert tty.end() == 0
        assert "there are no conflicts" in tty.text
    assert repo.json("status")["clean"] is True
    assert sides_of(repo, "name") == ("settled", "settled")


@pytest.mark.parametrize("left", ["nothing", "an empty store", "a half-made database"])
def test_init_goes_on_where_a_killed_one_stopped(fresh: EpicRepo, left: str) -> None:
    store = fresh.root / ".epicvc/store.db"
    if left != "nothing":
        store.parent.mkdir(mode=0o700)
        store.touch(mode=0o600)
        assert fresh.run("status").code == 3
    (fresh.root / ".epicvc.toml.1-1.epicvc-tmp").write_text("[fi")
    if left == "a half-made database":
        sqlite3.connect(fresh.root / "made.db").close()
        (fresh.root / "made.db").touch()
    fresh.ok("init", *(["--db", "made.db"] if left == "a half-made database" else []))
    assert not list(fresh.root.glob("*.epicvc-tmp"))
    assert fresh.json("fsck")["problems"] == []


class Failing:
    """Stands for a function that fails some times before it works."""

    def __init__(self, real: Callable[..., object], times: int) -> None:
        self.real, self.times = real, times

    def __call__(self, *arguments: object) -> object:
        self.times -= 1
        if self.times >= 0:
            raise FileUnavailable(str(arguments[-1]), "Input/output error")
        return self.real(*arguments)


def test_a_step_that_fails_after_the_decision_is_done_again(repo: EpicRepo, monkeypatch: pytest.MonkeyPatch) -> None:
    _edit(repo)
    monkeypatch.setattr(apply, "place", Failing(apply.place, 1))
    repo.ok("sync")
    assert _edited(repo) == DONE
    assert repo.json("status")["clean"] is True


def test_a_disk_that_goes_on_failing_is_told(repo: EpicRepo, monkeypatch: pytest.MonkeyPatch) -> None:
    _edit(repo)
    for module in (apply, interrupted):
        monkeypatch.setattr(module, "place", Failing(apply.place, 1))
    said = repo.run("sync", "--json")
    assert (said.code, said.value["error"]) == (6, "unfinished")
    repo.ok("sync")
    assert _edited(repo) == DONE


def test_a_file_that_cannot_be_removed_is_known_before_anything_is_done(
    repo: EpicRepo, monkeypatch: pytest.MonkeyPatch
) -> None:
    epic = repo.facts.other
    repo.sql("UPDATE framework_epics SET deleted_at = '2025-08-19', status = 'deleted' WHERE epic_key = ?", epic)
    monkeypatch.setattr(apply, "check_writable", Failing(apply.check_writable, 2))
    repo.refused(6, "pull")
    repo.ok("pull")
    assert not (repo.directory / repo.facts.paths[epic]).exists()


def test_several_processes_at_once(repo: EpicRepo) -> None:
    _edit(repo)
    running = [
        subprocess.Popen(
            [sys.executable, "-m", "epicvc", "sync"],
            cwd=repo.root,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        for _ in range(3)
    ]
    assert [(process.communicate()[1], process.returncode) for process in running] == [(b"", 0)] * 3
    assert _edited(repo) == DONE
    assert [entry["command"] for entry in repo.json("op", "log")["operations"]] == ["sync", "sync", "init"]
