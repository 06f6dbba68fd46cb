"""The stat cache: an index of files kept in a file, so that what has not changed need not be read again.

It only ever saves work: a cache that is missing, damaged, foreign or of another version is an empty one. The file is a
mark with the version, the index in MessagePack, and the SHA-256 of both.
"""

from __future__ import annotations

import hashlib
import os
import time
from pathlib import Path
from typing import Final

import msgspec

from epicvc.errors import FileUnavailable
from epicvc.fileio import atomic_write, read_file
from epicvc.files.index import FileIndex
from epicvc.files.scan import times_of

VERSION: Final = 2
_MARK: Final = b"epicvc.stat-cache" + bytes((VERSION,))
_DIGEST: Final = 32
_CLOCK: Final = "clock"
_TICK_NS: Final = 20_000_000  # file times advance with the kernel's timer, every 1 to 10 ms
_COARSE_NS: Final = 2_000_000_000  # and every 2 s on the coarsest file systems

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(FileIndex).decode


def load_index(path: Path, basis: str) -> FileIndex:
    """Read a cache; empty if it cannot be used.

    Args:
        path: the cache.
        basis: what its rows have to depend on.
    """
    empty = FileIndex(basis)
    try:
        data = read_file(path)
    except FileUnavailable:
        return empty
    body = memoryview(data)[:-_DIGEST]
    if not data.startswith(_MARK) or hashlib.sha256(body).digest() != data[-_DIGEST:]:
        return empty
    try:
        index = _decode(body[len(_MARK) :])
    except msgspec.DecodeError:
        return empty
    return index if index.basis == basis else empty


def save_index(path: Path, index: FileIndex) -> None:
    """Write a cache. It is not synced to disk: a cache lost in a crash costs one full scan.

    Raises:
        FileUnavailable: it could not be written.
    """
    body = _MARK + _encode(index)
    atomic_write(path, body + hashlib.sha256(body).digest(), mode=0o600, durable=False)


def is_settled(stat: bytes, observed_ns: int) -> bool:
    """Whether a file cannot change any more without its stat changing.

    git's rule for racily clean entries, applied when a file is remembered rather than when that is used: a file whose
    times are not older than the moment before it was read may be written again within the same tick of the clock.

    Args:
        stat: the file's :func:`~epicvc.files.scan.stat_key` from before it was read.
        observed_ns: :func:`clock_ns` from before it was read.
    """
    mtime_ns, ctime_ns = times_of(stat)
    granularity = _TICK_NS if ctime_ns % 1_000_000_000 else _COARSE_NS
    return max(mtime_ns, ctime_ns) < observed_ns - granularity


def clock_ns(directory: Path) -> int:
    """The time by the clock that stamps the files of a directory, which on a network is not this machine's.

    It is read off an empty file, ``clock``, that stays there: a new one each time would have to be removed, and
    would be left behind whenever that fails.

    Returns:
        Nanoseconds since the epoch, in the steps of that clock; this machine's time if the directory is
        read-only.
    """
    try:
        descriptor = os.open(directory / _CLOCK, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError:
        return time.time_ns()
    try:
        os.utime(descriptor)
        return os.fstat(descriptor).st_mtime_ns
    except OSError:  # somebody else's file
        return time.time_ns()
    finally:
        os.close(descriptor)
