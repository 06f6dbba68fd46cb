"""Orders: which moves merge, and where what an order lacks finds its place."""

from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from epicvc.merge import order as module
from epicvc.merge.order import merge_order, natural, weave
from epicvc.merge.versions import Versions

orders = st.lists(st.sampled_from("abcdefg"), unique=True)
same_items = st.permutations("abcdef")


@pytest.mark.parametrize(
    ("base", "ours", "theirs", "expected"),
    [
        ("1234", "2134", "1243", "2143"),  # moves that have nothing to do with each other
        ("123", "312", "132", "312"),
        ("123", "213", "132", None),
        ("123", "231", "312", "321"),
        ("1234", "4123", "2341", "4231"),
        ("12345", "21345", "12354", "21354"),
        ("123", "31x2", "2x13", None),
        ("12", "1x2", "12x", None),
        ("", "12", "21", None),
        ("123", "21x3", "12x3", "21x3"),
        ("1234", "21x34", "12x43", None),
        ("1234", "2x134", "12x43", "2x143"),
        ("123", "12", "31", "1"),
    ],
)
def test_only_crossing_moves_do_not_merge(base: str, ours: str, theirs: str, expected: str | None) -> None:
    wanted = None if expected is None else list(expected)
    assert merge_order(Versions(base, ours, theirs)) == merge_order(Versions(base, theirs, ours)) == wanted


@given(same_items, same_items, same_items)
def test_each_pair_stands_as_whoever_changed_it_says(base: list[str], ours: list[str], theirs: list[str]) -> None:
    merged = merge_order(Versions(base, ours, theirs))
    if merged is None:
        assert base != ours != theirs != base
        return
    assert sorted(merged) == sorted(base)
    for one, other in combinations(merged, 2):
        before, mine, their = (side.index(one) < side.index(other) for side in (base, ours, theirs))
        assert mine if mine == their else not before


@given(orders, orders, orders)
def test_sides_are_treated_alike(base: list[str], ours: list[str], theirs: list[str]) -> None:
    assert merge_order(Versions(base, ours, theirs)) == merge_order(Versions(base, theirs, ours))
    everything = {*base, *ours, *theirs}
    assert weave(everything & {*base, *ours, *theirs}, base, ours, theirs) == weave(everything, base, theirs, ours)


def test_a_stretch_too_long_to_compare_is_left_to_a_person(monkeypatch: pytest.MonkeyPatch) -> None:
    assert merge_order(Versions("1234", "4123", "1423")) is not None
    monkeypatch.setattr(module, "_BLOCK", 3)
    assert merge_order(Versions("1234", "4123", "1423")) is None
    assert merge_order(Versions("1234", "2134", "1243")) == list("2143")


def test_a_long_order_with_moves_at_both_ends() -> None:
    base = [str(n) for n in range(5000)]
    ours, theirs = [base[3], *base[:3], *base[4:]], [*base[:-3], base[-1], base[-3], base[-2]]
    assert merge_order(Versions(base, ours, theirs)) == [*ours[:10], *theirs[10:]]


@pytest.mark.parametrize(
    ("order", "ours", "theirs", "expected"),
    [
        ("12", "1a2", "1b2", "1ab2"),
        ("12", "1ab2", "1cd2", "1abcd2"),
        ("12", "1bd2", "1ac2", "1acbd2"),
        ("12", "x12", "12y", "x12y"),
        ("21", "1x2", "12", "21x"),
        ("", "ab", "cd", "abcd"),
        ("1", "1ab", "1ba", "1ab"),
    ],
)
def test_what_is_missing_follows_its_predecessor(order: str, ours: str, theirs: str, expected: str) -> None:
    keys = {*order, *ours, *theirs}
    assert "".join(weave(keys, order, ours, theirs)) == expected
    assert "".join(weave(keys, order, theirs, ours)) == expected


@given(orders, orders, orders, st.sets(st.sampled_from("abcdefg")))
def test_weaving_keeps_the_order_and_loses_nothing(
    order: list[str], ours: list[str], theirs: list[str], keys: set[str]
) -> None:
    known = keys & {*order, *ours, *theirs}
    result = weave(known, order, ours, theirs)
    assert sorted(result) == sorted(known)
    assert [key for key in result if key in order] == [key for key in order if key in known]


def test_numbers_sort_by_value() -> None:
    texts = ["", "5", "5.1a", "5.2", "5.10", "5.010", "10", "a", "a" + "9" * 5000]
    assert sorted(texts, key=natural)[:6] == ["", "5", "5.1a", "5.2", "5.010", "5.10"]
    assert len({natural(text) for text in texts}) == len(texts)
