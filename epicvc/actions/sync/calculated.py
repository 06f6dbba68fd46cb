"""Calculated fields in authors' files.

They belong to the database and are never merged: an author's edit is dropped.
"""

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
    """Return an epic with the calculated fields that follow once the database has this core. So one sync is enough.

    Args:
        three: the three copies of the epic.
        core: the core that the database will have.
        state: the state of a new task.
    """
    if not three.inline or core is None:
        return three
    states = [three.states.get(cast("str", task["id"]), state) for task in tasks_of(core)]
    return replace(three, beside={**three.calculated, **progress_fields(states)})


def with_calculated(whole: dict[str, JSON], three: Three) -> dict[str, JSON]:
    """Return a parsed file with the calculated fields that belong into it, and without all others."""
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
    """Return the changes of calculated fields by the next write of the file. An author's edit is among them."""
    label = Label(three.epic)
    found = [Change(label.child(name), Op.REMOVE, value, None) for name, value in three.stray.items()]
    if three.inline and three.stale_calculated:
        place = label.child(SIBLINGS).child(CALCULATED)
        found += diff(place, three.written, cast("JSON", three.beside or None))
    return tuple(found)
