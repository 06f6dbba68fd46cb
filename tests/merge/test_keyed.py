"""Lists told apart by id: membership, order and what lies inside."""

from __future__ import annotations

from typing import cast

from hypothesis import given
from hypothesis import strategies as st

from epicvc.merge.keyed import merge_keyed
from epicvc.merge.threeway import Direction, MergeContext, Value
from epicvc.merge.versions import Versions
from epicvc.model.document import Core, Tasks
from epicvc.model.labels import Label

TASKS = Label("5", ("tasks",))
orders = st.lists(st.sampled_from("abcdef"), unique=True)


def inside(context: MergeContext, label: Label, values: Versions[Core]) -> Versions[Value]:
    return context.agree(cast("Versions[Value]", values), cast("Value", values.ours))


def items(keys: list[str]) -> Tasks:
    return [{"id": key} for key in keys]


def ids(value: object) -> list[str]:
    return [cast("str", item["id"]) for item in cast("Tasks", value)]


def merge(base: list[str], ours: list[str], theirs: list[str], context: MergeContext) -> Versions[Value]:
    return merge_keyed(inside, context, TASKS, Versions(base, ours, theirs).map(items))


@given(orders, orders, orders)
def test_members_are_merged_as_a_set(base: list[str], ours: list[str], theirs: list[str]) -> None:
    result = merge(base, ours, theirs, MergeContext())
    before, mine, other = set(base), set(ours), set(theirs)
    expected = (mine & other) | (mine - before) | (other - before)
    assert set(ids(result.ours)) == set(ids(result.theirs)) == set(ids(result.base)) == expected


@given(orders, orders, orders)
def test_only_common_items_that_crossed_conflict(base: list[str], ours: list[str], theirs: list[str]) -> None:
    context = MergeContext()
    result = merge(base, ours, theirs, context)
    common = set(ours) & set(theirs)
    if context.conflicts:
        assert [conflict.label for conflict in context.conflicts] == [TASKS]
        assert context.conflicts[0].ours == [key for key in ours if key in common]
        for side, after in ((ours, result.ours), (theirs, result.theirs), (base, result.base)):
            kept = set(ids(after))
            assert [key for key in ids(after) if key in side] == [key for key in side if key in kept]
    else:
        assert ids(result.ours) == ids(result.theirs) == ids(result.base)


@given(orders, orders, orders)
def test_no_order_conflicts_where_one_side_moved_nothing(base: list[str], ours: list[str], gone: list[str]) -> None:
    theirs = [key for key in base if key not in gone]
    context = MergeContext()
    result = merge(base, ours, theirs, context)
    assert not context.conflicts
    kept = set(ids(result.ours))
    assert [key for key in ids(result.ours) if key in ours] == [key for key in ours if key in kept]


@given(orders, orders, orders)
def test_a_direction_leaves_the_other_list_alone(base: list[str], ours: list[str], theirs: list[str]) -> None:
    assert ids(merge(base, ours, theirs, MergeContext(Direction.TO_OURS)).theirs) == theirs
    assert ids(merge(base, ours, theirs, MergeContext(Direction.TO_THEIRS)).ours) == ours


def test_an_item_whose_place_was_never_agreed_on_has_not_moved() -> None:
    context = MergeContext()
    lists = (items(list("axb")), items(list("axb")), items(list("abx")))
    merge_keyed(inside, context, TASKS, Versions(*lists), unplaced=frozenset("x"))
    assert [(c.base, c.ours, c.theirs) for c in context.conflicts] == [(["a", "b"], ["a", "x", "b"], ["a", "b", "x"])]
    settled = MergeContext()
    result = merge_keyed(inside, settled, TASKS, Versions(*lists))
    assert not settled.conflicts and ids(result.ours) == list("abx")
