"""Writes to the log what a merge, revert or cherry-pick is going to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from epicvc.actions.decide.decisionlog import log_conflicts, log_moves
from epicvc.base.logs import Log
from epicvc.model.labels import Label

if TYPE_CHECKING:
    from epicvc.actions.merge.merging import MergeReport


def log_merge(log: Log, report: MergeReport, operation: str | None, seconds: float) -> None:
    """Log the plan, as :func:`~epicvc.actions.sync.synclog.log_sync` does for a sync."""
    counts = len(report.epics), len(report.conflicts)
    what = (
        "%s of %s would do: %d to merge, %d in conflict"
        if operation is None
        else ("%s of %s is planned: %d to merge, %d in conflict")
    )
    log.info(what, report.command, report.name, *counts, operation=operation, seconds=seconds)
    for epic in report.epics:
        log.info("merged", label=Label(epic), operation=operation)
    log_moves(log, report.moves, operation)
    log_conflicts(log, report.decided, report.conflicts, ("ours", "theirs"), operation)
