"""Three-way comparison of lists by items and of texts by lines, as chunks: what stays, what changed, what overlaps.

Each side is compared with the base (:func:`epicvc.model.subsequence.common`, close to linear, with its rule for the
worst case), which gives the edits of that side: a run of the base, perhaps empty, replaced by a run of the side. Edits
of both sides are then told apart or put together:

- Edits that have an item of the base in common overlap. So do two insertions at one place, and two edits that touch
  and both leave more than they found: which of the additions comes first is for a person to say. Edits that merely
  touch do not overlap: an item is a whole.
- Edits that overlap and do the same, or both only remove, are no conflict.
- A merge of positions alone can multiply or revive what was moved: where one side moved an item and the other deleted
  it or moved it elsewhere, the removal is taken once and the insertion all the same. So the items are counted
  afterwards, and where one is there more or less often than the sides account for, the edits with it are an overlap.

Swapping the sides swaps them in every chunk and changes nothing else. What a chunk holds is for callers to judge: this
module knows neither labels nor policies.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from enum import Enum
from typing import Generic, TypeAlias, TypeVar

from msgspec import Struct

from epicvc.base.jsonio import JSON, dumps_canonical
from epicvc.model.subsequence import common

T = TypeVar("T")


class By(Enum):
    """The side that made a change."""

    OURS = "ours"
    THEIRS = "theirs"
    BOTH = "both"


class Stable(Struct, Generic[T], frozen=True):
    """A run that nobody changed."""

    items: tuple[T, ...]


class Changed(Struct, Generic[T], frozen=True):
    """A run that changed without contradiction.

    Attributes:
        by: the side that changed it.
        base: the run of the base.
        ours: the run of ours.
        theirs: the run of theirs.
        items: the run of the merge.
    """

    by: By
    base: tuple[T, ...]
    ours: tuple[T, ...]
    theirs: tuple[T, ...]
    items: tuple[T, ...]


class Overlap(Struct, Generic[T], frozen=True):
    """A run that the sides changed differently, with the run of each of the three."""

    base: tuple[T, ...]
    ours: tuple[T, ...]
    theirs: tuple[T, ...]


Chunk: TypeAlias = "Stable[T] | Changed[T] | Overlap[T]"


class _EditBlock(Struct, frozen=True):
    """``base[start:stop]`` became ``side[first:last]``."""

    start: int
    stop: int
    first: int
    last: int

    @property
    def grows(self) -> bool:
        return self.last - self.first > self.stop - self.start

    def overlaps(self, other: _EditBlock) -> bool:
        """Tell whether the order or the fate of anything depends on both edits."""
        if self.start < other.stop and other.start < self.stop:
            return True
        return (self.stop == other.start or other.stop == self.start) and self.grows and other.grows


Bounds: TypeAlias = Callable[[Hashable, int, int, int], "tuple[int, int]"]
"""The least and the most times that a merge has an item, given how often base, ours and theirs have it."""


def item_bounds(_: Hashable, base: int, ours: int, theirs: int) -> tuple[int, int]:
    """Bound an item of a list: it is there as often as on the side that changed its number.

    An item that both sides add is there once for both.
    """
    if ours == base or theirs == base:
        count = theirs if ours == base else ours
        return count, count
    together = max(ours + theirs - base, 0)
    if ours > base and theirs > base:
        return max(ours, theirs), max(ours, theirs)
    return together, min(ours, theirs) if ours < base and theirs < base else together


def line_bounds(line: Hashable, base: int, ours: int, theirs: int) -> tuple[int, int]:
    """Bound a line of a text.

    It is bounded as an item is, but both sides may add it. Lines without a letter or digit are not counted.
    """
    if not any(map(str.isalnum, str(line))):
        return 0, base + ours + theirs
    least, most = item_bounds(line, base, ours, theirs)
    return least, ours + theirs - base if ours > base and theirs > base else most


def diff3(
    base: Sequence[T],
    ours: Sequence[T],
    theirs: Sequence[T],
    key: Callable[[T], Hashable],
    bounds: Bounds = item_bounds,
) -> list[Chunk[T]]:
    """Compare three sequences.

    Args:
        base: the sequence that both sides started from.
        ours: the sequence of one side.
        theirs: the sequence of the other side.
        key: tells items apart; items with one key are the same.
        bounds: how often a merge may have an item.

    Returns:
        The chunks in order. ``Stable`` and ``Changed`` ones joined are the merge (:func:`joined`); the base's, ours'
        and theirs' runs joined give each of the three back.
    """
    keys = [list(map(key, side)) for side in (base, ours, theirs)]
    edits = [_edits(keys[0], keys[1]), _edits(keys[0], keys[2])]
    walk = _Walk(base, ours, theirs, keys)
    at = [0, 0]
    while at[0] < len(edits[0]) or at[1] < len(edits[1]):
        group: tuple[list[_EditBlock], list[_EditBlock]] = ([], [])
        while (side := _next(edits, at, group)) is not None:
            group[side].append(edits[side][at[side]])
            at[side] += 1
        walk.edited(*group)
    walk.stable(len(base))
    return _counted(walk.chunks, key, bounds)


def joined(chunks: Sequence[Chunk[T]]) -> list[T] | None:
    """Return the merged sequence; ``None`` where chunks overlap."""
    merged: list[T] = []
    for chunk in chunks:
        if isinstance(chunk, Overlap):
            return None
        merged.extend(chunk.items)
    return merged


def diff3_items(base: Sequence[JSON], ours: Sequence[JSON], theirs: Sequence[JSON]) -> list[Chunk[JSON]]:
    """Compare three JSON lists; items are told apart by value."""
    return diff3(base, ours, theirs, dumps_canonical)


def diff3_lines(base: str, ours: str, theirs: str) -> list[Chunk[str]]:
    """Compare three texts by lines; :func:`join_lines` puts lines together again, exactly."""
    return diff3(split_lines(base), split_lines(ours), split_lines(theirs), str, line_bounds)


def split_lines(text: str) -> list[str]:
    r"""Return the lines of a text, without ``\n``; the text behind a final ``\n`` is an empty line."""
    return text.split("\n")


def join_lines(lines: Sequence[str]) -> str:
    """Return the text that :func:`split_lines` took apart."""
    return "\n".join(lines)


def _edits(base: list[Hashable], side: list[Hashable]) -> list[_EditBlock]:
    edits = []
    i = j = 0
    for next_i, next_j in [*common(base, side), (len(base), len(side))]:
        if i < next_i or j < next_j:
            edits.append(_EditBlock(i, next_i, j, next_j))
        i, j = next_i + 1, next_j + 1
    return edits


def _next(edits: list[list[_EditBlock]], at: list[int], group: tuple[list[_EditBlock], list[_EditBlock]]) -> int | None:
    """Return the side whose next edit belongs to the group; ``None`` where neither does.

    An edit belongs to a group if it overlaps one of the other side. In an empty group the first edit belongs.
    """
    coming = [(side[at[n]], n) for n, side in enumerate(edits) if at[n] < len(side)]
    if not group[0] and not group[1]:
        return min(coming, key=lambda found: (found[0].start, found[0].stop))[1]
    for edit, n in coming:
        if any(edit.overlaps(other) for other in group[1 - n][-1:]):
            return n
    return None


class _Walk(Generic[T]):
    """Goes through the base from edit to edit and cuts the chunks."""

    def __init__(self, base: Sequence[T], ours: Sequence[T], theirs: Sequence[T], keys: list[list[Hashable]]) -> None:
        self.chunks: list[Chunk[T]] = []
        self._sides = (base, ours, theirs)
        self._keys = keys
        self._position = 0
        self._shift = [0, 0]  # the number of items by which each side is ahead of the base

    def stable(self, start: int) -> None:
        """Add everything up to a place of the base as unchanged."""
        if start > self._position:
            self.chunks.append(Stable(tuple(self._sides[0][self._position : start])))
            self._position = start

    def edited(self, ours: list[_EditBlock], theirs: list[_EditBlock]) -> None:
        """Add the chunk of edits that belong together."""
        everything = [*ours, *theirs]
        start, stop = min(edit.start for edit in everything), max(edit.stop for edit in everything)
        self.stable(start)
        places = [(start, stop)]
        for n, edits in enumerate((ours, theirs)):
            first = start + self._shift[n]
            if edits:
                self._shift[n] = edits[-1].last - edits[-1].stop
            places.append((first, stop + self._shift[n]))
        self._position = stop
        before, mine, other = (tuple(side[a:b]) for side, (a, b) in zip(self._sides, places, strict=True))
        keys = [side[a:b] for side, (a, b) in zip(self._keys, places, strict=True)]
        if not theirs or not ours or keys[1] == keys[2]:
            by = By.OURS if not theirs else By.THEIRS if not ours else By.BOTH
            self.chunks.append(Changed(by, before, mine, other, mine if ours else other))
        elif all(edit.first == edit.last for edit in everything):
            gone = {k for edit in everything for k in range(edit.start, edit.stop)}
            kept = tuple(self._sides[0][k] for k in range(start, stop) if k not in gone)
            self.chunks.append(Changed(By.BOTH, before, mine, other, kept))
        else:
            self.chunks.append(Overlap(before, mine, other))


def _counted(chunks: list[Chunk[T]], key: Callable[[T], Hashable], bounds: Bounds) -> list[Chunk[T]]:
    """Make overlaps of the edits by which an item would be there too often or not often enough."""
    counts = [Counter[Hashable]() for _ in range(4)]
    for chunk in chunks:
        if isinstance(chunk, Changed):
            for count, run in zip(counts, (chunk.base, chunk.ours, chunk.theirs, chunk.items), strict=True):
                count.update(map(key, run))
    before, mine, other, after = counts
    wrong = set()
    for k in {k for count in counts for k in count}:
        least, most = bounds(k, before[k], mine[k], other[k])
        if not least <= after[k] <= most:
            wrong.add(k)
    return [_overlapping(chunk, key, wrong) for chunk in chunks] if wrong else chunks


def _overlapping(chunk: Chunk[T], key: Callable[[T], Hashable], wrong: set[Hashable]) -> Chunk[T]:
    """Return a chunk as an overlap where the sides do not add and remove one of the wrong items alike in it."""
    if not isinstance(chunk, Changed):
        return chunk
    ours, theirs = Counter(map(key, chunk.ours)), Counter(map(key, chunk.theirs))
    return Overlap(chunk.base, chunk.ours, chunk.theirs) if any(ours[k] != theirs[k] for k in wrong) else chunk
