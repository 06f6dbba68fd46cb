"""Looks at many files in one process, and tells another one of the findings through a pipe.

The process that looks imports this module and hardly more; see :mod:`epicvc.files.scan.early`.
"""

from __future__ import annotations

import os
import struct

from epicvc.files.scan.scan import STAT_SIZE, FoundFiles, scan, stat_key

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypeAlias

    Question: TypeAlias = tuple[str, tuple[str, ...], tuple[str, ...]]
    """The files that are meant, as the arguments of :func:`epicvc.files.scan.scan.scan`: root, include, exclude."""

MOST_DIRECTORIES = 300
"""The most directories for which an early look is worth it, since each costs the caller another look."""

_PIPE_BYTES = 1 << 20  # the most that an ordinary user may ask for
# a mark; the numbers of files, directories, and texts of paths left out; the bytes of paths and of names
_HEAD = struct.Struct("<4s5Q")
_MARK = b"look"
_END = "\0"  # in no path


class Answer:
    """The findings of a look.

    Args:
        found: the tracked files.
        skipped: the paths that would be tracked if they were regular files, each with the reason.
        directories: the directories that were read, relative to the root, with a ``/`` at the end.
        stamps: the :func:`~epicvc.files.scan.scan.stat_key` of each from before it was read, one after the other.
    """

    def __init__(
        self, found: FoundFiles, skipped: list[tuple[str, str]], directories: list[str], stamps: bytes | bytearray
    ) -> None:
        self.found = found
        self.skipped = skipped
        self.directories = directories
        self.stamps = stamps


class TooManyDirectories(Exception):
    """Too many directories were found for an early look to save anything."""


def look(question: Question) -> Answer:
    """Look in this process.

    Raises:
        FileUnavailable: a directory cannot be read.
        UnsafeName: a tracked file's name is not UTF-8.
        TooManyDirectories: there are so many directories that nothing would be saved.
    """
    skipped: list[tuple[str, str]] = []
    directories: list[str] = []
    stamps = bytearray()
    root, include, exclude = question

    def enter(directory: str) -> None:
        if len(directories) == MOST_DIRECTORIES:
            raise TooManyDirectories
        directories.append(directory)
        stamps.extend(stamp_of(root, directory))

    found = scan(root, include, exclude, skipped=lambda path, reason: skipped.append((path, reason)), entered=enter)
    return Answer(found, skipped, directories, stamps)


def stamp_of(root: str, directory: str) -> bytes:
    """Return the :func:`~epicvc.files.scan.scan.stat_key` of a directory that was read.

    Raises:
        OSError: the directory is not there any more.
    """
    return stat_key(os.stat(f"{root}/{directory}"))  # noqa: PTH116  # pathlib is what is not imported here


def pack(answer: Answer) -> bytes:
    """Return an answer as bytes. Paths that were left out are kept even where they are no UTF-8."""
    found, texts = answer.found, [text for pair in answer.skipped for text in pair]
    names = "".join(name + _END for name in (*answer.directories, *texts)).encode("utf-8", "surrogateescape")
    counts = len(found), len(answer.directories), len(texts), len(found.packed_paths), len(names)
    return b"".join((_HEAD.pack(_MARK, *counts), found.packed_paths, found.stats, answer.stamps, names))


def send(answer: Answer, pipe: int) -> None:
    """Write an answer, without waiting for the reader where the system has room for all of it."""
    import fcntl

    try:  # noqa: SIM105  # contextlib takes longer to import than all of this
        fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
    except (AttributeError, OSError):
        pass
    rest = memoryview(pack(answer))
    while rest:
        rest = rest[os.write(pipe, rest) :]


def receive(pipe: int) -> Answer | None:
    """Read the answer that :func:`send` writes; ``None`` where some of it is missing or wrong."""
    try:
        head = os.read(pipe, _HEAD.size)
        if len(head) != _HEAD.size:
            return None
        mark, files, count, texts, paths_bytes, names_bytes = _HEAD.unpack(head)
        if mark != _MARK or texts % 2:
            return None
        # Read right into place: these are the largest things that a short command holds.
        parts = [bytearray(size) for size in (paths_bytes, files * STAT_SIZE, count * STAT_SIZE, names_bytes)]
        if not all(_filled(pipe, part) for part in parts) or os.read(pipe, 1):
            return None
    except (OSError, OverflowError, MemoryError):
        return None
    paths, stats, stamps, packed_names = parts
    *names, rest = packed_names.decode("utf-8", "surrogateescape").split(_END)
    if rest or len(names) != count + texts or paths.count(0) + bool(paths) != files:
        return None
    left = iter(names[count:])
    return Answer(FoundFiles(paths, stats), list(zip(left, left, strict=True)), names[:count], stamps)


def _filled(pipe: int, part: bytearray) -> bool:
    """Read as many bytes as there is room for. Returns whether there were as many."""
    rest = memoryview(part)
    while rest:
        got = os.readv(pipe, [rest])
        if not got:
            return False
        rest = rest[got:]
    return True
