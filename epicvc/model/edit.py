"""Edits the value of a file so that it has another core. Leaves alone what no changed core field asked for. Pure."""

from __future__ import annotations

from collections.abc import Mapping as MappingABC
from typing import cast

from epicvc.base.jsonio import JSON, equal
from epicvc.model.document import WRAPPER, Core, epic_body, natural_key, tasks_of
from epicvc.model.mapping import Mapping

Object = dict[str, JSON]


Carried = MappingABC[str, tuple[Object, Core]]
"""Tasks that come from elsewhere, by id: the item as a file has it, and its core there."""


def with_core(whole: Object, before: Core, after: Core, mapping: Mapping, carried: Carried | None = None) -> Object:
    """Return the parsed file with another core.

    Args:
        whole: the file as it is parsed.
        before: the core that it has now.
        after: the core that it is to have.
        mapping: says which fields are core.
        carried: tasks that come from elsewhere, with the keys that belong to no core.

    Returns:
        A new value; keys that the core does not own are those of ``whole``.
    """
    body = dict(epic_body(whole))
    _set_fields(body, before, after, [field.name for field in mapping.epics.core])
    if not equal(before.get(Mapping.TASKS), after.get(Mapping.TASKS)):
        body[Mapping.TASKS] = _tasks(body.get(Mapping.TASKS), before, after, mapping, carried or {})
    return body if epic_body(whole) is whole else {**whole, WRAPPER: body}


def with_id(whole: Object, epic: str) -> Object:
    """Return the parsed file of an epic that got another id.

    The id stays a number where it was one and the new one can be written as one.
    """
    body = epic_body(whole)
    number = isinstance(body["id"], int) and epic.isdecimal() and str(int(epic)) == epic
    named: Object = {**body, "id": int(epic) if number else epic}
    return named if body is whole else {**whole, WRAPPER: named}


def new_file(epic: str, core: Core) -> Object:
    """Return the value of a new file for an epic that only the database had."""
    return {WRAPPER: {"id": epic, **core}}


def _set_fields(target: Object, before: Core, after: Core, names: list[str]) -> None:
    for name in names:
        if equal(before.get(name), after.get(name)):
            continue
        if after.get(name) is None:
            target.pop(name, None)
        else:
            target[name] = graft(target.get(name), after[name])


def graft(old: JSON, new: JSON) -> JSON:
    """Return a new value for an old one's place.

    Inside objects the author's order, notation and null members stay.
    """
    if equal(old, new):
        return old
    if not isinstance(old, dict) or not isinstance(new, dict):
        return new
    kept = {key: graft(value, new.get(key)) for key, value in old.items() if value is None or key in new}
    return {**kept, **{key: value for key, value in new.items() if key not in kept}}


def _tasks(current: JSON, before: Core, after: Core, mapping: Mapping, carried: Carried) -> JSON:
    items = cast("list[Object]", current or [])
    known = {natural_key(item["id"]): item for item in items}
    old = {cast("str", task["id"]): task for task in tasks_of(before)}
    names = [field.name for field in mapping.tasks.core]
    result: list[JSON] = []
    for task in tasks_of(after):
        key = cast("str", task["id"])
        if key in known and key in old and equal(cast("JSON", old[key]), cast("JSON", task)):
            result.append(known[key])
            continue
        item, core = dict(known.get(key) or {"id": key}), old.get(key, {})
        if key not in known and key in carried:
            item, core = {**carried[key][0], "id": key}, carried[key][1]
        _set_fields(item, core, task, names)
        if mapping.links:
            _set_links(item, core, task, mapping.links.field)
        result.append(item)
    return result


def _set_links(item: Object, before: Core, after: Core, name: str) -> None:
    """Set the links of a task.

    Links are a set: those that stay keep their place and spelling in the author's list.
    """
    if equal(before.get(name), after.get(name)):
        return
    wanted = dict.fromkeys(cast("list[str]", after.get(name) or []))
    current = cast("list[JSON]", item.get(name) or [])
    present = {natural_key(link) for link in current}
    kept = [link for link in current if natural_key(link) in wanted]
    item[name] = [*kept, *(key for key in wanted if key not in present)]
