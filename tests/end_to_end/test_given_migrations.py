"""Migrations that a program gives, in an epic repo: checkpoint, history, and what the command line says of them."""

from __future__ import annotations

from contextlib import chdir

import pytest
from support.repos import EpicRepo

from epicvc import Migration, MigrationConnection, MigrationRunner
from tests.database.migrations.files import write

POINTS = Migration(
    "001",
    up=lambda connection: connection.execute("UPDATE framework_epics SET points_earned = points_earned + 7"),
    down=lambda connection: connection.execute("UPDATE framework_epics SET points_earned = points_earned - 7"),
    name="points",
)


def sides(repo: EpicRepo) -> tuple[dict[str, bytes], list[str]]:
    return repo.files(), [line for line in repo.dump() if "journal_mode" not in line and "_epicvc_" not in line]


def test_a_run_has_a_checkpoint_and_is_undone_as_one(made: EpicRepo) -> None:
    write(made.root / "migrations", _002_notes="CREATE TABLE notes (x);", _002_rollback="DROP TABLE notes;")
    with chdir(made.root):
        runner = MigrationRunner(made.database, migrations=[POINTS])
        runner.baseline("none")
        before = sides(made)
        assert runner.apply_migrations() == ["001", "002"]
        assert made.one("SELECT min(points_earned) FROM framework_epics") == 7
        titles = [commit["message"].split("\n")[0] for commit in made.json("log")["commits"][:3]]
        assert titles[:2] == ["migrate up 002 notes", "migrate up 001 points"]
        assert titles[2].startswith("checkpoint before-migrate-")
        made.ok("undo")
        assert sides(made) == before
        made.ok("redo")
        assert made.one("SELECT min(points_earned) FROM framework_epics") == 7
        assert runner.rollback_migrations(9) == ["002", "001"]
        assert made.one("SELECT min(points_earned) FROM framework_epics") == 0


def test_a_function_that_fails_makes_no_operation(made: EpicRepo) -> None:
    def fails(connection: MigrationConnection) -> None:
        connection.execute("DELETE FROM framework_tasks")
        raise LookupError("no such plan")

    with chdir(made.root):
        runner = MigrationRunner(made.database, made.root, migrations=[Migration("001", up=fails)])
        runner.baseline("none")
        before, head = sides(made), made.json("log")["commits"][0]["id"]
        with pytest.raises(LookupError):
            runner.apply_migrations()
        assert sides(made) == before
        (checkpoint, *_) = made.json("log")["commits"]
        assert (checkpoint["kind"], checkpoint["parents"]) == ("checkpoint", [head])
        made.ok("fsck")


def test_the_command_line_shows_it_and_cannot_take_it_back(made: EpicRepo) -> None:
    write(made.root / "migrations", _002_notes="CREATE TABLE notes (x);", _002_rollback="DROP TABLE notes;")
    with chdir(made.root):
        runner = MigrationRunner(made.database, migrations=[POINTS])
        runner.baseline("none")
        runner.apply_migration("001")
    shown = made.ok("migrate", "status").out
    assert "  applied  001 points  " in shown
    assert "(program)" in shown
    assert "note: 001 points was given by a program, which alone has it" in shown
    found = made.json("migrate", "status")
    assert (found["applied"][0]["kind"], found["problems"]) == ("program", [])
    made.refused(5, "migrate", "down", naming="001 points was given by a program")
    made.ok("migrate", "up", "--dry-run")
    assert "no proof  001" in made.ok("migrate", "verify").out
    made.ok("migrate", "up")
    made.ok("migrate", "down", "001")
    made.ok("undo")


def test_nothing_in_a_repo_names_code(made: EpicRepo) -> None:
    """A module beside the files is left alone, whatever it is called."""
    place = write(made.root / "migrations", _001_notes="CREATE TABLE notes (x);", _001_rollback="DROP TABLE notes;")
    trap = f"open({str(made.root / 'trapped')!r}, 'w')\nmigrations = up = None\n"
    for name in ("__init__.py", "002_code.py", "schema_migration_v7.py", "env.py"):
        (place / name).write_text(trap)
    made.ok("migrate", "baseline", "none")
    made.ok("migrate", "up")
    with chdir(made.root):
        assert MigrationRunner(made.database).get_current_version() == "001"
    assert not (made.root / "trapped").exists()
