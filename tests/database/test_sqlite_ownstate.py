"""Nothing hangs on epicvc's own table when it is written."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from epicvc.database.backend import Intruder
from epicvc.database.sqlite.ownstate import create_state, write_state
from epicvc.database.tables import Definition
from epicvc.errors import InvalidData, ReservedName, UnsupportedSchema

from .helpers import capture, dump, restore, run_script, sqlite_backend

BASE = "CREATE TABLE t (id INTEGER PRIMARY KEY, v); INSERT INTO t VALUES (1, 'a'), (2, 'b');"
STATE = "CREATE TABLE _epicvc_state (repo_id TEXT PRIMARY KEY, operation_id TEXT NOT NULL, snapshot TEXT NOT NULL);"
DELETES = "BEGIN DELETE FROM t; END;"

INTRUDERS = [
    (f"{STATE} CREATE TRIGGER x AFTER INSERT ON _epicvc_state {DELETES}", ("trigger", "x", "_epicvc_state")),
    (f"{STATE} CREATE TRIGGER x BEFORE DELETE ON _EPICVC_State {DELETES}", ("trigger", "x", "_EPICVC_State")),
    (
        f"CREATE TABLE _epicvc_more (a); CREATE TRIGGER x AFTER INSERT ON _epicvc_more {DELETES}",
        ("trigger", "x", "_epicvc_more"),
    ),
    (f"CREATE TRIGGER _Epicvc_x AFTER DELETE ON t {DELETES}", ("trigger", "_Epicvc_x", "t")),
    ("CREATE VIEW _epicvc_state AS SELECT 1 AS repo_id", ("view", "_epicvc_state", "_epicvc_state")),
    ("CREATE VIEW _epicvc_more AS SELECT * FROM t", ("view", "_epicvc_more", "_epicvc_more")),
    ("CREATE TABLE _epicvc_state (repo_id, operation_id, snapshot)", ("table", "_epicvc_state", "_epicvc_state")),
    (STATE.replace("state", "STATE"), ("table", "_epicvc_STATE", "_epicvc_STATE")),
    (
        "CREATE VIRTUAL TABLE _epicvc_state USING fts5 (repo_id, operation_id, snapshot)",
        ("table", "_epicvc_state", "_epicvc_state"),
    ),
    (
        STATE.replace("snapshot TEXT", "snapshot TEXT UNIQUE ON CONFLICT REPLACE"),
        ("table", "_epicvc_state", "_epicvc_state"),
    ),
    (
        f"{STATE} CREATE TABLE c (r TEXT REFERENCES _epicvc_STATE (repo_id) ON DELETE CASCADE)",
        ("foreign key", "c", "_epicvc_STATE"),
    ),
]


@pytest.mark.parametrize(("script", "intruder"), INTRUDERS, ids=[str(n) for n in range(len(INTRUDERS))])
@pytest.mark.parametrize("as_restore", [False, True], ids=["write", "restore"])
def test_a_database_with_an_intruder_is_read_and_not_written(
    tmp_path: Path, script: str, intruder: tuple[str, str, str], as_restore: bool
) -> None:
    backend = sqlite_backend(tmp_path / "t.db", BASE + script)
    before = dump(tmp_path / "t.db")
    with backend.read() as reader:
        assert list(reader.intruders()) == [Intruder(*intruder)]
        assert reader.count("t") == 2
    with pytest.raises(ReservedName, match=intruder[1]) as caught, backend.write(as_restore=as_restore):
        pass
    assert (caught.value.what, caught.value.name, caught.value.table) == intruder
    assert dump(tmp_path / "t.db") == before


def test_what_only_mentions_the_names_is_none(tmp_path: Path) -> None:
    script = """
        CREATE TABLE x_epicvc_state (v DEFAULT '_epicvc_state', CHECK (v <> '_epicvc_'));
        CREATE TABLE "aepicvcb" (v); CREATE TABLE _epicvc_mine (v); CREATE INDEX _epicvc_i ON t (v);
        CREATE TRIGGER audit AFTER INSERT ON t BEGIN INSERT INTO x_epicvc_state VALUES (NEW.id); END;
        CREATE VIEW seen AS SELECT * FROM _epicvc_state;
    """
    backend = sqlite_backend(tmp_path / "t.db", BASE + STATE + script)
    with backend.read() as reader:
        assert list(reader.intruders()) == []
    with backend.write() as writer:
        writer.set_state("repo", "op", "snapshot")
        writer.commit()
    with backend.read() as reader:
        assert reader.state("repo") == ("op", "snapshot")


def test_the_table_that_epicvc_makes_is_none(tmp_path: Path) -> None:
    backend = sqlite_backend(tmp_path / "t.db", BASE)
    for operation in ("one", "two"):
        with backend.write() as writer:
            writer.set_state("repo", operation, "snapshot")
            writer.commit()
    run_script(tmp_path / "t.db", "ALTER TABLE t RENAME TO u; VACUUM")
    with closing(sqlite3.connect(tmp_path / "t.db")) as application:
        copy = sqlite_backend(tmp_path / "copy.db", "\n".join(application.iterdump()))
    for one in (backend, copy):
        with one.read() as reader:
            assert list(reader.intruders()) == []


@pytest.mark.parametrize("as_restore", [False, True], ids=["write", "restore"])
def test_an_intruder_that_the_transaction_makes(tmp_path: Path, as_restore: bool) -> None:
    backend = sqlite_backend(tmp_path / "t.db", BASE + STATE)
    before = dump(tmp_path / "t.db")
    with pytest.raises(ReservedName), backend.write(as_restore=as_restore) as writer:
        writer.execute(f"CREATE TRIGGER x AFTER INSERT ON _epicvc_state {DELETES}")
        writer.set_state("repo", "op", "snapshot")
    assert dump(tmp_path / "t.db") == before


@pytest.fixture
def connection() -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        connection.executescript(BASE)
        create_state(connection)
        yield connection


def test_writing_the_state_replaces_it(connection: sqlite3.Connection) -> None:
    for operation in ("one", "two"):
        write_state(connection, "repo", operation, "snapshot")
        write_state(connection, "other", "x", "snapshot")
    rows = connection.execute("SELECT * FROM _epicvc_state ORDER BY repo_id").fetchall()
    assert rows == [("other", "x", "snapshot"), ("repo", "two", "snapshot")]


@pytest.mark.parametrize(
    "script",
    [
        f"CREATE TRIGGER x AFTER INSERT ON _epicvc_state {DELETES}",
        f"CREATE TRIGGER x AFTER DELETE ON _epicvc_state {DELETES}",
        "CREATE TRIGGER x BEFORE INSERT ON _epicvc_state BEGIN SELECT RAISE(IGNORE); END",
        """PRAGMA foreign_keys = ON; CREATE TABLE c (r REFERENCES _epicvc_state (repo_id) ON DELETE CASCADE);
        INSERT INTO c VALUES ('repo')""",
    ],
)
def test_what_changes_with_the_state_is_noticed(connection: sqlite3.Connection, script: str) -> None:
    write_state(connection, "repo", "one", "snapshot")
    connection.executescript(script)
    with pytest.raises(InvalidData, match="other rows"):
        write_state(connection, "repo", "two", "snapshot")


def _renamed(path: Path, name: str) -> None:
    """Give the trigger ``x`` a name that SQLite's own statements would not give it."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute(
            "UPDATE sqlite_master SET name = ?, sql = replace(sql, 'TRIGGER x', 'TRIGGER ' || ?) WHERE name = 'x'",
            [name, name],
        )
        connection.commit()


