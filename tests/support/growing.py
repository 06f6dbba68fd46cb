"""Measures how a cost grows with its input.

Calls are counted and nothing is timed, so that the result is the same on every machine.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

_FOUR_TIMES = 5.0
"""The factor by which the cost may grow with four times the input.

It leaves room for n log n, and for costs that do not depend on the input.
"""


class Counted(str):
    """A text that counts how often texts of its kind are hashed. Loops inside the interpreter show in that count."""

    __slots__ = ()
    looks = 0

    def __hash__(self) -> int:
        Counted.looks += 1
        return super().__hash__()


def steps(work: Callable[[], object]) -> int:
    """Return how many calls a piece of work makes, those of built-in functions and of hashes included."""
    count = 0

    def called(_frame: FrameType, event: str, _: Any) -> None:
        nonlocal count
        count += event in {"call", "c_call"}

    Counted.looks = 0
    before = sys.getprofile()
    sys.setprofile(called)
    try:
        work()
    finally:
        sys.setprofile(before)
    return count + Counted.looks


def grows_evenly(prepare: Callable[[int], Callable[[], object]], size: int) -> bool:
    """Return whether four times the input costs little more than four times as much.

    Args:
        prepare: makes an input of a size, and returns the work to be done with it.
        size: the smaller size.
    """
    prepare(1)()  # things that are made only once are no part of the cost
    few, many = (steps(prepare(number)) for number in (size, 4 * size))
    return many <= _FOUR_TIMES * few
