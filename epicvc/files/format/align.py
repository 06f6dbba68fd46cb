"""Finds for each item of a changed array the old item that it continues."""

from __future__ import annotations

from collections import deque

from epicvc.base.jsonio import JSON, dumps_canonical
from epicvc.model.subsequence import common


def align(old: list[JSON], new: list[JSON]) -> list[int | None]:
    """Return for each new item the index of the old item that it continues; ``None`` if it is new.

    Objects that all have ids of their own go by id. Others go by longest common subsequence; an item that was moved
    goes by value, and items that are left in a gap go by position.
    """
    old_ids, new_ids = _ids(old), _ids(new)
    if old_ids is not None and new_ids is not None:
        places = {key: index for index, key in enumerate(old_ids)}
        return [places.get(key) for key in new_ids]
    before, after = [dumps_canonical(item) for item in old], [dumps_canonical(item) for item in new]
    sources: list[int | None] = [None] * len(new)
    gaps: list[tuple[range, range]] = []
    i = j = 0
    for next_i, next_j in [*common(before, after), (len(before), len(after))]:
        gaps.append((range(i, next_i), range(j, next_j)))
        if next_j < len(after):
            sources[next_j] = next_i
        i, j = next_i + 1, next_j + 1
    # An item that was moved keeps its text; an item that is left in a gap was changed in its place.
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


def _ids(items: list[JSON]) -> list[bytes] | None:
    """Return the ids of items that are all objects with ids of their own, else ``None``."""
    ids: list[bytes] = []
    for item in items:
        found = item.get("id") if isinstance(item, dict) else None
        if found is None or isinstance(found, (dict, list)):
            return None
        ids.append(dumps_canonical(found))
    return ids if len(set(ids)) == len(ids) else None
