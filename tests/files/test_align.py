"""Which item continues which."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from epicvc.base.jsonio import JSON, dumps_canonical
from epicvc.files.format.align import align

ITEMS: st.SearchStrategy[list[JSON]] = st.lists(st.integers(0, 5), max_size=8)


def longest(a: list[JSON], b: list[JSON]) -> int:
    if not a or not b:
        return 0
    if a[0] == b[0]:
        return 1 + longest(a[1:], b[1:])
    return max(longest(a[1:], b), longest(a, b[1:]))


@given(ITEMS, ITEMS)
def test_each_old_item_is_continued_once_and_equal_ones_first(old: list[JSON], new: list[JSON]) -> None:
    sources = align(old, new)
    known = [s for s in sources if s is not None]
    assert len(sources) == len(new)
    assert len(set(known)) == len(known)
    kept = sum(s is not None and old[s] == value for s, value in zip(sources, new, strict=True))
    shared = Counter(map(dumps_canonical, old)) & Counter(map(dumps_canonical, new))
    assert kept == shared.total()


@given(ITEMS, ITEMS)
def test_as_many_items_as_can_be_stay_unmoved(old: list[JSON], new: list[JSON]) -> None:
    sources = align(old, new)
    equal = [s for s, value in zip(sources, new, strict=True) if s is not None and old[s] == value]
    run = max((_rising(equal[start:]) for start in range(len(equal))), default=0)
    assert run >= longest(old, new)


def _rising(places: list[int]) -> int:
    """The length of the longest rising subsequence that starts with the first place."""
    return 1 + max((_rising(places[k:]) for k in range(1, len(places)) if places[k] > places[0]), default=0)


def test_by_id() -> None:
    old: list[JSON] = [{"id": 1, "a": 1}, {"id": "1"}, {"id": 2}]
    assert align(old, [{"id": 2, "x": 1}, {"id": 3}, {"id": "1"}, {"id": 1.0}]) == [2, None, 1, 0]
    assert align(old, []) == []


def test_repeated_items_take_no_cubic_time() -> None:
    """It would take minutes."""
    for count, modulus in ((1000, 2), (5000, 2), (20_000, 20_000)):
        old: list[JSON] = [i % modulus for i in range(count)]
        new: list[JSON] = [(i * 7) % 3 % modulus for i in range(count)]
        assert len(align(old, new)) == count
        assert align(old, old[1:])[:2] == [1, 2]
