"""The table of series, from figures as they are written."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from tests.benchmarks.series.values import TIMES

_HEAD = ("work", "n", "start", *(f"{times}x" for times in TIMES), "steps", "to the reference", "n log n", "holds")

Cells = list[tuple[str, ...]]


def cells(rows: list[dict[str, Any]]) -> Cells:
    """The cells, headings first."""
    return [_HEAD, *map(_cells, rows)]


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    beyond = row["beyond"]
    steps = ", ".join(f"{after / before:.1f}" if before else "–" for before, after in pairwise(beyond))
    ratio = row["ratio"]
    return (
        row["work"],
        f"{row['sizes'][0]:,}",
        _seconds(row["start"]),
        *(f"+{_seconds(value)}" for value in beyond),
        steps if ratio is not None else "–",
        f"{ratio:.2f}×" if ratio is not None else "too little to see",
        f"≤ {row['limit']:.2f}×",
        "yes" if row["holds"] else "**above n log n**",
    )


def _seconds(value: float) -> str:
    return f"{value * 1000:.0f} ms" if value < 1 else f"{value:.2f} s"
