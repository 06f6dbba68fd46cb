"""Writes to the log what a synchronisation is going to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from epicvc.actions.decide.decisionlog import log_conflicts, log_moves
from epicvc.base.logs import Log

if TYPE_CHECKING:
    from epicvc.actions.sync.survey import SyncReport


def log_sync(log: Log, command: str, report: SyncReport, operation: str | None, seconds: float) -> None:
    """Log the plan of a synchronisation.

    Args:
        log: the log.
        command: the command.
        report: the report of the plan.
        operation: the operation that will carry it out; ``None`` in a dry run.
        seconds: the time that the planning took.
    """
    counts = len(report.to_files), len(report.to_db), len(report.conflicts)
    what = (
        "%s would do: %d to files, %d to database, %d in conflict"
        if operation is None
        else ("%s is planned: %d to files, %d to database, %d in conflict")
    )
    log.info(what, command, *counts, operation=operation, seconds=seconds)
    for side, moved in (("files", report.to_files), ("database", report.to_db)):
        for one in moved:
            log.info("to %s, %s", side, one.op.value, label=one.label, operation=operation)
    log_moves(log, report.tasks_moved, operation)
    log_conflicts(log, report.decided, report.conflicts, ("files", "database"), operation)
