"""One step on a real database: all of it with its record, or nothing, and the message says why."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from epicvc.database.migrations.history import History, MigrationRecord, read_history
from epicvc.database.migrations.migration import Migration
from epicvc.database.migrations.planning import MigrationDirection, MigrationStep
from epicvc.database.migrations.running import MigrationOvertaken, adopt, foreign_keys, run_step
from epicvc.database.sqlite.backend import SQLiteBackend
from epicvc.errors import InvalidData, MigrationFailed
from tests.database.migrations.files import database, dump

FAMILY = """
CREATE TABLE parent (id INTEGER PRIMARY KEY, name TEXT);
CREATE TABLE child (id INTEGER PRIMARY KEY, parent INTEGER REFERENCES parent(id) ON DELETE CASCADE);
INSERT INTO parent VALUES (1, 'one'), (2, 'two');
INSERT INTO child VALUES (1, 1), (2, 2), (3, 77);
"""
REBUILD = """
CREATE TABLE new_parent (id INTEGER PRIMARY KEY, name TEXT NOT NULL, size INTEGER DEFAULT 0);
INSERT INTO new_parent (id, name) SELECT id, name FROM parent;
DROP TABLE parent;
ALTER TABLE new_parent RENAME TO parent;
"""
# Renaming first takes the references along to the table that is dropped then.
WRONG_REBUILD = """
ALTER TABLE parent RENAME TO old;
CREATE TABLE parent (id INTEGER PRIMARY KEY);
INSERT INTO parent SELECT id FROM old;
DROP TABLE old;
"""
ROLLS_BACK = """
CREATE TABLE a (x);
CREATE TRIGGER t BEFORE INSERT ON a BEGIN SELECT RAISE(ROLLBACK, 'no more'); END;
INSERT INTO a VALUES (1);
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "a.db"


def run(backend: SQLiteBackend, sql: str, version: str = "001", back: str | None = None) -> History:
    """Apply a migration, or take back one whose rollback is given."""
    direction = MigrationDirection.UP if back is None else MigrationDirection.DOWN
    migration = Migration(version, sql, back, file=f"migrations/{version}_x.sql")
    step = MigrationStep(migration, direction)
    with backend.read() as reader:
        history = read_history(reader)
    with backend.write(track=False, foreign_keys=foreign_keys(step)) as writer:
        after = run_step(writer, step, history, by="planner", at="2025-08-17 10:00:00")
        writer.commit()
    return after


def query(path: Path, sql: str) -> list[tuple[object, ...]]:
    connection = sqlite3.connect(path)
    try:
        return connection.execute(sql).fetchall()
    finally:
        connection.close()


def test_migration_and_record_are_one(path: Path) -> None:
    backend = database(path)
    history = run(backend, "CREATE TABLE a (x);")
    (found,) = history.records
    assert (found.version, found.applied_at, found.applied_by, found.kind) == (
        "001",
        "2025-08-17 10:00:00",
        "planner",
        "applied",
    )
    assert query(path, "SELECT version, applied_by FROM schema_migrations") == [("001", "planner")]
    run(backend, "CREATE TABLE a (x);", back="DROP TABLE a;")
    assert query(path, "SELECT name FROM sqlite_master") == []


def test_a_failing_statement_is_named_and_leaves_nothing(path: Path) -> None:
    backend = database(path)
    run(backend, "CREATE TABLE a (x);")
    before = dump(path)
    sql = "CREATE TABLE b (x);\nINSERT INTO b VALUES (1);\n\nUPDATE b SET\n  x FORM 2;\nDROP TABLE a;\nSELECT 1;\n"
    with pytest.raises(MigrationFailed) as raised:
        run(backend, sql, "002")
    error = raised.value
    assert (error.where, error.line, error.number, error.total) == ("migrations/002_x.sql", 4, 3, 5)
    assert (error.statement, error.version) == ("UPDATE b SET\n  x FORM 2;", "001")
    assert error.reason == 'near "FORM": syntax error'
    assert str(error) == (
        'migrations/002_x.sql:4: statement 3 of 5 failed: near "FORM": syntax error: UPDATE b SET x FORM 2;'
    )
    assert error.hint == "it was rolled back; the database stays at version 001"
    assert dump(path) == before


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ("CREATE TABLE a (x UNIQUE); INSERT INTO a VALUES (1), (1);", "UNIQUE constraint failed: a.x"),
        ("CREATE TABLE a (x); INSERT OR ROLLBACK INTO a VALUES (1, 2);", "2 values"),
        ("CREATE TABLE a (x CHECK (x > 1)); INSERT OR ROLLBACK INTO a VALUES (1);", "CHECK constraint failed"),
        (ROLLS_BACK, "no more"),
        ("SELECT load_extension('x');", "not authorized"),
        ("SELECT randomblob(1) FROM nowhere;", "no such table: nowhere"),
        ("INSERT INTO schema_migrations (version) VALUES ('666');", "no such table|runner's record"),
        ("CREATE TABLE schema_migrations (version); INSERT INTO schema_migrations VALUES ('9');", "runner's record"),
        ("CREATE TABLE schema_migrations (other);", "another tool"),
    ],
)
def test_whatever_the_database_says_nothing_is_left(path: Path, sql: str, words: str) -> None:
    backend = database(path)
    with pytest.raises(InvalidData, match=words):
        run(backend, sql)
    assert query(path, "SELECT name FROM sqlite_master") == []


