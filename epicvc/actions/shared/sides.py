"""The values of ``--side``."""

from __future__ import annotations

from epicvc.errors import UsageError

SIDES = ("files", "db")


def check_side(side: str | None) -> None:
    """Make sure that ``--side`` names a side.

    Raises:
        UsageError: the value names no side.
    """
    if side is not None and side not in SIDES:
        raise UsageError(f"--side takes files or db, not {side!r}")
