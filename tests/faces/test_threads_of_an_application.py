"""An application that synchronises from its own threads: nothing is lost, waits in vain, or is left open."""

from __future__ import annotations

import fcntl
import gc
import json
import os
import random
import sqlite3
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from epicvc import BidirectionalSync
from epicvc.errors import ChangedSince
from tests.faces.place import FILES, files, sql

sqlalchemy = pytest.importorskip("sqlalchemy")

THREADS, OPERATIONS = 8, 200
FILE_OF = {"1": "epico_1.json", "2": "epico_2.json", "3": "epico_3.json"}


class Engine:
    """A manager with a pool of SQLAlchemy connections."""

    def __init__(self) -> None:
        self.engine = sqlalchemy.create_engine("sqlite:///framework.db")

    def get_connection(self, name: str = "framework") -> Any:
        return self.engine.connect()

    def run(self, statement: str, **values: Any) -> None:
        with self.engine.begin() as connection:
            connection.execute(sqlalchemy.text(statement), values)


class OneConnection:
    """A manager with one sqlite3 connection, which its threads use in turns."""

    def __init__(self) -> None:
        self.connection = sqlite3.connect("framework.db", check_same_thread=False)
        self._turn = threading.Lock()

    @contextmanager
    def get_connection(self) -> Iterator[sqlite3.Connection]:
        with self._turn:
            yield self.connection

    def run(self, statement: str, **values: Any) -> None:
        with self._turn, self.connection:
            self.connection.execute(statement, values)


class Application:
    """What its threads do, and what they were promised.

    Args:
        seed: of the random choices.
    """

    def __init__(self, seed: int) -> None:
        self.managers = (Engine(), OneConnection())
        self.syncs = [BidirectionalSync(db_manager=manager) for manager in self.managers]
        self.tokens: list[str] = []
        self.done: Counter[str] = Counter()
        self._rng = random.Random(seed)
        self._numbers = iter(range(10**6))
        self._own = threading.Lock()
        self._kinds: tuple[tuple[int, Callable[[str, int], object]], ...] = (
            (6, self.count_up),
            (6, self.write_a_row),
            (5, self.edit_a_file),
            (6, lambda epic, way: self.syncs[way].sync_all_epics()),
            (3, lambda epic, way: self.syncs[way].sync_epic_to_database(FILE_OF[epic])),
            (2, lambda epic, way: self.syncs[way].sync_database_to_json()),
            (2, self.batch),
            (2, lambda epic, way: self.syncs[way].check_for_conflicts()),
            (2, lambda epic, way: self.syncs[way].get_enriched_epic(epic)),
            (1, lambda epic, way: self.syncs[way].create_checkpoint(f"at-{next(self._numbers)}")),
        )

    def operate(self, _: int) -> None:
        """Do one thing or another; what meets changes again and again is done once more, as its message says."""
        with self._own:
            weights = [weight for weight, _ in self._kinds]
            (act,) = self._rng.choices([kind for _, kind in self._kinds], weights)
            epic, way = self._rng.choice(list(FILE_OF)), self._rng.randrange(2)
        for _ in range(5):
            try:
                act(epic, way)
            except ChangedSince:
                self.done["changed since"] += 1
                continue
            self.done["operations"] += 1
            return
        raise AssertionError("an operation never found its moment")

    def count_up(self, epic: str, way: int) -> None:
        """A column that the database alone has."""
        self.managers[way].run(
            "UPDATE framework_epics SET points_earned = coalesce(points_earned, 0) + 1 WHERE epic_key = :epic",
            epic=epic,
        )
        with self._own:
            self.done["counted"] += 1

    def write_a_row(self, epic: str, way: int) -> None:
        """A column that goes into the file."""
        token = self._token("row")
        self.managers[way].run(
            "UPDATE framework_epics SET summary = coalesce(summary, '') || ' ' || :token WHERE epic_key = :epic",
            token=token,
            epic=epic,
        )
        self.tokens.append(token)

    def edit_a_file(self, epic: str, way: int) -> None:
        """A field that the application never writes; under the repo's lock, as scripts are told to."""
        token, path = self._token("file"), FILES / FILE_OF[epic]
        descriptor = os.open(".epicvc/lock", os.O_RDWR)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            value = json.loads(path.read_bytes())
            body = value.get("epic", value)
            body["goals"] = [*body.get("goals", []), token]
            staged = path.with_suffix(f".{token}")
            staged.write_text(json.dumps(value, ensure_ascii=False, indent=2), "utf-8")
            staged.replace(path)
        finally:
            os.close(descriptor)
        self.tokens.append(token)

    def batch(self, epic: str, way: int) -> None:
        """All of them together."""
        with self.syncs[way].batch_operation() as batch:
            for file in FILE_OF.values():
                batch.sync_epic(file)

    def _token(self, kind: str) -> str:
        with self._own:
            return f"{kind}-{next(self._numbers)}-"

    def close(self) -> None:
        """Let go of all connections."""
        self.managers[0].engine.dispose()
        self.managers[1].connection.close()


def open_descriptors() -> Counter[str]:
    """What this process has open, by what it leads to."""
    gc.collect()
    found: Counter[str] = Counter()
    for name in os.listdir("/proc/self/fd"):
        try:
            found[os.readlink(f"/proc/self/fd/{name}")] += 1
        except OSError:  # that of the listing
            continue
    return found


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="descriptors are counted in /proc")
@pytest.mark.parametrize(
    ("journal", "seed"),
    [
        ("wal", 19),
        *(pytest.param(*case, marks=pytest.mark.slow) for case in (("delete", 19), ("wal", 20), ("delete", 21))),
    ],
)
@pytest.mark.usefixtures("synced")
def test_threads_lose_nothing_and_leave_nothing_open(journal: str, seed: int) -> None:
    sql(f"PRAGMA journal_mode={journal}")
    before = open_descriptors()
    application = Application(seed)
    application.syncs[0].sync_all_epics()
    faults = application.syncs[0].validate_data_integrity()["errors"]  # the application's own
    with ThreadPoolExecutor(THREADS) as threads:
        list(threads.map(application.operate, range(OPERATIONS)))
    assert application.done["operations"] == OPERATIONS

    results = application.syncs[1].sync_all_epics()
    assert all(result["success"] for result in results)
    assert application.syncs[0].get_sync_status()["in_sync"]
    text = b"".join(files().values()).decode()
    rows = " ".join(f"{summary} {goals}" for summary, goals in sql("SELECT summary, goals FROM framework_epics"))
    assert application.tokens
    for token in application.tokens:
        assert text.count(token) == rows.count(token) == 1, token
    assert sql("SELECT sum(points_earned) FROM framework_epics") == [(application.done["counted"],)]
    assert sql("PRAGMA integrity_check") == [("ok",)]
    assert application.syncs[0].validate_data_integrity()["errors"] == faults

    pool = application.managers[0].engine.pool
    assert pool.checkedout() == 0
    assert not application.managers[1].connection.in_transaction
    application.close()
    left = open_descriptors() - before
    assert not left, left
