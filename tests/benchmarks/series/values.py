"""A series, what was measured of it, and whether that grows no faster than n log n. Values only."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from tests.benchmarks.measure import Command
from tests.benchmarks.series.ground import Ground

TIMES: Final = (1, 2, 4, 8)
"""The sizes of every series, in times of its own."""

NOTHING: Final = 0
"""The size that costs what a command costs before it has anything to do."""

_NOISE: Final = 1.3
"""By how much a figure may be wrong on a busy machine. A part that grows with the square and is half of the time at 8
times the size makes a ratio of 1.6."""

_SEEN_S: Final = 0.04
"""Seconds beyond the start below which nothing can be told: what grows too fast is above it, or no trouble."""


@dataclass(frozen=True)
class Series:
    """A work whose input can be of any size.

    Attributes:
        name: what ``SERIES=`` calls it.
        work: what epicvc does, in words.
        size: its smallest input.
        prepare: makes an input of a size and says which command is measured.
    """

    name: str
    work: str
    size: int
    prepare: Callable[[Ground, int], Command]

    @property
    def sizes(self) -> tuple[int, ...]:
        """All sizes."""
        return tuple(times * self.size for times in TIMES)


@dataclass(frozen=True)
class Grown:
    """A measured series.

    Attributes:
        series: which.
        seconds: least processor time by size, :data:`NOTHING` included.
        reference: that of the reference, which is linear, by the same sizes.
    """

    series: Series
    seconds: Mapping[int, float]
    reference: Mapping[int, float]

    def beyond(self) -> list[float]:
        """Seconds at each size beyond what nothing costs."""
        return [max(self.seconds[size] - self.seconds[NOTHING], 0.0) for size in self.series.sizes]

    def linear(self) -> list[float]:
        """The same of the reference."""
        return [max(self.reference[size] - self.reference[NOTHING], 0.001) for size in self.series.sizes]

    def least(self, other: Grown) -> Grown:
        """The lesser times of two measurements."""
        seconds, reference = (
            {size: min(value, more[size]) for size, value in one.items()}
            for one, more in ((self.seconds, other.seconds), (self.reference, other.reference))
        )
        return Grown(self.series, seconds, reference)

    @property
    def ratio(self) -> float | None:
        """By how many times more it grew than the reference from 2 to 8 times the size; ``None``: too little to see."""
        _, twice, _, most = self.beyond()
        if most < _SEEN_S:
            return None
        _, before, _, after = self.linear()
        return (most / max(twice, _SEEN_S / TIMES[-1])) / (after / before)

    @property
    def limit(self) -> float:
        """The ratio that n log n has, and what a busy machine adds to it."""
        smallest = max(self.series.size, 16)
        return _NOISE * math.log(TIMES[3] * smallest) / math.log(TIMES[1] * smallest)

    @property
    def holds(self) -> bool:
        """Whether it grows no faster than n log n."""
        return self.ratio is None or self.ratio <= self.limit

    def as_json(self) -> dict[str, Any]:
        """As it is written."""
        return {
            "name": self.series.name,
            "work": self.series.work,
            "sizes": list(self.series.sizes),
            "start": self.seconds[NOTHING],
            "beyond": self.beyond(),
            "reference": self.linear(),
            "ratio": self.ratio,
            "limit": self.limit,
            "holds": self.holds,
        }
