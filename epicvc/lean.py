"""Importing msgspec at a lower price, for commands whose start is most of their work."""

from __future__ import annotations

import sys


def import_msgspec() -> None:
    """Import msgspec without typing_extensions, which it tries first, for names that ``typing`` has since Python 3.11.

    That one imports ``inspect`` and all that goes with it: 9 ms, a quarter of what msgspec takes. Whoever asks for it
    next gets it.
    """
    if "msgspec" in sys.modules or "typing_extensions" in sys.modules:
        return
    sys.modules["typing_extensions"] = None  # type: ignore[assignment]  # how Python spells "cannot be imported"
    try:
        import msgspec  # noqa: F401
    finally:
        del sys.modules["typing_extensions"]