def test_the_record_is_not_a_migrations_to_change(path: Path) -> None:
    backend = database(path)
    run(backend, "CREATE TABLE a (x);")
    for sql in ("DELETE FROM schema_migrations;", "UPDATE schema_migrations SET checksum = 'x';"):
        with pytest.raises(MigrationFailed, match="runner's record"):
            run(backend, sql, "002")
    assert run(backend, "DROP TABLE schema_migrations;", "002").version == "002"  # it is made again
    assert query(path, "SELECT version FROM schema_migrations ORDER BY 1") == [("001",), ("002",)]


RECORD = """CREATE TABLE schema_migrations (version TEXT PRIMARY KEY, name TEXT, applied_at TEXT, applied_by TEXT,
    checksum TEXT, kind TEXT, rollback_sql TEXT);"""
VIEW = """ALTER TABLE schema_migrations RENAME TO kept; CREATE VIEW schema_migrations AS SELECT * FROM kept;
    CREATE TRIGGER ins INSTEAD OF INSERT ON schema_migrations BEGIN SELECT 1; END;
    CREATE TRIGGER del INSTEAD OF DELETE ON schema_migrations BEGIN SELECT 1; END;"""


@pytest.mark.parametrize(
    "hostile",
    [
        "CREATE TRIGGER t BEFORE INSERT ON schema_migrations BEGIN SELECT RAISE(IGNORE); END;",
        "CREATE TRIGGER t AFTER INSERT ON schema_migrations BEGIN DELETE FROM schema_migrations; END;",
        VIEW,
    ],
)
def test_what_is_not_recorded_is_not_applied(path: Path, hostile: str) -> None:
    backend = database(path, RECORD + hostile)
    before = dump(path)
    with pytest.raises(InvalidData, match="schema_migrations does not hold"):
        run(backend, "CREATE TABLE a (x);")
    migration = Migration("001", "CREATE TABLE a (x);", file="migrations/001_x.sql")
    for adopted in ([migration], []):
        with pytest.raises(InvalidData, match="schema_migrations does not hold"), backend.write(track=False) as writer:
            adopt(writer, adopted, by="planner", at="2025-08-17 10:00:00")
    assert dump(path) == before


@pytest.mark.parametrize(
    "hostile", ["CREATE TRIGGER t BEFORE DELETE ON schema_migrations BEGIN SELECT RAISE(IGNORE); END;", VIEW]
)
def test_what_stays_recorded_is_not_taken_back(path: Path, hostile: str) -> None:
    rows = "INSERT INTO schema_migrations (version, kind) VALUES ('001', 'applied'), ('002', 'applied');"
    backend = database(path, RECORD + "CREATE TABLE b (x);" + rows + hostile)
    before = dump(path)
    with pytest.raises(InvalidData, match="schema_migrations does not hold"):
        run(backend, "CREATE TABLE b (x);", "002", back="DROP TABLE b;")
    assert dump(path) == before


def test_an_application_may_watch_the_record(path: Path) -> None:
    watch = """CREATE TABLE seen (v); CREATE TRIGGER t AFTER INSERT ON schema_migrations
        BEGIN INSERT INTO seen VALUES (NEW.version); END;"""
    backend = database(path, RECORD + watch)
    assert run(backend, "CREATE TABLE a (x);").version == "001"
    assert query(path, "SELECT v FROM seen") == [("001",)]


def test_a_table_with_fewer_columns_is_extended(path: Path) -> None:
    backend = database(path, "CREATE TABLE schema_migrations (version TEXT PRIMARY KEY, applied_at TIMESTAMP);")
    run(backend, "CREATE TABLE a (x);")
    run(backend, "CREATE TABLE b (x);", "002")
    assert query(path, "SELECT version, length(checksum), kind FROM schema_migrations") == [
        ("001", 64, "applied"),
        ("002", 64, "applied"),
    ]


