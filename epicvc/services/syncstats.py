"""Tells from the operation log when the two sides were last brought together, and how often, and how much moved."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from msgspec import Struct

from epicvc.repo.objects import get_snapshot, parse_time
from epicvc.repo.repository import Repo
from epicvc.services.undoing import stacks
from epicvc.store.difference import diff
from epicvc.store.records import Operation

SYNCHRONISING: Final = frozenset({"sync", "pull", "push", "resolve"})
"""The commands that bring both sides together."""


class SyncStats(Struct, frozen=True):
    """What the operation log says of synchronisations.

    Attributes:
        runs: those that changed something.
        standing: those of them that are not taken back.
        records: how many agreed epics they made or changed.
        last: when the newest that stands was made, UTC.
    """

    runs: int
    standing: int
    records: int
    last: datetime | None


def last_sync(repo: Repo) -> datetime | None:
    """When the newest synchronisation that is not taken back changed something, UTC; ``None`` where there is none."""
    return max((parse_time(operation.time) for operation in _standing(repo)), default=None)


def sync_stats(repo: Repo) -> SyncStats:
    """Count over the whole operation log.

    Raises:
        EpicvcError: the store is damaged.
    """
    runs = [item for item in repo.store.operations() if _is_run(item)]
    standing = _standing(repo)
    last = max((parse_time(operation.time) for operation in standing), default=None)
    return SyncStats(len(runs), len(standing), sum(_agreed(repo, run) for run in runs), last)


def _is_run(operation: Operation) -> bool:
    return operation.command in SYNCHRONISING and not (operation.undoes or operation.redoes)


def _standing(repo: Repo) -> list[Operation]:
    return [item for item in stacks(reversed(list(repo.store.operations()))).done if _is_run(item)]


def _agreed(repo: Repo, operation: Operation) -> int:
    """How many epics' agreed values an operation changed."""
    before, after = operation.before.snapshot, operation.after.snapshot
    if before is None or after is None:
        return 0
    one, other = (get_snapshot(repo.store, bytes.fromhex(view)) for view in (before, after))
    return sum(1 for _ in diff(repo.store, one.base, other.base))
