"""Files that only save work: what is in them can be made again, so that one that cannot be used is as good as none.

A mark that names the kind and its version, a value in MessagePack, and the SHA-256 of both.
"""

from __future__ import annotations

import hashlib
from contextlib import suppress
from pathlib import Path
from typing import Final, Generic, TypeVar

import msgspec

from epicvc.errors import FileUnavailable
from epicvc.fileio import atomic_write, read_file

_DIGEST: Final = 32

T = TypeVar("T")


class CacheFile(Generic[T]):
    """One kind of such files.

    Args:
        name: what is in it.
        version: raised whenever that changes, 0 to 255; files of another version are none.
        kind: the type of the value.
    """

    def __init__(self, name: str, version: int, kind: type[T]) -> None:
        self._mark = name.encode() + bytes((version,))
        self._decode = msgspec.msgpack.Decoder(kind).decode
        self._encode_into = msgspec.msgpack.Encoder().encode_into

    def load(self, path: Path) -> T | None:
        """Read a file; ``None`` if it is missing, damaged, foreign or of another version."""
        try:
            data = read_file(path)
        except FileUnavailable:
            return None
        body = memoryview(data)[:-_DIGEST]
        if not data.startswith(self._mark) or hashlib.sha256(body).digest() != data[-_DIGEST:]:
            return None
        try:
            return self._decode(body[len(self._mark) :])
        except msgspec.DecodeError:
            return None

    def save(self, path: Path, value: T) -> None:
        """Write a file; failing to is no failure. It is not synced to disk: after a crash it may be none."""
        data = bytearray(self._mark)
        self._encode_into(value, data, len(data))  # in place: these files are the largest that is held
        data += hashlib.sha256(data).digest()
        with suppress(FileUnavailable):
            atomic_write(path, data, mode=0o600, durable=False)
