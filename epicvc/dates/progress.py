"""Measures how far an epic is, from the states of its tasks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Final

from epicvc.base.jsonio import JSON

COMPLETED: Final = frozenset({"completed", "done"})
"""The states of a task that is finished; ``completed`` is the built-in schema's."""

STATS: Final = "stats"
PROGRESS: Final = "progress_percentage"


def percentage(states: Mapping[str, int]) -> float | None:
    """Return the percentage of the tasks that are finished; ``None`` where there are no tasks.

    Args:
        states: the number of tasks in each state.
    """
    total = sum(states.values())
    finished = sum(number for state, number in states.items() if state.lower() in COMPLETED)
    return round(100 * finished / total, 2) if total else None


def progress_fields(states: Iterable[str]) -> dict[str, JSON]:
    """Return the calculated fields ``stats`` and ``progress_percentage``; none where there are no tasks.

    Args:
        states: the state of each task.
    """
    counted = Counter(states)
    done = percentage(counted)
    if done is None:
        return {}
    finished = sum(number for state, number in counted.items() if state.lower() in COMPLETED)
    by_state: dict[str, JSON] = {state: counted[state] for state in sorted(counted)}
    stats: JSON = {"total_tasks": counted.total(), "completed_tasks": finished, "tasks_by_status": by_state}
    return {STATS: stats, PROGRESS: done}
