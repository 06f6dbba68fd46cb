"""Small JSON files below ``.epicvc/``, which only their owner can read. Values are stored exactly."""

from __future__ import annotations

from pathlib import Path

from epicvc.base.fileio import atomic_write, make_directories, read_file
from epicvc.base.jsonio import JSON, dumps_text, parse
from epicvc.errors import InvalidJSON
from epicvc.merge.threeway import ABSENT, Value


def load(path: Path) -> JSON:
    """Return the content of a file, or ``None`` if it does not exist or is damaged. These files can be made again.

    Raises:
        FileUnavailable: the file exists and cannot be read.
    """
    if not path.exists():
        return None
    try:
        return parse(read_file(path), source=str(path))
    except InvalidJSON:
        return None


def save(path: Path, value: JSON, root: Path) -> None:
    """Write a file durably, so that only its owner can read it.

    Raises:
        FileUnavailable: the file cannot be written; the earlier content stays.
    """
    make_directories(path.parent, root)
    path.parent.chmod(0o700)
    atomic_write(path, dumps_text(value, indent=" ").encode() + b"\n", mode=0o600)


def pack(value: Value) -> JSON:
    """Return a value that may be absent as a list of one, or of none."""
    return [] if value is ABSENT else [value]


def unpack(packed: JSON) -> Value:
    """Return the value that :func:`pack` packed.

    Raises:
        ValueError: the argument is no packed value.
    """
    if not isinstance(packed, list) or len(packed) > 1:
        raise ValueError("no packed value")
    return packed[0] if packed else ABSENT
