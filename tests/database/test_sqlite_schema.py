"""What cannot be captured exactly is refused, and named."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from epicvc.database.rowcodec import encode_key
from epicvc.database.sqlite.backend import SQLiteBackend
from epicvc.errors import InvalidData, InvalidRow, UnsupportedSchema

from .helpers import capture, restore, run_script, sqlite_backend

REFUSED = {
    "hidden row numbers": ("t", "CREATE TABLE t (rowid, _ROWID_, oid);"),
    "an edited definition": (
        "v",
        """CREATE VIEW v AS SELECT 1; PRAGMA writable_schema=ON;
        UPDATE sqlite_master SET sql = 'create view v AS SELECT 1' WHERE name = 'v';""",
    ),
}


@pytest.mark.parametrize(("name", "script"), REFUSED.values(), ids=REFUSED.keys())
def test_refused_unless_ignored(tmp_path: Path, name: str, script: str) -> None:
    path = tmp_path / "t.db"
    backend = sqlite_backend(path, "CREATE TABLE fine (id INTEGER PRIMARY KEY);" + script)
    with pytest.raises(UnsupportedSchema) as caught:
        capture(backend)
    assert caught.value.table == name
    assert name in (caught.value.hint or "")
    before = path.read_bytes()
    without = SQLiteBackend(path, ignore=frozenset([name.upper()]))
    target = capture(without)
    assert [table.name for table in target.schema.tables] == ["fine"]
    run_script(path, "INSERT INTO fine VALUES (1)")
    restore(without, target)
    assert capture(without) == target
    assert len(path.read_bytes()) == len(before)


def test_another_encoding(tmp_path: Path) -> None:
    script = "PRAGMA encoding='UTF-16le'; CREATE TABLE t (v); INSERT INTO t VALUES ('x');"
    backend = sqlite_backend(tmp_path / "t.db", script)
    with pytest.raises(InvalidData, match="UTF-16le"):
        capture(backend)


def test_rows_that_nothing_tells_apart(tmp_path: Path) -> None:
    script = "CREATE TABLE t (rowid, oid, _rowid_, PRIMARY KEY (rowid, oid)); INSERT INTO t VALUES (1, 2, 3);"
    backend = sqlite_backend(tmp_path / "t.db", script)
    target = capture(backend)
    run_script(tmp_path / "t.db", "UPDATE t SET oid = 5")
    restore(backend, target)
    assert capture(backend) == target
    run_script(tmp_path / "t.db", "INSERT INTO t VALUES (NULL, 2, 3)")
    with pytest.raises(InvalidRow) as caught:
        capture(backend)
    assert (caught.value.table, caught.value.column) == ("t", "rowid")


def test_not_captured(tmp_path: Path) -> None:
    script = """
        CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT); CREATE INDEX _epicvc_i ON t (id);
        CREATE TABLE _EPICVC_mine (id INTEGER PRIMARY KEY AUTOINCREMENT); INSERT INTO _epicvc_mine VALUES (7);
        INSERT INTO t VALUES (3); ANALYZE;
    """
    backend = sqlite_backend(tmp_path / "t.db", script)
    found = capture(backend)
    assert [table.name for table in found.schema.tables] == ["t"]
    assert found.schema.tables[0].indexes == ()
    assert len(found.rows["sqlite_sequence"]) == 1
    run_script(tmp_path / "t.db", "INSERT INTO t VALUES (4); INSERT INTO _epicvc_mine VALUES (9)")
    restore(backend, found)
    assert capture(backend) == found
    with backend.read() as reader:
        own = reader.execute("SELECT name FROM sqlite_master WHERE name LIKE '@_epicvc@_%' ESCAPE '@'")
        assert sorted(str(name) for (name,) in own) == ["_EPICVC_mine", "_epicvc_i"]
        assert list(reader.execute("SELECT seq FROM sqlite_sequence WHERE name = '_EPICVC_mine'")) == [(9,)]


def test_two_counters_of_one_table(tmp_path: Path) -> None:
    path = tmp_path / "t.db"
    script = "CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT); INSERT INTO t VALUES (5);"
    backend = sqlite_backend(path, script)
    once = capture(backend)
    doubled = """INSERT INTO sqlite_sequence (name, seq) VALUES ('t', 1000), ('t', 7), (NULL, 1), (NULL, 2);
        INSERT INTO sqlite_sequence (name, seq) VALUES ('gone', 'x');
        INSERT OR REPLACE INTO sqlite_sequence (name, seq) VALUES ('t', 1);"""
    run_script(path, doubled)
    target = capture(backend)
    table = target.rows["sqlite_sequence"]
    assert len(table) == 4
    assert once.rows["sqlite_sequence"].items() < table.items()  # the first, which is what SQLite uses
    run_script(path, "INSERT INTO t VALUES (NULL)")
    assert capture(backend).rows["t"].keys() - target.rows["t"].keys() == {encode_key([6])}
    restore(backend, target)
    assert capture(backend) == target
    with backend.read() as reader:
        assert reader.count("sqlite_sequence") == 4
        assert all(reader.row("sqlite_sequence", key) == row for key, row in table.items())
    run_script(path, "DELETE FROM sqlite_sequence; INSERT INTO t VALUES (NULL)")
    restore(backend, target)
    assert capture(backend) == target


def test_a_query_that_is_left_unread(tmp_path: Path) -> None:
    """Its transaction ends before it does: nothing is complained about when it goes."""
    backend = sqlite_backend(
        tmp_path / "t.db", "CREATE TABLE t (id INTEGER PRIMARY KEY); INSERT INTO t VALUES (1), (2);"
    )
    with catch_unraisable() as complaints:
        with backend.read() as reader:
            rows = reader.execute("SELECT id FROM t")
            assert next(rows) == (1,)
        backend.close()
        del rows
        gc.collect()
    assert complaints == []


@contextmanager
def catch_unraisable() -> Iterator[list[object]]:
    """What was raised where nobody could catch it."""
    found: list[object] = []
    before, sys.unraisablehook = sys.unraisablehook, lambda told: found.append(told.exc_value)
    try:
        yield found
    finally:
        sys.unraisablehook = before
