"""The stat cache: what is known of files that have not changed, so that they need not be read again.

It only ever saves work: a cache that is missing, damaged or foreign is an empty one.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from pathlib import Path
from typing import Any, Final, NamedTuple

from epicvc.errors import FileUnavailable
from epicvc.fileio import atomic_write, read_file
from epicvc.files.scan import StatKey

_FORMAT: Final = "epicvc.stat-cache/1"
_TRAILER: Final = 65  # a line feed and a SHA-256 in hexadecimal
_CLOCK: Final = "clock"
_TICK_NS: Final = 20_000_000  # file times advance with the kernel's timer, every 1 to 10 ms
_COARSE_NS: Final = 2_000_000_000  # and every 2 s on the coarsest file systems


class CacheEntry(NamedTuple):
    """What is known of one file.

    Args:
        stat: the file's stat when this was learnt.
        blob_id: the id of its bytes.
        epic_id: the epic in it, if it is one.
        core_id: the id of the epic's core.
        flags: the caller's.
    """

    stat: StatKey
    blob_id: bytes
    epic_id: str | None = None
    core_id: bytes | None = None
    flags: int = 0


class StatCache:
    """Path -> :class:`CacheEntry`.

    Args:
        header: strings that say what the entries depend on, such as the configuration; compare after loading.
        entries: the entries.
    """

    def __init__(self, header: dict[str, str] | None = None, entries: dict[str, CacheEntry] | None = None) -> None:
        self.header = header if header is not None else {}
        self.entries = entries if entries is not None else {}

    def lookup(self, path: str, stat: StatKey) -> CacheEntry | None:
        """What is known of a file if it has not changed."""
        entry = self.entries.get(path)
        return entry if entry is not None and entry.stat == stat else None

    def record(self, path: str, entry: CacheEntry, *, observed_ns: int) -> bool:
        """Remember a file, unless it might change without its stat changing.

        git's rule for racily clean entries, applied on entry rather than on use: a file whose times are not
        older than the moment before it was read may be written again within the same tick of the clock.

        Args:
            path: the file.
            entry: what was learnt, with the stat from before the reading.
            observed_ns: :func:`clock_ns` from before the reading.

        Returns:
            Whether it was remembered. If not, the file is read again next time.
        """
        latest = max(entry.stat.mtime_ns, entry.stat.ctime_ns)
        granularity = _TICK_NS if entry.stat.ctime_ns % 1_000_000_000 else _COARSE_NS
        if latest >= observed_ns - granularity:
            self.entries.pop(path, None)
            return False
        self.entries[path] = entry
        return True

    @classmethod
    def load(cls, path: Path) -> StatCache:
        """Read a cache; empty if it cannot be used."""
        try:
            data = read_file(path)
        except FileUnavailable:
            return cls()
        if _trailer(data[:-_TRAILER]) != data[-_TRAILER:]:
            return cls()
        try:
            return _decode(json.loads(data[:-_TRAILER]))
        except (ValueError, KeyError, TypeError):
            return cls()

    def save(self, path: Path) -> None:
        """Write the cache. It is not synced to disk: a cache lost in a crash costs one full scan.

        Raises:
            FileUnavailable: it could not be written.
        """
        body = json.dumps(_encode(self), separators=(",", ":"), ensure_ascii=False).encode()
        atomic_write(path, body + _trailer(body), mode=0o600, durable=False)


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


def _trailer(body: bytes) -> bytes:
    return b"\n" + hashlib.sha256(body).hexdigest().encode()


def _encode(cache: StatCache) -> dict[str, object]:
    """Columns instead of rows: half the time to read."""
    entries = cache.entries.values()
    return {
        "format": _FORMAT,
        "header": cache.header,
        "path": list(cache.entries),
        "mtime": [e.stat.mtime_ns for e in entries],
        "ctime": [e.stat.ctime_ns for e in entries],
        "size": [e.stat.size for e in entries],
        "inode": [e.stat.inode for e in entries],
        "blob": [e.blob_id.hex() for e in entries],
        "epic": [e.epic_id for e in entries],
        "core": [e.core_id.hex() if e.core_id is not None else None for e in entries],
        "flags": [e.flags for e in entries],
    }


def _decode(columns: Any) -> StatCache:
    header = columns["header"]
    if columns["format"] != _FORMAT or not isinstance(header, dict):
        raise ValueError
    stats = map(StatKey._make, zip(*(columns[name] for name in ("mtime", "ctime", "size", "inode")), strict=True))
    blobs = map(bytes.fromhex, columns["blob"])
    cores = [None if core is None else bytes.fromhex(core) for core in columns["core"]]
    rows = zip(stats, blobs, columns["epic"], cores, columns["flags"], strict=True)
    return StatCache(header, dict(zip(columns["path"], map(CacheEntry._make, rows), strict=True)))
