"""Counts of what long tests did, printed when the run is over, so that a green run says what it has shown."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

Tally = Callable[[Mapping[str, int]], None]

PROPERTY = "tally"


def lines(reports: Iterable[object]) -> list[str]:
    """One line for each test that counted."""
    found = []
    for report in reports:
        for name, counts in getattr(report, "user_properties", ()):
            if name == PROPERTY:
                shown = ", ".join(f"{what} {count:,}" for what, count in counts.items())
                found.append(f"{report.nodeid}: {shown}")  # type: ignore[attr-defined]
    return sorted(found)
