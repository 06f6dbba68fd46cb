"""A collation that only the application has: its tables are read, and not written where an index has its order."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from epicvc.database.sqlite.backend import SQLiteBackend
from epicvc.errors import InvalidData, UnknownOrder

from .helpers import Capture, capture, restore, run_script, sqlite_backend

TABLES = """
    CREATE TABLE keyed (n TEXT PRIMARY KEY COLLATE unicase, x INT) WITHOUT ROWID;
    CREATE TABLE single (n TEXT COLLATE unicase UNIQUE, x INT); CREATE TABLE apart (id INTEGER PRIMARY KEY, n TEXT);
    CREATE INDEX apart_n ON apart (n COLLATE unicase); CREATE TABLE plain (id INTEGER PRIMARY KEY, n COLLATE unicase);
    INSERT INTO keyed VALUES ('b', 1), ('A', 2), ('C', 3), ('d', 4); INSERT INTO single VALUES ('b', 1), ('A', 2);
    INSERT INTO apart VALUES (1, 'b'), (2, 'A'); INSERT INTO plain VALUES (1, 'b'), (2, 'A');
"""


def _application(path: Path, script: str) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.create_collation("unicase", lambda a, b: (a.lower() > b.lower()) - (a.lower() < b.lower()))
        connection.executescript(script)


@pytest.fixture
def backend(tmp_path: Path) -> SQLiteBackend:
    _application(tmp_path / "t.db", TABLES)
    return SQLiteBackend(tmp_path / "t.db")


def test_it_is_read(backend: SQLiteBackend) -> None:
    found = capture(backend)
    assert {name: len(rows) for name, rows in found.rows.items() if rows} == {
        **dict.fromkeys(["single", "apart", "plain"], 2),
        "keyed": 4,
    }
    with backend.read() as reader:
        reader.require_restorable()
        assert dict(reader.unordered()) == dict.fromkeys(["keyed", "single", "apart"], "unicase")
        for table, rows in found.rows.items():  # by their keys too, which no index can be asked for
            assert {key: reader.row(table, key) for key in rows} == rows


def test_what_is_in_no_index_is_written(backend: SQLiteBackend, tmp_path: Path) -> None:
    target = capture(backend)
    run_script(tmp_path / "t.db", "DELETE FROM plain WHERE id = 1; DROP TABLE IF EXISTS other; CREATE TABLE other (a)")
    restore(backend, target)
    assert capture(backend) == target
    run_script(tmp_path / "t.db", "DROP TABLE plain")
    restore(backend, target)
    assert capture(backend) == target


@pytest.mark.parametrize(
    ("table", "script"),
    [
        ("keyed", "UPDATE keyed SET x = 9 WHERE n = 'a'"),
        ("single", "DELETE FROM single"),
        ("apart", "INSERT INTO apart VALUES (3, 'c')"),
        ("apart", "DROP INDEX apart_n"),
        ("keyed", "DROP TABLE keyed"),
    ],
)
def test_writing_into_its_index_is_refused(backend: SQLiteBackend, tmp_path: Path, table: str, script: str) -> None:
    target = capture(backend)
    _application(tmp_path / "t.db", script)
    before = capture(backend)
    with pytest.raises(UnknownOrder) as caught:
        restore(backend, target)
    assert (caught.value.table, caught.value.collation, caught.value.exit_code) == (table, "unicase", 4)
    assert capture(backend) == before


def test_an_empty_index_can_be_made(backend: SQLiteBackend, tmp_path: Path) -> None:
    target = capture(backend)
    restore(sqlite_backend(tmp_path / "copy.db"), Capture(target.schema, {name: {} for name in target.rows}))
    with pytest.raises(UnknownOrder):
        restore(sqlite_backend(tmp_path / "other.db"), target)


def test_a_trigger_that_would_write_into_its_index(backend: SQLiteBackend, tmp_path: Path) -> None:
    run_script(tmp_path / "t.db", "CREATE TABLE t (a); CREATE TRIGGER x AFTER INSERT ON t BEGIN "
               "INSERT INTO keyed VALUES (NEW.a, 1); END")  # fmt: skip
    with backend.write() as writer:
        writer.tables()
        with pytest.raises(InvalidData, match="unicase"):
            writer.execute("INSERT INTO t VALUES ('a')")
