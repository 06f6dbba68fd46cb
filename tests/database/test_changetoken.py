from __future__ import annotations

import os
import sqlite3
import time
from pathlib import Path

import pytest

from epicvc.database.sqlite.pages.changetoken import COARSE_MARGIN_NS, change_token

LATER = 10 * COARSE_MARGIN_NS

WRITES = [
    "INSERT INTO t VALUES (1)",
    "UPDATE t SET v = 2 WHERE v = 1",
    "DELETE FROM t WHERE v = 2",
    "CREATE TABLE other (v)",
    "CREATE TRIGGER x AFTER INSERT ON t BEGIN SELECT 1; END",
    "PRAGMA user_version=5",
    "INSERT INTO t SELECT v FROM t LIMIT 1",
]


def settled(path: Path) -> str:
    token = change_token(path, time.time_ns() + LATER)
    assert token is not None
    return token


@pytest.fixture(params=["delete", "truncate", "persist", "wal"])
def connection(tmp_path: Path, request: pytest.FixtureRequest) -> sqlite3.Connection:  # type: ignore[misc]
    opened = sqlite3.connect(tmp_path / "t.db", isolation_level=None)
    opened.execute(f"PRAGMA journal_mode={request.param}")
    opened.execute("CREATE TABLE t (v)")
    opened.execute("INSERT INTO t VALUES (0)")
    yield opened
    opened.close()


def test_every_kind_of_write_is_noticed(connection: sqlite3.Connection, tmp_path: Path) -> None:
    path = tmp_path / "t.db"
    seen = {settled(path)}
    for statement in WRITES:
        time.sleep(0.012)  # past the tick of the file system's clock; within it no token is given in earnest
        connection.execute(statement)
        assert settled(path) not in seen, statement
        seen.add(settled(path))


def test_a_wal_that_starts_anew_in_place(tmp_path: Path) -> None:
    path = tmp_path / "t.db"
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode=wal")
    connection.execute("CREATE TABLE t (v)")
    for _ in range(3):
        connection.execute("INSERT INTO t VALUES (0)")
    connection.execute("PRAGMA wal_checkpoint(FULL)")
    before, wal = settled(path), path.with_name("t.db-wal")
    size, stamp = wal.stat().st_size, wal.stat().st_mtime_ns
    connection.execute("INSERT INTO t VALUES (1)")
    os.utime(wal, ns=(stamp, stamp))
    assert wal.stat().st_size == size
    assert settled(path).rsplit("/", 1)[1] != before.rsplit("/", 1)[1]  # the header alone tells
    connection.close()


def test_the_same_file_has_the_same_token(connection: sqlite3.Connection, tmp_path: Path) -> None:
    path = tmp_path / "t.db"
    assert settled(path) == settled(path)
    connection.execute("SELECT * FROM t").fetchall()
    connection.close()
    before = settled(path)
    again = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    again.execute("SELECT * FROM t").fetchall()
    assert settled(path) == before  # an empty -wal that a reader made is none
    again.close()
    assert settled(path) == before


def test_a_fresh_change_is_not_trusted(tmp_path: Path) -> None:
    path = tmp_path / "t.db"
    path.write_bytes(b"x")
    os.utime(path, ns=(1_500_000_000_123_456_789,) * 2)
    changed = path.stat().st_ctime_ns
    assert change_token(path, changed) is None
    assert change_token(path, changed + 50_000_000) is None
    assert change_token(path, changed - LATER) is None  # a clock that was set back
    assert change_token(path, changed + LATER) is not None
    assert change_token(path) is None


def test_whole_seconds_are_trusted_later(tmp_path: Path) -> None:
    path = tmp_path / "t.db"
    path.write_bytes(b"x")
    future = (path.stat().st_ctime_ns // 10**9 + 100) * 10**9
    os.utime(path, ns=(future, future))
    assert change_token(path, future + 2 * 10**9) is None
    assert change_token(path, future + 4 * 10**9) is not None


def test_a_fresh_wal_is_not_trusted(tmp_path: Path) -> None:
    path, wal = tmp_path / "t.db", tmp_path / "t.db-wal"
    path.write_bytes(b"x")
    os.utime(path, ns=(1, 1))
    wal.write_bytes(b"frames")
    now = max(path.stat().st_ctime_ns, wal.stat().st_ctime_ns)
    assert change_token(path, now + 50_000_000) is None
    assert change_token(path, now + LATER) is not None


def test_a_file_put_in_its_place(tmp_path: Path) -> None:
    path = tmp_path / "t.db"
    path.write_bytes(b"one")
    before = settled(path)
    (tmp_path / "new").write_bytes(b"two")
    (tmp_path / "new").replace(path)
    assert settled(path) != before


def test_nothing_to_tell(tmp_path: Path) -> None:
    assert change_token(tmp_path / "missing.db") is None
    (tmp_path / "t.db").write_bytes(b"x")
    (tmp_path / "t.db-wal").mkdir()
    assert change_token(tmp_path / "t.db", time.time_ns() + LATER) is None


def test_the_locks_of_an_open_connection_survive(tmp_path: Path) -> None:
    """Opening and closing the main file would drop them; see the module."""
    path = tmp_path / "t.db"
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("CREATE TABLE t (v)")
    connection.execute("BEGIN IMMEDIATE")
    before = Path("/proc/locks").read_text() if Path("/proc/locks").exists() else ""
    mine = [line for line in before.splitlines() if f":{path.stat().st_ino} " in line]
    change_token(path, time.time_ns() + LATER)
    if mine:
        after = Path("/proc/locks").read_text()
        assert [line.split(":", 1)[1] for line in mine] == [
            line.split(":", 1)[1] for line in after.splitlines() if f":{path.stat().st_ino} " in line
        ]
    connection.close()
