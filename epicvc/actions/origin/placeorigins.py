"""Finds who put a task where each side has it, for conflicts about the place of a task.

The label of such a conflict is the place in base. The last change there is the removal of the task, or an earlier edit.
The values of the conflict are places themselves, and their origins are the commits that put the task there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from epicvc.actions.origin.tracing import SIDES, Tracers
from epicvc.actions.shared.questions import Origin, Origins
from epicvc.merge.threeway import Conflict, Value
from epicvc.model.labels import Label, parse_label
from epicvc.store.objects import ObjectId


def between_sides(tracers: Tracers, conflict: Conflict, agreed: Origin | None) -> Origins:
    """Return the origins of a task's places in the agreed core, in the files and in the database.

    Args:
        tracers: the tracers of arrivals, made with ``whole``.
        conflict: the conflict.
        agreed: the first commit in which the agreed core has the task at its place.
    """

    def ask(side: str, label: Label) -> Origin | None:
        return tracers.of(label).origins([(side, label)]).get((side, label))

    base = place_of(conflict.base)
    files, db = (
        _first(partial(ask, side), value, base)
        for side, value in zip(SIDES, (conflict.ours, conflict.theirs), strict=True)
    )
    return Origins(agreed, files, db)


def between_branches(tracers: Tracers, conflict: Conflict, commits: tuple[ObjectId, ObjectId, ObjectId]) -> Origins:
    """Return the origins of a task's places in base, ours and theirs of a merge, which these commits have."""

    def ask(commit: ObjectId, label: Label) -> Origin | None:
        return tracers.of(label).origin_in(commit, label)

    base = place_of(conflict.base)
    values = (conflict.base, conflict.ours, conflict.theirs)
    return Origins(*(_first(partial(ask, commit), value, base) for commit, value in zip(commits, values, strict=True)))


def place_of(value: Value) -> Label | None:
    """Return the place that a value of such a conflict names."""
    return parse_label(value) if isinstance(value, str) else None


def _first(ask: Callable[[Label], Origin | None], value: Value, base: Label | None) -> Origin | None:
    found = (ask(label) for label in dict.fromkeys(_candidates(place_of(value), base)))
    return next((origin for origin in found if origin is not None), None)


def _candidates(own: Label | None, base: Label | None) -> Iterator[Label]:
    """Yield the labels at which to ask for the arrival of a task.

    As a rule this is the place itself. If the new epic or the new id of the other side is merged into the place, the
    task is not there yet, but in one of two other places. A task that is gone left from its place in base.
    """
    if own is not None:
        yield own
    if own is not None and base is not None:
        yield Label(base.root, own.path)
        yield Label(own.root, base.path)
    if base is not None:
        yield base
