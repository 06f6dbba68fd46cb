"""``epicvc.schema_migrations``: the promised names do what the promised description says."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from epicvc import EpicvcError, Migration, MigrationRunner
from tests.database.migrations.files import dump, write

ALL = ["000", "001", "002", "003"]


def query(path: str | Path, sql: str) -> list[tuple[object, ...]]:
    connection = sqlite3.connect(path)
    try:
        return connection.execute(sql).fetchall()
    finally:
        connection.close()


def columns(path: str | Path) -> set[str]:
    return {str(row[1]) for row in query(path, "PRAGMA table_info(framework_epics)")}


# The code blocks of "Schema Migration System", in their order, with what their comments say


def test_a_migration_is_defined() -> None:
    migration = Migration(
        version="002",
        sql="""
        ALTER TABLE framework_epics
        ADD COLUMN planned_start_date TEXT;

        ALTER TABLE framework_epics
        ADD COLUMN planned_end_date TEXT;
    """,
        rollback_sql="""
        ALTER TABLE framework_epics
        DROP COLUMN planned_start_date;

        ALTER TABLE framework_epics
        DROP COLUMN planned_end_date;
    """,
        dependencies=["001"],  # type: ignore[arg-type]
    )
    assert (migration.version, migration.dependencies) == ("002", ("001",))
    assert [len(migration.statements), len(migration.rollback_statements)] == [2, 2]


def test_migrations_are_applied() -> None:
    runner = MigrationRunner(db_path="framework.db")
    assert runner.apply_migrations() == ALL
    assert runner.apply_migration("002_enhance_framework_epics.sql") == []  # it is applied already
    status = runner.get_migration_status()
    assert f"Applied migrations: {status['applied_count']}" == "Applied migrations: 4"
    assert f"Pending migrations: {status['pending_count']}" == "Pending migrations: 0"
    assert status == {"applied_count": 4, "pending_count": 0, "applied": ALL, "pending": [], "current_version": "003"}
    assert {"status", "assigned_to", "created_at", "points_earned", "planned_start_date"} <= columns("framework.db")
    rows = query(
        "framework.db", "SELECT version, applied_at, applied_by FROM schema_migrations ORDER BY applied_at DESC"
    )
    assert {row[0] for row in rows} == set(ALL)
    assert all(len(str(row[1])) == len("2025-08-17 10:30:00") and row[2] for row in rows)


def test_migrations_are_rolled_back() -> None:
    runner = MigrationRunner(db_path="framework.db")
    runner.apply_migrations()
    assert runner.rollback_last_migration() == ["003"]
    assert runner.rollback_to_version("001") == ["002"]
    assert "planned_start_date" not in columns("framework.db")
    assert runner.rollback_migrations(count=3) == ["001", "000"]  # more than are applied: back to empty
    assert query("framework.db", "SELECT name FROM sqlite_master WHERE name NOT LIKE 'sqlite_%'") == []
    assert runner.get_current_version() is None


def test_migrations_are_validated() -> None:
    runner = MigrationRunner(db_path="framework.db")
    validation_result = runner.validate_migrations()
    assert validation_result == {"valid": True, "errors": []}
    assert runner.check_dependencies() == {"conflicts": []}
    runner.apply_migrations()
    assert runner.validate_schema_integrity() == {"valid": True, "errors": []}
    assert [m.version for m in runner.get_pending_migrations()] == []
    assert runner.get_current_version() == "003"


# What the description leaves open


def test_up_down_up_gives_the_same_database(tmp_path: Path) -> None:
    runner = MigrationRunner("a.db")
    runner.apply_migrations()
    once = query("a.db", "SELECT type, name, sql FROM sqlite_master ORDER BY 1, 2")
    runner.rollback_migrations(99)
    runner.apply_migrations()
    assert query("a.db", "SELECT type, name, sql FROM sqlite_master ORDER BY 1, 2") == once


def test_one_migration_brings_those_before_it() -> None:
    runner = MigrationRunner("a.db")
    assert runner.apply_migration("002_enhance_framework_epics.sql") == ["000", "001", "002"]
    assert [m.version for m in runner.get_pending_migrations()] == ["003"]
    assert runner.apply_migration("003") == ["003"]


def test_validation_names_what_is_wrong(tmp_path: Path) -> None:
    place = write(
        tmp_path / "migrations",
        _001_a="CREATE TABLE a (x);",
        _002_b="-- depends: 003\nSELECT 1;",
        _002_rollback="SELECT 1;",
        _003_c="-- depends: 002, 008\nSELECT 1;",
        _003_rollback="SELECT 1;",
    )
    runner = MigrationRunner("a.db", place)
    circle = "migrations/002_b.sql: depends on itself in a circle: 002 -> 003 -> 002"
    unknown = "migrations/003_c.sql: depends on 008, which does not exist"
    assert runner.check_dependencies() == {"conflicts": [circle, unknown]}
    assert runner.validate_migrations() == {
        "valid": False,
        "errors": [circle, unknown, "migrations/001_a.sql has no rollback; write 001_rollback.sql beside it"],
    }
    with pytest.raises(EpicvcError, match="circle"):
        runner.apply_migrations()
    assert not Path("a.db").exists()


def test_the_schema_is_compared_with_what_was_applied(tmp_path: Path) -> None:
    runner = MigrationRunner("a.db")
    runner.apply_migrations()
    connection = sqlite3.connect("a.db")
    connection.executescript(
        "DROP TABLE work_sessions; DROP INDEX idx_framework_epics_planned_dates;"
        "ALTER TABLE framework_epics DROP COLUMN duration_unit; CREATE TABLE own (x);"
    )
    connection.close()
    assert runner.validate_schema_integrity() == {
        "valid": False,
        "errors": ["table framework_epics has no column duration_unit", "table work_sessions is not there"],
    }


def test_a_database_with_tables_and_no_history_is_adopted_first() -> None:
    connection = sqlite3.connect("a.db")
    connection.executescript("CREATE TABLE plans (id INTEGER PRIMARY KEY); CREATE TABLE schema_migrations (version);")
    connection.close()
    place = write(Path("own"), _001_plans="CREATE TABLE plans (id INTEGER);", _002_x="ALTER TABLE plans ADD COLUMN x;")
    runner = MigrationRunner("a.db", place)
    with pytest.raises(EpicvcError, match=r"has tables \(plans, for one\) and no history") as raised:
        runner.apply_migrations()
    assert "epicvc migrate baseline 001" in str(raised.value.hint)
    with pytest.raises(EpicvcError, match="is not at version 002: table plans has no column x"):
        runner.baseline("002")
    assert runner.baseline("001") == ["001"]
    assert runner.apply_migrations() == ["002"]
    with pytest.raises(EpicvcError, match="has a history already, at 002"):
        runner.baseline("001")


def test_a_database_with_nothing_of_them_is_adopted_at_nothing() -> None:
    connection = sqlite3.connect("a.db")
    connection.execute("CREATE TABLE other (x)")
    connection.close()
    runner = MigrationRunner("a.db")
    assert runner.baseline() == []
    assert runner.apply_migrations() == ALL
    assert runner.rollback_migrations(9) == ALL[::-1]
    assert runner.apply_migrations() == ALL  # it stays adopted


def test_side_tables_of_a_search_index_do_not_stand_in_the_way() -> None:
    connection = sqlite3.connect("a.db")
    connection.execute("CREATE VIRTUAL TABLE words USING fts5(text)")
    connection.close()
    runner = MigrationRunner("a.db")
    runner.baseline("none")
    assert runner.apply_migrations() == ALL


def test_own_migrations_beside_the_database_are_found(tmp_path: Path) -> None:
    (tmp_path / "app").mkdir()
    write(tmp_path / "app" / "migrations", _001_a="CREATE TABLE a (x);")
    assert MigrationRunner(tmp_path / "app" / "a.db").apply_migrations() == ["001"]


def test_a_failure_half_way_keeps_what_came_before(tmp_path: Path) -> None:
    place = write(tmp_path / "m", _001_a="CREATE TABLE a (x);", _002_b="CREATE TABLE b (x);\nCREATE TABLE a (x);")
    runner = MigrationRunner("a.db", place)
    with pytest.raises(EpicvcError, match=r"m/002_b.sql:2: statement 2 of 2 failed: table a already exists"):
        runner.apply_migrations()
    assert (runner.get_current_version(), [m.name for m in runner.get_pending_migrations()]) == ("001", ["b"])
    before = dump(Path("a.db"))
    with pytest.raises(EpicvcError):
        runner.apply_migrations()
    assert dump(Path("a.db")) == before


REAL = Path(__file__).resolve().parents[3] / "shared" / "data" / "real" / "framework.db.gz"


@pytest.mark.skipif(not REAL.exists(), reason="the real data is not here (../shared/data/real)")
def test_the_real_database_is_adopted() -> None:
    import gzip

    Path("framework.db").write_bytes(gzip.decompress(REAL.read_bytes()))
    runner = MigrationRunner("framework.db")
    with pytest.raises(EpicvcError) as raised:
        runner.apply_migrations()
    assert "baseline 002" in str(raised.value.hint)
    before = dump(Path("framework.db"))
    assert runner.baseline("002") == ["000", "001", "002"]
    after = dump(Path("framework.db"))
    changed = [line for line in {*before} ^ {*after} if "schema_migrations" not in line]
    assert changed == []  # nothing but the record is different
    assert runner.apply_migrations() == ["003"]
    assert runner.validate_schema_integrity()["valid"]
    assert runner.rollback_last_migration() == ["003"]
    with pytest.raises(EpicvcError, match="was adopted"):
        runner.rollback_last_migration()
