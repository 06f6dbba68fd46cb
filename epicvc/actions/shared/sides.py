"""What ``--side`` may name."""

from __future__ import annotations

from epicvc.errors import UsageError

SIDES = ("files", "db")


def check_side(side: str | None) -> None:
    """Stop where ``--side`` names none.

    Raises:
        UsageError: it does.
    """
    if side is not None and side not in SIDES:
        raise UsageError(f"--side takes files or db, not {side!r}")
