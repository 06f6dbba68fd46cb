"""Finds the tasks that are the same in the files of all three states, and in their rows. Pure.

An epic has dozens of tasks, and a change touches one or two. The others go through the merge by their id alone:
membership and order are merged as always, and nothing else of them is read, compared or written three times. Finding
such a task costs one comparison of its text.
"""

from __future__ import annotations

from collections.abc import Collection, Container, Sequence
from collections.abc import Mapping as MappingABC
from typing import cast

from epicvc.actions.merge.snapshots.whole import NaturalRows
from epicvc.base.jsonio import JSON, to_the_letter
from epicvc.model.document import WRAPPER, Core, epic_body, natural_key, tasks_of
from epicvc.model.mapping import Mapping, TableMap

Object = dict[str, JSON]
Items = dict[str, Object]
"""The tasks of a parsed file, by id."""


def items_of(value: JSON) -> Items | None:
    """Return the tasks of a parsed file, or ``None`` if they are no list of different tasks.

    A faulty list is reported where the file is read as an epic, not here.
    """
    tasks = epic_body(value).get(Mapping.TASKS) if isinstance(value, dict) else None
    if not isinstance(tasks, list):
        return None
    items = {natural_key(item.get("id")): item for item in tasks if isinstance(item, dict)}
    return cast("Items", items) if len(items) == len(tasks) and None not in items else None


def untouched(values: Sequence[JSON], rows: Sequence[NaturalRows]) -> Items:
    """Return the tasks that are the same in all states.

    Args:
        values: the epic's file in each state, parsed.
        rows: its rows in each state; a row that is the same in several states is one object.

    Returns:
        The tasks as the file has them.
    """
    sides = [items_of(value) for value in values]
    first, *others = sides
    if first is None or not all(others):
        return {}
    links = [_links_by_task(found) for found in rows]
    result = {}
    for key, item in first.items():
        found = [side.get(key) for side in others if side is not None]
        if None in found or not _one_row([side.tasks.get(key) for side in rows], [side.get(key) for side in links]):
            continue
        text = to_the_letter(item)
        if all(other is item or to_the_letter(other) == text for other in found):
            result[key] = item
    return result


def _links_by_task(rows: NaturalRows) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    for (task, linked), (_, row) in rows.links.items():
        found.setdefault(task, {})[linked] = id(row)
    return found


def _one_row(rows: Sequence[object], links: Sequence[object]) -> bool:
    tasks = [None if found is None else id(cast("tuple[bytes, object]", found)[1]) for found in rows]
    return tasks.count(tasks[0]) == len(tasks) and links.count(links[0]) == len(links)


def bare_file(value: Object, tasks: Container[str]) -> Object:
    """Return a parsed file with only the ids of these tasks."""
    body = epic_body(value)
    items = cast("list[Object]", body.get(Mapping.TASKS) or [])
    kept = [{"id": item["id"]} if natural_key(item["id"]) in tasks else item for item in items]
    bare = {**body, Mapping.TASKS: cast("JSON", kept)} if kept else body
    return {**value, WRAPPER: cast("JSON", bare)} if body is not value else bare


def bare_core(core: Core, tasks: Container[str]) -> Core:
    """Return a core with only the ids of these tasks."""
    return with_tasks(core, [{"id": task["id"]} if task["id"] in tasks else task for task in tasks_of(core)])


def full_core(core: Core, tasks: MappingABC[str, Core]) -> Core:
    """Return a core with these tasks in the place of their ids."""
    return with_tasks(core, [tasks.get(cast("str", task["id"]), task) for task in tasks_of(core)])


def with_tasks(core: Core, tasks: list[Core]) -> Core:
    """Return a core with other tasks."""
    return {**core, Mapping.TASKS: cast("JSON", tasks)} if tasks else core


def bare_rows(states: Sequence[NaturalRows | None], tasks: Container[str], table: TableMap) -> list[NaturalRows | None]:
    """Return the rows of each state, with only the structural columns of these tasks, which are the same in all."""
    structure = [name for name in (table.id, table.key, table.parent, table.sequence) if name]
    first = next((rows.tasks for rows in states if rows is not None), {})
    bare = {
        key: (place, {name: row.get(name) for name in structure}) for key, (place, row) in first.items() if key in tasks
    }
    return [
        rows
        and NaturalRows(
            rows.epic,
            {**rows.tasks, **bare},
            {place: found for place, found in rows.links.items() if place[0] not in tasks},
        )
        for rows in states
    ]


def only_rows(rows: NaturalRows, tasks: Collection[str]) -> NaturalRows:
    """Return the epic's own row and the rows of these tasks."""
    return NaturalRows(
        rows.epic,
        {key: rows.tasks[key] for key in tasks if key in rows.tasks},
        {place: found for place, found in rows.links.items() if place[0] in tasks},
    )
