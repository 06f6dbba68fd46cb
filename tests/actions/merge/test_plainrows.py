"""Rows that no document is made of: one row, in three states."""

from __future__ import annotations

from typing import Any

import pytest

from epicvc.actions.merge.rows.plainrows import Versions, merge_row
from epicvc.merge.threeway import MergeContext
from epicvc.model.labels import Label

LABEL = Label("record", ("004",), table=True)


def _made_on_both(ours: dict[str, Any], theirs: dict[str, Any]) -> tuple[object, int]:
    """The merged row, and how many conflicts there are."""
    context = MergeContext()
    found = merge_row(context, LABEL, Versions(None, ours, theirs))
    return found, len(context.conflicts)


EARLIER = {"version": "004", "applied_at": "2026-01-01", "applied_by": "rui", "updated_at": "2026-03-01"}
LATER = {"version": "004", "applied_at": "2026-01-02", "applied_by": "ana", "updated_at": "2026-02-01"}


@pytest.mark.parametrize("turned", [False, True])
def test_what_was_made_twice_is_the_earlier_one(turned: bool) -> None:
    rows = (LATER, EARLIER) if turned else (EARLIER, LATER)
    assert _made_on_both(*rows) == (EARLIER, 0)


@pytest.mark.parametrize("turned", [False, True])
def test_made_at_one_time_by_two_is_the_same_row_on_both_sides(turned: bool) -> None:
    one, other = EARLIER, {**EARLIER, "applied_by": "ana"}
    rows = (one, other) if turned else (other, one)
    assert _made_on_both(*rows) == (other, 0)


def test_numbers_of_times_are_compared_as_numbers() -> None:
    assert _made_on_both({"k": 1, "created": 10}, {"k": 1, "created": 9}) == ({"k": 1, "created": 9}, 0)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ({**EARLIER, "checksum": "a"}, {**LATER, "checksum": "b"}),
        ({"k": 1, "applied": 1}, {"k": 1, "applied": 0}),
        ({"k": 1, "created_by": "rui"}, {"k": 1, "created_by": "ana"}),
        ({"k": 1, "created_at": "2026"}, {"k": 1, "created_at": 2026}),
        ({"k": 1, "created_at": "2026"}, {"k": 1, "created_at": None}),
    ],
)
def test_what_says_something_else_is_a_conflict(ours: dict[str, Any], theirs: dict[str, Any]) -> None:
    assert _made_on_both(ours, theirs) == (ours, 1)
