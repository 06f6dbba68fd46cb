"""Finds the epic that a file was, for files that no longer say it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from epicvc.repo.files.filestree import epic_id_of
from epicvc.store.objects import ObjectSource
from epicvc.store.tree import tree

if TYPE_CHECKING:
    from epicvc.repo.repository import Repo

_HISTORY: Final = 256
"""The number of commits that are searched."""


def former_epic(repo: Repo, source: ObjectSource, path: str) -> str | None:
    """Return the epic that a file was in the newest commit in which it was one; ``None`` where there is none.

    Args:
        repo: the repo.
        source: holds the repo's objects.
        path: the file's path.
    """
    head = repo.revisions.head()
    for _ in range(_HISTORY):
        if head is None:
            return None
        blob = tree.get(source, repo.snapshot_of(head).files, path.encode())
        if blob is None:
            return None
        epic = epic_id_of(source, blob, path)
        if epic != path:
            return epic
        parents = repo.revisions.commit(head.hex()).parents
        head = parents[0] if parents else None
    return None
