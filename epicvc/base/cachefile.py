"""Cache files: files that only save work. A file that cannot be used is treated as missing.

A file has a mark with its kind and version, a value in MessagePack, and a checksum of both. The type of the value
declares everything that can be in it, so no file is nested more deeply than its type.
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
    from hashlib import sha256  # imported here, since it takes longer to import than a short command may run

    return sha256(data).digest()


def _crc(data: _Bytes) -> bytes:
    return crc32(data).to_bytes(4, "big")


class CacheFile(Generic[T]):
    """One kind of cache file.

    Args:
        name: the name of the content.
        version: a number from 0 to 255, raised whenever the content changes. Files of another version are treated as
            missing.
        kind: the type of the value.
        light: whether the checksum is a CRC-32 and not a SHA-256. It is meant for small files that are read by commands
            which need no ``hashlib``.
        check: raises ``ValueError`` for a value that is useless although its type is right.
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
        except ValueError:  # not MsgspecError: a text that is no UTF-8 raises another ValueError
            return self._miss(path, "it is damaged")
        return value

    @staticmethod
    def _miss(path: Path, why: str) -> None:
        _LOG.debug("%s is made again: %s", path.name, why)

    def save(self, path: Path, value: T) -> None:
        """Write a file. A failure to write it is ignored.

        It is not synced to disk: after a crash it may be damaged, and is then treated as missing.
        """
        data = bytearray(self._mark)
        # in place, without a copy: these values are the largest that are in memory
        self._encode_into(value, data, len(data))
        data += self._checksum(data)
        with suppress(FileUnavailable):
            atomic_write(path, data, mode=0o600, durable=False)
