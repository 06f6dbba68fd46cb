"""What ``epicvc.toml`` says, kept beside the text that says so: for the same text no TOML parser is imported.

It cannot be out of date, since another text finds nothing, nor does another interpreter, whose parser may read
otherwise. Kept are texts, numbers, truth values, lists and tables; who writes a date has it parsed by every command.
``.epicvc/config`` is not kept, since it may hold a password that is meant to be nowhere else.

Only a cache: damaged or gone, it is made again. Its checksum is no SHA-256, which takes longer to import than TOML.
"""

from __future__ import annotations

import sys
from contextlib import suppress
from pathlib import Path
from typing import Any, Final
from zlib import crc32

from msgspec import DecodeError, msgpack

from epicvc.errors import FileUnavailable
from epicvc.fileio import atomic_write, read_file

FILE: Final = "config.cache"

_MARK: Final = b"epicvc.config/1 %08x\0" % sys.hexversion
_CHECKSUM: Final = 4


def recall(directory: Path, text: bytes) -> dict[str, Any] | None:
    """What a text says, if it was kept.

    Args:
        directory: the private directory.
        text: what is in ``epicvc.toml``.
    """
    try:
        data = read_file(directory / FILE)
    except FileUnavailable:
        return None
    checksum, body = data[len(_MARK) : len(_MARK) + _CHECKSUM], data[len(_MARK) + _CHECKSUM :]
    if not data.startswith(_MARK) or checksum != _checksum(body):
        return None
    try:
        known, said = msgpack.decode(body, type=tuple[bytes, dict[str, Any]])
    except (DecodeError, RecursionError):
        return None
    return said if known == text else None


def remember(directory: Path, text: bytes, said: dict[str, Any]) -> None:
    """Keep what a text says, where it can be kept. Failing to is no failure, nor is it that there is no directory."""
    try:
        body = msgpack.encode((text, said)) if _is_plain(said) else b""
    except (OverflowError, RecursionError):
        body = b""
    if body:
        with suppress(FileUnavailable):
            atomic_write(directory / FILE, _MARK + _checksum(body) + body, mode=0o600, durable=False)


def _is_plain(value: object) -> bool:
    """Whether it is read as it was written: dates would be texts."""
    if isinstance(value, dict):
        return all(map(_is_plain, value.values()))
    if isinstance(value, list):
        return all(map(_is_plain, value))
    return isinstance(value, (str, int, float))


def _checksum(body: bytes) -> bytes:
    return crc32(body).to_bytes(_CHECKSUM, "big")
