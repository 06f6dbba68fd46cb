"""A function of a migration: what it is called with, what is refused to it, and what is left of it when it fails."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from epicvc.database.lent import LentConnection
from epicvc.database.migrations.history import History, read_history
from epicvc.database.migrations.migration import Migration
from epicvc.database.migrations.planning import MigrationDirection, MigrationStep
from epicvc.database.migrations.running import foreign_keys, run_step
from epicvc.database.sqlite.backend import SQLiteBackend
from epicvc.errors import InvalidMigration, MigrationFailed, Refused
from tests.database.migrations.files import database, dump

FAMILY = """
CREATE TABLE parent (id INTEGER PRIMARY KEY, name TEXT UNIQUE);
CREATE TABLE child (id INTEGER PRIMARY KEY, parent INTEGER REFERENCES parent(id) ON DELETE CASCADE);
INSERT INTO parent VALUES (1, 'one'), (2, 'two');
INSERT INTO child VALUES (1, 1), (2, 2);
"""

Function = Callable[[Any], object]


@pytest.fixture
def backend(tmp_path: Path) -> SQLiteBackend:
    return database(tmp_path / "a.db", FAMILY)


def run(backend: SQLiteBackend, function: Function) -> History:
    step = MigrationStep(Migration("001", up=function, name="x"), MigrationDirection.UP)
    with backend.read() as reader:
        history = read_history(reader)
    with backend.write(track=False, foreign_keys=foreign_keys(step)) as writer:
        after = run_step(writer, step, history, by="planner", at="2025-08-17 10:00:00")
        writer.commit()
    return after


def refused(backend: SQLiteBackend, function: Function) -> str:
    """Why a function was refused; nothing of it is left."""
    before = dump(backend._path)
    with pytest.raises(MigrationFailed) as raised:
        run(backend, function)
    assert dump(backend._path) == before
    assert raised.value.hint == "it was rolled back; the database stays without any migration"
    return raised.value.reason


def test_it_reads_and_writes_as_with_any_connection(backend: SQLiteBackend, tmp_path: Path) -> None:
    def up(connection: LentConnection) -> None:
        cursor = connection.cursor()
        cursor.execute("ALTER TABLE parent ADD COLUMN size INTEGER")
        assert cursor.connection is connection
        assert connection.in_transaction
        connection.row_factory = sqlite3.Row
        for row in connection.execute("SELECT id, name FROM parent WHERE id >= :least", {"least": 1}):
            connection.execute("UPDATE parent SET size = ? WHERE id = ?", (len(row["name"]), row["id"]))
        many = connection.executemany("INSERT INTO parent (name) VALUES (?)", [("three",), ("four",)])
        assert many.rowcount == 2
        found = cursor.execute("SELECT name FROM parent ORDER BY id")
        assert [column[0] for column in found.description] == ["name"]
        assert (found.fetchone(), found.fetchmany(2), next(found)) == (("one",), [("two",), ("three",)], ("four",))
        assert found.fetchall() == []
        assert cursor.execute("INSERT INTO child (parent) VALUES (1)").lastrowid == 3
        assert connection.total_changes == 5
        names = [row["name"] for row in connection.execute("PRAGMA table_info(parent)")]
        assert names == ["id", "name", "size"]
        connection.execute("PRAGMA user_version = 7")

    (record,) = run(backend, up).records
    assert (record.version, record.kind, record.checksum, record.rollback_sql) == ("001", "program", "", None)
    connection = sqlite3.connect(tmp_path / "a.db")
    assert connection.execute("SELECT size FROM parent ORDER BY id").fetchall() == [(3,), (3,), (None,), (None,)]
    assert connection.execute("PRAGMA user_version").fetchone() == (7,)
    connection.close()


@pytest.mark.parametrize(
    ("statement", "name"),
    [
        ("COMMIT", "COMMIT"),
        ("commit", "COMMIT"),
        ("/* first */ COMMIT TRANSACTION;", "COMMIT"),
        ("-- first\nEND", "COMMIT"),
        ("ROLLBACK", "ROLLBACK"),
        ("BEGIN", "BEGIN"),
        ("SAVEPOINT a", "SAVEPOINT"),
        ("RELEASE a", "RELEASE"),
        ("ROLLBACK TO a", "ROLLBACK"),
        ("ATTACH ':memory:' AS other", "ATTACH"),
        ("DETACH main", "DETACH"),
        ("PRAGMA foreign_keys=ON", "PRAGMA foreign_keys"),
        ("PRAGMA journal_mode=WAL", "PRAGMA journal_mode"),
        ("PRAGMA journal_mode", "PRAGMA journal_mode"),
        ("PRAGMA writable_schema=ON", "PRAGMA writable_schema"),
        ("PRAGMA synchronous=OFF", "PRAGMA synchronous"),
        ("PRAGMA schema_version=1", "PRAGMA schema_version"),
        ("PRAGMA incremental_vacuum", "PRAGMA incremental_vacuum"),
        ("PRAGMA optimize", "PRAGMA optimize"),
    ],
)
def test_a_statement_that_leaves_the_transaction_is_refused_by_name(
    backend: SQLiteBackend, statement: str, name: str
) -> None:
    assert refused(backend, lambda connection: connection.execute(statement)).startswith(f"{name} is refused: ")

    def swallowing(connection: Any) -> None:
        connection.execute("DELETE FROM child")
        with pytest.raises(Refused, match=f"{name} is refused"):
            connection.execute(statement)
        assert connection.in_transaction

    run(backend, swallowing)  # it did nothing, so that a function may go on


def test_a_vacuum_is_sqlites_to_refuse(backend: SQLiteBackend) -> None:
    assert "VACUUM" in refused(backend, lambda connection: connection.execute("VACUUM"))


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda connection: connection.commit(), "commit"),
        (lambda connection: connection.rollback(), "rollback"),
        (lambda connection: connection.executescript("DELETE FROM child;"), "executescript"),
        (lambda connection: connection.cursor().executescript("DELETE FROM child;"), "executescript"),
        (lambda connection: connection.cursor().connection.commit(), "commit"),
        (lambda connection: connection.close(), "close"),
        (lambda connection: connection.backup(None), "backup"),
        (lambda connection: connection.set_authorizer(None), "set_authorizer"),
        (lambda connection: connection.isolation_level, "isolation_level"),
    ],
)
def test_a_method_that_leaves_the_transaction_is_refused_by_name(
    backend: SQLiteBackend, call: Function, name: str
) -> None:
    assert refused(backend, call).startswith(f"{name} is refused: ")


def test_a_block_of_the_connection_would_commit(backend: SQLiteBackend) -> None:
    def up(connection: Any) -> None:
        with connection:
            connection.execute("DELETE FROM child")

    assert "`with` block" in refused(backend, up)


def test_settings_are_not_there_to_be_set(backend: SQLiteBackend) -> None:
    for name in ("isolation_level", "autocommit"):
        with pytest.raises(AttributeError):
            run(backend, lambda connection, name=name: setattr(connection, name, None))  # type: ignore[misc]


@pytest.mark.parametrize(
    "failing", ["INSERT OR ROLLBACK INTO parent (name) VALUES ('one')", "INSERT INTO child VALUES (9, 1)"]
)
def test_after_a_statement_that_rolled_back_nothing_runs(backend: SQLiteBackend, failing: str, tmp_path: Path) -> None:
    """What followed would be committed at once, outside of any transaction."""
    connection = sqlite3.connect(tmp_path / "a.db")
    connection.execute("CREATE TRIGGER no BEFORE INSERT ON child BEGIN SELECT RAISE(ROLLBACK, 'no more'); END")
    connection.close()

    def going_on(connection: Any) -> None:
        with pytest.raises(sqlite3.IntegrityError):
            connection.execute(failing)
        connection.execute("DELETE FROM child")

    def ending(connection: Any) -> None:
        with pytest.raises(sqlite3.IntegrityError):
            connection.execute(failing)

    for function in (going_on, ending):
        assert "has rolled the transaction back" in refused(backend, function)


def test_what_the_database_says_is_said(backend: SQLiteBackend) -> None:
    said = refused(backend, lambda connection: connection.execute("INSERT INTO parent VALUES (1, 'x')"))
    assert said == "UNIQUE constraint failed: parent.id"
    assert refused(backend, lambda connection: connection.execute("SELECT load_extension('x')")) == "not authorized"

    def caught(connection: Any) -> None:
        with pytest.raises(sqlite3.IntegrityError):
            connection.execute("INSERT INTO parent VALUES (1, 'x')")

    run(backend, caught)


def test_what_the_program_raises_goes_through(backend: SQLiteBackend, tmp_path: Path) -> None:
    before = dump(tmp_path / "a.db")

    def up(connection: Any) -> None:
        connection.execute("DELETE FROM child")
        raise LookupError("no such plan")

    with pytest.raises(LookupError, match="no such plan") as raised:
        run(backend, up)
    assert raised.value.__notes__ == ["raised by migration 001, which is rolled back"]
    with pytest.raises(sqlite3.ProgrammingError):
        run(backend, lambda connection: connection.execute("SELECT ?", ()))
    assert dump(tmp_path / "a.db") == before


def test_rebuilding_a_table_keeps_its_children(backend: SQLiteBackend, tmp_path: Path) -> None:
    def rebuild(connection: Any) -> None:
        connection.execute("PRAGMA foreign_keys=OFF")
        connection.execute("CREATE TABLE other (id INTEGER PRIMARY KEY, name TEXT NOT NULL)")
        connection.execute("INSERT INTO other SELECT id, name FROM parent")
        connection.execute("DROP TABLE parent")
        connection.execute("ALTER TABLE other RENAME TO parent")

    def orphan(connection: Any) -> None:
        connection.execute("DELETE FROM parent WHERE id = 2")

    assert "FOREIGN KEY: it leaves @child/2 without its row in parent" in refused(backend, orphan)
    run(backend, rebuild)
    connection = sqlite3.connect(tmp_path / "a.db")
    assert connection.execute("SELECT count(*) FROM child").fetchone() == (2,)
    connection.close()


def test_the_record_is_the_runners(backend: SQLiteBackend) -> None:
    def forging(connection: Any) -> None:
        connection.execute("CREATE TABLE schema_migrations (version TEXT)")
        connection.execute("INSERT INTO schema_migrations VALUES ('009')")

    assert "runner's record" in refused(backend, forging)


def test_the_connection_is_only_lent(backend: SQLiteBackend) -> None:
    kept: list[Any] = []

    def up(connection: Any) -> None:
        kept.append(connection)
        kept.append(connection.execute("INSERT INTO parent (name) VALUES ('a'), ('b') RETURNING id"))

    run(backend, up)  # a cursor that was not read to its end does not stand in the way
    connection, cursor = kept
    with pytest.raises(Refused, match="only lent"):
        connection.execute("SELECT 1")
    with pytest.raises(sqlite3.ProgrammingError):
        cursor.fetchone()


def test_a_generator_or_a_coroutine_would_do_nothing(backend: SQLiteBackend) -> None:
    def generator(connection: Any) -> Iterator[None]:
        yield connection.execute("DELETE FROM child")

    async def coroutine(connection: Any) -> None:
        connection.execute("DELETE FROM child")

    for function in (generator, coroutine):
        assert "generator or a coroutine" in refused(backend, function)


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({}, "takes either sql or up"),
        ({"sql": "SELECT 1", "up": print}, "takes either sql or up"),
        ({"up": print, "down": print, "rollback_sql": "SELECT 1"}, "takes either rollback_sql or down"),
        ({"up": "os.system"}, "its up is no function"),
        ({"up": print, "down": 1}, "its down is no function"),
    ],
)
def test_what_cannot_be_meant(values: dict[str, Any], reason: str) -> None:
    with pytest.raises(InvalidMigration, match=reason):
        Migration("001", **values)


def test_a_statement_without_end_is_ended_though_the_function_would_pass_over_it(tmp_path: Path) -> None:
    database(tmp_path / "a.db", FAMILY)
    backend = SQLiteBackend(tmp_path / "a.db", query_seconds=0)
    endless = "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c) SELECT count(*) FROM c"

    def up(connection: Any) -> None:
        with suppress(sqlite3.Error):
            connection.execute(endless).fetchone()

    with pytest.raises(MigrationFailed, match=r"a\.db: a statement took more than 0 s and was ended"):
        run(backend, up)


def test_full_text_tables_can_be_made(backend: SQLiteBackend) -> None:
    """SQLite's own modules run statements and pragmas of their own."""

    def up(connection: Any) -> None:
        connection.execute("CREATE VIRTUAL TABLE words USING fts4(text)")
        connection.execute("INSERT INTO words VALUES ('some words')")
        assert connection.execute("SELECT count(*) FROM words WHERE words MATCH 'words'").fetchone() == (1,)
        connection.execute("CREATE VIRTUAL TABLE boxes USING rtree(id, a, b)")

    run(SQLiteBackend(backend._path, ignore=frozenset({"words", "boxes"})), up)
