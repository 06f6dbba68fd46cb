"""Rows that wait beside a database before its lock is taken: they get there as exactly as others, and leave nothing."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from epicvc.database.backend import Change
from epicvc.database.rowcodec import RawText, SQLValue, encode_key, encode_row
from epicvc.database.shortcuts import Ahead
from epicvc.database.sqlite.backend import SQLiteBackend
from epicvc.database.sqlite.restore import incoming, rowwriter
from epicvc.errors import DatabaseLocked, DatabaseUnavailable, InvalidData, InvalidRow

from .helpers import Capture, capture, restore, run_script, sqlite_backend

TABLE = "CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER, r REAL, s TEXT UNIQUE, x)"
ROWS = "INSERT INTO t VALUES (1, 1, 1.5, 'a', x'00'), (2, NULL, -1e300, 'b' || char(0) || 'c', 9007199254740993);"


@pytest.fixture
def backend(tmp_path: Path) -> SQLiteBackend:
    return sqlite_backend(tmp_path / "t.db", f"{TABLE}; {ROWS}")


@pytest.fixture
def one_by_one(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The tables whose rows were inserted one by one."""
    found: list[str] = []
    insert = rowwriter.RowWriter.insert

    def noting(writer: rowwriter.RowWriter, rows: Iterator[tuple[bytes, bytes]]) -> None:
        found.append(writer._table.name)
        insert(writer, rows)

    monkeypatch.setattr(rowwriter.RowWriter, "insert", noting)
    return found


def written(backend: SQLiteBackend, values: tuple[SQLValue, ...], tmp_path: Path) -> None:
    """Restore a database in which one row is another."""
    now = capture(backend)
    key, old = encode_key([1]), now.rows["t"][encode_key([1])]
    change: list[Change] = [(key, old, encode_row(values))]
    ahead = Ahead({"t": (now.schema.by_name["t"], change)}, tmp_path / "waiting")
    with backend.write(as_restore=True, ahead=ahead) as writer:
        writer.restore(now.schema, {"t": change}, now.source, undisturbed=True)
        writer.commit()


def test_what_waited_is_there_exactly(backend: SQLiteBackend, tmp_path: Path, one_by_one: list[str]) -> None:
    target = capture(backend)
    run_script(
        tmp_path / "t.db", "DELETE FROM t WHERE id = 2; UPDATE t SET n = 7, s = 'z'; INSERT INTO t (id) VALUES (3);"
    )
    restore(backend, target, waiting=tmp_path / "waiting")
    assert capture(backend) == target
    assert one_by_one == []


@pytest.mark.parametrize(
    "values", [(1, 1, -0.0, "a", None), (1, 1, 1.5, RawText(b"\xff"), None)], ids=["signed zero", "no text"]
)
def test_what_cannot_be_told_apart_is_written_one_by_one(
    backend: SQLiteBackend, tmp_path: Path, one_by_one: list[str], values: tuple[SQLValue, ...]
) -> None:
    try:
        written(backend, values, tmp_path)
    except InvalidRow as error:  # a zero loses its sign in a column of REAL
        assert values[2] == 0
        assert "as it was" in str(error)
    else:
        assert capture(backend).rows["t"][encode_key([1])] == encode_row(values)
    assert one_by_one == ["t"]


@pytest.mark.parametrize(
    ("values", "column"),
    [
        ((1, "12", None, None, None), "n"),
        ((1, 1.0, None, None, None), "n"),
        ((1, None, 5, None, None), "r"),
        ((1, None, None, 5, None), "s"),
        ((1, None, None, None, float("nan")), "x"),
    ],
)
def test_a_value_that_comes_back_otherwise_is_named(
    backend: SQLiteBackend, tmp_path: Path, values: tuple[SQLValue, ...], column: str
) -> None:
    before = capture(backend)
    with pytest.raises(InvalidRow) as caught:
        written(backend, values, tmp_path)
    assert (caught.value.table, caught.value.row, caught.value.column) == ("t", "1", column)
    assert capture(backend) == before


def test_a_row_that_the_database_refuses_is_named(backend: SQLiteBackend, tmp_path: Path) -> None:
    before = capture(backend)
    with pytest.raises(InvalidRow, match="UNIQUE") as caught:
        written(backend, (1, 1, 1.5, "b\0c", None), tmp_path)
    assert caught.value.row == "1"
    assert capture(backend) == before


