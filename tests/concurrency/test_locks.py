"""Locks: who waits says for whom and how long; what a stopped process holds is missed, what a dead one held is not."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from support.guard import ROOT

from concurrency.clients import run_forked
from concurrency.scenario import Scenario

#: Runs a command that stops itself, as SIGSTOP from outside would, at a named moment.
STOPPING = """
import os, signal, sys
import epicvc.repo.apply.apply as apply
from epicvc.database.sqlite.writer import SQLiteWriter

moment, *arguments = sys.argv[1:]

def stopping(real):
    def call(*args, **options):
        os.kill(os.getpid(), signal.SIGSTOP)
        return real(*args, **options)
    return call

if moment == "with the database's lock":
    SQLiteWriter.commit = stopping(SQLiteWriter.commit)
elif moment == "after the database's commit":
    apply.Stage.publish = stopping(apply.Stage.publish)

from epicvc.cli.edge import run_application
sys.exit(run_application(arguments))
"""

PATIENCE = 0.25
"""Seconds that commands wait here, where they usually wait for some seconds."""


def _hurry() -> None:
    """Wait shortly: in a process that is forked for one command."""
    from epicvc.base import fileio
    from epicvc.database.sqlite import backend

    taken, made = fileio.RepoLock.__init__, backend.SQLiteBackend.__init__

    def lock(self: fileio.RepoLock, path: Path, *, timeout: float = 0.0) -> None:
        taken(self, path, timeout=min(timeout, PATIENCE))

    def database(self: backend.SQLiteBackend, path: Path, **options: Any) -> None:
        made(self, path, **{**options, "timeout": PATIENCE})

    fileio.RepoLock.__init__ = lock  # type: ignore[method-assign]
    backend.SQLiteBackend.__init__ = database  # type: ignore[method-assign]


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT)}


def _impatient(root: Path, *arguments: str) -> tuple[int | None, dict[str, Any]]:
    """A command that waits a quarter of a second where others wait for seconds."""
    code, out, err = run_forked(root, [*arguments, "--json"], prepare=_hurry)
    assert err == ""
    return code, json.loads(out)


@contextmanager
def _stopped(root: Path, moment: str, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """A command that has stopped in the middle."""
    process = subprocess.Popen(
        [sys.executable, "-c", STOPPING, moment, *arguments],
        cwd=root,
        env=_environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _, status = os.waitpid(process.pid, os.WUNTRACED)
        assert os.WIFSTOPPED(status), status
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            process.wait()


@pytest.fixture(params=["WAL"])
def scenario(request: pytest.FixtureRequest, tmp_path: Path) -> Scenario:
    """Two repos on one database, with a change on either side of the first."""
    made = Scenario(tmp_path, repos=2, journal=str(request.param))
    _sql(made, "UPDATE framework_epics SET summary = 'of the db' WHERE epic_key = '1'")
    path = made.roots[0] / "epics" / "epico_3.json"
    path.write_text(path.read_text().replace('"2 semanas"', '"3 semanas"'))
    return made


def _sql(scenario: Scenario, query: str, timeout: float = 5.0) -> None:
    connection = sqlite3.connect(scenario.database, timeout=timeout)
    try:
        with connection:
            connection.execute(query)
    finally:
        connection.close()


def _in_sync(root: Path) -> bool:
    code, status = _impatient(root, "status")
    return code == 0 and bool(status["clean"]) and bool(status["in_sync"])


def test_a_stopped_command_is_named_and_goes_on(scenario: Scenario) -> None:
    root = scenario.roots[0]
    with _stopped(root, "after the database's commit", "sync") as holder:
        for command in ("sync", "commit -m x", "checkpoint y", "tag z", "gc", "undo"):
            code, said = _impatient(root, *command.split())
            assert (code, said["error"]) == (6, "unavailable"), command
            assert f"locked by process {holder.pid} (waited 0.25 s)" in str(said["message"])
        for command in ("log", "diff", "status", "op log", "fsck", "sync --dry-run"):
            assert _impatient(root, *command.split())[0] in (0, 1), command
        # it holds the repo's lock and not the database's: neither the application nor another repo waits for it
        _sql(scenario, "UPDATE framework_users SET total_points = 1", timeout=0.25)
        assert _impatient(scenario.roots[1], "sync")[0] == 0
        holder.send_signal(signal.SIGCONT)
        assert holder.wait(60) == 0
    assert _impatient(root, "commit", "-m", "the application's")[0] == 0
    assert _in_sync(root)


@pytest.mark.parametrize("scenario", ["WAL", "DELETE"], indirect=True)
def test_a_stopped_command_in_the_database_stops_writers_and_nobody_else(scenario: Scenario) -> None:
    root, other = scenario.roots
    path = other / "epics" / "epico_4.json"
    path.write_text(path.read_text().replace('"Bare"', '"Renamed"'))
    with _stopped(root, "with the database's lock", "sync") as holder:
        code, said = _impatient(other, "sync")
        assert (code, said["error"]) == (6, "locked")
        assert "is locked by another client (waited 0.25 s)" in str(said["message"])
        assert "database is locked" not in str(said["message"])
        assert _impatient(other, "status")[0] == 0
        holder.send_signal(signal.SIGCONT)
        assert holder.wait(60) == 0
    assert _in_sync(root)
    assert _impatient(other, "sync")[0] == 0
    assert _in_sync(other)


@pytest.mark.parametrize("moment", ["with the database's lock", "after the database's commit"])
def test_locks_end_with_their_process(scenario: Scenario, moment: str) -> None:
    root = scenario.roots[0]
    with _stopped(root, moment, "sync") as holder:
        holder.kill()
        holder.wait()
    _sql(scenario, "UPDATE framework_users SET total_points = 2", timeout=0.25)
    assert _impatient(scenario.roots[1], "sync")[0] == 0
    assert _impatient(root, "sync")[0] == 0
    assert _impatient(root, "commit", "-m", "the application's")[0] == 0
    assert _in_sync(root)
    assert not list(root.rglob("*epicvc-tmp*"))


def test_an_application_that_holds_its_lock_too_long(scenario: Scenario) -> None:
    root = scenario.roots[0]
    application = sqlite3.connect(scenario.database, isolation_level=None)
    application.execute("BEGIN IMMEDIATE")
    application.execute("UPDATE framework_users SET total_points = 3")
    try:
        code, said = _impatient(root, "sync")
        assert (code, said["error"]) == (6, "locked")
        assert "is locked by another client (waited 0.25 s)" in str(said["message"])
        assert _impatient(root, "status")[0] == 0
    finally:
        application.execute("COMMIT")
        application.close()
    assert _impatient(root, "sync")[0] == 0


def test_of_two_that_want_one_name_one_gets_it(tmp_path: Path) -> None:
    scenario = Scenario(tmp_path)
    for kind in ("tag", "branch"):
        waiting = []
        with (scenario.roots[0] / ".epicvc" / "lock").open("a") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            for _ in range(2):
                command = [sys.executable, "-m", "epicvc", kind, "mine", "--json"]
                waiting.append(
                    subprocess.Popen(
                        command, cwd=scenario.roots[0], env=_environment(), stdout=subprocess.PIPE, text=True
                    )
                )
            time.sleep(2)  # all of them have looked whether the name is free, and wait for the lock
        codes = []
        for process in waiting:
            process.communicate(timeout=60)
            codes.append(process.returncode)
        assert sorted(codes) == [0, 2], kind
