"""Writes decisions of synchronisations and merges to the log: label by label, values only at DEBUG."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from epicvc.base.jsonio import dumps_text
from epicvc.base.logs import DEBUG, Log
from epicvc.merge.threeway import ABSENT, Chosen, Conflict, Value
from epicvc.model.labels import Label

_LONGEST: Final = 200
"""The most characters of a value."""


def log_moves(log: Log, moves: Iterable[tuple[Label, Label]], operation: str | None) -> None:
    """Write tasks that moved, each with where it is now."""
    for source, target in moves:
        log.info("moved to %s", target, label=source, operation=operation)


def log_conflicts(
    log: Log,
    decided: Iterable[tuple[Conflict, Chosen]],
    conflicts: Sequence[Conflict],
    sides: tuple[str, str],
    operation: str | None,
) -> None:
    """Write conflicts, the settled ones first.

    Args:
        log: where to.
        decided: conflicts that are settled, with what was chosen.
        conflicts: those that are open.
        sides: how "ours" and "theirs" are called.
        operation: the operation that they belong to; ``None`` in a dry run.
    """
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
