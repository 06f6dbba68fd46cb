"""What a mark says of a file, compared with what is different in it."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from itertools import count
from pathlib import Path
from random import Random
from threading import Event, Thread
from time import sleep
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from epicvc.database.backend import Reader
from epicvc.database.rowcodec import encode_integer_key
from epicvc.database.shortcuts import ChangedKeys
from epicvc.database.sqlite.backend import SQLiteBackend
from epicvc.database.sqlite.pages import marking, marks
from epicvc.database.sqlite.pages.btree import HIGHEST, LOWEST, Unfamiliar, walk
from epicvc.database.sqlite.pages.marking import HeldFile

from .helpers import Capture, run_script, sqlite_backend

TABLES = """
CREATE TABLE numbered (id INTEGER PRIMARY KEY, a, b TEXT);
CREATE TABLE hidden (a, b TEXT);
CREATE TABLE named (k TEXT PRIMARY KEY, b TEXT);
CREATE TABLE pairs (a INTEGER, b TEXT, PRIMARY KEY (a)) WITHOUT ROWID;
CREATE TABLE counted (id INTEGER PRIMARY KEY AUTOINCREMENT, b TEXT);
CREATE INDEX by_text ON numbered (b);
"""
FILLED = f"""
PRAGMA page_size=512; PRAGMA auto_vacuum=2;
{TABLES}
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300)
INSERT INTO numbered SELECT i * 10, i, printf('%.*c', (i * 37) % 1300, 'x') FROM n;
INSERT INTO numbered VALUES (-5, x'00', printf('%.*c', 3000, 'y')), (999999, 1.5, printf('%.*c', 5000, 'z'));
INSERT INTO hidden SELECT id, b FROM numbered;
INSERT INTO named SELECT 'k' || id, b FROM numbered;
INSERT INTO pairs SELECT id, b FROM numbered;
INSERT INTO counted SELECT NULL, b FROM numbered;
"""


@pytest.fixture(autouse=True)
def any_size(monkeypatch: pytest.MonkeyPatch) -> None:
    """However small a database is, it is worth marking."""
    monkeypatch.setattr(marking, "WORTH_MARKING", 0)


@contextmanager
def alone() -> Iterator[None]:
    """Without processes, for many examples; the locks that this drops are needed by nobody here."""

    @contextmanager
    def comparing(held: HeldFile, roots: Any, mark: bytes) -> Iterator[Callable[[], Any]]:
        yield lambda: marks.answer(marks.PageQuestion(os.fsencode(held.path), held.identity, roots, mark))

    @contextmanager
    def making(held: HeldFile, roots: Any) -> Iterator[Callable[[], bytes | None]]:
        made = marks.answer(marks.PageQuestion(os.fsencode(held.path), held.identity, roots, None))
        yield lambda: msgspec.msgpack.encode(made) if made else None

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(HeldFile, "comparing", comparing)
        patch.setattr(HeldFile, "marking", making)
        yield


def marked(backend: SQLiteBackend) -> tuple[Capture, bytes | None]:
    with backend.read() as reader, reader.marking() as wait:
        rows = {table.name: dict(reader.rows(table.name)) for table in reader.tables()}
        return Capture(reader.schema(), rows), wait()


def made(backend: SQLiteBackend) -> tuple[Capture, bytes]:
    state, mark = marked(backend)
    assert mark is not None
    return state, mark


def compared(reader: Reader, mark: bytes) -> ChangedKeys | None:
    with reader.comparing(mark) as wait:
        return wait()


def told(backend: SQLiteBackend, before: Capture, mark: bytes) -> dict[str, list[tuple[bytes, bytes]]]:
    """What is said to have changed, once it has been compared with what has."""
    with backend.read() as reader:
        changed = compared(reader, mark)
        assert changed is not None
        for table, ranges in changed.tables.items():
            old, new = before.rows.get(table), dict(reader.rows(table))
            assert old is not None, f"{table} was not there"
            differing = {key for key in old.keys() | new.keys() if old.get(key) != new.get(key)}
            outside = [key for key in differing if not any(first <= key <= last for first, last in ranges)]
            assert not outside, (table, sorted(outside), ranges)
            for first, last in ranges:
                inside = [(key, row) for key, row in sorted(new.items()) if first <= key <= last]
                assert list(reader.rows_between(table, first, last)) == inside
        return {table: list(ranges) for table, ranges in changed.tables.items()}


def key(number: int) -> bytes:
    return encode_integer_key(number)


# one change after the other

NUMBERS = st.integers(-20, 3100)
SIZES = st.integers(0, 2500)
NAMES = st.sampled_from(["numbered", "hidden", "named", "pairs", "counted", "sqlite_sequence"])
PLACES = st.sampled_from(["numbered", "hidden", "counted"])

STATEMENTS = st.one_of(
    st.builds("INSERT OR REPLACE INTO numbered VALUES ({}, 7, printf('%.*c', {}, 'n'))".format, NUMBERS, SIZES),
    st.builds("INSERT INTO hidden VALUES ({}, printf('%.*c', {}, 'h'))".format, NUMBERS, SIZES),
    st.builds("INSERT OR IGNORE INTO named VALUES ('k{}', printf('%.*c', {}, 'k'))".format, NUMBERS, SIZES),
    st.builds("UPDATE {} SET b = substr(b, 1, length(b) - 1) || '!' WHERE rowid > {}".format, PLACES, NUMBERS),
    st.builds("UPDATE {} SET b = b || 'longer' WHERE rowid BETWEEN {} AND 2000".format, PLACES, NUMBERS),
    st.builds("UPDATE numbered SET id = -id WHERE id = {}0".format, st.integers(1, 300)),
    st.builds("DELETE FROM {} WHERE rowid > {}".format, PLACES, NUMBERS),
    st.builds("DELETE FROM {} WHERE rowid BETWEEN 100 AND {}".format, PLACES, NUMBERS),
    st.builds("DELETE FROM {}".format, NAMES),
    st.builds("UPDATE pairs SET b = 'p' WHERE a = {}0".format, st.integers(1, 300)),
    st.builds("INSERT INTO counted SELECT NULL, b FROM numbered WHERE id > {}".format, NUMBERS),
    st.sampled_from(
        [
            "VACUUM",
            "PRAGMA incremental_vacuum",
            "PRAGMA wal_checkpoint(TRUNCATE)",
            "PRAGMA wal_checkpoint(PASSIVE)",
            "BEGIN; DELETE FROM numbered; ROLLBACK",
            "DROP INDEX IF EXISTS by_text",
            "CREATE TABLE IF NOT EXISTS more AS SELECT * FROM numbered",
            "DROP TABLE IF EXISTS more",
            "ALTER TABLE hidden ADD COLUMN later DEFAULT 'there'",
            f"DROP TABLE named; {TABLES.splitlines()[3]}",
            "ALTER TABLE numbered RENAME TO n2; ALTER TABLE hidden RENAME TO numbered",
            "PRAGMA user_version=9",
            "REINDEX",
        ]
    ),
)


SERIAL = count()


@settings(deadline=None, max_examples=120, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    journal=st.sampled_from(["DELETE", "WAL"]),
    stays=st.booleans(),
    first=st.lists(STATEMENTS, max_size=2),
    batches=st.lists(st.lists(STATEMENTS, min_size=1, max_size=4), min_size=1, max_size=4),
)
def test_nothing_differs_outside_of_what_is_said(
    tmp_path: Path, journal: str, stays: bool, first: list[str], batches: list[list[str]]
) -> None:
    path = tmp_path / f"{next(SERIAL)}.db"
    run_script(path, f"PRAGMA page_size=512; PRAGMA journal_mode={journal}; {FILLED}")
    backend = SQLiteBackend(path)
    with alone(), closing(sqlite3.connect(path, isolation_level=None)) as other:
        if stays:  # then the log is not emptied behind each statement
            other.execute("SELECT count(*) FROM sqlite_master").fetchall()
        _run(path, first)
        before, mark = made(backend)
        for batch in batches:
            _run(path, batch)
            told(backend, before, mark)
        backend.close()


def _run(path: Path, statements: list[str]) -> None:
    for statement in statements:
        with suppress(sqlite3.Error):  # a table may be there no more, or have another shape
            run_script(path, statement)


# single laws


@pytest.fixture
def backend(tmp_path: Path) -> SQLiteBackend:
    return sqlite_backend(tmp_path / "app.db", FILLED)


def change(backend: SQLiteBackend, script: str) -> None:
    run_script(Path(backend.display), script)


def test_what_did_not_change_is_told_by_a_process(backend: SQLiteBackend) -> None:
    before, mark = made(backend)
    assert all(not ranges for ranges in told(backend, before, mark).values())
    assert told(backend, before, mark).keys() == {"numbered", "hidden", "named", "counted", "sqlite_sequence"}


def test_a_changed_row_is_in_a_small_range(backend: SQLiteBackend) -> None:
    before, mark = made(backend)
    change(backend, "UPDATE numbered SET a = -1 WHERE id = 500")
    found = told(backend, before, mark)
    [(first, last)] = found.pop("numbered")
    assert key(400) < first <= key(500) <= last < key(600)
    assert not any(found.values())


def test_bytes_that_go_on_elsewhere_belong_to_their_row(backend: SQLiteBackend) -> None:
    before, mark = made(backend)
    change(backend, "UPDATE numbered SET b = substr(b, 1, 4999) || '!' WHERE id = 999999")
    assert told(backend, before, mark)["numbered"] == [(key(999999), key(999999))]  # the leaf is as it was


def test_a_table_keyed_by_text_is_told_as_a_whole(backend: SQLiteBackend) -> None:
    before, mark = made(backend)
    change(backend, "UPDATE named SET b = 'x' WHERE k = 'k50'")
    assert "named" not in told(backend, before, mark)


@pytest.mark.parametrize(
    "script",
    [
        "ALTER TABLE numbered ADD COLUMN later DEFAULT 5",
        "ALTER TABLE numbered RENAME TO renamed",
        "DROP TABLE numbered; CREATE TABLE numbered (id INTEGER PRIMARY KEY, a, b TEXT)",
        "UPDATE numbered SET b = b || 'x'",
        "DELETE FROM numbered",
    ],
)
def test_nothing_is_told_of_a_table_that_became_another(backend: SQLiteBackend, script: str) -> None:
    before, mark = made(backend)
    change(backend, script)
    assert "numbered" not in told(backend, before, mark)


def test_a_mark_wears_out(backend: SQLiteBackend) -> None:
    _, mark = made(backend)
    with backend.read() as reader:
        assert compared(reader, mark).worn is False  # type: ignore[union-attr]
    change(backend, "UPDATE numbered SET a = 1 WHERE id % 100 = 0")
    with backend.read() as reader:
        assert compared(reader, mark).worn is True  # type: ignore[union-attr]


def test_a_new_table_wears_it_out(backend: SQLiteBackend) -> None:
    _, mark = made(backend)
    change(backend, "CREATE TABLE fresh (a)")
    with backend.read() as reader:
        found = compared(reader, mark)
    assert found is not None
    assert found.worn
    assert "fresh" not in found.tables


# the write-ahead log


def test_pages_in_the_log_count_as_changed(tmp_path: Path) -> None:
    path = tmp_path / "app.db"
    backend = sqlite_backend(path, f"{FILLED} PRAGMA journal_mode=WAL;")
    before, mark = made(backend)
    with closing(sqlite3.connect(path, isolation_level=None)) as application:
        application.execute("PRAGMA wal_autocheckpoint=0")
        application.execute("UPDATE numbered SET a = -1 WHERE id = 500")
        application.execute("UPDATE numbered SET a = 50 WHERE id = 500")  # as it was
        [(first, last)] = told(backend, before, mark)["numbered"]
        assert first <= key(500) <= last
        # a mark that is made now knows nothing of that page, and says so whatever becomes of it
        again, later = made(backend)
        assert again == before
        application.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        assert told(backend, again, later)["numbered"] == [(first, last)]
    backend.close()


def test_a_checkpoint_beside_a_reader_hides_nothing(tmp_path: Path) -> None:
    path = tmp_path / "app.db"
    backend = sqlite_backend(path, f"{FILLED} PRAGMA journal_mode=WAL;")
    before, mark = made(backend)
    with closing(sqlite3.connect(path, isolation_level=None)) as application:
        application.execute("UPDATE numbered SET a = -1 WHERE id = 500")
        with backend.read() as reader:
            application.execute("UPDATE numbered SET a = -2 WHERE id = 900")  # the reader does not see it
            application.execute("PRAGMA wal_checkpoint(PASSIVE)")  # writes the first change into the file
            found = compared(reader, mark)
            assert found is not None
            rows = dict(reader.rows("numbered"))
            assert [k for k in rows if rows[k] != before.rows["numbered"][k]] == [key(500)]
            assert any(first <= key(500) <= last for first, last in found.tables["numbered"])
    backend.close()


@pytest.mark.parametrize("journal", ["DELETE", "WAL"])
def test_beside_an_application_that_goes_on_writing(tmp_path: Path, journal: str) -> None:
    path = tmp_path / "app.db"
    backend = sqlite_backend(path, f"{FILLED} PRAGMA journal_mode={journal};")
    before, mark = made(backend)
    commits, done = [0], Event()
    few = 0

    def write() -> None:
        chance = Random(7)
        with closing(sqlite3.connect(path, isolation_level=None, timeout=60)) as application:
            application.execute("PRAGMA synchronous=OFF")
            while not done.is_set():
                number = chance.randrange(4)
                application.execute("UPDATE numbered SET a = ? WHERE id = ?", (chance.random(), number * 700 + 10))
                application.execute("UPDATE hidden SET a = ? WHERE rowid = ?", (chance.random(), number * 700 + 10))
                if not number:
                    application.execute("PRAGMA wal_checkpoint(TRUNCATE)")
                sleep(0.002)
                commits[0] += 1

    writer = Thread(target=write)
    writer.start()
    try:
        for turn in range(12):
            seen = commits[0]
            few += bool(told(backend, before, mark).get("numbered"))
            if turn % 4 == 3:
                before, mark = made(backend)
            while commits[0] < seen + 3 and writer.is_alive():
                sleep(0.001)
    finally:
        done.set()
        writer.join()
        backend.close()
    assert commits[0] > 30
    assert few, "too much was changed to be told apart"


# what a mark is not made of, and not compared with


def test_a_mark_of_what_was_written(backend: SQLiteBackend) -> None:
    with backend.write() as writer:
        writer.execute("UPDATE numbered SET a = -1 WHERE id = 500")
        writer.commit()
    mark = backend.mark_left()
    assert mark is not None
    with backend.read() as reader:
        rows = {table.name: dict(reader.rows(table.name)) for table in reader.tables()}
        before = Capture(reader.schema(), rows)
    assert not any(told(backend, before, mark).values())
    change(backend, "UPDATE numbered SET a = -2 WHERE id = 600")
    assert backend.mark_left() is None  # somebody else wrote that
    backend.close()


def test_there_is_no_mark_of_nothing_written(backend: SQLiteBackend) -> None:
    assert backend.mark_left() is None
    Path(backend.display).unlink()
    assert backend.mark_left() is None


def test_a_small_database_is_not_worth_it(backend: SQLiteBackend, monkeypatch: pytest.MonkeyPatch) -> None:
    _, mark = made(backend)
    monkeypatch.setattr(marking, "WORTH_MARKING", 1 << 30)
    assert marked(backend)[1] is None
    with backend.read() as reader:
        assert compared(reader, mark) is None


def test_a_write_transaction_is_not_told_of(backend: SQLiteBackend) -> None:
    _, mark = made(backend)
    with backend.write() as writer:
        writer.execute("UPDATE numbered SET a = -1")
        assert compared(writer, mark) is None
        with writer.marking() as wait:
            assert wait() is None


def test_another_file_in_its_place_is_noticed(backend: SQLiteBackend) -> None:
    _, mark = made(backend)
    path = Path(backend.display)
    with backend.read() as reader:
        path.with_suffix(".copy").write_bytes(path.read_bytes())
        path.with_suffix(".copy").replace(path)
        assert compared(reader, mark) is None


def test_a_copy_of_the_file_is_as_good(backend: SQLiteBackend, tmp_path: Path) -> None:
    before, mark = made(backend)
    copy = tmp_path / "copy.db"
    copy.write_bytes(Path(backend.display).read_bytes())
    assert not any(told(SQLiteBackend(copy), before, mark).values())


def test_another_page_size_tells_nothing(backend: SQLiteBackend) -> None:
    before, mark = made(backend)
    change(backend, "PRAGMA page_size=1024; VACUUM")
    assert told(backend, before, mark) == {}


@pytest.mark.parametrize("mark", [b"", b"\xc0", b"\x92\x01\x80\x00", b"nonsense"])
def test_what_is_no_mark_tells_nothing(backend: SQLiteBackend, mark: bytes) -> None:
    with backend.read() as reader:
        assert compared(reader, mark) is None


@pytest.mark.parametrize("interpreter", ["/nowhere/python", "/bin/false"])
def test_without_a_process_nothing_is_told(
    backend: SQLiteBackend, monkeypatch: pytest.MonkeyPatch, interpreter: str
) -> None:
    _, mark = made(backend)
    monkeypatch.setattr("sys.executable", interpreter)
    assert marked(backend)[1] is None
    with backend.read() as reader:
        assert compared(reader, mark) is None
        assert compared(reader, bytes(1 << 20)) is None  # more than a pipe holds


# damaged trees


def _pages(*contents: bytes) -> Callable[[int], bytes]:
    left = dict(enumerate(contents, 1))

    def read(page: int) -> bytes:
        if page not in left:
            raise Unfamiliar(str(page))
        return left.pop(page)

    return read


def _interior(*cells: tuple[int, int], right: int, size: int = 512) -> bytes:
    """An interior page whose cells are (page, row number)."""
    body = [child.to_bytes(4, "big") + bytes((number,)) for child, number in cells]
    at = [size - 5 * (place + 1) for place in range(len(body))]
    head = b"\x05\0\0" + len(body).to_bytes(2, "big") + b"\0\0\0" + right.to_bytes(4, "big")
    page = bytearray(head + b"".join(place.to_bytes(2, "big") for place in at)).ljust(size, b"\0")
    for place, cell in zip(at, body, strict=True):
        page[place : place + 5] = cell
    return bytes(page)


EMPTY_LEAF = b"\x0d".ljust(512, b"\0")


def test_each_page_has_its_range() -> None:
    read = _pages(_interior((2, 5), (3, 9), right=4), EMPTY_LEAF, EMPTY_LEAF, EMPTY_LEAF)
    assert [place[:3] for place in walk(read, 1, 512)] == [
        (1, LOWEST, HIGHEST),
        (2, LOWEST, 5),
        (3, 6, 9),
        (4, 10, HIGHEST),
    ]


@pytest.mark.parametrize(
    "pages",
    [
        [b"\x0a".ljust(512, b"\0")],  # an index
        [b""],
        [b"\x0d\0\0\xff\xff"],  # more cells than the page has room for
        [b"\x0d\0\0\x00\x01\0\0\0\xff\xff".ljust(512, b"\0")],  # a cell beyond the page
        [_interior((2, 9), (3, 5), right=4), EMPTY_LEAF, EMPTY_LEAF, EMPTY_LEAF],  # not in order
        [_interior((2, 5), right=2), EMPTY_LEAF],  # twice the same page
        [_interior((1, 5), right=2), EMPTY_LEAF],  # round in a circle
        [_interior((2, 5), right=9), EMPTY_LEAF],  # a page that is not there
    ],
)
def test_a_damaged_tree_is_unfamiliar(pages: list[bytes]) -> None:
    with pytest.raises(Unfamiliar):
        list(walk(_pages(*pages), 1, 512))
