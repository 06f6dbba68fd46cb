"""Calculated fields in author files: always the database's, never merged; what an author writes there is dropped."""

from __future__ import annotations

from typing import cast

from msgspec.structs import replace

from epicvc.base.jsonio import JSON
from epicvc.dates.progress import progress_fields
from epicvc.model.diff import Change, Op, diff
from epicvc.model.document import CALCULATED, WRAPPER, Core, epic_body, tasks_of
from epicvc.model.labels import SIBLINGS, Label
from epicvc.repo.documents import Three


def foreseen(three: Three, core: Core | None, state: str) -> Three:
    """What is calculated of an epic once the database has this core, so that one sync is enough.

    Args:
        three: the epic as it is.
        core: what the database will have.
        state: the state that a new task gets.
    """
    if not three.inline or core is None:
        return three
    states = [three.states.get(cast("str", task["id"]), state) for task in tasks_of(core)]
    return replace(three, beside={**three.calculated, **progress_fields(states)})


def with_calculated(whole: dict[str, JSON], three: Three) -> dict[str, JSON]:
    """A parsed file with the calculated fields that belong into it, and without those that do not."""
    body = epic_body(whole)
    own = {name: value for name, value in body.items() if name not in three.stray}
    if body is whole:
        return own
    result = {**whole, WRAPPER: own}
    if three.inline:
        result.pop(CALCULATED, None)
        if three.beside:
            result[CALCULATED] = cast("JSON", three.beside)
    return result


def calculated_changes(three: Three) -> tuple[Change, ...]:
    """What the next write of the file brings to its calculated fields; an edit of them is among it, and dropped."""
    label = Label(three.epic)
    found = [Change(label.child(name), Op.REMOVE, value, None) for name, value in three.stray.items()]
    if three.inline and three.stale_calculated:
        place = label.child(SIBLINGS).child(CALCULATED)
        found += diff(place, three.written, cast("JSON", three.beside or None))
    return tuple(found)
