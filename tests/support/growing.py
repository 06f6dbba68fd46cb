"""How a price grows with its input, counted and not timed: so that it is the same on every machine."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

_FOUR_TIMES = 5.0
"""Four times the input may cost so many times as much: n log n, and what does not depend on the input is less."""


class Counted(str):
    """A text that counts how often texts of its kind are hashed: what loops inside the interpreter shows there."""

    __slots__ = ()
    looks = 0

    def __hash__(self) -> int:
        Counted.looks += 1
        return super().__hash__()


def steps(work: Callable[[], object]) -> int:
    """How many calls a work makes, those of built-in functions and of hashes included."""
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
    """Whether four times the input costs little more than four times as much.

    Args:
        prepare: makes an input of a size, and says what is to be done with it.
        size: the smaller one.
    """
    prepare(1)()  # what is only made once is no part of it
    few, many = (steps(prepare(number)) for number in (size, 4 * size))
    return many <= _FOUR_TIMES * few
