"""Which item of a changed array continues which old one."""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from typing import Final, TypeAlias

from epicvc.jsonio import JSON, dumps_canonical

_MAX_PAIRS: Final = 500_000  # of equal items; beyond, only a common start and end keep their order

_Link: TypeAlias = "tuple[int, int, _Link | None]"


def align(old: list[JSON], new: list[JSON]) -> list[int | None]:
    """For each new item, the index of the old item that it continues; ``None`` if it is new.

    Objects that all have ids of their own go by id. Others go by longest common subsequence; what was moved
    goes by value, and what is left in a gap by position.
    """
    old_ids, new_ids = _ids(old), _ids(new)
    if old_ids is not None and new_ids is not None:
        places = {key: index for index, key in enumerate(old_ids)}
        return [places.get(key) for key in new_ids]
    before, after = [dumps_canonical(item) for item in old], [dumps_canonical(item) for item in new]
    sources: list[int | None] = [None] * len(new)
    gaps: list[tuple[range, range]] = []
    i = j = 0
    for next_i, next_j in [*_unmoved(before, after), (len(before), len(after))]:
        gaps.append((range(i, next_i), range(j, next_j)))
        if next_j < len(after):
            sources[next_j] = next_i
        i, j = next_i + 1, next_j + 1
    # An item that was moved keeps its text; what is left in a gap is one that was changed in its place.
    moved: dict[bytes, deque[int]] = {}
    for olds, _ in gaps:
        for i in olds:
            moved.setdefault(before[i], deque()).append(i)
    for _, news in gaps:
        for j in news:
            if moved.get(after[j]):
                sources[j] = moved[after[j]].popleft()
    taken = set(sources)
    for olds, news in gaps:
        free = [i for i in olds if i not in taken]
        for i, j in zip(free, [j for j in news if sources[j] is None], strict=False):
            sources[j] = i
    return sources


def _unmoved(a: list[bytes], b: list[bytes]) -> list[tuple[int, int]]:
    """The pairs of a longest common subsequence, in order."""
    start = 0
    while start < min(len(a), len(b)) and a[start] == b[start]:
        start += 1
    end = 0
    while end < min(len(a), len(b)) - start and a[-1 - end] == b[-1 - end]:
        end += 1
    return [
        *((k, k) for k in range(start)),
        *_subsequence(a, b, range(start, len(a) - end), range(start, len(b) - end)),
        *((len(a) - k, len(b) - k) for k in range(end, 0, -1)),
    ]


def _subsequence(a: list[bytes], b: list[bytes], in_a: range, in_b: range) -> list[tuple[int, int]]:
    """Hunt and Szymanski's algorithm: the time goes with the pairs of equal items, few in real lists.

    ``difflib`` takes cubic time where items repeat, and finds no longest subsequence.
    """
    places: dict[bytes, list[int]] = {}
    for j in reversed(in_b):
        places.setdefault(b[j], []).append(j)
    if sum(len(places.get(a[i], ())) for i in in_a) > _MAX_PAIRS:
        return []
    ends: list[int] = []  # for each length, the least place in b where a common subsequence of it can end
    links: list[_Link] = []
    for i in in_a:
        for j in places.get(a[i], ()):
            length = bisect_left(ends, j)
            link = (i, j, links[length - 1] if length else None)
            if length == len(ends):
                ends.append(j)
                links.append(link)
            else:
                ends[length], links[length] = j, link
    pairs: list[tuple[int, int]] = []
    last = links[-1] if links else None
    while last is not None:
        pairs.append(last[:2])
        last = last[2]
    return pairs[::-1]


def _ids(items: list[JSON]) -> list[bytes] | None:
    """The ids of items that are all objects with ids of their own, else nothing."""
    ids: list[bytes] = []
    for item in items:
        found = item.get("id") if isinstance(item, dict) else None
        if found is None or isinstance(found, (dict, list)):
            return None
        ids.append(dumps_canonical(found))
    return ids if len(set(ids)) == len(ids) else None
