"""Sequence numbers: what order they say, and the fewest to write for another one. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from epicvc.database.rowcodec import SQLValue


def says_order(order: Sequence[str], numbers: Mapping[str, SQLValue]) -> bool:
    """Whether rows with these numbers are in this order by themselves: those without a number first, by key."""

    def rank(key: str) -> tuple[bool, float, str]:
        number = numbers[key]
        return (True, float(number), key) if isinstance(number, int | float) else (False, 0.0, key)

    return sorted(order, key=rank) == list(order)


def numbered(order: Sequence[str], numbers: Mapping[str, SQLValue]) -> dict[str, int]:
    """The numbers to write so that rows are in this order; those that ascend already stay.

    Args:
        order: keys in the order wanted.
        numbers: what their rows have now; nothing for a new one.
    """
    result: dict[str, int] = {}
    last = 0
    for key in order:
        number = numbers[key]
        if isinstance(number, int) and number > last:
            last = number
        else:
            last += 1
            result[key] = last
    return result
