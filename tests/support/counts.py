"""Counts what long tests did, and has it printed when the run is over, so that a green run says what it has shown."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

Tally = Callable[[Mapping[str, int]], None]

PROPERTY = "tally"


def lines(reports: Iterable[object]) -> list[str]:
    """Return what the tests counted: one line for each function, summed over its parameters."""
    sums: dict[str, dict[str, int]] = {}
    for report in reports:
        for name, counts in getattr(report, "user_properties", ()):
            if name == PROPERTY:
                found = sums.setdefault(report.nodeid.partition("[")[0], {})  # type: ignore[attr-defined]
                for what, count in counts.items():
                    found[what] = found.get(what, 0) + count
    return [
        f"{test}: " + ", ".join(f"{what} {count:,}" for what, count in found.items())
        for test, found in sorted(sums.items())
    ]
