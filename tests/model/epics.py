"""Random epics, small enough that changes meet: a core, and what somebody made of it."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import cast

from hypothesis import strategies as st

from epicvc.base.jsonio import JSON, dumps_canonical
from epicvc.model.diff import keyed
from epicvc.model.document import UNAGREED, Core, tasks_of
from epicvc.model.labels import Label

EPIC = "5"
LABEL = Label(EPIC)
SETS = ("labels", "priority_tags", "dependencies")

Path = tuple[str, ...]

Values = st.SearchStrategy[JSON]
LINES = ["a\nb\nc", "a\nb\nd", "x\nb\nc", "a\nc", "b\na\nc\n"]
TEXTS = cast("Values", st.sampled_from(["", "a", "b", "c", *LINES]))
NUMBERS = cast("Values", st.sampled_from([0, 1, 1.0, 2, 0.5]))
SETS_OF_TEXT = cast("Values", st.lists(st.sampled_from("abcd"), unique=True, max_size=4))
LISTS = cast("Values", st.lists(st.sampled_from("abcde"), max_size=5))
THINGS = [{"id": "1", "n": 1}, {"id": "2", "n": 1}, {"id": "3"}, {"id": "1", "n": 2}, {"id": "2", "n": {"x": 1}}]
INNER = cast(
    "Values",
    st.sampled_from(
        [0, 1, "a", [], [1], {}, {"x": 1}, {"x": 2}, {"y": [1]}, {"x": 1, "y": 2}, [1, 2], LINES[0], LINES[1]]
    )
    | st.lists(st.sampled_from(THINGS), unique_by=lambda thing: cast("str", thing["id"]), max_size=3),
)
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


def leaves(core: Core | None, *, parts: bool = False) -> dict[Path, bytes]:
    """Every value of a core by its path: objects and lists by id opened, all else whole, in canonical form.

    Args:
        core: the core, or no epic.
        parts: open sets, lists and texts too, one entry for each item or line.
    """
    return dict(_leaves((), core, parts)) if core is not None else {}


def _leaves(path: Path, value: JSON, parts: bool) -> Iterator[tuple[Path, bytes]]:
    name = path[-1] if path else ""
    if isinstance(value, dict) and (value or not path):
        for key, inner in value.items():
            if key != UNAGREED:
                yield from _leaves((*path, key), inner, parts)
    elif (things := keyed(value)) is not None:
        for key, thing in things.items():
            yield from _leaves((*path, key), cast("JSON", thing), parts)
    elif parts and isinstance(value, list):
        yield from (((*path, dumps_canonical(item).decode()), b"") for item in value)
    elif parts and isinstance(value, str):
        yield from (((*path, line), b"") for line in value.split("\n"))
    elif name in SETS and isinstance(value, list):
        yield path, dumps_canonical(cast("JSON", sorted(cast("list[str]", value))))
    else:
        yield path, dumps_canonical(value)


def order(core: Core | None) -> list[str]:
    """The ids of the tasks, in order."""
    return [cast("str", task["id"]) for task in tasks_of(core or {})]


def at(core: Core | None, path: Path) -> JSON:
    """The value at a path; ``None`` where there is none."""
    value: JSON = core
    for name in path:
        things = keyed(value)
        inner = value if isinstance(value, dict) else things or {}
        value = cast("JSON", inner.get(name))
    return value


def unmarked(core: Core | None) -> Core | None:
    """A base without its note of what was never agreed on."""
    return core and {name: value for name, value in core.items() if name != UNAGREED}
