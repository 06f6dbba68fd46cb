"""Finds what two sequences have in common, in order: the ground of every comparison of lists and of lines.

Items are compared by hash, so callers first map them to something hashable. The result is deterministic, and the time
in practice close to linear. Nothing here knows of JSON, of files or of merging.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from typing import Final, TypeAlias, TypeVar

Item = TypeVar("Item", bound=Hashable)

Pairs: TypeAlias = "list[tuple[int, int]]"
"""The places of equal items, in one sequence and in the other. Both places rise from pair to pair."""

Code: TypeAlias = tuple[str, int, int, int, int]
"""One run of an edit script: ``equal``, ``replace``, ``delete`` or ``insert``, its bounds in one and in the other."""

_Link: TypeAlias = "tuple[int, int, _Link | None]"

_FEW: Final = 500_000
_PER_ITEM: Final = 64
"""The limits of how many pairs of equal items are compared: ``_FEW`` in the whole, ``_PER_ITEM`` an item in a piece."""


def common(one: Sequence[Item], other: Sequence[Item]) -> Pairs:
    """Return the places of a longest common subsequence.

    The time grows with the number of pairs of equal items. Where there are too many pairs (a blank line that occurs
    thousands of times), the sequences are first cut at the items that occur once in both. A piece that still has more
    than 64 pairs an item keeps its common start and end, and counts as different in between. The result is then a
    common subsequence, if not a longest one.
    """
    start, stop = _ends(one, other, range(len(one)), range(len(other)))
    in_one, in_other = range(start, len(one) - stop), range(start, len(other) - stop)
    middle = _subsequence(one, other, in_one, in_other, _FEW)
    if middle is None:
        middle = _in_pieces(one, other, in_one, in_other)
    tail = ((len(one) - k, len(other) - k) for k in range(stop, 0, -1))
    return [*((k, k) for k in range(start)), *middle, *tail]


def codes(one: Sequence[Item], other: Sequence[Item]) -> list[Code]:
    """Return the runs that turn one sequence into the other, as :mod:`difflib` names them.

    The cost is that of :func:`common`.
    """
    found: list[Code] = []
    i = j = 0
    for next_i, next_j in [*common(one, other), (len(one), len(other))]:
        if i < next_i or j < next_j:
            tag = "insert" if i == next_i else "delete" if j == next_j else "replace"
            found.append((tag, i, next_i, j, next_j))
        if next_i < len(one) and next_j < len(other):
            started = found[-1] if found and found[-1][0] == "equal" else None
            if started is not None:
                found[-1] = ("equal", started[1], next_i + 1, started[3], next_j + 1)
            else:
                found.append(("equal", next_i, next_i + 1, next_j, next_j + 1))
        i, j = next_i + 1, next_j + 1
    return found


def _ends(one: Sequence[Item], other: Sequence[Item], in_one: range, in_other: range) -> tuple[int, int]:
    """Return how many items are the same at the start, and how many at the end."""
    shorter = min(len(in_one), len(in_other))
    start = 0
    while start < shorter and one[in_one[start]] == other[in_other[start]]:
        start += 1
    stop = 0
    while stop < shorter - start and one[in_one[-1 - stop]] == other[in_other[-1 - stop]]:
        stop += 1
    return start, stop


def _in_pieces(one: Sequence[Item], other: Sequence[Item], in_one: range, in_other: range) -> Pairs:
    """Cut the sequences at the items that occur once in both, and compare the pieces."""
    counts = [Counter(side[k] for k in places) for side, places in ((one, in_one), (other, in_other))]
    places = {other[j]: j for j in in_other}
    unique = [i for i in in_one if counts[0][one[i]] == 1 and counts[1][one[i]] == 1]
    stay = longest_increasing(unique, lambda i: places[one[i]])
    anchors = [(i, places[one[i]]) for i in unique if i in stay]
    pairs: Pairs = []
    i, j = in_one.start, in_other.start
    for next_i, next_j in [*anchors, (in_one.stop, in_other.stop)]:
        pairs += _piece(one, other, range(i, next_i), range(j, next_j))
        if next_i < in_one.stop:
            pairs.append((next_i, next_j))
        i, j = next_i + 1, next_j + 1
    return pairs


def _piece(one: Sequence[Item], other: Sequence[Item], in_one: range, in_other: range) -> Pairs:
    start, stop = _ends(one, other, in_one, in_other)
    inner = in_one[start : len(in_one) - stop], in_other[start : len(in_other) - stop]
    limit = _PER_ITEM * (len(inner[0]) + len(inner[1]))
    middle = _subsequence(one, other, *inner, limit) or []
    tail = zip(in_one[len(in_one) - stop :], in_other[len(in_other) - stop :], strict=True)
    return [*zip(in_one[:start], in_other[:start], strict=True), *middle, *tail]


def _subsequence(
    one: Sequence[Item], other: Sequence[Item], in_one: range, in_other: range, limit: int
) -> Pairs | None:
    """Return a longest common subsequence; ``None`` where more than ``limit`` pairs of items are equal.

    The algorithm is Hunt and Szymanski's. ``difflib`` takes cubic time where items repeat, and the common subsequence
    that it finds need not be a longest one.
    """
    places: dict[Item, list[int]] = {}
    for j in reversed(in_other):
        places.setdefault(other[j], []).append(j)
    if sum(len(places.get(one[i], ())) for i in in_one) > limit:
        return None
    ends: list[int] = []  # for each length, the least place in other where such a common subsequence ends
    links: list[_Link] = []
    for i in in_one:
        for j in places.get(one[i], ()):
            length = bisect_left(ends, j)
            link = (i, j, links[length - 1] if length else None)
            if length == len(ends):
                ends.append(j)
                links.append(link)
            else:
                ends[length], links[length] = j, link
    pairs: Pairs = []
    last = links[-1] if links else None
    while last is not None:
        pairs.append(last[:2])
        last = last[2]
    return pairs[::-1]


def longest_increasing(items: Sequence[Item], rank: Callable[[Item], int]) -> frozenset[Item]:
    """Return the members of a longest strictly increasing subsequence of distinct items.

    The algorithm is patience sorting, in O(n log n).
    """
    tails: list[int] = []
    tail_items: list[Item] = []
    previous: dict[Item, Item | None] = {}
    for item in items:
        value = rank(item)
        position = bisect_left(tails, value)
        previous[item] = tail_items[position - 1] if position else None
        if position == len(tails):
            tails.append(value)
            tail_items.append(item)
        else:
            tails[position] = value
            tail_items[position] = item
    result = set()
    current = tail_items[-1] if tail_items else None
    while current is not None:
        result.add(current)
        current = previous[current]
    return frozenset(result)
