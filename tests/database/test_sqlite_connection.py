"""Opening: what reading leaves untouched, and what cannot be opened."""

from __future__ import annotations

import ctypes
import gc
import os
import shutil
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from epicvc.database.rowcodec import encode_key
from epicvc.database.sqlite.backend import SQLiteBackend
from epicvc.errors import DatabaseLocked, DatabaseUnavailable, InvalidData, NotADatabase

from .helpers import capture, run_script, sqlite_backend, touched_keys

SCRIPT = "CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT); INSERT INTO t VALUES (1, 'one'), (2, 'two');"
BIG = "CREATE TABLE big (v);" + "INSERT INTO big VALUES (zeroblob(9000));" * 9
MAY_IGNORE_PERMISSIONS = 0b110  # CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH


def state(directory: Path) -> dict[str, tuple[bytes, int]]:
    """Every file with its bytes and modification time."""
    return {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in sorted(directory.iterdir())}


def rows(backend: SQLiteBackend) -> int:
    with backend.read() as reader:
        return len(list(reader.rows("t")))


@pytest.mark.parametrize("mode", ["delete", "truncate", "persist", "wal"])
def test_reading_leaves_everything_as_it_is(tmp_path: Path, mode: str) -> None:
    backend = sqlite_backend(tmp_path / "t.db", f"PRAGMA journal_mode={mode};{SCRIPT}")
    before = state(tmp_path)
    capture(backend)
    with backend.read() as reader:
        reader.version()
        reader.faults()
    assert rows(backend) == 2
    backend.close()
    assert state(tmp_path) == before


def test_a_backend_that_nobody_closed_keeps_no_file_open(tmp_path: Path) -> None:
    """Reading for a writer keeps a connection, which goes with the backend."""
    backend = sqlite_backend(tmp_path / "t.db", SCRIPT)
    with backend.read() as reader:
        reader.version()
    descriptors = Path("/proc/self/fd")
    if not descriptors.is_dir():
        pytest.skip("only Linux tells which files are open")

    def opened() -> int:
        return sum(os.path.realpath(path) == str(tmp_path / "t.db") for path in descriptors.iterdir())

    assert opened() == 1
    del backend, reader
    gc.collect()
    assert opened() == 0


def test_reading_leaves_a_wal_alone(tmp_path: Path) -> None:
    """Of an application that runs: its frames are read and stay where they are."""
    application = sqlite3.connect(tmp_path / "t.db")
    application.executescript(f"PRAGMA journal_mode=wal; {SCRIPT}")
    main, wal = (tmp_path / "t.db").read_bytes(), (tmp_path / "t.db-wal").read_bytes()
    backend = SQLiteBackend(tmp_path / "t.db")
    assert rows(backend) == 2
    backend.close()
    assert (tmp_path / "t.db").read_bytes() == main
    assert (tmp_path / "t.db-wal").read_bytes() == wal
    application.execute("DELETE FROM t")
    application.commit()
    assert rows(backend) == 0
    application.close()
    assert rows(backend) == 0


def test_a_wal_that_a_crash_left(tmp_path: Path) -> None:
    application = sqlite3.connect(tmp_path / "t.db")
    application.executescript(f"PRAGMA journal_mode=wal; {SCRIPT}")
    crashed = tmp_path / "crashed"
    crashed.mkdir()
    for name in ("t.db", "t.db-wal"):
        shutil.copy(tmp_path / name, crashed)
    application.close()
    before = state(crashed)
    backend = SQLiteBackend(crashed / "t.db")
    assert rows(backend) == 2
    backend.close()
    after = state(crashed)
    assert (after["t.db"], after["t.db-wal"]) == (before["t.db"], before["t.db-wal"])


def test_a_wal_of_another_database_is_not_its_own(tmp_path: Path) -> None:
    run_script(tmp_path / "t.db", f"PRAGMA journal_mode=wal;{SCRIPT}")
    for foreign in (b"nonsense" * 500, b"\0" * 32, b"short"):
        (tmp_path / "t.db-wal").write_bytes(foreign)
        backend = SQLiteBackend(tmp_path / "t.db")
        assert rows(backend) == 2
        backend.close()


def test_a_transaction_that_a_crash_interrupted_is_rolled_back(tmp_path: Path) -> None:
    application = sqlite3.connect(tmp_path / "t.db", isolation_level=None)
    application.executescript(f"CREATE TABLE big (v); {SCRIPT} PRAGMA cache_size=1;")
    application.execute("BEGIN")
    application.execute("DELETE FROM t")
    application.executemany("INSERT INTO big VALUES (?)", ((b"x" * 3000,) for _ in range(50)))
    crashed = tmp_path / "crashed"
    crashed.mkdir()
    for name in ("t.db", "t.db-journal"):
        shutil.copy(tmp_path / name, crashed)
    application.close()
    backend = SQLiteBackend(crashed / "t.db")
    assert rows(backend) == 2
    with backend.read() as reader:
        assert reader.count("big") == 0
    assert [path.name for path in crashed.iterdir()] == ["t.db"]


