"""The trivial rule, what a direction allows, and what a decision does."""

from __future__ import annotations

from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from epicvc.merge.threeway import (
    ABSENT,
    Chosen,
    Conflict,
    Direction,
    MergeContext,
    Value,
    merge_scalar,
    same,
    undecided,
)
from epicvc.merge.versions import Versions
from epicvc.model.labels import Label, Selection

NAME = Label("5", ("name",))
values = cast("st.SearchStrategy[Value]", st.sampled_from([ABSENT, "", "a", 1, 1.0, True, [], ["a"], {}, {"a": None}]))


def after(ours: object, theirs: object, base: object) -> Versions[Value]:
    """What a merge leaves, in the words of the tests: ours, theirs and base."""
    return cast("Versions[Value]", Versions(base, ours, theirs))


@given(values, values, values)
def test_the_trivial_rule(base: Value, ours: Value, theirs: Value) -> None:
    context = MergeContext()
    result = merge_scalar(context, NAME, Versions(base, ours, theirs))
    if not (same(ours, theirs) or same(ours, base) or same(theirs, base)):
        assert context.conflicts == [Conflict(NAME, base, ours, theirs)]
        assert result == after(ours, theirs, base)
        return
    expected = theirs if same(ours, base) else ours
    assert not context.conflicts
    assert all(same(value, expected) for value in (result.ours, result.theirs, result.base))


@given(values, values, values, st.sampled_from([Direction.TO_OURS, Direction.TO_THEIRS]))
def test_a_direction_spares_one_copy_and_makes_it_the_base(
    base: Value, ours: Value, theirs: Value, direction: Direction
) -> None:
    context = MergeContext(direction)
    result = merge_scalar(context, NAME, Versions(base, ours, theirs))
    spared, was = (result.theirs, theirs) if direction is Direction.TO_OURS else (result.ours, ours)
    assert spared is was
    assert result.base is (base if context.conflicts else spared)


@given(values, values, values)
def test_what_is_not_selected_stays(base: Value, ours: Value, theirs: Value) -> None:
    chosen = Selection.of(["5:summary"])
    context = MergeContext(selects=chosen.selects, touches=chosen.touches)
    assert merge_scalar(context, NAME, Versions(base, ours, theirs)) == after(ours, theirs, base)
    assert not context.conflicts


@pytest.mark.parametrize(
    ("direction", "expected"),
    [
        (Direction.BOTH, after("x", "x", "x")),
        (Direction.TO_OURS, after("x", "t", "t")),
        (Direction.TO_THEIRS, after("o", "x", "o")),
    ],
)
def test_a_decision_reaches_what_may_change(direction: Direction, expected: Versions[Value]) -> None:
    context = MergeContext(direction, decide=lambda _: Chosen("x"))
    assert merge_scalar(context, NAME, Versions("b", "o", "t")) == expected
    assert not context.conflicts


def test_absence_is_a_value_of_its_own() -> None:
    assert same(ABSENT, ABSENT) and not same(ABSENT, None) and not same([], ABSENT)
    assert same(1, 1.0) and not same(1, True)
    assert repr(ABSENT) == "ABSENT"
    assert undecided(Conflict(NAME, 1, 2, 3)) is None
