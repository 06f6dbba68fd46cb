"""A queue of values that wait: in memory while they are few, in a nameless file once they are many."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any, Final, Generic, TypeVar

from msgspec import msgpack

from epicvc.base.fileio import reporting

IN_MEMORY: Final = 8 << 20
"""The number of bytes that are kept in memory."""

_LENGTH: Final = struct.Struct(">I")

T = TypeVar("T")


class Spool(Generic[T]):
    """Takes values and gives them back in the same order, any number of times.

    Args:
        directory: the directory of the file. The system removes the file when it is closed or the process ends.
        revived: makes a value from the lists, texts, bytes and numbers that it was encoded as.
    """

    def __init__(self, directory: Path, revived: Callable[[Any], T]) -> None:
        self._directory = directory
        self._revived = revived
        self._encode = msgpack.Encoder().encode
        self._decode = msgpack.Decoder().decode
        self._opened: IO[bytes] | None = None
        self._count = 0

    @property
    def _file(self) -> IO[bytes]:
        if self._opened is None:
            import tempfile  # imported here since most commands spool nothing

            self._opened = tempfile.SpooledTemporaryFile(IN_MEMORY, dir=str(self._directory))  # noqa: SIM115
        return self._opened

    def __len__(self) -> int:
        return self._count

    def add(self, value: T) -> None:
        """Take a value.

        Raises:
            FileUnavailable: there is no space for the value.
        """
        data = self._encode(value)
        with reporting(self._directory):
            self._file.write(_LENGTH.pack(len(data)) + data)
        self._count += 1

    def __iter__(self) -> Iterator[T]:
        """Yield all values. None may be added before the last one is read.

        Raises:
            FileUnavailable: the values cannot be read.
        """
        if not self._count:
            return
        read, decode, revived, length = self._file.read, self._decode, self._revived, _LENGTH.unpack
        with reporting(self._directory):
            self._file.seek(0)
            for _ in range(self._count):
                yield revived(decode(read(length(read(_LENGTH.size))[0])))

    def close(self) -> None:
        """Forget all values."""
        if self._opened is not None:
            self._opened.close()
