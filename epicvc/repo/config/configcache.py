"""The cache of the parsed ``epicvc.toml``, kept with its text: for the same text no TOML parser is imported.

The cache cannot be out of date: another text finds nothing in it, nor does another interpreter, whose parser may read
the text otherwise. Kept are texts, numbers, truth values, lists and tables. A file with a date is parsed by every
command. ``.epicvc/config`` is not kept, since it may hold a password that must be in no other file.
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
"""The cache file: the version of the interpreter that parsed, the text, and the parsed value as JSON."""


def recall(directory: Path, text: bytes) -> dict[str, Any] | None:
    """Return the parsed value of a text, or ``None`` where it was not kept.

    Args:
        directory: the private directory.
        text: the bytes of ``epicvc.toml``.
    """
    by, known, said = _FILE.load(directory / FILE) or (0, b"", b"")
    if (by, known) != (sys.hexversion, text):
        return None
    try:
        return decode(said, dict[str, Any])
    except ValueError:
        return None


def remember(directory: Path, text: bytes, said: dict[str, Any]) -> None:
    """Keep the parsed value of a text where possible. A failure to write it, or a missing directory, is ignored."""
    if _is_plain(said):
        _FILE.save(directory / FILE, (sys.hexversion, text, msgspec.json.encode(said)))


def _is_plain(value: object) -> bool:
    """Return whether JSON gives a value back unchanged.

    It does not for others: dates would be texts, infinities nothing, large integers floats.
    """
    if isinstance(value, dict):
        return all(map(_is_plain, value.values()))
    if isinstance(value, list):
        return all(map(_is_plain, value))
    if isinstance(value, float):
        return math.isfinite(value)
    return isinstance(value, str) or (isinstance(value, int) and -(1 << 63) <= value < 1 << 63)
