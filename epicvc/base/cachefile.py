"""Files that only save work: what is in them can be made again, so that one that cannot be used is as good as none.

A mark that names the kind and its version, a value in MessagePack, and a checksum of both. The type of the value says
all that can be in it, so that no file is nested more deeply than its type.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final, Generic, TypeAlias, TypeVar
from zlib import crc32

import msgspec

from epicvc.base.fileio import atomic_write, read_file
from epicvc.base.logs import Log
from epicvc.errors import FileUnavailable

T = TypeVar("T")

_LOG: Final = Log("cache")

_Bytes: TypeAlias = bytes | bytearray | memoryview


def _sha256(data: _Bytes) -> bytes:
    from hashlib import sha256  # takes longer to import than a short command may run

    return sha256(data).digest()


def _crc(data: _Bytes) -> bytes:
    return crc32(data).to_bytes(4, "big")


class CacheFile(Generic[T]):
    """One kind of such files.

    Args:
        name: what is in it.
        version: raised whenever that changes, 0 to 255; files of another version are none.
        kind: the type of the value.
        light: for small ones that commands read which need no ``hashlib``: a CRC-32 is their checksum, not a SHA-256.
        check: raises ``ValueError`` for a value of which no use can be made, although its type is right.
    """

    def __init__(
        self,
        name: str,
        version: int,
        kind: type[T],
        *,
        light: bool = False,
        check: Callable[[T], object] = lambda _: None,
    ) -> None:
        self._check = check
        self._mark = name.encode() + bytes((version,))
        self._checksum, self._size = (_crc, 4) if light else (_sha256, 32)
        self._decode = msgspec.msgpack.Decoder(kind).decode
        self._encode_into = msgspec.msgpack.Encoder().encode_into

    def load(self, path: Path) -> T | None:
        """Read a file; ``None`` if it is missing, damaged, foreign or of another version."""
        try:
            data = read_file(path)
        except FileUnavailable as error:
            return self._miss(path, error.message)
        body = memoryview(data)[: -self._size]
        if not data.startswith(self._mark) or self._checksum(body) != data[-self._size :]:
            return self._miss(path, "it is of another version or damaged")
        try:
            value = self._decode(body[len(self._mark) :])
            self._check(value)
        except ValueError:  # a text that is no UTF-8 is none of msgspec's own errors
            return self._miss(path, "it is damaged")
        return value

    @staticmethod
    def _miss(path: Path, why: str) -> None:
        _LOG.debug("%s is made again: %s", path.name, why)

    def save(self, path: Path, value: T) -> None:
        """Write a file; failing to is no failure. It is not synced to disk: after a crash it may be none."""
        data = bytearray(self._mark)
        self._encode_into(value, data, len(data))  # in place: these files are the largest that is held
        data += self._checksum(data)
        with suppress(FileUnavailable):
            atomic_write(path, data, mode=0o600, durable=False)
