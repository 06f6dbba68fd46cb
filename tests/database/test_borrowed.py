"""A database in memory through an application's connection, which is given back as it was."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from epicvc.database.backend import Backend
from epicvc.database.sqlite.borrowed import IN_MEMORY, BorrowedBackend
from epicvc.errors import DatabaseLocked, DatabaseUnavailable, EpicvcError, NotFound

from .conformance import BackendConformance, NewBackend


class TestBorrowed(BackendConformance):
    """In a shared cache, so that there is another client."""

    @pytest.fixture
    def new_backend(self, tmp_path: Path) -> Iterator[NewBackend]:
        connections: list[sqlite3.Connection] = []

        def make(name: str, **options: Any) -> BorrowedBackend:
            connections.append(sqlite3.connect(f"file:{tmp_path.name}-{name}?mode=memory&cache=shared", uri=True))
            return BorrowedBackend(connections[-1], **options)

        yield make
        for connection in connections:
            connection.close()

    def test_touched_keys(self, backend: Backend) -> None:
        """Nothing is logged in a connection that is not ours: of no table it is known."""
        with backend.write() as writer:
            writer.execute("UPDATE epics SET size = 1 WHERE id = 2")
            assert set(writer.touched()) == {table.name for table in writer.tables()}
            assert set(writer.touched().values()) == {None}

    test_touched_by_a_cascade = test_every_row_deleted = None  # type: ignore[assignment]  # as above

    def test_state_is_kept_per_repo_and_not_captured(self, backend: Backend) -> None:
        with backend.write() as writer:
            writer.set_state("repo", "0" * 32, "1" * 64)
            writer.commit()
        with backend.read() as reader:
            assert (reader.state("repo"), reader.state("other")) == (("0" * 32, "1" * 64), None)
            assert "_epicvc_state" not in {table.name for table in reader.tables()}


@pytest.fixture
def connection() -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(":memory:")
    connection.executescript(
        "CREATE TABLE parent (id INTEGER PRIMARY KEY, name TEXT);"
        "CREATE TABLE child (id INTEGER PRIMARY KEY, parent REFERENCES parent(id) ON DELETE CASCADE);"
        "INSERT INTO parent VALUES (1, 'one'), (2, 'two'); INSERT INTO child VALUES (1, 1), (2, 2);"
    )
    yield connection
    connection.close()


SETTINGS = ("foreign_keys", "ignore_check_constraints", "query_only", "trusted_schema", "temp_store", "synchronous")


def state(connection: sqlite3.Connection) -> list[Any]:
    settings = [connection.execute(f"PRAGMA {name}").fetchone()[0] for name in SETTINGS]
    temporary = [str(row[0]) for row in connection.execute("SELECT name FROM temp.sqlite_master")]
    factories = connection.row_factory, connection.text_factory, connection.isolation_level
    return [*settings, *temporary, *factories, connection.in_transaction]


@pytest.mark.parametrize("foreign_keys", ["ON", "OFF"])
@pytest.mark.parametrize("ends", ["commits", "fails", "is left"])
@pytest.mark.parametrize("as_restore", [False, True])
def test_the_connection_is_given_back_as_it_was(
    connection: sqlite3.Connection, foreign_keys: str, ends: str, as_restore: bool
) -> None:
    connection.execute(f"PRAGMA foreign_keys={foreign_keys}")
    connection.execute("CREATE TEMP TABLE own (x)")
    connection.text_factory = str
    connection.row_factory = sqlite3.Row
    before = state(connection)
    backend = BorrowedBackend(connection)
    failing = pytest.raises(NotFound) if ends == "fails" else nullcontext()
    with failing, backend.write(as_restore=as_restore) as writer:
        writer.execute("DELETE FROM parent WHERE id = 1")
        if ends == "commits":
            writer.commit()
        if ends == "fails":
            writer.statements("nothing")
    with backend.read() as reader, backend.read() as inner:  # one in the other
        assert list(reader.execute("SELECT name FROM parent ORDER BY id"))[-1] == ("two",)
        assert inner.schema() == reader.schema()
        with pytest.raises(EpicvcError):
            list(reader.execute("DELETE FROM parent"))
    assert state(connection) == before
    counts = [connection.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in ("parent", "child")]
    assert counts == ([2, 2] if ends != "commits" else [1, 2] if as_restore else [1, 1])


def test_the_applications_transaction_is_left_alone(connection: sqlite3.Connection) -> None:
    backend = BorrowedBackend(connection)
    connection.execute("UPDATE parent SET name = 'open'")
    for transaction in (backend.read, backend.write):
        with pytest.raises(DatabaseLocked) as raised, transaction():
            pass
        assert raised.value.seconds == 0
    with pytest.raises(DatabaseLocked):
        backend.vacuum()
    assert connection.in_transaction
    connection.rollback()


def test_a_query_that_is_half_read_stands_in_nobodys_way(connection: sqlite3.Connection) -> None:
    half = connection.execute("SELECT name FROM parent ORDER BY id")
    assert next(half) == ("one",)
    with BorrowedBackend(connection).write() as writer:
        writer.execute("INSERT INTO parent VALUES (3, 'three')")
        writer.commit()
    assert [row[0] for row in half][:1] == ["two"]


def test_a_connection_for_reading_alone_is_not_written_through(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA query_only=ON")
    with pytest.raises(DatabaseUnavailable), BorrowedBackend(connection).write():
        pass
    assert connection.execute("PRAGMA query_only").fetchone() == (1,)


def test_another_threads_connection(connection: sqlite3.Connection) -> None:
    connection.row_factory = sqlite3.Row
    raised: list[BaseException] = []

    def elsewhere() -> None:
        try:
            with BorrowedBackend(connection).read():
                pass
        except sqlite3.ProgrammingError as error:
            raised.append(error)

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert len(raised) == 1
    assert connection.row_factory is sqlite3.Row


def test_other_clients_of_a_shared_cache_are_waited_for(tmp_path: Path) -> None:
    uri = f"file:{tmp_path.name}?mode=memory&cache=shared"
    ours = sqlite3.connect(uri, uri=True)
    other = sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    began = time.monotonic()
    with pytest.raises(DatabaseLocked, match=r"waited 0\.1 s"), BorrowedBackend(ours, timeout=0.1).write():
        pass
    assert time.monotonic() - began < 3
    timer = threading.Timer(0.2, lambda: other.execute("COMMIT"))
    timer.start()
    with BorrowedBackend(ours, timeout=10).write() as writer:
        writer.commit()
    timer.join()
    ours.close()
    other.close()


def test_a_copy_for_trying_out_is_made_in_the_middle_of_a_transaction(connection: sqlite3.Connection) -> None:
    backend = BorrowedBackend(connection)
    with backend.read(), backend.scratch(copy=True) as copy, copy.read() as reader:
        assert reader.count("parent") == 2
        assert copy.display == IN_MEMORY
    connection.executemany("INSERT INTO parent VALUES (?, ?)", [(n, "x" * 2000) for n in range(10, 60)])
    connection.commit()
    connection.execute("DELETE FROM parent WHERE id >= 10")
    connection.commit()
    assert backend.vacuum() > 50_000


def test_every_change_moves_the_version(connection: sqlite3.Connection) -> None:
    backend = BorrowedBackend(connection)

    def version() -> object:
        with backend.read() as reader:
            return reader.version()

    seen = [version()]
    assert version() == seen[0]
    for statement in (
        "UPDATE parent SET name = 'two' WHERE id = 2",
        "CREATE INDEX i ON parent (name)",
        "DROP INDEX i",
        "PRAGMA user_version=3",
        "PRAGMA application_id=3",
        "DELETE FROM child",
        "INSERT OR REPLACE INTO parent VALUES (1, 'one')",
    ):
        connection.execute(statement)
        connection.commit()
        seen.append(version())
    assert len({*seen}) == len(seen)
    with backend.write() as writer:
        assert writer.version() == seen[-1]
        writer.execute("DELETE FROM parent")
        writer.commit()
    assert backend.version_left() == version() != seen[-1]