def test_paths_with_every_sign(tmp_path: Path) -> None:
    names = ["a?mode=memory&x.db", "b#c.db", "50%41.db", "ação 'x'.db"]
    for name in names:
        backend = sqlite_backend(tmp_path / name, SCRIPT)
        assert rows(backend) == 2
    raw = tmp_path / os.fsdecode(b"raw\xff.db")
    shutil.copy(tmp_path / names[0], raw)
    assert rows(SQLiteBackend(raw)) == 2
    assert len(list(tmp_path.iterdir())) == 5


def test_a_missing_file_is_not_made(tmp_path: Path) -> None:
    backend = SQLiteBackend(tmp_path / "no.db")
    for opened in (backend.read, backend.write):
        with pytest.raises(DatabaseUnavailable, match="no such file"), opened():
            pass
    assert not backend.exists()
    assert backend.token() is None
    assert not list(tmp_path.iterdir())
    backend.create()
    assert backend.exists()
    with backend.read() as reader:
        assert reader.schema().tables == ()
    with pytest.raises(DatabaseUnavailable):
        SQLiteBackend(tmp_path / "no" / "where.db").create()


def test_a_directory(tmp_path: Path) -> None:
    with pytest.raises(DatabaseUnavailable, match="directory"), SQLiteBackend(tmp_path).read():
        pass


