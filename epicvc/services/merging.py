"""``merge`` and ``revert``: another commit's changes, three-way, onto both sides; and what waits for an answer."""

from __future__ import annotations

from epicvc.merge.threeway import Conflict
from epicvc.repo.repository import Repo
from epicvc.services.mergestate import read_state


def open_conflicts(repo: Repo) -> list[Conflict] | None:
    """What an unfinished merge or revert waits for; ``None`` when none is in progress.

    The list is empty once everything is answered and ``--continue`` can make the commit.
    """
    state = read_state(repo.store, repo)
    return None if state is None else list(state.conflicts)
