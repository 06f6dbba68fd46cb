"""A command costs what its input costs: four times the tasks, little more than four times the calls."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from support.growing import grows_evenly
from support.repos import NO_FACTS, EpicRepo


def write(repo: EpicRepo, tasks: list[dict[str, Any]], epic: str = "1") -> None:
    text = json.dumps({"id": epic, "name": "n", "tasks": tasks}, indent=1)
    (repo.directory / f"{epic}.json").write_text(text, encoding="utf-8")


def tasks(n: int, title: str = "Task") -> list[dict[str, Any]]:
    return [{"id": f"t{k}", "title": f"{title} {k}", "description": f"d{k}"} for k in range(n)]


def made(root: Path, n: int) -> EpicRepo:
    root.mkdir()
    repo = EpicRepo(root, NO_FACTS)
    repo.directory.mkdir()
    write(repo, tasks(n))
    write(repo, [], "2")
    repo.ok("init", "-q", "--db", "framework.db")
    repo.ok("sync", "-q")
    return repo


def in_conflict(repo: EpicRepo, n: int) -> None:
    """The author gives all tasks other titles than the application."""
    repo.sql("UPDATE framework_tasks SET title = 'new ' || title")
    write(repo, tasks(n, "mine"))


def moved(repo: EpicRepo, n: int) -> None:
    """The author takes all tasks to another epic."""
    write(repo, [])
    write(repo, tasks(n), "2")


def turned(repo: EpicRepo, n: int) -> None:
    """The application turns all tasks round and edits them."""
    repo.sql(f"UPDATE framework_tasks SET title = 'new ' || title, task_sequence = {n} - id")


def branches(repo: EpicRepo, theirs: Callable[[], None], n: int) -> None:
    """Another branch, and one on which all tasks are edited."""
    repo.ok("switch", "-q", "-c", "theirs")
    theirs()
    repo.ok("sync", "-q", "--allow-mass-delete")
    repo.ok("switch", "-q", "main")
    write(repo, [{**task, "description": "edited"} for task in tasks(n)])
    repo.ok("sync", "-q")


def renamed_there(repo: EpicRepo, n: int) -> None:
    """A branch gives all tasks other ids."""
    branches(repo, lambda: write(repo, [{**task, "id": f"r{task['id']}"} for task in tasks(n)]), n)


def moved_there(repo: EpicRepo, n: int) -> None:
    """A branch takes all tasks to another epic."""
    branches(repo, lambda: moved(repo, n), n)


@pytest.mark.parametrize(
    ("edit", "command"),
    [
        (in_conflict, ("resolve", "--json")),
        (in_conflict, ("resolve", "-q", "--prefer", "files")),
        (in_conflict, ("sync", "-q", "--policy", "newest_wins")),
        (moved, ("status",)),
        (turned, ("sync", "-q")),
        (renamed_there, ("merge", "-q", "theirs")),
        (moved_there, ("merge", "-q", "theirs")),
    ],
    ids=lambda value: value.__name__ if callable(value) else " ".join(value),
)
def test_the_price_of_an_epic(tmp_path: Path, edit: Callable[[EpicRepo, int], None], command: tuple[str, ...]) -> None:
    def prepare(n: int) -> Callable[[], object]:
        repo = made(tmp_path / str(n), n)
        edit(repo, n)
        return partial(repo.run, *command)

    assert grows_evenly(prepare, 50)
