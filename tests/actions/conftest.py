"""Repos to try decisions on: files in a directory of the test, and the database in memory."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from epicvc.actions.care.initialise import initialise
from epicvc.database.memory import MemoryBackend, MemoryDatabase
from epicvc.database.rowcodec import SQLValue
from epicvc.repo.home.stores import STATE_VARIABLE
from epicvc.repo.repository import Repo

EPICS = 4


class MemoryRepo:
    """A repo whose database is in memory.

    Args:
        root: an empty directory.
    """

    def __init__(self, root: Path) -> None:
        self.files = root / "epics"
        self.database = MemoryDatabase()
        self.files.mkdir()
        for number in range(EPICS):
            tasks = [{"id": f"{number}.{n}", "title": f"task {n}"} for n in range(3)]
            self.write(f"e{number}", {"id": f"e{number}", "name": f"epic {number}", "tasks": tasks})
        make = partial(_backend, self.database)
        make(frozenset()).create()
        environment = {STATE_VARIABLE: str(root / "state")}
        initialise(root, environment, given=make)
        self.repo = Repo.open(root, environment)
        self.repo.use_given(make)

    def write(self, epic: str, body: dict[str, Any]) -> None:
        """Write an epic's file."""
        (self.files / f"{epic}.json").write_text(json.dumps({"epic": body}), encoding="utf-8")

    def body(self, epic: str) -> dict[str, Any]:
        """Return an epic as its file has it."""
        body: dict[str, Any] = json.loads((self.files / f"{epic}.json").read_text(encoding="utf-8"))["epic"]
        return body

    def edit(self, epic: str, **fields: Any) -> None:
        """Change fields of an epic in its file."""
        self.write(epic, {**self.body(epic), **fields})

    def sql(self, query: str, *values: SQLValue) -> None:
        """Write rows as the application does."""
        with MemoryBackend(self.database).write() as writer:
            writer.execute(query, values)
            writer.commit()

    def rows(self, query: str, *values: SQLValue) -> list[tuple[SQLValue, ...]]:
        """Read rows."""
        with MemoryBackend(self.database).read() as reader:
            return list(reader.execute(query, values))


def _backend(database: MemoryDatabase, ignore: frozenset[str]) -> MemoryBackend:
    return MemoryBackend(database, ignore=ignore)


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[MemoryRepo]:
    """A repo after ``init``: the files have epics, and the database has none yet."""
    made = MemoryRepo(tmp_path)
    yield made
    made.repo.close()
