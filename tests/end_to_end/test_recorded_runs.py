"""Each run of a command is recorded, failures included, and nothing depends on it."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest
from support.repos import EpicRepo

from epicvc.cli.line.table import EPICVC, RECORDED, Family
from epicvc.repo.runs import FILE, Run, kept_runs
from tests.docs.conftest import ROOT


def runs(repo: EpicRepo) -> list[Run]:
    return kept_runs(repo.root / ".epicvc")


def commands(repo: EpicRepo) -> list[str]:
    return [run.command for run in runs(repo)]


@pytest.fixture
def quiet(made: EpicRepo) -> EpicRepo:
    """A repo in sync of which no run is known."""
    made.ok("sync")
    (made.root / ".epicvc" / FILE).unlink()
    return made


def names(family: Family = EPICVC, before: tuple[str, ...] = ()) -> set[str]:
    found: set[str] = set()
    for name, entry in family.commands.items():
        found |= names(entry, (*before, name)) if isinstance(entry, Family) else {" ".join((*before, name))}
    return found


def test_what_is_recorded_are_commands() -> None:
    assert names() >= RECORDED


def test_a_synchronisation_is_counted(quiet: EpicRepo) -> None:
    quiet.rewrite("1", lambda body: body.update(name="By the author", goals=["one"]))
    quiet.sql("UPDATE framework_epics SET name = 'By the application' WHERE epic_key = '1'")
    quiet.sql("UPDATE framework_epics SET summary = 'New' WHERE epic_key = '2'")
    assert quiet.run("sync").code == 1
    (run,) = runs(quiet)
    assert (run.command, run.exit, run.error) == ("sync", 1, None)
    assert (run.records, run.to_files, run.to_db, run.conflicts) == (2, 1, 1, 1)
    assert run.succeeded
    assert run.took_ms > 0
    assert abs(run.started_ms - time.time() * 1000) < 60_000
    assert quiet.run("resolve", "--prefer", "db").code == 0
    assert [(run.command, run.records, run.conflicts) for run in runs(quiet)[1:]] == [("resolve", 1, 0)]


def test_failures_are_recorded_and_are_no_operations(quiet: EpicRepo) -> None:
    before = quiet.everything()
    with closing(sqlite3.connect(quiet.database, isolation_level=None)) as holder:
        holder.execute("BEGIN IMMEDIATE")
        quiet.rewrite("1", lambda body: body.update(name="Waits"))
        assert quiet.run("push", "--policy", "nothing").code == 2
        assert quiet.run("push", "nowhere").code == 3
        quiet.database.rename(quiet.root / "away.db")
        assert quiet.run("pull").code == 6
    assert [(run.command, run.exit, run.error) for run in runs(quiet)] == [
        ("push", 3, "not_found"),
        ("pull", 6, "database_unavailable"),
    ]
    (quiet.root / "away.db").rename(quiet.database)
    assert quiet.everything().operations == before.operations


def test_what_is_no_run(quiet: EpicRepo) -> None:
    """What only tries, what lists, what prompts and scripts ask all the time, and mistakes."""
    for words in (
        ("sync", "--dry-run"),
        ("status", "--porcelain"),
        ("diff",),
        ("log",),
        ("branch",),
        ("backup", "list"),
        ("backup", "create", "--dry-run"),
        ("migrate", "status"),
        ("plan", "--schedule"),
        ("resolve", "--json"),
        ("sync", "--help"),
    ):
        assert quiet.run(*words).code == 0, words
    assert quiet.run("sync", "--nonsense").code == 2
    assert runs(quiet) == []


def test_commands_of_groups_and_flags_in_any_form(quiet: EpicRepo) -> None:
    quiet.ok("status")
    quiet.ok("-q", "backup", "create")
    quiet.ok("backup", "verify")
    assert quiet.run("migrate", "verify").code == 5  # it has no history of migrations
    quiet.ok("clean", "db")
    quiet.ok("clean", "cache")
    quiet.ok("checkpoint", "--json", "good")
    quiet.ok("rollback", "good", "-q")
    quiet.ok("undo")
    assert commands(quiet) == [
        "status",
        "backup create",
        "backup verify",
        "migrate verify",
        "clean db",
        "clean cache",
        "checkpoint",
        "rollback",
        "undo",
    ]


@pytest.mark.parametrize("state", ["gone", "damaged", "locked", "a directory", "read-only"])
def test_a_file_that_cannot_be_written_changes_nothing(quiet: EpicRepo, state: str) -> None:
    quiet.ok("status")
    path = quiet.root / ".epicvc" / FILE
    holder = sqlite3.connect(path, isolation_level=None)
    if state == "locked":
        holder.execute("BEGIN EXCLUSIVE")
    elif state == "read-only":
        path.chmod(0o400)
    else:
        path.unlink()
        if state == "damaged":
            path.write_bytes(b"x" * 9000)
        elif state == "a directory":
            path.mkdir()
    quiet.rewrite("1", lambda body: body.update(name="Goes on"))
    began = time.monotonic()
    done = quiet.process("sync")
    assert (done.code, done.err) == (0, "")
    assert "1:name" in done.out or "1" in done.out
    assert time.monotonic() - began < 30
    holder.close()
    assert quiet.epic_row("1")["name"] == "Goes on"
    assert quiet.ok("doctor").err == ""
    assert quiet.ok("fsck").code == 0


def test_a_link_in_its_place_is_refused_as_any_other(quiet: EpicRepo, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    path = quiet.root / ".epicvc" / FILE
    path.symlink_to(outside)
    assert FILE in quiet.refused(5, "sync", naming="symbolic link")
    assert not outside.exists()


def test_no_snapshot_has_them(quiet: EpicRepo) -> None:
    quiet.ok("sync")
    assert quiet.json("status")["clean"]
    assert (quiet.root / ".epicvc" / ".gitignore").read_text() == "*\n"


def test_a_store_that_nobody_adopted_gets_none(
    quiet: EpicRepo, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("EPICVC_STATE_DIR", str(tmp_path / "another"))
    assert quiet.run("fsck").code == 0
    assert quiet.run("sync").code == 5
    assert not (quiet.root / ".epicvc" / FILE).exists()


def test_the_page_lists_what_is_recorded() -> None:
    page = (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8")
    row = next(line for line in page.splitlines() if line.startswith("Recorded are"))
    block = page[page.index(row) :].split("\n\n", 1)[0]
    assert set(block.split("`")[1::2]) == RECORDED
