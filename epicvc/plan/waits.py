"""Places that wait while a side cannot be read whole: a deletion may be none, an addition may be a second copy.

A file or row that cannot be read may be any epic, and have any task. Whatever a side lacks meanwhile may be in there.
So nothing that a side lacks is deleted on the other one, and nothing is added to a side that may have it already. Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeAlias, cast

from msgspec import Struct

from epicvc.merge.threeway import Direction
from epicvc.model.document import Core, tasks_of
from epicvc.model.labels import Label
from epicvc.model.mapping import Mapping
from epicvc.plan.moves.moves import Moves


class Unseen(Struct, frozen=True):
    """The part of one side that is not known.

    Attributes:
        blind: a part of the side cannot be read, so that whatever the side lacks may be there.
        tasks: the tasks that waiting epics have on the side.
        brought: those of ``tasks`` that the base has elsewhere, or nowhere.
        may_have: tells whether an epic that the side lacks, and on which nobody has agreed, may be in the part that
            cannot be read.
        alone: a task's id is unique on the side, so that no second epic can have one of ``tasks``.
    """

    blind: bool
    tasks: frozenset[str]
    brought: frozenset[str]
    may_have: Callable[[str], bool]
    alone: bool = False


class Waits(Struct, frozen=True, order=True):
    """A place that stays as it is on both sides.

    Attributes:
        label: the place.
        way: the side that would change if the place did not wait; both where the base and the sides do not tell.
    """

    label: Label
    way: Direction


Sides: TypeAlias = "tuple[Unseen, Unseen]"
"""The unknown parts of the files and of the database."""

_WAYS = (Direction.TO_THEIRS, Direction.TO_OURS)
"""The directions of a deletion that the files cause, and of one that the database causes."""


def waits(
    epic: str, base: Core | None, files: Core | None, db: Core | None, moves: Moves, unseen: Sides
) -> tuple[Waits, ...]:
    """Return the places of one epic that wait.

    Args:
        epic: the epic's id.
        base: the agreed core.
        files: the core that the files have.
        db: the core that the database has.
        moves: tasks that are known to be elsewhere now, and so have not gone.
        unseen: the unknown parts of the files, and of the database.
    """
    label = Label(epic)
    way = _epic_waits(epic, base, (files, db), unseen)
    if way is not None:
        return (Waits(label, way),)
    if files is None or db is None:
        return ()
    moved = {at[1] for item in moves.of(epic) for at in item.everywhere if at[0] == epic}
    tasks = label.child(Mapping.TASKS)
    return tuple(
        Waits(tasks.child(key), to) for key, to in _tasks_wait(base or {}, files, db, unseen) if key not in moved
    )


def _epic_waits(
    epic: str, base: Core | None, sides: tuple[Core | None, Core | None], unseen: Sides
) -> Direction | None:
    """Return the direction in which a whole epic would go that waits; ``None`` where it does not wait."""
    if sides[0] is None and sides[1] is None:
        return Direction.BOTH if unseen[0].blind or unseen[1].blind else None
    for here, there in ((0, 1), (1, 0)):
        if sides[here] is not None:
            continue
        known, side = _ids(sides[there]), unseen[here]
        if base is not None:
            return _WAYS[here] if side.blind or known & side.brought else None
        return _WAYS[there] if side.may_have(epic) or (side.alone and known & side.tasks) else None
    return None


def _tasks_wait(base: Core, files: Core, db: Core, unseen: Sides) -> Iterator[tuple[str, Direction]]:
    agreed, sides = _ids(base), (_ids(files), _ids(db))
    for key in sorted(agreed - sides[0] - sides[1]):
        if unseen[0].blind or unseen[1].blind:
            yield key, Direction.BOTH
    for here, there in ((0, 1), (1, 0)):
        side = unseen[here]
        for key in sorted(sides[there] - sides[here]):
            if key in agreed:
                if side.blind or key in side.brought:
                    yield key, _WAYS[here]
            elif side.alone and key in side.tasks:
                yield key, _WAYS[there]


def _ids(core: Core | None) -> frozenset[str]:
    return frozenset(cast("str", task["id"]) for task in tasks_of(core or {}))
