"""What synchronisations and merges have decided, told to the log: label by label, values only at DEBUG."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final

from epicvc.jsonio import dumps_text
from epicvc.logs import DEBUG, Log
from epicvc.merge.threeway import ABSENT, Chosen, Conflict, Value
from epicvc.model.labels import Label

if TYPE_CHECKING:
    from epicvc.services.merging import MergeReport
    from epicvc.services.survey import SyncReport

_LONGEST: Final = 200
"""The most characters of a value."""


def log_sync(log: Log, command: str, report: SyncReport, operation: str | None, seconds: float) -> None:
    """Tell what a synchronisation is going to do.

    Args:
        log: who is told.
        command: the command.
        report: what was found.
        operation: the operation that will do it; ``None`` in a dry run.
        seconds: how long it took to find.
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
    _log_moves(log, report.tasks_moved, operation)
    _log_conflicts(log, report.decided, report.conflicts, ("files", "database"), operation)


def log_merge(log: Log, report: MergeReport, operation: str | None, seconds: float) -> None:
    """Tell what a merge or revert is going to do; as :func:`log_sync`."""
    counts = len(report.epics), len(report.conflicts)
    what = (
        "%s of %s would do: %d to merge, %d in conflict"
        if operation is None
        else ("%s of %s is planned: %d to merge, %d in conflict")
    )
    log.info(what, report.command, report.name, *counts, operation=operation, seconds=seconds)
    for epic in report.epics:
        log.info("merged", label=Label(epic), operation=operation)
    _log_moves(log, report.moves, operation)
    _log_conflicts(log, report.decided, report.conflicts, ("ours", "theirs"), operation)


def _log_moves(log: Log, moves: Iterable[tuple[Label, Label]], operation: str | None) -> None:
    for source, target in moves:
        log.info("moved to %s", target, label=source, operation=operation)


def _log_conflicts(
    log: Log,
    decided: Iterable[tuple[Conflict, Chosen]],
    conflicts: Sequence[Conflict],
    sides: tuple[str, str],
    operation: str | None,
) -> None:
    details = log.wants(DEBUG)
    for conflict, chosen in decided:
        log.info("a conflict is settled", label=conflict.label, operation=operation)
        if details:
            _log_values(log, conflict, sides, operation)
            why = chosen.reason or "a person"
            log.debug("taken is %s, by %s", _shown(chosen.value), why, label=conflict.label, operation=operation)
    for conflict in conflicts:
        log.info("in conflict", label=conflict.label, operation=operation)
        if details:
            _log_values(log, conflict, sides, operation)


def _log_values(log: Log, conflict: Conflict, sides: tuple[str, str], operation: str | None) -> None:
    values = _shown(conflict.base), sides[0], _shown(conflict.ours), sides[1], _shown(conflict.theirs)
    log.debug("base %s, %s %s, %s %s", *values, label=conflict.label, operation=operation)


def _shown(value: Value) -> str:
    if value is ABSENT:
        return "nothing"
    text = dumps_text(value, indent=None, item_sep=", ", key_sep=": ")
    return text if len(text) <= _LONGEST else text[:_LONGEST] + "…"
