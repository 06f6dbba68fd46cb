"""Replaces the ids of renamed tasks in the links of every document, in all states."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, cast

from epicvc.actions.merge.documents.loading import Epic
from epicvc.base.jsonio import JSON
from epicvc.model.document import Core, tasks_of, with_tasks
from epicvc.model.mapping import LinkMap
from epicvc.plan.moves.moves import At, Moved

FILES: Final = "files"
ROWS: Final = "rows"
AGREED: Final = "agreed"
PARTS: Final = (FILES, ROWS)
"""The two documents of an epic."""

DOCUMENTS: Final = (*PARTS, AGREED)
"""The documents of an epic, and its agreed core."""


def documents_of(epic: Epic, part: str) -> list[Core | None]:
    """Return an epic's documents in the three states: from the files, from the rows, or as agreed."""
    return {FILES: epic.of_files, ROWS: epic.of_rows, AGREED: epic.agreed}[part]


def relink(epics: Mapping[str, Epic], part: str, moved: Iterable[tuple[Moved, At]], links: LinkMap) -> None:
    """Give the new ids of renamed tasks to all links that name them.

    Args:
        epics: the loaded epics; they are changed in place.
        part: :data:`FILES`, :data:`ROWS` or :data:`AGREED`.
        moved: tasks, each with its place in the result.
        links: the field that holds the ids of the tasks that a task depends on.
    """
    anywhere: dict[str, str] = {}
    near: dict[str, dict[str, str]] = {}
    for item, target in moved:
        if target is not None and item.renamed:
            for names in [anywhere] if item.alone else [near.setdefault(epic, {}) for epic in item.epics]:
                for _, key in sorted(item.everywhere):
                    if key != target[1]:
                        names.setdefault(key, target[1])
    for epic in epics.values() if anywhere else [epics[name] for name in near]:
        _relink(epic, part, {**anywhere, **near.get(epic.id, {})}, links.field)


def _relink(epic: Epic, part: str, names: Mapping[str, str], links: str) -> None:
    """Give links the new ids of tasks, except the ids that tasks of this epic have."""
    cores = documents_of(epic, part)
    own = {cast("str", task["id"]) for core in cores if core is not None for task in tasks_of(core)}
    new = {key: name for key, name in names.items() if key not in own}
    if not new:
        return
    cores[:] = [core and with_tasks(core, [_renamed(task, new, links) for task in tasks_of(core)]) for core in cores]
    for rows in epic.rows if part == ROWS else ():
        for task, linked in [place for place in rows.links if place[1] in new]:
            rows.links.setdefault((task, new[linked]), rows.links.pop((task, linked)))


def _renamed(task: Core, names: Mapping[str, str], links: str) -> Core:
    keys = cast("list[str]", task.get(links) or [])
    if not any(key in names for key in keys):
        return task
    return {**task, links: cast("JSON", sorted({names.get(key, key) for key in keys}))}
