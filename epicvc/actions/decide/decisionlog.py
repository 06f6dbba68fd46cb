"""Writes decisions of synchronisations and merges to the log, label by label. Values are logged at DEBUG only."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from epicvc.base.jsonio import dumps_text
from epicvc.base.logs import DEBUG, Log
from epicvc.merge.threeway import ABSENT, Chosen, Conflict, Value
from epicvc.model.labels import Label

_LONGEST: Final = 200
"""The greatest number of characters of a value."""


def log_moves(log: Log, moves: Iterable[tuple[Label, Label]], operation: str | None) -> None:
    """Log moved tasks, each with its new place."""
    for source, target in moves:
        log.info("moved to %s", target, label=source, operation=operation)


def log_conflicts(
    log: Log,
    decided: Iterable[tuple[Conflict, Chosen]],
    conflicts: Sequence[Conflict],
    sides: tuple[str, str],
    operation: str | None,
) -> None:
    """Log conflicts, the settled ones first.

    Args:
        log: the log.
        decided: the settled conflicts, each with the chosen value.
        conflicts: the open conflicts.
        sides: the names of "ours" and "theirs".
        operation: the operation to which they belong; ``None`` in a dry run.
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
