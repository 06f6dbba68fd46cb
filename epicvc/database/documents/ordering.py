"""Sequence numbers: compares them with an order, and finds the fewest to write for another order. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from epicvc.database.rowcodec import SQLValue


def says_order(order: Sequence[str], numbers: Mapping[str, SQLValue]) -> bool:
    """Return whether rows with these numbers already come in this order.

    Rows without a number come first, by key.
    """

    def rank(key: str) -> tuple[bool, float, str]:
        number = numbers[key]
        return (True, float(number), key) if isinstance(number, int | float) else (False, 0.0, key)

    return sorted(order, key=rank) == list(order)


def numbered(order: Sequence[str], numbers: Mapping[str, SQLValue]) -> dict[str, int]:
    """Return the numbers to write so that rows come in this order; numbers that already ascend stay.

    Args:
        order: keys in the wanted order.
        numbers: the current numbers of their rows; ``None`` for a new row.
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
