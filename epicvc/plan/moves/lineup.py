"""Keeps tasks in order while others come one by one: each after its nearest predecessor in an order that has it."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import cast

from epicvc.model.document import Core, Tasks

_START = ""
"""The key that stands before the first task and behind the last. No task has it."""


class Lineup:
    """A row of tasks, into which another is put at the cost of looking its place up, however long the row is.

    Args:
        tasks: the tasks that are there at first.
    """

    def __init__(self, tasks: Iterable[Core]) -> None:
        self._tasks = {cast("str", task["id"]): task for task in tasks}
        keys = [_START, *self._tasks, _START]
        self._next = dict(pairwise(keys))
        self._previous = {after: before for before, after in pairwise(keys)}
        self._references: dict[int, _Reference] = {}

    def insert(self, task: Core, reference: Sequence[str]) -> None:
        """Put a task in after its nearest predecessor in an order.

        Wherever the task was before, it is taken out there.

        Args:
            task: the task.
            reference: an order that has the task; an order that is given again has to be the same object, unchanged.
        """
        key = cast("str", task["id"])
        if key in self._tasks:
            self._take(key)
        known = self._references.get(id(reference))
        if known is None:
            known = self._references[id(reference)] = _Reference(reference, self._tasks)
        before = known.predecessor(key) or _START
        after = self._next[before]
        self._next[before] = self._previous[after] = key
        self._next[key], self._previous[key] = after, before
        self._tasks[key] = task
        for other in self._references.values():
            other.add(key)

    def tasks(self) -> Tasks:
        """Return all tasks in order."""
        result = []
        key = self._next[_START]
        while key != _START:
            result.append(self._tasks[key])
            key = self._next[key]
        return result

    def _take(self, key: str) -> None:
        before, after = self._previous.pop(key), self._next.pop(key)
        self._next[before], self._previous[after] = after, before
        del self._tasks[key]
        for known in self._references.values():
            known.remove(key)


class _Reference:
    """An order, and those of its places that are taken."""

    def __init__(self, order: Sequence[str], present: Iterable[str]) -> None:
        self._order = order  # kept alive, since the caller knows the order by its identity
        self._places = {key: place for place, key in enumerate(order)}
        self._taken = sorted(self._places[key] for key in present if key in self._places)

    def predecessor(self, key: str) -> str | None:
        at = bisect_left(self._taken, self._places[key])
        return self._order[self._taken[at - 1]] if at else None

    def add(self, key: str) -> None:
        if key in self._places:
            insort(self._taken, self._places[key])

    def remove(self, key: str) -> None:
        if key in self._places:
            del self._taken[bisect_left(self._taken, self._places[key])]
