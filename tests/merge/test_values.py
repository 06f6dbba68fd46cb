"""Sets and nested objects."""

from __future__ import annotations

from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from epicvc.jsonio import JSON
from epicvc.merge.threeway import ABSENT, Context, Triple, Value
from epicvc.merge.values import member, merge_by_rule, merge_keys, merge_objects
from epicvc.model.labels import Label, Selection
from epicvc.model.mapping import Rule

FIELD = Label("5", ("field",))
sets = st.lists(st.sampled_from("abcde"), unique=True)


def merge(rule: Rule, base: Value, ours: Value, theirs: Value, context: Context | None = None) -> Triple:
    return merge_by_rule(rule, context or Context(), FIELD, base, ours, theirs)


def value(items: list[str]) -> JSON:
    return cast("JSON", items)


@given(sets, sets, sets)
def test_sets_never_conflict_and_follow_the_law_of_each_item(
    base: list[str], ours: list[str], theirs: list[str]
) -> None:
    context = Context()
    result = merge(Rule.SET, value(base), value(ours), value(theirs), context)
    assert not context.conflicts
    merged = cast("list[str]", result.ours)
    assert len(merged) == len(set(merged))
    for item in "abcde":
        before, mine, other = (item in side for side in (base, ours, theirs))
        assert (item in merged) == (mine if mine != before else other)
    assert result == Triple(value(merged), value(merged), value(merged))


@given(sets, sets, sets)
def test_what_stays_of_ours_keeps_its_order(base: list[str], ours: list[str], theirs: list[str]) -> None:
    merged = cast("list[str]", merge(Rule.SET, value(base), value(ours), value(theirs)).ours)
    kept = [item for item in merged if item in ours]
    if sorted(ours) != sorted(base):
        assert kept == [item for item in ours if item in kept]


@pytest.mark.parametrize(
    ("base", "ours", "theirs"),
    [
        (["a"], ["a", "a"], ["a", "b"]),
        (["a"], ["a", 1], ["a", "b"]),
        (["a"], "a", ["b"]),
        ("a", ["a"], ["b"]),
        (["a"], ABSENT, ["a", "b"]),
    ],
)
def test_what_is_no_set_is_taken_whole(base: Value, ours: Value, theirs: Value) -> None:
    context = Context()
    assert merge(Rule.SET, base, ours, theirs, context) == Triple(ours, theirs, base)
    assert [conflict.label for conflict in context.conflicts] == [FIELD]


def test_lists_are_taken_whole() -> None:
    context = Context()
    merge(Rule.LIST, ["a"], ["a", "b"], ["c", "a"], context)
    assert len(context.conflicts) == 1
    assert merge(Rule.LIST, ["a"], ["a", "b"], ["a"]).theirs == ["a", "b"]


def test_ids_are_sorted_and_absent_where_there_are_none() -> None:
    context = Context()
    merged = merge_keys(context, FIELD, ["b"], ["b", "c"], ["a", "b"], agreed=True)
    assert merged == Triple(["a", "b", "c"], ["a", "b", "c"], ["a", "b", "c"])
    assert merge_keys(context, FIELD, ["a", "b"], ["a"], ["b"], agreed=True) == Triple(ABSENT, ABSENT, ABSENT)
    assert merge_keys(context, FIELD, ABSENT, ABSENT, ABSENT, agreed=True) == Triple(ABSENT, ABSENT, ABSENT)
    assert not context.conflicts
    assert merge_keys(context, FIELD, ABSENT, ["a"], ["b"], agreed=False) == Triple(["a"], ["b"], ABSENT)
    assert len(context.conflicts) == 1


def test_an_object_that_nothing_touches_stays() -> None:
    chosen = Selection.of(["5:other"])
    context = Context(selects=chosen.selects, touches=chosen.touches)
    base: dict[str, JSON] = {"a": 1}
    assert merge_objects(context, FIELD, base, {"a": 2}, {"a": 3}) == Triple({"a": 2}, {"a": 3}, base)
    unknown = merge_objects(context, FIELD, {}, {"a": 2}, {"a": 3}, base_known=False)
    assert unknown.base is ABSENT and not context.conflicts


def test_an_object_of_which_nothing_was_agreed_has_no_base() -> None:
    assert merge(Rule.OBJECT, ABSENT, {"a": 1}, {"a": 2}).base is ABSENT
    assert merge(Rule.OBJECT, ABSENT, {}, {}) == Triple({}, {}, {})
    assert merge(Rule.OBJECT, {}, {"a": 1}, {"a": 2}).base == {}
    assert merge(Rule.OBJECT, ABSENT, {"a": 1, "b": 1}, {"a": 2, "b": 1}).base == {"b": 1}


def test_one_key_of_an_object() -> None:
    chosen = Selection.of(["5:field/a"])
    context = Context(selects=chosen.selects, touches=chosen.touches)
    result = merge(Rule.OBJECT, {"a": 1, "b": 1}, {"a": 2, "b": 2}, {"a": 1, "b": 1}, context)
    assert result == Triple({"a": 2, "b": 2}, {"a": 2, "b": 1}, {"a": 2, "b": 1})


def test_null_is_no_member() -> None:
    assert member({"a": None}, "a") is ABSENT and member({}, "a") is ABSENT
    assert member({"a": 0}, "a") == 0