@pytest.mark.parametrize("kind", ["INTEGER PRIMARY KEY", ""])
def test_versions_that_a_table_keeps_as_numbers(path: Path, kind: str) -> None:
    backend = database(path, f"CREATE TABLE schema_migrations (version {kind});")
    history = run(backend, "CREATE TABLE a (x);", "007")
    assert history.records[0].number == 7
    connection = sqlite3.connect(path)
    with connection:
        connection.execute("UPDATE schema_migrations SET version = 7")
    connection.close()
    assert run(backend, "CREATE TABLE a (x);", "7", back="DROP TABLE a;") == History()


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("CREATE TABLE schema_migrations (id, name);", "another tool's"),
        (
            "CREATE TABLE schema_migrations (version); INSERT INTO schema_migrations VALUES ('x''; DROP TABLE a');",
            "which is no version",
        ),
    ],
)
def test_another_tools_table_is_refused(path: Path, script: str, words: str) -> None:
    with pytest.raises(InvalidData, match=words):
        run(database(path, script), "CREATE TABLE a (x);")


def test_rebuilding_a_parent_keeps_its_children(path: Path) -> None:
    backend = database(path, FAMILY)
    run(backend, REBUILD)
    assert query(path, "SELECT * FROM parent") == [(1, "one", 0), (2, "two", 0)]
    assert query(path, "SELECT * FROM child") == [(1, 1), (2, 2), (3, 77)]  # the orphan was there before
    assert query(path, "SELECT [table] FROM pragma_foreign_key_list('child')") == [("parent",)]


def test_deleting_rows_cascades_where_no_table_is_dropped(path: Path) -> None:
    backend = database(path, FAMILY)
    run(backend, "DELETE FROM parent WHERE id = 1;")
    assert query(path, "SELECT id FROM child") == [(2,), (3,)]


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ("PRAGMA foreign_keys=OFF; DELETE FROM parent WHERE id = 1;", "leaves @child/1 without its row in parent"),
        ("PRAGMA foreign_keys=OFF; DELETE FROM parent;", "@child/1 without its row in parent, and 1 more rows"),
        ("DROP TABLE parent;", "leaves child with a foreign key to parent, which does not exist"),
        (WRONG_REBUILD, "leaves child with a foreign key to old, which does not exist"),
        ("INSERT INTO child VALUES (9, 99);", "FOREIGN KEY constraint failed"),
        (
            "PRAGMA defer_foreign_keys=ON; INSERT INTO child VALUES (9, 99);",
            "leaves @child/9 without its row in parent",
        ),
    ],
)
def test_references_that_break_stop_it(path: Path, sql: str, words: str) -> None:
    backend = database(path, FAMILY)
    before = dump(path)
    with pytest.raises(MigrationFailed, match=words):
        run(backend, sql)
    assert dump(path) == before


def test_a_new_name_makes_no_new_orphan(path: Path) -> None:
    backend = database(path, FAMILY)
    run(backend, "ALTER TABLE child RENAME TO kid; ALTER TABLE kid RENAME COLUMN parent TO owner;")
    assert query(path, "SELECT owner FROM kid WHERE id = 3") == [(77,)]


def test_settings_that_are_part_of_a_transaction(path: Path) -> None:
    backend = database(path)
    run(backend, "PRAGMA user_version = 5; PRAGMA application_id = 6; CREATE TABLE a (x);")
    assert query(path, "PRAGMA user_version") == [(5,)]
    with pytest.raises(MigrationFailed):
        run(backend, "PRAGMA user_version = 9; CREATE TABLE a (x);", "002")
    assert query(path, "PRAGMA user_version") == [(5,)]


def overtaken(act: Callable[[], object]) -> None:
    with pytest.raises(MigrationOvertaken):
        act()


def test_who_comes_second_plans_again(path: Path) -> None:
    backend = database(path)
    run(backend, "CREATE TABLE a (x);")
    step = MigrationStep(Migration("001", "CREATE TABLE a (x);"), MigrationDirection.UP)
    with backend.write(track=False) as writer:
        overtaken(lambda: run_step(writer, step, History(), by="", at=""))
        overtaken(lambda: adopt(writer, [], by="", at=""))


def test_names_and_versions_reach_the_database_as_values(path: Path) -> None:
    backend = database(path, "CREATE TABLE victim (x);")
    hostile = "x'); DROP TABLE victim; --"
    step = MigrationStep(
        Migration("001", "CREATE TABLE a (x);", "SELECT 'x''y';", name=hostile, file="001_x.sql"), MigrationDirection.UP
    )
    with backend.write(track=False) as writer:
        history = run_step(writer, step, History(), by=hostile, at="'")
        writer.commit()
    assert history.records == (
        MigrationRecord("001", hostile, "'", hostile, step.migration.checksum, "applied", "SELECT 'x''y';"),
    )
    assert query(path, "SELECT name FROM sqlite_master WHERE name = 'victim'") == [("victim",)]