def test_a_row_under_the_key_of_another_is_named(backend: SQLiteBackend, tmp_path: Path) -> None:
    before = capture(backend)
    with pytest.raises(InvalidRow, match="does not come back under its key"):
        written(backend, (7, 1, 1.5, "a", None), tmp_path)
    assert capture(backend) == before


def test_the_lock_is_free_while_rows_are_brought(backend: SQLiteBackend, tmp_path: Path) -> None:
    now = capture(backend)
    asked = []

    class Asking(list[Change]):
        def __iter__(self) -> Iterator[Change]:
            with closing(sqlite3.connect(tmp_path / "t.db", timeout=0, isolation_level=None)) as application:
                application.execute("BEGIN IMMEDIATE")
                application.execute("ROLLBACK")
            asked.append(sorted(path.name for path in tmp_path.iterdir()))
            return super().__iter__()

    ahead = Ahead({"t": (now.schema.by_name["t"], Asking())}, tmp_path / "waiting")
    with backend.write(as_restore=True, ahead=ahead):
        other = sqlite3.connect(tmp_path / "t.db", timeout=0)
        with closing(other), pytest.raises(sqlite3.OperationalError, match="locked"):
            other.execute("BEGIN IMMEDIATE")
    assert asked == [["t.db"]], "the file has no name"


def test_nothing_is_left(backend: SQLiteBackend, tmp_path: Path) -> None:
    for _ in range(2):  # the second time the connection of the first may still be there
        written(backend, (1, 2, 2.5, "y", None), tmp_path)
        assert [path.name for path in tmp_path.iterdir()] == ["t.db"]
        with backend.read() as reader:
            assert [row[1] for row in reader.execute("PRAGMA database_list")] == ["main"]


def test_where_rows_cannot_wait(backend: SQLiteBackend, tmp_path: Path) -> None:
    now = capture(backend)
    ahead = Ahead({"t": (now.schema.by_name["t"], [])}, tmp_path / "nowhere" / "waiting")
    with pytest.raises(DatabaseUnavailable, match="nowhere"), backend.write(as_restore=True, ahead=ahead):
        raise AssertionError("opened")
    with closing(sqlite3.connect(tmp_path / "t.db", timeout=0, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")


def test_where_there_is_no_space_for_them(
    backend: SQLiteBackend, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(incoming, "_PRAGMAS", (*incoming._PRAGMAS, "max_page_count=5"))
    now = capture(backend)
    changes: list[Change] = [(encode_key([n]), None, encode_row((n, n, None, "x" * 3000, None))) for n in range(3, 30)]
    ahead = Ahead({"t": (now.schema.by_name["t"], changes)}, tmp_path / "waiting")
    with pytest.raises(DatabaseUnavailable, match="full") as caught, backend.write(as_restore=True, ahead=ahead):
        raise AssertionError("opened")
    assert str(tmp_path) in str(caught.value)
    assert "t.db" not in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == ["t.db"]
    assert capture(backend) == now


def test_a_damaged_row_is_found_before_the_lock_is_taken(backend: SQLiteBackend, tmp_path: Path) -> None:
    now = capture(backend)
    ahead = Ahead({"t": (now.schema.by_name["t"], [(encode_key([1]), None, b"\x91")])}, tmp_path / "waiting")
    with pytest.raises(InvalidData, match="damaged row"), backend.write(as_restore=True, ahead=ahead):
        raise AssertionError("opened")
    assert [path.name for path in tmp_path.iterdir()] == ["t.db"]


def test_a_database_that_is_locked(backend: SQLiteBackend, tmp_path: Path) -> None:
    now: Capture = capture(backend)
    impatient = SQLiteBackend(tmp_path / "t.db", timeout=0.0)
    ahead = Ahead({"t": (now.schema.by_name["t"], [])}, tmp_path / "waiting")
    with closing(sqlite3.connect(tmp_path / "t.db", timeout=0, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(DatabaseLocked), impatient.write(as_restore=True, ahead=ahead):
            raise AssertionError("opened")
    assert [path.name for path in tmp_path.iterdir()] == ["t.db"]
