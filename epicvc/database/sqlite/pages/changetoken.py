"""Tells whether a SQLite database has changed, without opening it.

The token is ``stat`` of the main file and of its ``-wal``, with the header of the WAL. Every commit writes one of the
two files. Modification time, change time and size show that; where the WAL starts anew in place, the salts in its
header do. An empty WAL holds nothing and counts as none, since reading a database in WAL mode makes one.

The main file is never opened here, so its own change counter is no part of the token. POSIX drops every lock that a
process has on a file when the process closes *any* descriptor of that file: reading 28 bytes would release the locks of
a SQLite connection that this process (or the application that imports epicvc) has open. The counter would add nothing
in WAL mode, and in the other modes a commit always moves the change time. SQLite takes no locks on the ``-wal`` file.

Racy-clean: a write in the same tick of the file system's clock as the one before it moves no time stamp. So a token is
given only when the newest stamp is older than that tick by a margin. A file system that shows fractions of a second has
a tick of at most 10 ms (the kernel's); 100 ms covers it. Whole seconds may mean a tick of one second or of two (FAT),
which 3 s cover. A stamp in the future says nothing about the next one, so it gives no token either.

This module imports next to nothing, because commands that have to start fast ask it.
"""

from __future__ import annotations

import os
import time

FINE_MARGIN_NS = 100_000_000
COARSE_MARGIN_NS = 3_000_000_000
_SECOND_NS = 1_000_000_000
_WAL_HEADER = 32


def change_token(path: str | os.PathLike[str], now_ns: int | None = None) -> str | None:
    """Return the token of the database, or ``None`` when there can be none (racy, missing, unreadable).

    Take it *before* reading: a change during the reading then gives another token later.

    Args:
        path: the main file.
        now_ns: the present, nanoseconds since 1970; for tests.
    """
    now = time.time_ns() if now_ns is None else now_ns
    wal_path = f"{os.fspath(path)}-wal"
    try:
        main = os.stat(path)
    except OSError:
        return None
    try:
        wal = os.stat(wal_path)
    except FileNotFoundError:
        wal = None
    except OSError:
        return None
    stamps, words, header = [main.st_mtime_ns, main.st_ctime_ns], [_words(main)], b""
    if wal is not None and wal.st_size:
        # Not its ctime: whenever SQLite opens the log for the superuser, it gives it the database's owner.
        stamps.append(wal.st_mtime_ns)
        words.append(f"{wal.st_mtime_ns}.{wal.st_size}.{wal.st_ino}")
        try:
            header = _head(wal_path)
        except OSError:  # removed in between, by a client that closed the database
            return None
    if any(is_racy(stamp, now) for stamp in stamps):
        return None
    return "/".join([*words, header.hex()])


def wait_until_calm(path: str | os.PathLike[str]) -> None:
    """Wait, for a tenth of a second at most, until a database that was just written can have a token."""
    try:
        stamp = os.stat(path).st_ctime_ns
    except OSError:
        return
    missing = stamp + FINE_MARGIN_NS - time.time_ns()
    if 0 <= missing <= FINE_MARGIN_NS:
        time.sleep((missing + 1_000_000) / 1e9)


def is_racy(stamp_ns: int, now_ns: int) -> bool:
    """Return whether a file could be written again without its time stamp moving.

    Args:
        stamp_ns: the file's time, nanoseconds since 1970.
        now_ns: the present, nanoseconds since 1970.
    """
    margin = FINE_MARGIN_NS if stamp_ns % _SECOND_NS else COARSE_MARGIN_NS
    return stamp_ns > now_ns - margin


def _words(found: os.stat_result) -> str:
    return f"{found.st_mtime_ns}.{found.st_ctime_ns}.{found.st_size}.{found.st_ino}"


def _head(path: str) -> bytes:
    # O_NONBLOCK: a FIFO in this place reads as empty and is not waited for
    with open(path, "rb", buffering=0, opener=lambda path, flags: os.open(path, flags | os.O_NONBLOCK)) as file:
        return file.read(_WAL_HEADER) or b""
