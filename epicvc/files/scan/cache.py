"""The stat cache: an index of files, kept in a file, so that unchanged files need not be read again."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Final

from epicvc.base.cachefile import CacheFile
from epicvc.base.logs import Log
from epicvc.files.scan.index import FileIndex
from epicvc.files.scan.scan import is_settled as is_settled

VERSION: Final = 3
_CLOCK: Final = "clock"
_CLOCK_FLAGS: Final = (
    os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
)  # a FIFO is not waited for

_LOG: Final = Log("cache")
_FILE: Final = CacheFile("epicvc.stat-cache", VERSION, FileIndex, check=FileIndex.check)


def load_index(path: Path, basis: str) -> FileIndex:
    """Read a cache; empty if it cannot be used.

    Args:
        path: the cache.
        basis: the basis on which its rows must depend.
    """
    index = _FILE.load(path)
    if index is not None and index.basis == basis:
        return index
    if index is not None:
        _LOG.debug("%s is made again: what it depends on has changed", path.name)
    return FileIndex(basis)


def save_index(path: Path, index: FileIndex) -> None:
    """Write a cache. A failure to write is ignored."""
    _FILE.save(path, index)


def clock_ns(directory: Path) -> int:
    """Return the time by the clock that stamps the files of a directory.

    On a network that clock is not this machine's.

    The time is read off an empty file, ``clock``, that stays there. A new file each time would have to be removed, and
    would be left behind whenever the removal fails.

    Returns:
        Nanoseconds since the epoch, in the steps of that clock; this machine's time if the directory is
        read-only.
    """
    try:
        descriptor = os.open(directory / _CLOCK, _CLOCK_FLAGS, 0o600)
    except OSError:
        return time.time_ns()
    try:
        os.utime(descriptor)
        return os.fstat(descriptor).st_mtime_ns
    except OSError:  # the file belongs to somebody else
        return time.time_ns()
    finally:
        os.close(descriptor)