@pytest.mark.parametrize("content", [b"not a database, but long enough to look at" * 30, b"SQLite format 3\0" * 100])
def test_not_a_database(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "t.db"
    path.write_bytes(content)
    for opened in (SQLiteBackend(path).read, SQLiteBackend(path).write):
        with pytest.raises(NotADatabase), opened():
            pass
    assert path.read_bytes() == content


def test_a_damaged_database(tmp_path: Path) -> None:
    backend = sqlite_backend(tmp_path / "t.db", SCRIPT + BIG)
    whole = (tmp_path / "t.db").read_bytes()
    for start in (100, 4096, 8192):
        (tmp_path / "t.db").write_bytes(whole[:start] + b"\xa5" * 2000 + whole[start + 2000 :])
        with pytest.raises(InvalidData):
            capture(backend)


def test_a_database_that_is_cut_short(tmp_path: Path) -> None:
    backend = sqlite_backend(tmp_path / "t.db", SCRIPT + BIG)
    os.truncate(tmp_path / "t.db", 4096)
    with pytest.raises(InvalidData, match="damaged"):
        capture(backend)


def test_locked(tmp_path: Path) -> None:
    backend = sqlite_backend(tmp_path / "t.db", SCRIPT, timeout=0.1)
    other = sqlite3.connect(tmp_path / "t.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    assert rows(backend) == 2  # readers go on
    began = time.monotonic()
    with pytest.raises(DatabaseLocked, match=r"waited 0\.1 s"), backend.write():
        pass
    assert time.monotonic() - began < 2
    other.execute("ROLLBACK")
    other.execute("BEGIN EXCLUSIVE")
    with pytest.raises(DatabaseLocked), backend.read():
        pass
    other.close()
    assert rows(backend) == 2


def test_a_reader_that_stays_keeps_a_commit_out(tmp_path: Path) -> None:
    backend = sqlite_backend(tmp_path / "t.db", SCRIPT, timeout=0.1)
    other = sqlite3.connect(tmp_path / "t.db", isolation_level=None)
    other.execute("BEGIN")
    other.execute("SELECT * FROM t").fetchall()
    with backend.write() as writer:
        writer.execute("DELETE FROM t")
        with pytest.raises(DatabaseLocked):
            writer.commit()
    other.close()
    assert rows(backend) == 2


def test_one_view_as_long_as_it_lasts(tmp_path: Path) -> None:
    backend = sqlite_backend(tmp_path / "t.db", f"PRAGMA journal_mode=wal;{SCRIPT}")
    with backend.read() as reader:
        seen = reader.version()
        run_script(tmp_path / "t.db", "DELETE FROM t")
        assert reader.count("t") == 2
        with backend.write() as writer:
            assert writer.version() != seen
            assert writer.count("t") == 0
    with backend.write() as writer:
        assert writer.version() != seen


def test_a_file_put_in_its_place_is_another_version(tmp_path: Path) -> None:
    backend = sqlite_backend(tmp_path / "t.db", SCRIPT)
    with backend.read() as reader:
        seen = reader.version()
    shutil.copy(tmp_path / "t.db", tmp_path / "new.db")
    (tmp_path / "new.db").replace(tmp_path / "t.db")
    with backend.write() as writer:
        assert writer.version() != seen
    backend.close()


def test_no_room(tmp_path: Path) -> None:
    backend = sqlite_backend(tmp_path / "t.db", SCRIPT)
    with backend.write() as writer:
        writer.execute("PRAGMA max_page_count=3")
        with pytest.raises(DatabaseUnavailable, match="full"):
            writer.execute("INSERT INTO t VALUES (9, ?)", ["x" * 100_000])
    assert rows(backend) == 2


class CapabilityHeader(ctypes.Structure):
    _fields_ = [("version", ctypes.c_uint32), ("pid", ctypes.c_int)]


class CapabilityData(ctypes.Structure):
    _fields_ = [(name, ctypes.c_uint32) for name in ("effective", "permitted", "inheritable")]


@contextmanager
def without_privileges() -> Iterator[None]:
    """Let permissions count even where the tests are run by root, who may do anything otherwise."""
    if os.geteuid() != 0:
        yield
        return
    libc = ctypes.CDLL(None, use_errno=True)
    header, data = CapabilityHeader(0x20080522, 0), (CapabilityData * 2)()
    if libc.capget(ctypes.byref(header), data):
        pytest.skip("root's privileges cannot be laid down here")
    effective = data[0].effective
    data[0].effective = effective & ~MAY_IGNORE_PERMISSIONS
    assert libc.capset(ctypes.byref(header), data) == 0
    try:
        yield
    finally:
        data[0].effective = effective
        assert libc.capset(ctypes.byref(header), data) == 0


@pytest.mark.parametrize("mode", ["delete", "wal"])
def test_read_only(tmp_path: Path, mode: str) -> None:
    directory = tmp_path / "d"
    directory.mkdir()
    backend = sqlite_backend(directory / "t.db", f"PRAGMA journal_mode={mode};{SCRIPT}")
    (directory / "t.db").chmod(0o444)
    directory.chmod(0o555)
    before = state(directory)
    try:
        with without_privileges():
            assert rows(backend) == 2
            with pytest.raises(DatabaseUnavailable, match="readonly") as caught, backend.write() as writer:
                writer.execute("DELETE FROM t")
            assert caught.value.hint == "make the file and its directory writable"
            backend.close()
    finally:
        directory.chmod(0o755)
    assert state(directory) == before


@pytest.mark.parametrize("mode", ["delete", "wal"])
def test_a_directory_that_cannot_be_written(tmp_path: Path, mode: str) -> None:
    directory = tmp_path / "d"
    directory.mkdir()
    backend = sqlite_backend(directory / "t.db", f"PRAGMA journal_mode={mode};{SCRIPT}")
    capture(backend)
    (directory / "t.db").chmod(0o666)
    directory.chmod(0o555)
    try:
        with without_privileges():
            assert rows(backend) == 2
            with pytest.raises(DatabaseUnavailable), backend.write() as writer:
                writer.execute("DELETE FROM t")
                writer.commit()
    finally:
        directory.chmod(0o755)
    assert rows(backend) == 2


def test_a_file_that_may_not_be_read(tmp_path: Path) -> None:
    backend = sqlite_backend(tmp_path / "t.db", SCRIPT)
    capture(backend)
    (tmp_path / "t.db").chmod(0)
    with without_privileges(), pytest.raises(DatabaseUnavailable, match="unable to open"), backend.read():
        pass


def test_text_that_is_no_utf8_in_a_composed_read(tmp_path: Path) -> None:
    backend = sqlite_backend(tmp_path / "t.db", SCRIPT + "INSERT INTO t VALUES (3, CAST(x'ff' AS TEXT));")
    with backend.read() as reader:
        with pytest.raises(InvalidData, match="no UTF-8"):
            list(reader.execute("SELECT v FROM t"))
        assert len(list(reader.rows("t"))) == 3
        assert reader.row("t", encode_key([3])) is not None
        found = reader.execute("SELECT v FROM t ORDER BY id")
        assert next(found) == ("one",)
        exact = reader.rows("t")
        assert len(list(exact)) == 3  # the slow way does not leak into other queries
        with pytest.raises(InvalidData, match="no UTF-8"):
            list(found)


def test_a_hostile_schema_runs_nothing_dangerous(tmp_path: Path) -> None:
    script = SCRIPT + "CREATE TRIGGER x AFTER INSERT ON t BEGIN SELECT load_extension('/nowhere'); END;"
    backend = sqlite_backend(tmp_path / "t.db", script)
    capture(backend)
    with backend.write() as writer, pytest.raises(InvalidData, match=r"not authorized|load_extension"):
        writer.execute("INSERT INTO t VALUES (9, 'x')")
    assert rows(backend) == 2


def test_ordinary_triggers_work_with_json_and_full_text_search(tmp_path: Path) -> None:
    script = (
        SCRIPT
        + """
        CREATE VIRTUAL TABLE search USING fts5(v); CREATE TABLE parts (p);
        CREATE TRIGGER x AFTER INSERT ON t BEGIN
          INSERT INTO search(rowid, v) VALUES (NEW.id, NEW.v);
          INSERT INTO parts SELECT value FROM json_each('[1,2]'); END;
    """
    )
    backend = sqlite_backend(tmp_path / "t.db", script, ignore=frozenset(["search"]))
    with backend.write() as writer:
        writer.execute("INSERT INTO t VALUES (9, 'needle')")
        assert list(writer.execute("SELECT rowid FROM search WHERE search MATCH 'needle'")) == [(9,)]
        assert touched_keys(writer)["parts"] == frozenset([encode_key([1]), encode_key([2])])
