"""Small JSON files below ``.epicvc/``: exact values in, exact values out, readable by their owner alone."""

from __future__ import annotations

from pathlib import Path

from epicvc.base.fileio import atomic_write, make_directories, read_file
from epicvc.base.jsonio import JSON, dumps_text, parse
from epicvc.errors import InvalidJSON
from epicvc.merge.threeway import ABSENT, Value


def load(path: Path) -> JSON:
    """What a file holds; ``None`` where there is none, or it is no JSON any more (these files can be made again).

    Raises:
        FileUnavailable: it is there and cannot be read.
    """
    if not path.exists():
        return None
    try:
        return parse(read_file(path), source=str(path))
    except InvalidJSON:
        return None


def save(path: Path, value: JSON, root: Path) -> None:
    """Write a file, durably and readable by its owner alone.

    Raises:
        FileUnavailable: it is as it was.
    """
    make_directories(path.parent, root)
    path.parent.chmod(0o700)
    atomic_write(path, dumps_text(value, indent=" ").encode() + b"\n", mode=0o600)


def pack(value: Value) -> JSON:
    """A value that may be absent: a list of one, or of none."""
    return [] if value is ABSENT else [value]


def unpack(packed: JSON) -> Value:
    """What :func:`pack` packed.

    Raises:
        ValueError: it is nothing of the kind.
    """
    if not isinstance(packed, list) or len(packed) > 1:
        raise ValueError("no packed value")
    return packed[0] if packed else ABSENT