@pytest.mark.parametrize("name", ["sqlite_stat_x", "sqlite_sequence"])
def test_a_trigger_with_a_name_of_sqlites_own_does_not_fire_in_a_restore(tmp_path: Path, name: str) -> None:
    path = tmp_path / "t.db"
    backend = sqlite_backend(path, BASE + "CREATE TABLE other (id INTEGER PRIMARY KEY); INSERT INTO other VALUES (1);")
    target = capture(backend)
    run_script(path, "UPDATE t SET v = 'c'; CREATE TRIGGER x AFTER UPDATE ON t BEGIN DELETE FROM other; END;")
    _renamed(path, name)
    found = capture(backend)
    assert [trigger.name for trigger in found.schema.triggers] == [name]
    with backend.read() as reader, pytest.raises(UnsupportedSchema, match=name):
        reader.require_restorable()
    restore(backend, target)
    assert capture(backend) == target


def test_a_snapshot_cannot_bring_an_intruder(tmp_path: Path) -> None:
    path = tmp_path / "t.db"
    backend = sqlite_backend(path, BASE + STATE)
    found = capture(backend)
    trigger = Definition("x", f"CREATE TRIGGER x AFTER INSERT ON _epicvc_state {DELETES[:-1]}")
    schema = type(found.schema)(tables=found.schema.tables, triggers=(trigger,), user_version=0, application_id=0)
    before = dump(path)
    with pytest.raises(UnsupportedSchema, match="@x"), backend.write(as_restore=True) as writer:
        writer.restore(schema, {}, found.source)
    assert dump(path) == before
