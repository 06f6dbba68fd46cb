"""Random epics, small enough that changes meet: a core, and what somebody made of it."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import cast

from hypothesis import strategies as st

from epicvc.jsonio import JSON, dumps_canonical
from epicvc.model.document import UNAGREED, Core, tasks_of
from epicvc.model.labels import Label

EPIC = "5"
LABEL = Label(EPIC)
SETS = ("labels", "priority_tags", "dependencies")

Path = tuple[str, ...]

Values = st.SearchStrategy[JSON]
TEXTS = cast("Values", st.sampled_from(["", "a", "b", "c"]))
NUMBERS = cast("Values", st.sampled_from([0, 1, 1.0, 2, 0.5]))
SETS_OF_TEXT = cast("Values", st.lists(st.sampled_from("abcd"), unique=True, max_size=4))
LISTS = cast("Values", st.lists(TEXTS, max_size=2))
INNER = cast("Values", st.sampled_from([0, 1, "a", [], [1], {}, {"x": 1}, {"x": 2}, {"y": [1]}, {"x": 1, "y": 2}]))
OBJECTS = cast("Values", st.dictionaries(st.sampled_from(["x", "y/z", ""]), INNER, max_size=3))
IDS = ["1", "2", "3", "a/b", "~"]

EPIC_FIELDS: dict[str, Values] = {
    "name": TEXTS,
    "tdd_enabled": cast("Values", st.booleans()),
    "goals": LISTS,
    "labels": SETS_OF_TEXT,
    "quality_gates": OBJECTS | TEXTS,
}
TASK_FIELDS: dict[str, Values] = {
    "title": TEXTS,
    "story_points": NUMBERS,
    "priority_tags": SETS_OF_TEXT,
    "dependencies": cast("Values", st.lists(st.sampled_from(IDS), unique=True, min_size=1, max_size=3).map(sorted)),
}


# Made once: to make a strategy costs more than to draw from it.
_EPICS = st.fixed_dictionaries({}, optional=EPIC_FIELDS)
_TASKS = st.fixed_dictionaries({}, optional=TASK_FIELDS)
_SOME_IDS = st.lists(st.sampled_from(IDS), unique=True, max_size=3)
_FATES = st.sampled_from(["keep", "keep", "keep", "remove", "set", "inside"])
_SOME = st.sampled_from([True, True, True, False])


@st.composite
def cores(draw: st.DrawFn) -> Core:
    """The core of an epic."""
    core = dict(draw(_EPICS))
    if ids := draw(_SOME_IDS):
        core["tasks"] = [{"id": key, **draw(_TASKS)} for key in ids]
    return core


@st.composite
def changed(draw: st.DrawFn, core: Core) -> Core:
    """What somebody made of a core."""
    result = _changed_fields(draw, core, EPIC_FIELDS)
    tasks = []
    for task in tasks_of(core):
        if draw(_SOME):
            tasks.append({"id": task["id"], **_changed_fields(draw, task, TASK_FIELDS)})
    known = {task["id"] for task in tasks_of(core)}
    for key in draw(_SOME_IDS)[:2]:
        if key not in known:
            tasks.insert(draw(st.integers(0, len(tasks))), {"id": key, **draw(_TASKS)})
    if tasks and not draw(_SOME):
        tasks = draw(st.permutations(tasks))
    if tasks:
        result["tasks"] = cast("JSON", tasks)
    return result


def _changed_fields(draw: st.DrawFn, old: Core, fields: dict[str, Values]) -> Core:
    result: Core = {}
    for name, values in fields.items():
        fate = draw(_FATES)
        value = old.get(name)
        if fate == "inside" and isinstance(value, dict):
            result[name] = {k: v for k, v in {**value, **cast("Core", draw(OBJECTS))}.items() if draw(_SOME)}
        elif fate in ("set", "inside"):
            result[name] = draw(values)
        elif fate == "keep" and name in old:
            result[name] = copy.deepcopy(value)
    return result


@st.composite
def threes(draw: st.DrawFn, *, absent: bool = True) -> tuple[Core | None, Core | None, Core | None]:
    """Base, files and db of one epic; ``None`` is an epic that does not exist there."""
    base = draw(cores())
    sides = [draw(changed(base)) if draw(_SOME) else copy.deepcopy(base) for _ in range(2)]
    results: list[Core | None] = [base, *sides]
    if absent and not draw(_SOME):
        results[draw(st.integers(0, 2))] = None
    return cast("tuple[Core | None, Core | None, Core | None]", tuple(results))


def leaves(core: Core | None, *, sets: bool = False) -> dict[Path, bytes]:
    """Every value of a core by its path: objects and tasks opened, all else whole, in canonical form.

    Args:
        core: the core, or no epic.
        sets: open sets too, one entry for each item.
    """
    return dict(_leaves((), core, sets)) if core is not None else {}


def _leaves(path: Path, value: JSON, sets: bool) -> Iterator[tuple[Path, bytes]]:
    name = path[-1] if path else ""
    if path == ("tasks",):
        for task in cast("list[Core]", value):
            yield from _leaves((*path, cast("str", task["id"])), task, sets)
    elif isinstance(value, dict) and (value or not path):
        for key, inner in value.items():
            if key != UNAGREED:
                yield from _leaves((*path, key), inner, sets)
    elif name in SETS and isinstance(value, list):
        items = sorted(cast("list[str]", value))
        if sets:
            yield from (((*path, item), b"") for item in items)
        else:
            yield path, dumps_canonical(cast("JSON", items))
    else:
        yield path, dumps_canonical(value)


def order(core: Core | None) -> list[str]:
    """The ids of the tasks, in order."""
    return [cast("str", task["id"]) for task in tasks_of(core or {})]


def at(core: Core | None, path: Path) -> JSON:
    """The value at a path; ``None`` where there is none."""
    value: JSON = core
    for position, name in enumerate(path):
        if position == 1 and path[0] == "tasks":
            value = next((task for task in cast("list[Core]", value or []) if task["id"] == name), None)
        else:
            value = value.get(name) if isinstance(value, dict) else None
    return value


def unmarked(core: Core | None) -> Core | None:
    """A base without its note of what was never agreed on."""
    return core and {name: value for name, value in core.items() if name != UNAGREED}
