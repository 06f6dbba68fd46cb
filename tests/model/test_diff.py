"""Differences: exactly the places that differ, with as few moves as possible."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from decimal import Decimal
from itertools import combinations
from typing import cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from epicvc.base.jsonio import JSON, equal
from epicvc.model.diff import Change, Op, diff, diff_epic, keyed, moved
from epicvc.model.document import Core
from epicvc.model.labels import Label
from epicvc.model.subsequence import longest_increasing

from .epics import LABEL, at, changed, cores, leaves


def predecessor(ids: Sequence[str], key: str) -> str | None:
    """The id that stands before another; ``None`` when it is first."""
    position = list(ids).index(key)
    return ids[position - 1] if position else None


def apply(core: Core, changes: Sequence[Change]) -> Core:
    """Carry out all but the moves; additions come last."""
    result = copy.deepcopy(core)
    for change in changes:
        *above, name = change.label.path
        if change.op is Op.MOVE:
            continue
        if above == ["tasks"]:
            result.setdefault("tasks", [])
        parent = at(result, tuple(above))
        if isinstance(parent, list):
            items = cast("list[Core]", parent)
            items[:] = [item for item in items if item["id"] != name]
            if change.op is Op.ADD:
                items.append(cast("Core", change.new))
        else:
            cast("Core", parent)[name] = change.new
    return result


@settings(deadline=None)
@given(st.data())
def test_applied_changes_lead_from_old_to_new(data: st.DataObject) -> None:
    old = data.draw(cores())
    new = data.draw(changed(old))
    changes = list(diff_epic(LABEL, old, new))
    nothing = (b"null", b"{}", b"[]")
    reached = {path: value for path, value in leaves(apply(old, changes)).items() if value not in nothing}
    assert reached == {path: value for path, value in leaves(new).items() if value not in nothing}
    for change in changes:
        before, after = at(old, change.label.path), at(new, change.label.path)
        if change.op is Op.MOVE:
            *place, key = change.label.path
            assert change.old == predecessor(list(keyed(at(old, tuple(place))) or ()), key)
            assert change.new == predecessor(list(keyed(at(new, tuple(place))) or ()), key)
        else:
            assert equal(change.old, before) and equal(change.new, after) and not equal(before, after)
            assert (change.op is Op.ADD) == (before is None) and (change.op is Op.REMOVE) == (after is None)


def test_a_move_inside_a_list_of_a_field_names_what_stood_before_it_there() -> None:
    old: Core = {"gates": {"": [{"id": "a"}, {"id": "b"}]}, "tasks": [{"id": "a"}]}
    new: Core = {"gates": {"": [{"id": "b"}, {"id": "a"}]}, "tasks": [{"id": "a"}]}
    (move,) = diff_epic(LABEL, old, new)
    assert (move.op, move.label.path[:2]) == (Op.MOVE, ("gates", ""))
    assert {move.old, move.new} <= {None, "a", "b"}
    assert move.label.path[2] in "ab"


@settings(deadline=None)
@given(st.data())
def test_no_place_is_named_twice(data: st.DataObject) -> None:
    old = data.draw(cores())
    labels = [c.label for c in diff_epic(LABEL, old, data.draw(changed(old))) if c.op is not Op.MOVE]
    assert not any(one.covers(other) for i, one in enumerate(labels) for j, other in enumerate(labels) if i != j)


@given(cores())
def test_equal_epics_do_not_differ(core: Core) -> None:
    assert not list(diff_epic(LABEL, core, copy.deepcopy(core)))
    assert not list(diff_epic(LABEL, core, {**core, "extra": None}))


@given(st.permutations("abcdef"), st.permutations("abcdef"))
def test_moves_are_as_few_as_can_be(before: list[str], after: list[str]) -> None:
    moves = moved(before, after)
    stay = [key for key in before if key not in moves]
    assert stay == [key for key in after if key not in moves]
    longest = max(
        count
        for count in range(1, 7)
        for kept in combinations(before, count)
        if list(kept) == [key for key in after if key in kept]
    )
    assert len(stay) == longest


def test_longest_run_of_nothing() -> None:
    assert longest_increasing([], len) == frozenset()


def tasks(*keys: str) -> Core:
    return {"tasks": [{"id": key} for key in keys]}


def shown(old: JSON, new: JSON) -> list[tuple[str, str, JSON, JSON]]:
    return [(str(c.label), c.op.value, c.old, c.new) for c in diff_epic(Label("5"), old, new)]


def test_a_move_names_the_task_and_what_stood_before_it() -> None:
    assert shown(tasks("1", "2", "3"), tasks("3", "1", "2")) == [("5:tasks/3", "move", "2", None)]
    assert shown(tasks("1", "2", "3"), tasks("2", "3", "1")) == [("5:tasks/1", "move", None, "3")]


def test_added_and_removed_tasks_move_nobody() -> None:
    assert shown(tasks("1", "2", "3"), tasks("0", "1", "3", "4")) == [
        ("5:tasks/2", "remove", {"id": "2"}, None),
        ("5:tasks/0", "add", None, {"id": "0"}),
        ("5:tasks/4", "add", None, {"id": "4"}),
    ]


@pytest.mark.parametrize("none", [{}, {"tasks": None}, {"tasks": []}])
def test_tasks_are_told_apart_where_one_side_has_none(none: Core) -> None:
    assert [entry[:2] for entry in shown(none, tasks("1", "2"))] == [("5:tasks/1", "add"), ("5:tasks/2", "add")]
    assert [entry[:2] for entry in shown(tasks("1"), none)] == [("5:tasks/1", "remove")]


def test_objects_are_told_apart_by_key_and_lists_taken_whole() -> None:
    old: Core = {"q": {"a": {"b": 1, "c": [1, 2]}, "gone": 0}}
    new: Core = {"q": {"a": {"b": 2, "c": [1, 3]}, "new": None, "added": {"x": 1}}}
    assert shown(old, new) == [
        ("5:q/a/b", "replace", 1, 2),
        ("5:q/a/c", "replace", [1, 2], [1, 3]),
        ("5:q/gone", "remove", 0, None),
        ("5:q/added", "add", None, {"x": 1}),
    ]


def test_a_value_of_another_type_is_replaced() -> None:
    assert shown({"q": {"a": 1}}, {"q": [1]}) == [("5:q", "replace", {"a": 1}, [1])]
    assert shown({"q": 1}, {"q": True}) == [("5:q", "replace", 1, True)]
    assert shown({"q": 1}, {"q": 1.0}) == []


def test_a_whole_epic_comes_and_goes() -> None:
    assert shown(None, {"name": "N"}) == [("5", "add", None, {"name": "N"})]
    assert shown({"name": "N"}, None) == [("5", "remove", {"name": "N"}, None)]
    assert shown(None, None) == []


def test_lists_of_objects_with_ids_are_told_apart_by_id_everywhere() -> None:
    old: JSON = [{"id": 1, "a": 1}, {"id": 2}, {"id": 3}]
    changes = diff(Label("5", ("q",)), old, [{"id": 2}, {"id": 3}, {"id": 1, "a": 2}])
    assert [(str(c.label), c.op) for c in changes] == [("5:q/1/a", Op.REPLACE), ("5:q/1", Op.MOVE)]


@pytest.mark.parametrize("value", [None, [], [1], [{"id": "1"}, {"id": 1}], [{"id": None}], [{}], {"id": "1"}])
def test_what_is_not_keyed(value: JSON) -> None:
    assert keyed(value) is None


@pytest.mark.parametrize(
    ("old", "new", "differ"),
    [
        ({"a": [1]}, {"a": [True]}, True),
        ({"a": [1]}, {"a": [1.0]}, False),
        ({"a": {"b": "1.5"}}, {"a": {"b": Decimal("1.5")}}, True),
        ({"a": {"b": Decimal("1.50")}}, {"a": {"b": Decimal("1.5")}}, False),
        ({"a": {"b": 1, "c": 2}}, {"a": {"c": 2, "b": 1}}, False),
        ({"a": {"b": None}}, {"a": {}}, False),
        ({"a": [10**5000]}, {"a": [10**5000 + 1]}, True),
        ({"a": [10**5000]}, {"a": [10**5000]}, False),
    ],
)
def test_values_are_compared_by_what_they_are(old: JSON, new: JSON, differ: bool) -> None:
    """However they are written, in which order members stand, and what a number's type is."""
    assert bool(list(diff(LABEL, old, copy.deepcopy(new)))) == differ
