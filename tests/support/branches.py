"""Two branches with work on each."""

from __future__ import annotations

from typing import Any

from support.repos import EpicRepo


def commit(repo: EpicRepo, message: str = "work") -> str:
    """Bring both sides together and commit what that leaves."""
    repo.ok("sync")
    repo.ok("commit", "-m", message)
    return repo.head()


def fork(repo: EpicRepo) -> None:
    """A branch ``theirs`` beside the first one, at the same commit."""
    repo.ok("commit", "-m", "before")
    repo.ok("switch", "-c", "theirs")


def set_task(key: str, **fields: Any) -> Any:
    """An edit of one task of an epic."""

    def change(body: Any) -> None:
        next(task for task in body["tasks"] if task["id"] == key).update(fields)

    return change


def two_branches(repo: EpicRepo, theirs: Any, ours: Any, epic: str | None = None) -> None:
    """Two edits of one epic's file, one on each branch; ``main`` is the current one afterwards."""
    epic = epic or repo.facts.epic
    fork(repo)
    repo.rewrite(epic, theirs)
    commit(repo, "theirs")
    repo.ok("switch", "main")
    repo.rewrite(epic, ours)
    commit(repo, "ours")
