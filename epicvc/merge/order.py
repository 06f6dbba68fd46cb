"""Merges the order of things told apart by a key, and finds a place for things that an order lacks.

The sides are treated alike: where one of two things has to come first, it is the one that sorts first, never that of
one side.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from itertools import accumulate
from typing import Final, TypeAlias

from epicvc.merge.versions import Versions
from epicvc.model.document import place

_DIGITS = re.compile(r"([0-9]+)")

_BLOCK: Final = 1000
"""The longest stretch of items in which both sides may move some.

Moves in a longer one are a conflict, since its pairs are not compared.
"""

NaturalKey: TypeAlias = "tuple[tuple[tuple[str, int, str], ...], str]"


def natural(text: str) -> NaturalKey:
    """Return a key by which ``5.2`` sorts before ``5.10``."""
    parts = _DIGITS.split(text)
    pairs = zip(parts[::2], [*parts[1::2], ""], strict=True)
    return tuple((word, len(n := digits.lstrip("0")), n) for word, digits in pairs), text


def merge_order(orders: Versions[list[str]], unplaced: Collection[str] = frozenset()) -> list[str] | None:
    """Merge the relative order of the items that both sides have.

    The side that changed the order of two items says which of them comes first. Moves that cross, so that no order fits
    all pairs, do not merge.

    Args:
        orders: the last agreed order, and that of each side.
        unplaced: items of the base whose place in it was never agreed on.

    Returns:
        The common items in their merged order; ``None`` where the orders do not merge.
    """
    common = set(orders.ours) & set(orders.theirs)
    base, mine, other = orders.map(lambda side: [key for key in side if key in common])
    if mine == other:
        return mine
    # The items that all three have tell which side moved some. An item that only the sides have has no place to move
    # from.
    before = [key for key in base if key not in unplaced]
    placed = set(before)
    mine_placed, other_placed = ([key for key in side if key in placed] for side in (mine, other))
    if (mine_placed != before) != (other_placed != before):
        return mine if mine_placed != before else other
    order = before if mine_placed == before else _by_pairs(before, mine_placed, other_placed)
    if order is None:
        return None
    one, two = (place(order, [key for key in side if key not in placed], side) for side in (mine, other))
    return one if one == two else None


def _by_pairs(base: list[str], ours: list[str], theirs: list[str]) -> list[str] | None:
    """Return the order in which each pair stands as on the side that changed it; ``None`` where there is none."""
    rank = {key: n for n, key in enumerate(base)}
    reach = zip(*(accumulate((rank[key] for key in side), max) for side in (ours, theirs)), strict=True)
    result: list[str] = []
    for n, ends in enumerate(reach, start=1):
        if ends == (n - 1, n - 1):  # up to here the three have the same items
            start = len(result)
            block = _block(base[start:n], ours[start:n], theirs[start:n])
            if block is None:
                return None
            result += block
    return result


def _block(base: list[str], ours: list[str], theirs: list[str]) -> list[str] | None:
    if ours == theirs or theirs == base:
        return ours
    if ours == base:
        return theirs
    if len(base) > _BLOCK:
        return None
    ranks = [{key: n for n, key in enumerate(side)} for side in (base, ours, theirs)]
    before = {key: sum(_precedes(ranks, other, key) for other in base) for key in base}
    # Every pair stands in one order: a whole order fits them all where each item has another number before it.
    return sorted(base, key=before.__getitem__) if len(set(before.values())) == len(base) else None


def _precedes(ranks: list[dict[str, int]], one: str, other: str) -> bool:
    """Return whether an item comes first: on both sides, or else, where they disagree, not in the base."""
    before, mine, theirs = (rank[one] < rank[other] for rank in ranks)
    return one != other and (mine if mine == theirs else not before)


def weave(keys: Iterable[str], order: Sequence[str], ours: Sequence[str], theirs: Sequence[str]) -> list[str]:
    """Put ``keys`` in ``order``; those it lacks go after their nearest predecessor on their own side.

    Keys that both sides added behind one item stay together by side. The group whose first key sorts first comes first.

    Args:
        keys: the keys to arrange, each in one of the three orders at least.
        order: the order that holds.
        ours: one side's order.
        theirs: the other's.
    """
    wanted = dict.fromkeys(keys)
    result = [key for key in order if key in wanted]
    if len(result) == len(wanted):
        return result
    present = set(result)
    groups: dict[str | None, list[list[str]]] = {}
    done: set[str] = set()
    for side in sorted((ours, theirs), key=lambda side: list(map(natural, side))):
        anchor: str | None = None
        own: dict[str | None, list[str]] = {}
        for key in side:
            if key in present:
                anchor = key
            elif key in wanted and key not in done:
                own.setdefault(anchor, []).append(key)
                done.add(key)
        for place_, group in own.items():
            groups.setdefault(place_, []).append(group)

    def following(anchor: str | None) -> list[str]:
        found = sorted(groups.get(anchor, ()), key=lambda group: natural(group[0]))
        return [key for group in found for key in group]

    woven = following(None)
    for key in result:
        woven.append(key)
        woven += following(key)
    return woven
