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
    Triple,
    Value,
    merge_scalar,
    same,
    undecided,
)
from epicvc.model.labels import Label, Selection

NAME = Label("5", ("name",))
values = cast("st.SearchStrategy[Value]", st.sampled_from([ABSENT, "", "a", 1, 1.0, True, [], ["a"], {}, {"a": None}]))


@given(values, values, values)
def test_the_trivial_rule(base: Value, ours: Value, theirs: Value) -> None:
    context = MergeContext()
    result = merge_scalar(context, NAME, base, ours, theirs)
    if not (same(ours, theirs) or same(ours, base) or same(theirs, base)):
        assert context.conflicts == [Conflict(NAME, base, ours, theirs)]
        assert result == Triple(ours, theirs, base)
        return
    expected = theirs if same(ours, base) else ours
    assert not context.conflicts
    assert all(same(value, expected) for value in (result.ours, result.theirs, result.base))


@given(values, values, values, st.sampled_from([Direction.TO_OURS, Direction.TO_THEIRS]))
def test_a_direction_spares_one_copy_and_makes_it_the_base(
    base: Value, ours: Value, theirs: Value, direction: Direction
) -> None:
    context = MergeContext(direction)
    result = merge_scalar(context, NAME, base, ours, theirs)
    spared, was = (result.theirs, theirs) if direction is Direction.TO_OURS else (result.ours, ours)
    assert spared is was
    assert result.base is (base if context.conflicts else spared)


@given(values, values, values)
def test_what_is_not_selected_stays(base: Value, ours: Value, theirs: Value) -> None:
    chosen = Selection.of(["5:summary"])
    context = MergeContext(selects=chosen.selects, touches=chosen.touches)
    assert merge_scalar(context, NAME, base, ours, theirs) == Triple(ours, theirs, base)
    assert not context.conflicts


@pytest.mark.parametrize(
    ("direction", "expected"),
    [
        (Direction.BOTH, Triple("x", "x", "x")),
        (Direction.TO_OURS, Triple("x", "t", "t")),
        (Direction.TO_THEIRS, Triple("o", "x", "o")),
    ],
)
def test_a_decision_reaches_what_may_change(direction: Direction, expected: Triple) -> None:
    context = MergeContext(direction, decide=lambda _: Chosen("x"))
    assert merge_scalar(context, NAME, "b", "o", "t") == expected
    assert not context.conflicts


def test_absence_is_a_value_of_its_own() -> None:
    assert same(ABSENT, ABSENT) and not same(ABSENT, None) and not same([], ABSENT)
    assert same(1, 1.0) and not same(1, True)
    assert repr(ABSENT) == "ABSENT"
    assert undecided(Conflict(NAME, 1, 2, 3)) is None
