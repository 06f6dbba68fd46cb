"""The critical path method: finds the earliest and latest time of every task along the graph of dependencies.

Time is working minutes from the plan's start. As many tasks run at once as can, since nothing here knows who does them.
The result has no dates: :mod:`epicvc.actions.dates.scheduling` lays the minutes over a calendar.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Mapping, Sequence
from fractions import Fraction
from typing import Generic, TypeVar

from msgspec import Struct

K = TypeVar("K", bound="object")


class Task(Struct, Generic[K], frozen=True):
    """A task to be scheduled.

    Attributes:
        effort: working minutes.
        needs: the tasks that have to be done before; each must be in the plan.
    """

    effort: Fraction
    needs: Collection[K] = ()


class Slot(Struct, frozen=True):
    """The time at which a task can be done, in working minutes from the plan's start.

    Attributes:
        start: the earliest start.
        end: the earliest end.
        slack: how much later the task may start without the whole plan ending later.
    """

    start: Fraction
    end: Fraction
    slack: Fraction

    @property
    def critical(self) -> bool:
        """Tell whether the task lies on the critical path: a delay of it delays the whole plan."""
        return not self.slack


class Cycle(Exception, Generic[K]):
    """Tasks that need each other, so that none of them can begin.

    Attributes:
        path: the tasks; each needs the next, the last one the first.
    """

    def __init__(self, path: Sequence[K]) -> None:
        super().__init__(path)
        self.path = tuple(path)


def schedule(tasks: Mapping[K, Task[K]]) -> dict[K, Slot]:
    """Return the slot of every task, in an order in which they can be done.

    Raises:
        Cycle: some tasks need each other.
    """
    order, followers = _order(tasks)
    ends: dict[K, Fraction] = {}
    starts: dict[K, Fraction] = {}
    zero = Fraction(0)
    for key in order:
        task = tasks[key]
        starts[key] = max((ends[need] for need in task.needs), default=zero)
        ends[key] = starts[key] + task.effort
    whole = max(ends.values(), default=zero)
    latest: dict[K, Fraction] = {}  # the latest starts
    for key in reversed(order):
        latest[key] = min((latest[follower] for follower in followers[key]), default=whole) - tasks[key].effort
    return {key: Slot(starts[key], ends[key], latest[key] - starts[key]) for key in order}


def _order(tasks: Mapping[K, Task[K]]) -> tuple[list[K], dict[K, list[K]]]:
    """Return an order in which every task comes after those that it needs, and for each task those that need it."""
    followers: dict[K, list[K]] = {key: [] for key in tasks}
    waiting: dict[K, int] = {}
    for key, task in tasks.items():
        needs = set(task.needs)
        waiting[key] = len(needs)
        for need in needs:
            followers[need].append(key)
    ready = deque(key for key, count in waiting.items() if not count)
    order: list[K] = []
    while ready:
        key = ready.popleft()
        order.append(key)
        for follower in followers[key]:
            waiting[follower] -= 1
            if not waiting[follower]:
                ready.append(follower)
    if len(order) < len(tasks):
        done = set(order)
        raise Cycle(_cycle({key: tasks[key] for key in tasks if key not in done}))
    return order, followers


def _cycle(stuck: Mapping[K, Task[K]]) -> list[K]:
    """Return one cycle among tasks each of which needs another of them.

    Following the needs from any of them must come back to a task that was seen.
    """
    seen: dict[K, int] = {}
    path: list[K] = []
    key = next(iter(stuck))
    while key not in seen:
        seen[key] = len(path)
        path.append(key)
        key = next(need for need in stuck[key].needs if need in stuck)
    return path[seen[key] :]
