"""Where a series is measured: a directory with a repo of its own, whose epics are as large as is asked for."""

from __future__ import annotations

import json
import sqlite3
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from tests.benchmarks.measure import Command
from tests.benchmarks.scene import REFERENCES

Task: TypeAlias = "dict[str, Any]"

ROOT = Path(__file__).resolve().parents[3]

_CONFLICTS = 1


def task(number: int, **fields: Any) -> Task:
    """A task as an author writes one."""
    return {"id": f"t{number}", "title": f"Task {number}", "description": f"What {number} is about", **fields}


def tasks(numbers: Iterable[int], make: Callable[[int], Task] = task) -> list[Task]:
    """Tasks of these numbers."""
    return [make(number) for number in numbers]


class Ground:
    """An empty directory and the commands in it.

    Args:
        directory: where.
        environment: of every command.
    """

    def __init__(self, directory: Path, environment: Mapping[str, str]) -> None:
        self.directory = directory
        self.environment = environment
        (directory / "epics").mkdir(parents=True)

    def epicvc(self, *arguments: str) -> Command:
        """A command; that conflicts are left is no failure."""
        words = (str(Path(sys.executable).with_name("epicvc")), *arguments)
        return Command(words, self.directory, self.environment, (0, _CONFLICTS))

    def run(self, *arguments: str) -> None:
        """Run a command that is not measured."""
        self.epicvc(*arguments).run()

    # Files

    def write(self, name: str, value: Any) -> str:
        """Write a JSON file beside the epics; its name."""
        (self.directory / name).write_text(json.dumps(value, indent=1), encoding="utf-8")
        return name

    def epic(self, key: str = "1", tasks: Sequence[Task] = (), **fields: Any) -> None:
        """Write an epic's file."""
        self.write(f"epics/{key}.json", {"id": key, "name": f"epic {key}", **fields, "tasks": list(tasks)})

    # Repo

    def initialise(self) -> None:
        """Make a repo of the files, and synchronise."""
        self.run("init", "-q", "--db", "p.db")
        self.run("sync", "-q")

    def commit(self, count: int) -> None:
        """Put empty commits on top of HEAD."""
        words = (sys.executable, str(REFERENCES / "commits.py"), str(count))
        Command(words, self.directory, {**self.environment, "PYTHONPATH": str(ROOT)}).run()

    def execute(self, statement: str, rows: Iterable[Sequence[Any]] = ((),)) -> None:
        """Let the application write into the database."""
        database = sqlite3.connect(self.directory / "p.db")
        database.executemany(statement, rows)
        database.commit()
        database.close()

    def add_rows(self, numbers: Iterable[int], make: Callable[[int], Task] = task) -> None:
        """Let the application add tasks to the first epic, behind the others."""
        given = [make(number) for number in numbers]
        self.execute(
            "INSERT INTO framework_tasks (epic_id, task_key, title, description) "
            "SELECT id, ?, ?, ? FROM framework_epics WHERE epic_key = '1'",
            [(one["id"], one["title"], one["description"]) for one in given],
        )
