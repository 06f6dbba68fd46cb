"""The log of real commands: decisions with their operation, no values where nobody asked, clean output."""

from __future__ import annotations

import json
import logging
import re
from contextlib import closing
from pathlib import Path

import pytest
from support.repos import EpicRepo

SECRET = "the value that nobody else shall read"


@pytest.fixture
def disputed(made: EpicRepo) -> EpicRepo:
    """One field in conflict, one to push, with values to look for."""
    facts = made.facts
    made.rewrite(facts.epic, lambda body: body.update(name=f"file: {SECRET}", summary=f"summary: {SECRET}"))
    made.sql("UPDATE framework_epics SET name = ? WHERE epic_key = ?", f"row: {SECRET}\x1b[2J\nx", facts.epic)
    return made


def operations(repo: EpicRepo) -> list[str]:
    return [one["id"] for one in repo.json("op", "log")["operations"]]


def test_a_file_tells_labels_and_the_operation_and_no_value(disputed: EpicRepo) -> None:
    disputed.process("sync", "--log-file", "sync.log")
    text = (disputed.root / "sync.log").read_text()
    assert SECRET not in text
    epic, last = disputed.facts.epic, operations(disputed)[0]
    assert re.search(
        rf"INFO epicvc\.sync to database, replace: {epic}:summary \(operation {last}\)$", text, re.MULTILINE
    )
    assert re.search(rf"INFO epicvc\.sync in conflict: {epic}:name \(operation {last}\)$", text, re.MULTILINE)
    assert re.search(rf"INFO epicvc\.operation sync is done \(operation {last}, \d+\.\d{{3}} s\)$", text, re.MULTILINE)


COMMANDS = """
sync
sync --dry-run
resolve --prefer db
commit -m one --allow-empty
branch other
=1
sync
switch other
=2
sync
switch main
merge other
merge --continue --prefer theirs
undo
redo
checkpoint here
=3
push
pull
rollback here
restore --source HEAD~1 {epic}:name
backup create
revert HEAD
enrich
plan
doctor
clean files
gc
report
blame {epic}:name
"""


def test_no_command_tells_a_value_by_itself(disputed: EpicRepo) -> None:
    """Whatever it decides: the file has labels, and what was decided about them."""
    epic = disputed.facts.epic
    for line in COMMANDS.strip().splitlines():
        if line.startswith("="):
            disputed.rewrite(epic, lambda body, text=line: body.update(name=f"{SECRET} {text}"))
            continue
        disputed.run(*line.format(epic=epic).split(), "--log-file", "all.log")
    text = (disputed.root / "all.log").read_text()
    assert SECRET not in text
    for told in ("a conflict is settled: ", "epicvc.merge in conflict: ", "undo is done", "full backup ", "epicvc.gc "):
        assert told in text, told


def test_machine_output_stays_clean_and_values_are_details(disputed: EpicRepo) -> None:
    brief = disputed.process("sync", "--json", "-v", "--dry-run")
    assert json.loads(brief.out)["format"] == "epicvc.sync/1"
    assert "INFO epicvc.sync sync would do: " in brief.err
    assert SECRET not in brief.err
    full = disputed.process("sync", "--json", "--dry-run", EPICVC_LOG="debug")
    assert json.loads(full.out)["format"] == "epicvc.sync/1"
    assert f'files "file: {SECRET}", database "row: {SECRET}' in full.err
    assert not [line for line in full.err.split("\n")[:-1] if not (line.isprintable() and re.match(r"\d{4}-", line))]


def test_without_being_asked_nothing_is_said(disputed: EpicRepo) -> None:
    assert "epicvc.sync" not in disputed.process("sync").err


def test_git_and_prompts_are_logged_by_the_environment(made: EpicRepo) -> None:
    done = made.process("status", "--porcelain", EPICVC_LOG="info")
    assert re.search(r"INFO epicvc\.command status ends \(", done.err)
    assert made.process("status", "--porcelain").err == ""


def test_a_run_of_many_commands(made: EpicRepo, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "epicvc")
    for name in ("001_notes", "001_rollback"):
        place = made.root / "migrations"
        place.mkdir(exist_ok=True)
        (place / f"{name}.sql").write_text("CREATE TABLE notes (x);" if name.endswith("notes") else "DROP TABLE notes;")
    made.ok("checkpoint", "here")
    made.ok("migrate", "baseline", "none")
    made.ok("migrate", "up")
    made.ok("backup", "create")
    made.ok("backup", "verify", "latest")
    made.ok("gc")
    made.ok("undo")
    said = [(record.name, record.getMessage()) for record in caplog.records if record.levelno >= logging.INFO]
    for name, text in (
        ("epicvc.checkpoint", "checkpoint here of both sides"),
        ("epicvc.checkpoint", "before migrate"),
        ("epicvc.migration", "migrate up 001 notes (operation "),
        ("epicvc.backup", "full backup "),
        ("epicvc.backup", "is verified ("),
        ("epicvc.gc", "objects of "),
        ("epicvc.operation", "undo is done (operation "),
    ):
        assert [found for found in said if found[0] == name and text in found[1]], (name, text)
    known = {*operations(made)}
    told = {record.__dict__["operation"] for record in caplog.records} - {None}
    assert known & told


def test_a_lock_that_was_waited_for(made: EpicRepo, caplog: pytest.LogCaptureFixture) -> None:
    import threading

    from epicvc.base.fileio import RepoLock

    caplog.set_level(logging.INFO, "epicvc.lock")
    held, path = threading.Event(), made.root / ".epicvc" / "lock"

    def holding() -> None:
        with RepoLock(path, timeout=5):
            held.set()
            threading.Event().wait(0.2)

    thread = threading.Thread(target=holding)
    thread.start()
    held.wait(5)
    made.ok("commit", "-m", "later", "--allow-empty")
    thread.join()
    (record,) = [one for one in caplog.records if one.name == "epicvc.lock"]
    assert record.getMessage().startswith(f"waited for {path} (")
    assert record.__dict__["seconds"] > 0.05


def test_a_password_is_in_no_log(made: EpicRepo) -> None:
    done = made.process("status", "-vv", "--log-file", "a.log", "--db", "postgresql://me:hunter2@127.0.0.1:1/plans")
    assert done.code != 0
    assert "hunter2" not in done.out + done.err + (made.root / "a.log").read_text()


def test_what_a_crash_left_is_told(made: EpicRepo, caplog: pytest.LogCaptureFixture) -> None:
    from epicvc.repo.repository import Repo
    from epicvc.store.file.records import Pending, View

    caplog.set_level(logging.INFO, "epicvc")
    with closing(Repo.open(made.root)) as repo, repo.lock(), repo.store.transaction() as txn:
        details = {"time": "2025-08-17T10:00:00Z", "user": "x", "description": "x", "undoes": "", "redoes": ""}
        txn.set_pending(Pending("ab" * 16, "sync", False, False, View(dict(repo.store.refs()), None), None, details))
    made.ok("commit", "-m", "next", "--allow-empty")
    (record,) = [one for one in caplog.records if one.name == "epicvc.recovery"]
    assert record.getMessage().startswith(f"sync had been interrupted; it is undone (operation {'ab' * 16}, ")


def test_the_log_of_a_place_that_cannot_be_written(made: EpicRepo) -> None:
    Path(made.root / "link").symlink_to("elsewhere")
    made.refused(5, "status", "--log-file", "link", naming="a symbolic link, which is not followed")
