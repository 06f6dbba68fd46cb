"""Migrations that a program gives beside the files: one order, one record, a checkpoint, and undo."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import chdir, closing
from pathlib import Path
from typing import Any

import pytest

from epicvc import Migration, MigrationConnection, MigrationRunner
from epicvc.errors import InvalidMigration, MigrationFailed, Refused, UsageError
from tests.database.migrations.files import dump, write

FILES = {
    "_001_people": "CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT);",
    "_001_rollback": "DROP TABLE people;",
    "_003_index": "-- depends: 002\nCREATE INDEX by_first ON people (first);",
    "_003_rollback": "DROP INDEX by_first;",
}


def split_names(connection: MigrationConnection) -> None:
    connection.execute("ALTER TABLE people ADD COLUMN first TEXT")
    for key, name in connection.execute("SELECT id, name FROM people").fetchall():
        connection.execute("UPDATE people SET first = ? WHERE id = ?", (name.split()[0], key))


def unite_names(connection: MigrationConnection) -> None:
    connection.execute("ALTER TABLE people DROP COLUMN first")


SPLIT = Migration("002", up=split_names, down=unite_names, dependencies=("001",), name="split_names")
OLD = Migration("004", sql="UPDATE people SET name = upper(name);", rollback_sql="SELECT 1;", name="shout")


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Path]:
    with chdir(tmp_path):
        yield write(tmp_path / "migrations", **FILES)


def rows(sql: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect("framework.db")) as connection, connection:
        return connection.execute(sql).fetchall()


def test_files_and_functions_are_one_order(place: Path) -> None:
    MigrationRunner(migrations=[SPLIT]).apply_migration("001")
    rows("INSERT INTO people (name) VALUES ('Ana Lima'), ('Rui Reis')")
    runner = MigrationRunner(migrations=[OLD, SPLIT])  # in whatever order they are given
    assert [migration.version for migration in runner.get_pending_migrations()] == ["002", "003", "004"]
    assert runner.apply_migration("002") == ["002"]
    assert rows("SELECT first FROM people ORDER BY id") == [("Ana",), ("Rui",)]
    assert runner.apply_migrations() == ["003", "004"]
    assert rows("SELECT version, name, kind, checksum <> '' FROM schema_migrations ORDER BY version") == [
        ("001", "people", "applied", 1),
        ("002", "split_names", "program", 0),
        ("003", "index", "applied", 1),
        ("004", "shout", "program", 1),
    ]
    assert runner.get_current_version() == "004"
    assert runner.validate_migrations() == {"valid": True, "errors": []}
    assert runner.rollback_to_version("001") == ["004", "003", "002"]
    assert rows("SELECT name FROM pragma_table_info('people')") == [("id",), ("name",)]
    assert runner.apply_migrations() == ["002", "003", "004"]


def test_one_that_fails_leaves_those_before_it(place: Path) -> None:
    def fails(connection: MigrationConnection) -> None:
        connection.execute("DELETE FROM people")
        connection.execute("COMMIT")

    runner = MigrationRunner(migrations=[Migration("002", up=fails)])
    with pytest.raises(MigrationFailed) as raised:
        runner.apply_migrations()
    assert raised.value.where == "migration 002"
    assert raised.value.reason.startswith("COMMIT is refused")
    assert runner.get_current_version() == "001"
    assert [migration.version for migration in runner.get_pending_migrations()] == ["002", "003"]


def test_a_number_is_unique_among_files_and_functions(place: Path) -> None:
    runner = MigrationRunner(migrations=[SPLIT, Migration("3", sql="SELECT 1;"), Migration("2", sql="SELECT 1;")])
    errors = runner.validate_migrations()["errors"]
    assert "migration 3: has the number of migrations/003_index.sql; numbers are unique" in errors
    assert "migration 2: has the number of migration 002; numbers are unique" in errors
    with pytest.raises(InvalidMigration):
        runner.apply_migrations()
    assert not Path("framework.db").exists()


def test_dependencies_on_a_file_are_checked(place: Path) -> None:
    late = Migration("002", up=split_names, dependencies=("003",))
    (conflict,) = MigrationRunner(migrations=[late]).check_dependencies()["conflicts"]
    assert conflict == "migration 002: depends on itself in a circle: 002 -> 003 -> 002"


def test_without_them_the_files_go_on_and_nothing_is_guessed(place: Path) -> None:
    MigrationRunner(migrations=[SPLIT]).apply_migration("002")
    files = MigrationRunner()
    assert files.apply_migrations() == ["003"]
    assert files.validate_schema_integrity() == {
        "valid": False,
        "errors": ["002 split_names was given by a program; without it the schema cannot be compared"],
    }
    assert files.rollback_last_migration() == ["003"]
    before = dump(Path("framework.db"))
    with pytest.raises(Refused, match="002 split_names was given by a program, which alone has its rollback"):
        files.rollback_last_migration()
    assert dump(Path("framework.db")) == before
    whole = MigrationRunner(migrations=[SPLIT])
    assert whole.validate_schema_integrity() == {"valid": True, "errors": []}
    assert whole.rollback_last_migration() == ["002"]


def test_without_a_way_back(place: Path) -> None:
    runner = MigrationRunner(migrations=[Migration("002", up=split_names)])
    runner.apply_migration("002")
    assert runner.validate_migrations()["errors"] == ["migration 002 has no rollback; give it rollback_sql or down"]
    with pytest.raises(InvalidMigration, match="has no rollback"):
        runner.rollback_last_migration()


def test_a_database_is_adopted_with_functions_too(place: Path) -> None:
    rows("CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT, first TEXT)")
    runner = MigrationRunner(migrations=[SPLIT])
    assert runner.baseline() == ["001", "002"]
    assert rows("SELECT kind FROM schema_migrations ORDER BY version") == [("baseline",), ("program-baseline",)]
    assert MigrationRunner().apply_migrations() == ["003"]
    with pytest.raises(Refused, match="002 split_names was adopted"):
        runner.rollback_migrations(2)


def test_a_file_that_became_a_programs_is_the_same_migration(place: Path) -> None:
    first, _ = MigrationRunner(migrations=[SPLIT]).get_pending_migrations()[::2]
    (place / "001_people.sql").unlink()
    (place / "001_rollback.sql").unlink()
    runner = MigrationRunner(migrations=[SPLIT, first])
    assert runner.apply_migrations() == ["001", "002", "003"]
    assert rows("SELECT kind FROM schema_migrations WHERE version = '001'") == [("program",)]


def test_what_is_no_migration() -> None:
    with pytest.raises(UsageError, match="is no Migration"):
        MigrationRunner(migrations=[("002", split_names)])  # type: ignore[list-item]
