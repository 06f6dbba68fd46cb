"""What ``epicvc.toml`` says, kept beside the text that says so: for the same text no TOML parser is imported.

It cannot be out of date, since another text finds nothing, nor does another interpreter, whose parser may read
otherwise. Kept are texts, numbers, truth values, lists and tables; who writes a date has it parsed by every command.
``.epicvc/config`` is not kept, since it may hold a password that is meant to be nowhere else.
"""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import Any, Final

import msgspec

from epicvc.base.cachefile import CacheFile
from epicvc.base.depth import decode

FILE: Final = "config.cache"

_FILE: Final = CacheFile("epicvc.config", 2, tuple[int, bytes, bytes], light=True)
"""Which interpreter read it, a text, and what that says, as JSON."""


def recall(directory: Path, text: bytes) -> dict[str, Any] | None:
    """What a text says, if it was kept.

    Args:
        directory: the private directory.
        text: what is in ``epicvc.toml``.
    """
    by, known, said = _FILE.load(directory / FILE) or (0, b"", b"")
    if (by, known) != (sys.hexversion, text):
        return None
    try:
        return decode(said, dict[str, Any])
    except ValueError:
        return None


def remember(directory: Path, text: bytes, said: dict[str, Any]) -> None:
    """Keep what a text says, where it can be kept. Failing to is no failure, nor is it that there is no directory."""
    if _is_plain(said):
        _FILE.save(directory / FILE, (sys.hexversion, text, msgspec.json.encode(said)))


def _is_plain(value: object) -> bool:
    """Whether it is read as it was written: dates would be texts, infinities nothing, large integers floats."""
    if isinstance(value, dict):
        return all(map(_is_plain, value.values()))
    if isinstance(value, list):
        return all(map(_is_plain, value))
    if isinstance(value, float):
        return math.isfinite(value)
    return isinstance(value, str) or (isinstance(value, int) and -(1 << 63) <= value < 1 << 63)
