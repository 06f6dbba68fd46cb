"""Lists by items and texts by lines, as chunks."""

from __future__ import annotations

from collections import Counter
from itertools import chain, combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from epicvc.merge.diff3 import (
    By,
    Changed,
    Chunk,
    Overlap,
    Stable,
    diff3,
    diff3_items,
    diff3_lines,
    join_lines,
    joined,
    split_lines,
)

words = st.text("abcde", max_size=8)


def chunks(base: str, ours: str, theirs: str) -> list[Chunk[str]]:
    return diff3(base, ours, theirs, str)


def merged(base: str, ours: str, theirs: str) -> str | None:
    items = joined(chunks(base, ours, theirs))
    return None if items is None else "".join(items)


@pytest.mark.parametrize(
    ("base", "ours", "theirs", "expected"),
    [
        ("abc", "Abc", "abC", "AbC"),
        ("abc", "Abc", "aBc", "ABc"),  # edits that touch
        ("abc", "xabc", "abcy", "xabcy"),
        ("abc", "abcx", "abC", "abCx"),
        ("abc", "axbc", "aBc", "axBc"),
        ("abc", "ac", "aBc", None),
        ("abc", "ac", "abxc", "axc"),
        ("abc", "aXc", "aYc", None),
        ("abc", "abcx", "abcy", None),
        ("abc", "abcx", "abcx", "abcx"),
        ("abc", "abcx", "abcxy", None),
        ("abcd", "ad", "abd", "ad"),  # both remove
        ("abcd", "acd", "abd", "ad"),
        ("abcde", "ae", "abXde", None),
        ("", "x", "y", None),
        ("", "x", "x", "x"),
        ("ab", "", "ab", ""),
        ("ab", "", "aB", None),
        ("ab", "aXYb", "aBZ", None),  # both add between a and b
        ("abcd", "bcda", "bcd", None),  # moved here, deleted there
        ("abcd", "bcda", "bacd", None),  # moved to different places
        ("abcd", "bcda", "bcda", "bcda"),
        ("abcd", "bcda", "abcd", "bcda"),
        ("abcd", "xabcd", "abcdx", None),  # the same item added in two places
    ],
)
def test_examples(base: str, ours: str, theirs: str, expected: str | None) -> None:
    assert merged(base, ours, theirs) == expected
    assert merged(base, theirs, ours) == expected


def test_chunks_say_who_changed_what() -> None:
    assert chunks("abcdef", "Abcdf", "abXdf") == [
        Changed(By.OURS, ("a",), ("A",), ("a",), ("A",)),
        Stable(("b",)),
        Changed(By.THEIRS, ("c",), ("c",), ("X",), ("X",)),
        Stable(("d",)),
        Changed(By.BOTH, ("e",), (), (), ()),
        Stable(("f",)),
    ]
    assert chunks("abc", "aXc", "aYc") == [Stable(("a",)), Overlap(("b",), ("X",), ("Y",)), Stable(("c",))]


@given(words, words, words)
def test_the_runs_give_the_three_back(base: str, ours: str, theirs: str) -> None:
    found = chunks(base, ours, theirs)
    for name, text in (("base", base), ("ours", ours), ("theirs", theirs)):
        runs = (chunk.items if isinstance(chunk, Stable) else getattr(chunk, name) for chunk in found)
        assert "".join(chain.from_iterable(runs)) == text


@given(words, words)
def test_one_side_or_both_alike(base: str, side: str) -> None:
    assert merged(base, side, base) == merged(base, base, side) == merged(base, side, side) == side


@given(words, words, words)
def test_sides_are_treated_alike(base: str, ours: str, theirs: str) -> None:
    swap = {By.OURS: By.THEIRS, By.THEIRS: By.OURS, By.BOTH: By.BOTH}
    mirrored: list[Chunk[str]] = []
    for chunk in chunks(base, theirs, ours):
        if isinstance(chunk, Changed):
            mirrored.append(Changed(swap[chunk.by], chunk.base, chunk.theirs, chunk.ours, chunk.items))
        elif isinstance(chunk, Overlap):
            mirrored.append(Overlap(chunk.base, chunk.theirs, chunk.ours))
        else:
            mirrored.append(chunk)
    assert chunks(base, ours, theirs) == mirrored


@given(words, words, words)
def test_each_item_is_there_as_often_as_the_sides_account_for(base: str, ours: str, theirs: str) -> None:
    result = merged(base, ours, theirs)
    if result is None:
        return
    before, mine, other, after = map(Counter, (base, ours, theirs, result))
    for item in "abcde":
        b, o, t, m = before[item], mine[item], other[item], after[item]
        if o == b or t == b:
            assert m == (t if o == b else o)
        elif o < b and t < b:
            assert m <= min(o, t)
        elif o > b and t > b:
            assert m == max(o, t)
        else:
            assert m == o + t - b


@given(words, words, words)
def test_what_both_sides_have_in_one_order_keeps_it(base: str, ours: str, theirs: str) -> None:
    sides = ["".join(dict.fromkeys(text)) for text in (base, ours, theirs)]
    result = merged(*sides)
    if result is not None:
        for first, second in combinations(result, 2):
            orders = [text.index(first) < text.index(second) for text in sides[1:] if {first, second} <= set(text)]
            assert len(orders) < 2 or any(orders)


def test_items_are_told_apart_by_value() -> None:
    assert joined(diff3_items([1, {"a": None}], [1.0, {}, 2], [0, {"a": None}])) == [0, {"a": None}, 2]
    assert joined(diff3_items([1], [True], ["1"])) is None


def test_lines() -> None:
    base = "one\ntwo\nthree\nfour\n"
    merge = joined(diff3_lines(base, base.replace("one", "ONE"), base + "five"))
    assert merge == ["ONE", "two", "three", "four", "five"]
    assert join_lines(split_lines("a\r\n\n\nb")) == "a\r\n\n\nb"


def test_both_may_add_a_line_but_not_move_it_twice() -> None:
    base = "A\n1\nB\n2\nC\n3"
    both = joined(diff3_lines(base, "A\n- retry\n1\nB\n2\nC\n3", "A\n1\nB\n2\nC\n- retry\n3"))
    assert both == ["A", "- retry", "1", "B", "2", "C", "- retry", "3"]
    assert joined(diff3_lines(base, "1\nB\n2\nA\nC\n3", "1\nB\nA\n2\nC\n3")) is None


def test_thousands_of_items() -> None:
    base = [f"line {k % 3000}" if k % 3 else "" for k in range(12_000)]
    ours = ["first", *base[:5000], *base[5003:]]
    theirs = [*base[:9000], "inserted", *base[9000:]]
    result = joined(diff3(base, ours, theirs, str))
    assert result == ["first", *base[:5000], *base[5003:9000], "inserted", *base[9000:]]
