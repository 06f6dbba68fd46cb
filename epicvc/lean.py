"""Importing msgspec at a lower price, for commands whose start is most of their work."""

from __future__ import annotations

import os
import sys


def import_msgspec() -> None:
    """Import msgspec without typing_extensions, which it tries first, for names that ``typing`` has since Python 3.11.

    That one imports ``inspect`` and all that goes with it: 9 ms, a quarter of what msgspec takes. Whoever asks for it
    next gets it.
    """
    if "msgspec" in sys.modules or "typing_extensions" in sys.modules:
        return
    _import_uuid()
    sys.modules["typing_extensions"] = None  # type: ignore[assignment]  # how Python spells "cannot be imported"
    try:
        import msgspec  # noqa: F401
    finally:
        del sys.modules["typing_extensions"]


def _import_uuid() -> None:
    """Import ``uuid``, which msgspec needs, without ``platform``, which it asks up to Python 3.12 for the system.

    That one compiles nine patterns, 1.4 ms. Whoever asks for it next gets it.
    """
    if "uuid" in sys.modules or "platform" in sys.modules or not hasattr(os, "uname"):
        return
    stand_in = type(sys)("platform")
    stand_in.system = lambda: os.uname().sysname  # type: ignore[attr-defined]  # all that is asked
    sys.modules["platform"] = stand_in
    try:
        import uuid  # noqa: F401
    except AttributeError:
        pass  # a version that asks for more: msgspec imports it as it is
    finally:
        del sys.modules["platform"]
