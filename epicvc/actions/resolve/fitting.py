"""Checks that an answer fits its place, and returns it as it would be stored there. Pure."""

from __future__ import annotations

from typing import cast

from epicvc.actions.resolve.choices import is_order
from epicvc.actions.shared.questions import spec_of
from epicvc.base.jsonio import JSON
from epicvc.errors import InvalidData, InvalidField
from epicvc.merge.threeway import ABSENT, Chosen, Conflict, same
from epicvc.model.document import Core, misfit, read_file_epic, tasks_of
from epicvc.model.mapping import Mapping, Rule
from epicvc.plan.moves.moves import chosen_place, is_place


def fitting(mapping: Mapping, conflict: Conflict, chosen: Chosen) -> Chosen:
    """Return the chosen value as a core has it.

    A value that no column could hold is refused before anything is done.

    Raises:
        InvalidField: the value does not fit its field, or is no place of the task.
        InvalidFile: the value is no epic or no task.
    """
    value, path = chosen.value, conflict.label.path
    if value is ABSENT or conflict.label.table:
        return chosen
    if is_order(conflict):
        return _ordered(conflict, chosen)
    if is_place(conflict):
        chosen_place(conflict, chosen)
        return chosen
    if not path:
        try:
            return Chosen(cast("JSON", _core(mapping, conflict.label.root, value)))
        except InvalidData:
            if any(same(value, version) for version in (conflict.base, conflict.ours, conflict.theirs)):
                return chosen  # a file that is no valid epic is one value, and is taken as it is
            raise
    if len(path) == 2 and path[0] == Mapping.TASKS:
        task = {**value, "id": path[1]} if isinstance(value, dict) else value
        (whole,) = tasks_of(_core(mapping, conflict.label.root, {Mapping.TASKS: [task]}))
        return Chosen(cast("JSON", whole))
    spec = spec_of(mapping, conflict.label)
    problem = misfit(value, spec.kind) if spec.kind is not None else None
    if problem is None and mapping.links and path[-1] == mapping.links.field and len(path) == 3:
        problem = _misfit_links(value)
    elif problem is None and spec.kind is not None and spec.rule in (Rule.LIST, Rule.SET):
        problem = _misfit_list(value, conflict)
    if problem:
        raise InvalidField(str(conflict.label), problem)
    return chosen


def _misfit_links(value: JSON) -> str | None:
    fits = isinstance(value, list) and all(isinstance(item, str) and item for item in value)
    return None if fits else "must be a list of task ids"


def _misfit_list(value: JSON, conflict: Conflict) -> str | None:
    """Return the fault of a value that is no list where all existing versions are lists."""
    versions = [side for side in (conflict.base, conflict.ours, conflict.theirs) if side is not ABSENT]
    return (
        "must be a list" if all(isinstance(side, list) for side in versions) and not isinstance(value, list) else None
    )


def _ordered(conflict: Conflict, chosen: Chosen) -> Chosen:
    """Check that an order of tasks names each of them once."""
    known = conflict.ours if isinstance(conflict.ours, list) else []
    value = chosen.value
    if value == conflict.base:
        return chosen
    if not isinstance(value, list) or sorted(map(str, value)) != sorted(map(str, known)):
        raise InvalidField(str(conflict.label), "must name each task of the epic once")
    return chosen


def _core(mapping: Mapping, epic: str, value: JSON) -> Core:
    whole = {**value, "id": epic} if isinstance(value, dict) else value
    return read_file_epic(whole, mapping, "the value").core
