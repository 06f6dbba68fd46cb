"""Finds the time at which the two sides were last brought together, from the operation log."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from epicvc.actions.restore.undoing import stacks
from epicvc.repo.history.objects import parse_time
from epicvc.repo.repository import Repo

SYNCHRONISING: Final = frozenset({"sync", "pull", "push", "resolve"})
"""The commands that bring both sides together."""


def last_sync(repo: Repo) -> datetime | None:
    """Return the time (UTC) of the newest synchronisation that changed something and is not undone, or ``None``."""
    done = stacks(reversed(list(repo.store.operations()))).done
    standing = (item for item in done if item.command in SYNCHRONISING and not (item.undoes or item.redoes))
    return max((parse_time(operation.time) for operation in standing), default=None)
