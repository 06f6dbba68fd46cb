"""Common subsequences: longest where it can be, close to linear everywhere."""

from __future__ import annotations

import itertools
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from epicvc.model import subsequence
from epicvc.model.subsequence import Pairs, codes, common

words = st.text("abcd", max_size=12)


def longest(one: str, other: str) -> int:
    @cache
    def length(i: int, j: int) -> int:
        if i == len(one) or j == len(other):
            return 0
        if one[i] == other[j]:
            return 1 + length(i + 1, j + 1)
        return max(length(i + 1, j), length(i, j + 1))

    return length(0, 0)


def assert_common(pairs: Pairs, one: str, other: str) -> None:
    assert all(one[i] == other[j] for i, j in pairs)
    for (i, j), (k, m) in itertools.pairwise(pairs):
        assert i < k and j < m


@given(words, words)
def test_as_long_as_can_be(one: str, other: str) -> None:
    pairs = common(one, other)
    assert_common(pairs, one, other)
    assert len(pairs) == longest(one, other)


@given(words, words)
def test_runs_lead_from_one_to_the_other(one: str, other: str) -> None:
    runs = codes(one, other)
    assert "".join(one[i:j] for _, i, j, _, _ in runs) == one
    assert "".join(other[i:j] for _, _, _, i, j in runs) == other
    for tag, i1, i2, j1, j2 in runs:
        kind = "equal" if one[i1:i2] == other[j1:j2] else "insert" if i1 == i2 else "delete" if j1 == j2 else "replace"
        assert tag == kind
    assert all(("equal" in (run[0], after[0])) for run, after in itertools.pairwise(runs))


@given(words, words, st.integers(0, 2))
def test_in_pieces_it_is_still_common(one: str, other: str, per_item: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(subsequence, "_FEW", -1)
        patch.setattr(subsequence, "_PER_ITEM", per_item)
        pairs = common(one, other)
    assert_common(pairs, one, other)
    start = next((k for k, pair in enumerate(zip(one, other, strict=False)) if pair[0] != pair[1]), None)
    assert pairs[:start] == [(k, k) for k in range(len(pairs[:start]))]


def test_what_occurs_once_holds_the_pieces_together() -> None:
    """Too many equal pairs at first; between the headings the pieces are small."""
    one = [line for k in range(1500) for line in (f"heading {k}", "")]
    other = [line for k in range(1500) for line in (f"heading {k}", "", *(["more"] if k == 700 else []))]
    del other[10]
    pairs = common(one, other)
    assert len(pairs) == len(one) - 1


def test_the_same_item_everywhere_is_given_up() -> None:
    one, other = ["x"] * 4000, ["y", *["x"] * 3000, "y"]
    assert common(one, other) == []
    assert len(common(["x"] * 4000, ["x"] * 3000)) == 3000
