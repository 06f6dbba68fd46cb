"""A file with another core: what the core does not own, and what did not change, stays."""

from __future__ import annotations

import copy
from typing import cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from epicvc.base.jsonio import JSON
from epicvc.model.document import Core, epic_body, read_file_epic, same_core, tasks_of
from epicvc.model.edit import new_file, with_core
from epicvc.model.mapping import BUILTIN

from .epics import EPIC, changed, cores

EXTRA: Core = {"status": "open", "nested": {"a": [1, None]}}


def read(whole: Core) -> Core:
    return read_file_epic(cast("JSON", whole), BUILTIN, "5.json").core


def dressed(core: Core, *, wrapped: bool) -> Core:
    """A file with this core, and with keys that the core does not own everywhere."""
    tasks = [{**EXTRA, **task} for task in tasks_of(core)]
    body: Core = {"id": EPIC, **EXTRA, **core, **({"tasks": cast("JSON", tasks)} if tasks else {})}
    return {"epic": body, "_metadata": EXTRA} if wrapped else body


@settings(deadline=None)
@given(st.data(), st.booleans())
def test_the_file_says_the_new_core_and_keeps_the_rest(data: st.DataObject, wrapped: bool) -> None:
    before = data.draw(cores())
    after = data.draw(changed(before))
    whole = dressed(before, wrapped=wrapped)
    untouched = copy.deepcopy(whole)
    result = with_core(whole, before, after, BUILTIN)
    assert whole == untouched
    assert same_core(read(result), after)
    assert ("_metadata" in result) == wrapped
    old, new = epic_body(whole), epic_body(result)
    assert {name: new[name] for name in EXTRA} == EXTRA and new["id"] == EPIC
    assert all(new[name] is old[name] for name in old if name in after and name in new and old[name] == after[name])
    known = {task["id"]: task for task in tasks_of(old)}
    for task in tasks_of(new):
        if task["id"] in known:
            assert {name: task[name] for name in EXTRA} == EXTRA
            shared = [name for name in task if task[name] == known[task["id"]].get(name)]
            assert all(task[name] is known[task["id"]][name] for name in shared)


@given(cores(), st.booleans())
def test_the_same_core_is_the_same_file(core: Core, wrapped: bool) -> None:
    whole = dressed(core, wrapped=wrapped)
    result = with_core(whole, core, copy.deepcopy(core), BUILTIN)
    assert result == whole
    assert list(epic_body(result)) == list(epic_body(whole))


@given(cores())
def test_a_new_file_says_its_core(core: Core) -> None:
    found = read_file_epic(cast("JSON", new_file(EPIC, core)), BUILTIN, "5.json")
    assert found.id == EPIC and same_core(found.core, core)


def edited(whole: Core, after: Core) -> Core:
    return with_core(whole, read(whole), after, BUILTIN)


def test_ids_keep_their_spelling() -> None:
    whole: Core = {"id": 5, "tasks": [{"id": 1, "dependencies": [3, "2"]}]}
    after: Core = {"name": "N", "tasks": [{"id": "1", "dependencies": ["2", "3", "4"], "title": "T"}]}
    assert edited(whole, after) == {
        "id": 5,
        "name": "N",
        "tasks": [{"id": 1, "dependencies": [3, "2", "4"], "title": "T"}],
    }


@pytest.mark.parametrize(
    ("links", "after", "expected"),
    [
        (["b", "a", "b"], ["a"], ["a"]),
        (["b", "a"], [], []),
        (None, ["a"], ["a"]),
        (["b", "a"], ["0", "a", "b"], ["b", "a", "0"]),
    ],
)
def test_links_that_stay_keep_their_place(links: JSON, after: list[str], expected: JSON) -> None:
    whole: Core = {"id": "5", "tasks": [{"id": "1", "dependencies": links}]}
    task: Core = {"id": "1", **({"dependencies": cast("JSON", after)} if after else {})}
    assert edited(whole, {"tasks": [task]}) == {"id": "5", "tasks": [{"id": "1", "dependencies": expected}]}


def test_a_change_inside_an_object_keeps_its_nulls_order_and_notation() -> None:
    gates: Core = {"z": 1.0, "empty": None, "in": {"n": None, "a": 1}, "gone": 1, "a": 1}
    after: Core = {"quality_gates": {"a": 2, "b": 3, "in": {"a": 1, "c": 1}, "z": 1}}
    result = cast("Core", edited({"id": "5", "quality_gates": gates}, after)["quality_gates"])
    assert result == {"z": 1.0, "empty": None, "in": {"n": None, "a": 1, "c": 1}, "a": 2, "b": 3}
    assert list(result) == ["z", "empty", "in", "a", "b"]
    assert isinstance(result["z"], float)


def test_a_removed_field_goes_and_a_null_field_stays() -> None:
    whole: Core = {"id": "5", "name": "N", "summary": None, "labels": ["a"]}
    assert edited(whole, {"labels": ["a"]}) == {"id": "5", "summary": None, "labels": ["a"]}


def test_the_last_task_leaves_an_empty_list() -> None:
    assert edited({"id": "5", "tasks": [{"id": "1"}]}, {}) == {"id": "5", "tasks": []}


@pytest.mark.parametrize("tasks", [{}, {"tasks": None}, {"tasks": []}])
def test_a_first_task(tasks: Core) -> None:
    after: Core = {"tasks": [{"id": "1", "title": "T"}]}
    assert edited({"id": "5", **tasks}, after) == {"id": "5", **after}
