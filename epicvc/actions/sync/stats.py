"""Tells from the operation log when the two sides were last brought together."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from epicvc.actions.restore.undoing import stacks
from epicvc.repo.history.objects import parse_time
from epicvc.repo.repository import Repo

SYNCHRONISING: Final = frozenset({"sync", "pull", "push", "resolve"})
"""The commands that bring both sides together."""


def last_sync(repo: Repo) -> datetime | None:
    """When the newest synchronisation that is not taken back changed something, UTC; ``None`` where there is none."""
    done = stacks(reversed(list(repo.store.operations()))).done
    standing = (item for item in done if item.command in SYNCHRONISING and not (item.undoes or item.redoes))
    return max((parse_time(operation.time) for operation in standing), default=None)
