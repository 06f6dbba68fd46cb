"""Answers by choice: a side, both sides, or item by item. Pure.

Lists are split into items, and texts of several lines into lines (:mod:`epicvc.merge.diff3`). So the changes of one
side alone are merged, and only overlaps need a choice.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TypeAlias, cast

from msgspec import Struct

from epicvc.actions.shared.questions import How
from epicvc.base.jsonio import JSON, dumps_canonical
from epicvc.errors import UsageError
from epicvc.merge.diff3 import Changed, Chunk, Overlap, diff3_items, diff3_lines, join_lines
from epicvc.merge.threeway import Chosen, Conflict, Value
from epicvc.model.mapping import Mapping

Piece: TypeAlias = JSON
"""An item of a list, or a line of a text."""


class Pick(Struct, frozen=True):
    """An item or line of some version, with the decision if the answer has it.

    Attributes:
        piece: the item or line.
        base: the base has it here.
        ours: ours has it here.
        theirs: theirs has it here.
        taken: the answer has it.
        group: the number of the overlap to which it belongs; ``None`` outside of overlaps.
    """

    piece: Piece
    base: bool
    ours: bool
    theirs: bool
    taken: bool
    group: int | None = None


def is_order(conflict: Conflict) -> bool:
    """Return whether a conflict is about the order of tasks alone. Its values are then lists of task ids."""
    return conflict.label.path == (Mapping.TASKS,) and not conflict.label.table


def has_items(conflict: Conflict) -> bool:
    """Return whether a conflict is between two lists."""
    return isinstance(conflict.ours, list) and isinstance(conflict.theirs, list)


def has_lines(conflict: Conflict) -> bool:
    """Return whether a conflict is between two texts of which at least one has several lines."""
    texts = [value for value in (conflict.ours, conflict.theirs) if isinstance(value, str)]
    return len(texts) == 2 and any("\n" in text for text in texts)


def can_pick(conflict: Conflict) -> bool:
    """Return whether a conflict can be settled item by item, or by taking both sides."""
    return not is_order(conflict) and (has_items(conflict) or has_lines(conflict))


def chunks_of(conflict: Conflict) -> list[Chunk[Piece]]:
    """Return the three values in pieces. The caller must have checked :func:`can_pick`."""
    values = (conflict.base, conflict.ours, conflict.theirs)
    if has_items(conflict):
        lists = (value if isinstance(value, list) else [] for value in values)
        return diff3_items(*lists)
    texts = (value if isinstance(value, str) else "" for value in values)
    return cast("list[Chunk[Piece]]", diff3_lines(*texts))


def put_together(conflict: Conflict, pieces: Iterable[Piece]) -> Value:
    """Return the value of some pieces. A list without an item is a value, as an empty text is."""
    if has_items(conflict):
        return list(pieces)
    return join_lines(cast("list[str]", list(pieces)))


def take(conflict: Conflict, how: How) -> Chosen:
    """Return the answer of a side, of the base or of both sides.

    Raises:
        UsageError: both sides cannot be taken here.
    """
    if how is How.OURS:
        return Chosen(conflict.ours)
    if how is How.THEIRS:
        return Chosen(conflict.theirs)
    if how is How.BASE:
        return Chosen(conflict.base)
    if how is not How.BOTH or not can_pick(conflict):
        raise UsageError(f"{conflict.label} has no items of which both sides' could be taken")
    return take_pieces(conflict, [How.BOTH] * len(overlaps(conflict)))


def overlaps(conflict: Conflict) -> list[Overlap[Piece]]:
    """Return the overlaps of the two sides, in order."""
    return [chunk for chunk in chunks_of(conflict) if isinstance(chunk, Overlap)] if can_pick(conflict) else []


def take_pieces(conflict: Conflict, choices: Sequence[How]) -> Chosen:
    """Merge a list or a text with one choice for each overlap.

    Raises:
        UsageError: the number of choices is not the number of overlaps, or a choice is neither a side nor the base nor
            both.
    """
    found = chunks_of(conflict) if can_pick(conflict) else []
    wanted = sum(isinstance(chunk, Overlap) for chunk in found)
    if len(choices) != wanted or not can_pick(conflict):
        raise UsageError(f"{conflict.label} has {wanted} overlaps to choose for, not {len(choices)}")
    rest = iter(choices)
    pieces: list[Piece] = []
    for chunk in found:
        pieces += _overlapping(chunk, next(rest)) if isinstance(chunk, Overlap) else chunk.items
    return Chosen(put_together(conflict, pieces))


def _overlapping(chunk: Overlap[Piece], how: How) -> list[Piece]:
    if how is How.BOTH:
        known = {dumps_canonical(piece) for piece in chunk.ours}
        return [*chunk.ours, *(piece for piece in chunk.theirs if dumps_canonical(piece) not in known)]
    if how not in (How.OURS, How.THEIRS, How.BASE):
        raise UsageError(f"an overlap takes ours, theirs, base or both, not {how.value}")
    return list({How.OURS: chunk.ours, How.THEIRS: chunk.theirs, How.BASE: chunk.base}[how])


def picks_of(conflict: Conflict) -> tuple[Pick, ...]:
    """Return every item or line with its versions. Those are taken that both sides have or that one side added."""
    picks: list[Pick] = []
    group = 0
    for chunk in chunks_of(conflict):
        if isinstance(chunk, Overlap):
            picks += _aligned(chunk.base, chunk.ours, chunk.theirs, group)
            group += 1
        elif isinstance(chunk, Changed):
            picks += _aligned(chunk.base, chunk.ours, chunk.theirs, None)
        else:
            picks += [Pick(piece, True, True, True, True) for piece in chunk.items]
    return tuple(picks)


def _aligned(base: Sequence[Piece], ours: Sequence[Piece], theirs: Sequence[Piece], group: int | None) -> list[Pick]:
    """Return the pieces of one chunk, each as often as a version has it.

    The order of the base is the frame. A piece that a side added goes behind the piece before it on that side, and
    behind pieces that only other versions have. So a replacement follows the replaced piece, and theirs follows ours.
    """
    order: list[tuple[bytes, Piece, list[bool]]] = []
    for side, pieces in enumerate((base, ours, theirs)):
        keys = [dumps_canonical(piece) for piece in pieces]
        wanted = Counter(keys)
        at = 0
        for key, piece in zip(keys, pieces, strict=True):
            # Searched only from here on: a moved piece stands at both of its places, so that every version keeps its
            # own order.
            found = next((n for n in range(at, len(order)) if order[n][0] == key and not order[n][2][side]), None)
            if found is None:
                while at < len(order) and not wanted[order[at][0]]:
                    at += 1
                found = at
                order.insert(at, (key, piece, [False, False, False]))
            order[found][2][side] = True
            wanted[key] -= 1
            at = found + 1
    result = []
    for _, piece, (before, mine, other) in order:
        taken = (mine and other) or ((mine or other) and not before)
        result.append(Pick(piece, before, mine, theirs=other, taken=taken, group=group))
    return result


def picked(conflict: Conflict, picks: Iterable[Pick]) -> Chosen:
    """Return the value of the taken items or lines."""
    return Chosen(put_together(conflict, [pick.piece for pick in picks if pick.taken]))
