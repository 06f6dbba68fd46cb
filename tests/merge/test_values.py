"""Sets and nested objects."""

from __future__ import annotations

from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from epicvc.base.jsonio import JSON
from epicvc.merge.threeway import ABSENT, Chosen, Conflict, MergeContext, Value
from epicvc.merge.values import member, merge_by_rule, merge_keys, merge_objects
from epicvc.merge.versions import Versions
from epicvc.model.labels import Label, Selection
from epicvc.model.mapping import Rule

FIELD = Label("5", ("field",))
sets = st.lists(st.sampled_from("abcde"), unique=True)


def after(ours: object, theirs: object, base: object) -> Versions[Value]:
    """What a merge leaves, in the words of the tests: ours, theirs and base."""
    return cast("Versions[Value]", Versions(base, ours, theirs))


def merge(rule: Rule, base: Value, ours: Value, theirs: Value, context: MergeContext | None = None) -> Versions[Value]:
    return merge_by_rule(rule, context or MergeContext(), FIELD, Versions(base, ours, theirs))


def value(items: list[str]) -> JSON:
    return cast("JSON", items)


@given(sets, sets, sets)
def test_sets_never_conflict_and_follow_the_law_of_each_item(
    base: list[str], ours: list[str], theirs: list[str]
) -> None:
    context = MergeContext()
    result = merge(Rule.SET, value(base), value(ours), value(theirs), context)
    assert not context.conflicts
    merged = cast("list[str]", result.ours)
    assert len(merged) == len(set(merged))
    for item in "abcde":
        before, mine, other = (item in side for side in (base, ours, theirs))
        assert (item in merged) == (mine if mine != before else other)
    assert result == after(value(merged), value(merged), value(merged))


@given(sets, sets, sets)
def test_sides_of_a_set_are_treated_alike(base: list[str], ours: list[str], theirs: list[str]) -> None:
    result = merge(Rule.SET, value(base), value(ours), value(theirs))
    assert result == merge(Rule.SET, value(base), value(theirs), value(ours))


@pytest.mark.parametrize(
    ("base", "ours", "theirs", "merged"),
    [
        ("abc", "cba", "abcx", "cxba"),
        ("abc", "cab", "bca", "cba"),
        ("abc", "bac", "acb", "abc"),  # orders that do not merge: as it was
        ("abc", "abxc", "abyc", "abxyc"),
        ("abc", "ab", "cabx", "abx"),
    ],
)
def test_sets_keep_an_order(base: str, ours: str, theirs: str, merged: str) -> None:
    result = merge(Rule.SET, *(value(list(side)) for side in (base, ours, theirs)))
    assert result.ours == list(merged)


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
    context = MergeContext()
    assert merge(Rule.SET, base, ours, theirs, context) == after(ours, theirs, base)
    assert [conflict.label for conflict in context.conflicts] == [FIELD]


@pytest.mark.parametrize("rule", [Rule.LIST, Rule.OBJECT])
def test_lists_are_merged_by_items(rule: Rule) -> None:
    assert merge(rule, ["a", "b"], ["x", "a", "b"], ["a", "B"]) == after(*[["x", "a", "B"]] * 3)
    context = MergeContext()
    assert merge(rule, ["a"], ["a", "b"], ["a", "c"], context) == after(["a", "b"], ["a", "c"], ["a"])
    assert context.conflicts == [Conflict(FIELD, ["a"], ["a", "b"], ["a", "c"])]
    assert merge(rule, ["a"], ["a", "b"], ["a"]).theirs == ["a", "b"]
    added = MergeContext()
    assert merge(rule, ABSENT, ["a"], ["b"], added) == after(["a"], ["b"], ABSENT) and added.conflicts


LINES = "one\ntwo\nthree\n"


@pytest.mark.parametrize("rule", [Rule.SCALAR, Rule.OBJECT])
def test_long_texts_are_merged_by_lines(rule: Rule) -> None:
    both = "ONE\ntwo\nthree\nfour\n"
    assert merge(rule, LINES, "ONE\ntwo\nthree\n", LINES + "four\n") == after(both, both, both)
    context = MergeContext()
    merge(rule, LINES, LINES + "a\n", LINES + "b\n", context)
    assert [conflict.label for conflict in context.conflicts] == [FIELD]
    short = MergeContext()
    merge(rule, "one two", "ONE two", "one TWO", short)
    assert len(short.conflicts) == 1


def test_what_is_never_merged_inside() -> None:
    for rule, values in (
        (Rule.SCALAR, (LINES, "0\n" + LINES, LINES + "4")),
        (Rule.LIST, (["a", "b"], ["x", "a", "b"], ["a", "B"])),
        (Rule.SET, (["a"], ["a", "b"], ["a", "c"])),
        (Rule.OBJECT, ({"a": 1}, {"a": 1, "b": 1}, {"a": 1, "c": 1})),
    ):
        context = MergeContext(whole=lambda label: label == FIELD)
        assert merge(rule, *cast("tuple[Value, Value, Value]", values), context) == after(*values[1:], values[0])
        assert [conflict.label for conflict in context.conflicts] == [FIELD]
        assert merge(rule, values[0], values[1], values[0], context).base != values[0]
        assert len(context.conflicts) == 1


def things(*items: tuple[JSON, int]) -> list[JSON]:
    return [{"id": key, "n": number} for key, number in items]


