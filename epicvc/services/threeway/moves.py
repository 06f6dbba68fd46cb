"""Tasks that one side moved to another epic: moved in all states first, so that what else was done to them merges.

A move that both sides made alike is one move; to two different epics it is one conflict, at the place that was left.
"""

from __future__ import annotations

from collections.abc import Mapping as MappingABC
from typing import cast

from epicvc.jsonio import JSON
from epicvc.merge.threeway import Conflict, Decide
from epicvc.model.document import Core, tasks_of
from epicvc.model.labels import Label
from epicvc.model.mapping import Mapping
from epicvc.services.threeway.loading import Epic

Moved = MappingABC[tuple[str, str], str]
"""Tasks that left an epic, ``(epic, task)``, and the epic that got them."""


def relocate(epics: dict[str, Epic], here: Moved, there: Moved, ask: Decide) -> tuple[tuple[Label, Label], ...]:
    """Move tasks in the documents and rows of all states to where the merge will have them.

    Args:
        epics: the loaded epics; what is moved is moved in them.
        here: what ours moved.
        there: what theirs moved.
        ask: decides where a task goes that both moved, to different epics.

    Returns:
        The moves, as labels before and after.
    """
    moves = []
    for giver, task in sorted({*here, *there}):
        targets = [side[giver, task] for side in (here, there) if (giver, task) in side]
        if any(epic not in epics for epic in (giver, *targets)):
            continue
        target = targets[0]
        if targets[-1] != target:
            target = _disputed(giver, task, target, targets[-1], ask)
        for place in dict.fromkeys((giver, *targets)):
            if place != target:
                _move(epics[place], epics[target], task)
        moves.append((_label(giver, task), _label(target, task)))
    return tuple(move for move in moves if move[0] != move[1])


def _label(epic: str, task: str) -> Label:
    return Label(epic, (Mapping.TASKS, task))


def _disputed(giver: str, task: str, ours: str, theirs: str, ask: Decide) -> str:
    places = {str(_label(epic, task)): epic for epic in (giver, ours, theirs)}
    base, mine, other = places
    chosen = ask(Conflict(_label(giver, task), base, mine, other))
    return places.get(cast("str", chosen.value), ours) if chosen is not None else ours


def _move(source: Epic, target: Epic, task: str) -> None:
    for wholes, others in ((source.of_files, target.of_files), (source.of_rows, target.of_rows)):
        for index, (old, new) in enumerate(zip(wholes, others, strict=True)):
            if old is None or new is None:
                continue  # where the epic is not there yet, the task comes with it
            found = [item for item in tasks_of(old) if item["id"] == task]
            if found:
                wholes[index] = _with_tasks(old, [item for item in tasks_of(old) if item["id"] != task])
                if all(item["id"] != task for item in tasks_of(new)):
                    others[index] = _with_tasks(new, [*tasks_of(new), *found])
    for mine, other in zip(source.rows, target.rows, strict=True):
        if task in mine.tasks and task not in other.tasks:
            other.tasks[task] = mine.tasks.pop(task)
            for place in [place for place in mine.links if place[0] == task]:
                other.links[place] = mine.links.pop(place)


def _with_tasks(core: Core, tasks: list[Core]) -> Core:
    result = {name: value for name, value in core.items() if name != Mapping.TASKS}
    if tasks:
        result[Mapping.TASKS] = cast("JSON", tasks)
    return result
