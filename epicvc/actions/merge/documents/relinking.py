"""What depends on renamed tasks names them by the ids that they have now: in every document, in all states."""

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
"""What an epic's documents are made of."""

DOCUMENTS: Final = (*PARTS, AGREED)
"""These, and what was agreed on the epic."""


def documents_of(epic: Epic, part: str) -> list[Core | None]:
    """An epic's documents in the three states, as the files or the rows have it, or as it was agreed."""
    return {FILES: epic.of_files, ROWS: epic.of_rows, AGREED: epic.agreed}[part]


def relink(epics: Mapping[str, Epic], part: str, moved: Iterable[tuple[Moved, At]], links: LinkMap) -> None:
    """Name renamed tasks by their new ids wherever something depends on them.

    Args:
        epics: the loaded epics; they are changed.
        part: their files, their rows or what was agreed.
        moved: tasks, and where they go.
        links: the field that holds what a task depends on.
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
    """Name tasks by other ids, unless the epic has a task of its own that is called so."""
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
