"""Splits epics, keys and other values into portions that are read one at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Final, TypeVar

BATCH: Final = 200
"""Epics read at a time: bounds memory, and the number of bound values in one statement."""

T = TypeVar("T")


def batches(values: Iterable[T]) -> Iterator[list[T]]:
    """Yield values in portions of :data:`BATCH`, taking each value only when its turn comes."""
    remaining = iter(values)
    while batch := list(islice(remaining, BATCH)):
        yield batch


def weighed(values: Iterable[T], weight: Callable[[T], int], most: int) -> Iterator[list[T]]:
    """Yield values in portions that are full once they weigh ``most``, taking each value only when its turn comes.

    The last portion may be empty.
    """
    portion: list[T] = []
    found = 0
    for value in values:
        if found >= most:
            yield portion
            portion, found = [], 0
        portion.append(value)
        found += weight(value)
    yield portion
