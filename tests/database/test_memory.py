"""The database in memory: what every backend does, and that transactions never meet."""

from __future__ import annotations

import pytest

from epicvc.database.backend import Backend
from epicvc.database.memory import MemoryBackend, MemoryDatabase
from epicvc.errors import DatabaseLocked, DatabaseUnavailable

from .conformance import BackendConformance, NewBackend, fill, key


class TestMemory(BackendConformance):
    @pytest.fixture
    def new_backend(self) -> NewBackend:
        made: dict[str, MemoryDatabase] = {}

        def make(name: str, **options: frozenset[str]) -> Backend:
            backend = MemoryBackend(made.setdefault(name, MemoryDatabase(name)), **options)
            backend.create()
            return backend

        return make


@pytest.fixture
def database() -> MemoryDatabase:
    return MemoryDatabase()


@pytest.fixture
def backend(database: MemoryDatabase) -> MemoryBackend:
    backend = MemoryBackend(database, timeout=0.01)
    backend.create()
    fill(backend)
    return backend


def test_it_has_no_shortcuts(backend: MemoryBackend) -> None:
    assert backend.shortcuts is None


def test_a_reader_keeps_its_state(backend: MemoryBackend) -> None:
    with backend.read() as before, backend.write() as writer:
        writer.execute("DELETE FROM tasks")
        assert before.count("tasks") == 2
        writer.commit()
        assert before.row("tasks", key(10)) is not None
        with backend.read() as after:
            assert after.count("tasks") == 0


def test_one_writes_at_a_time(backend: MemoryBackend, database: MemoryDatabase) -> None:
    with backend.write(), pytest.raises(DatabaseLocked), MemoryBackend(database, timeout=0.01).write():
        pass
    with backend.write() as writer:
        writer.commit()


def test_only_an_empty_database_is_discarded(database: MemoryDatabase) -> None:
    backend = MemoryBackend(database)
    assert backend.create()
    backend.discard(database.made_ns - 60 * 10**9)
    assert backend.exists()
    backend.discard(database.made_ns)
    assert not backend.exists()
    with pytest.raises(DatabaseUnavailable), backend.read():
        pass
    backend.create()
    fill(backend).discard(database.made_ns)
    assert backend.exists()


def test_unused_space_is_given_back(backend: MemoryBackend) -> None:
    with backend.write() as writer:
        writer.execute_many("INSERT INTO tasks VALUES (?, 1, ?)", [(n, "x" * 2000) for n in range(20, 60)])
        writer.commit()
    with backend.write() as writer:
        writer.execute("DELETE FROM tasks WHERE id >= 20")
        writer.commit()
    assert backend.vacuum() > 50_000
    with backend.read() as reader:
        assert reader.count("tasks") == 2
