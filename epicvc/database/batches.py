"""Epics, keys and whatever else is read a portion at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Final, TypeVar

BATCH: Final = 200
"""Epics read at a time: bounds memory, and the number of bound values in one statement."""

T = TypeVar("T")


def batches(values: Iterable[T]) -> Iterator[list[T]]:
    """Values in portions of :data:`BATCH`, taken only when their turn comes."""
    remaining = iter(values)
    while batch := list(islice(remaining, BATCH)):
        yield batch


def weighed(values: Iterable[T], weight: Callable[[T], int], most: int) -> Iterator[list[T]]:
    """Values in portions that are full once they weigh ``most``, taken only when their turn comes.

    The last one may be empty.
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
