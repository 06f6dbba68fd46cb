"""Makes two branches with work on each."""

from __future__ import annotations

import random
from typing import Any

from support.repos import EpicRepo


def commit(repo: EpicRepo, message: str = "work") -> str:
    """Bring both sides together, and commit the result. Returns the new head."""
    repo.ok("sync")
    repo.ok("commit", "-m", message)
    return repo.head()


def fork(repo: EpicRepo) -> None:
    """Make a branch ``theirs`` beside the first one, at the same commit."""
    repo.ok("commit", "-m", "before")
    repo.ok("switch", "-c", "theirs")


def set_task(key: str, **fields: Any) -> Any:
    """Return an edit of one task of an epic."""

    def change(body: Any) -> None:
        next(task for task in body["tasks"] if task["id"] == key).update(fields)

    return change


def two_branches(repo: EpicRepo, theirs: Any, ours: Any, epic: str | None = None) -> None:
    """Make two edits of one epic's file, one on each branch.

    ``main`` is the current branch afterwards.
    """
    epic = epic or repo.facts.epic
    fork(repo)
    repo.rewrite(epic, theirs)
    commit(repo, "theirs")
    repo.ok("switch", "main")
    repo.rewrite(epic, ours)
    commit(repo, "ours")


def random_edits(repo: EpicRepo, seed: int) -> None:
    """Edit both sides at places that belong to the seed, and at some that another seed edits too."""
    chance = random.Random(seed)
    for number in range(8):
        epic = chance.choice(["1", "2", "3"])
        body = repo.body(epic)
        keys = [task["id"] for task in body["tasks"]]
        task = chance.choice(keys)
        kind = chance.randrange(7)
        if kind == 0:
            repo.rewrite(epic, set_task(task, title=f"{seed} {number}"))
        elif kind == 1:
            new = {"id": f"n{seed}.{number}", "title": "New", "dependencies": [task], "note": seed}
            repo.rewrite(epic, lambda body, new=new: body["tasks"].append(new))
        elif kind == 2:
            repo.rewrite(epic, lambda body: body.update({f"extra{chance.randrange(3)}": seed}))
        elif kind == 3:
            goal = f"goal {seed} {number}"
            repo.rewrite(epic, lambda body, goal=goal: body.setdefault("goals", []).insert(0, goal))
        elif kind == 4:
            repo.sql("UPDATE framework_epics SET points_earned = ? WHERE epic_key = ?", seed * 100 + number, epic)
        elif kind == 5:
            repo.sql("INSERT INTO settings VALUES (?, ?, 'v')", f"s{seed}", str(number))
        elif len(keys) > 2:
            gone = [item for item in body["tasks"] if item["id"] != task]
            repo.rewrite(epic, lambda body, gone=gone: body.update(tasks=gone))