def test_lists_of_objects_with_ids_are_merged_by_id() -> None:
    base, ours = things(("a", 1), ("b", 1)), things(("x", 1), ("b", 1), ("a", 1))
    theirs = things(("a", 1), ("b", 2), ("y", 1))
    merged = things(("x", 1), ("b", 2), ("y", 1), ("a", 1))
    assert merge(Rule.OBJECT, {"list": base}, {"list": ours}, {"list": theirs}).ours == {"list": merged}
    context = MergeContext()
    result = merge(Rule.LIST, base, things(("a", 2), ("b", 1)), things(("a", 3), ("b", 2)), context)
    assert [str(conflict.label) for conflict in context.conflicts] == ["5:field/a/n"]
    assert result.ours == things(("a", 2), ("b", 2)) and result.base == things(("a", 1), ("b", 2))
    deleted = MergeContext()
    merge(Rule.LIST, base, things(("b", 1)), things(("a", 2), ("b", 1)), deleted)
    assert [str(conflict.label) for conflict in deleted.conflicts] == ["5:field/a"]


def test_orders_that_cross_are_a_conflict_of_the_list() -> None:
    base, ours, theirs = (things(*((key, 1) for key in keys)) for keys in ("abc", "bac", "acb"))
    context = MergeContext()
    assert merge(Rule.LIST, base, ours, theirs, context) == after(ours, theirs, base)
    assert context.conflicts == [Conflict(FIELD, base, ours, theirs)]
    decided = MergeContext(decide=lambda conflict: Chosen(conflict.theirs))
    assert merge(Rule.LIST, base, ours, theirs, decided) == after(theirs, theirs, theirs)


def test_lists_of_objects_that_both_add() -> None:
    ours, theirs = things(("a", 1), ("b", 1)), things(("a", 1), ("c", 1))
    assert merge(Rule.LIST, ABSENT, ours, theirs) == after(*[things(("a", 1), ("b", 1), ("c", 1))] * 3)
    context = MergeContext()
    result = merge(Rule.LIST, ABSENT, things(("a", 1)), things(("a", 2)), context)
    assert result.base == [{"id": "a"}] and [str(c.label) for c in context.conflicts] == ["5:field/a/n"]
    crossed = MergeContext()
    assert merge(Rule.LIST, ABSENT, ours, ours[::-1], crossed).base is ABSENT and len(crossed.conflicts) == 1
    mixed = MergeContext()
    merge(Rule.LIST, ours, [*ours, "text"], [*ours, {"id": "c"}], mixed)
    assert [conflict.label for conflict in mixed.conflicts] == [FIELD]


def test_one_item_of_a_list() -> None:
    chosen = Selection.of(["5:field/a"])
    context = MergeContext(selects=chosen.selects, touches=chosen.touches)
    base = things(("a", 1), ("b", 1))
    assert merge(Rule.LIST, base, things(("b", 2), ("a", 2)), base, context) == after(
        things(("b", 2), ("a", 2)), things(("a", 2), ("b", 1)), things(("a", 2), ("b", 1))
    )


def test_ids_are_sorted_and_absent_where_there_are_none() -> None:
    context = MergeContext()
    merged = merge_keys(context, FIELD, Versions(["b"], ["b", "c"], ["a", "b"]), agreed=True)
    assert merged == after(["a", "b", "c"], ["a", "b", "c"], ["a", "b", "c"])
    assert merge_keys(context, FIELD, Versions(["a", "b"], ["a"], ["b"]), agreed=True) == after(ABSENT, ABSENT, ABSENT)
    assert merge_keys(context, FIELD, Versions(ABSENT, ABSENT, ABSENT), agreed=True) == after(ABSENT, ABSENT, ABSENT)
    assert not context.conflicts
    assert merge_keys(context, FIELD, Versions(ABSENT, ["a"], ["b"]), agreed=False) == after(["a"], ["b"], ABSENT)
    assert len(context.conflicts) == 1


def test_an_object_that_nothing_touches_stays() -> None:
    chosen = Selection.of(["5:other"])
    context = MergeContext(selects=chosen.selects, touches=chosen.touches)
    base: dict[str, JSON] = {"a": 1}
    assert merge_objects(context, FIELD, Versions(base, {"a": 2}, {"a": 3})) == after({"a": 2}, {"a": 3}, base)
    unknown = merge_objects(context, FIELD, Versions({}, {"a": 2}, {"a": 3}), base_known=False)
    assert unknown.base is ABSENT and not context.conflicts


def test_an_object_of_which_nothing_was_agreed_has_no_base() -> None:
    assert merge(Rule.OBJECT, ABSENT, {"a": 1}, {"a": 2}).base is ABSENT
    assert merge(Rule.OBJECT, ABSENT, {}, {}) == after({}, {}, {})
    assert merge(Rule.OBJECT, {}, {"a": 1}, {"a": 2}).base == {}
    assert merge(Rule.OBJECT, ABSENT, {"a": 1, "b": 1}, {"a": 2, "b": 1}).base == {"b": 1}


def test_one_key_of_an_object() -> None:
    chosen = Selection.of(["5:field/a"])
    context = MergeContext(selects=chosen.selects, touches=chosen.touches)
    result = merge(Rule.OBJECT, {"a": 1, "b": 1}, {"a": 2, "b": 2}, {"a": 1, "b": 1}, context)
    assert result == after({"a": 2, "b": 2}, {"a": 2, "b": 1}, {"a": 2, "b": 1})


def test_null_is_no_member() -> None:
    assert member({"a": None}, "a") is ABSENT and member({}, "a") is ABSENT
    assert member({"a": 0}, "a") == 0
