"""Finds the tracked files, at the cost of one ``stat`` each. Reads none of them.

Imports next to nothing, since a large repo's files are looked at before anything else is imported.
"""

from __future__ import annotations

import os
import stat
import struct

from epicvc.base import TEMPORARY_SUFFIX
from epicvc.files.scan.patterns import DEFAULT_INCLUDE, compile_patterns, literal_start

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from epicvc.errors import FileUnavailable, UnsafeName

STAT_SIZE = 32

_KEY = struct.Struct("<qqqQ")
_pack = _KEY.pack
_WORD = 1 << 64
_TICK_NS = 20_000_000  # file times advance with the kernel's timer, every 1 to 10 ms
_COARSE_NS = 2_000_000_000  # and every 2 s on the coarsest file systems
_KIND = 0o170000  # the bits of a mode that tell files from directories
_BELOW = "/**"
"""The end of a pattern that matches all that is below some directories, and nothing else."""
_BETWEEN = "\0"  # in no path


def pack_paths(paths: Sequence[str]) -> bytes:
    """Return paths as one text.

    Raises:
        UnicodeEncodeError: one is no UTF-8.
    """
    return _BETWEEN.join(paths).encode()


def unpack_paths(packed: bytes | bytearray) -> list[str]:
    """Return the paths of which :func:`pack_paths` made a text."""
    return packed.decode().split(_BETWEEN) if packed else []


class FoundFiles:
    """The tracked files, sorted by the bytes of their paths.

    Args:
        packed_paths: :attr:`paths` as :func:`pack_paths` packs them; where nothing changed, no single path is needed.
        stats: the :func:`stat_key` of each, one after the other.
    """

    def __init__(self, packed_paths: bytes | bytearray = b"", stats: bytes | bytearray = b"") -> None:
        self.packed_paths = packed_paths
        self.stats = stats
        self._paths: list[str] | None = None

    def __len__(self) -> int:
        return len(self.stats) // STAT_SIZE

    @property
    def paths(self) -> list[str]:
        """The paths relative to the root, with ``/``; unpacked when they are asked for."""
        if self._paths is None:
            self._paths = unpack_paths(self.packed_paths)
        return self._paths

    def stat(self, row: int) -> bytes:
        """Return the :func:`stat_key` of one file."""
        return bytes(self.stats[row * STAT_SIZE : (row + 1) * STAT_SIZE])


def stat_key(found: os.stat_result) -> bytes:
    """Return the times, the size and the inode of a file, which change when it does, in :data:`STAT_SIZE` bytes."""
    try:
        return _pack(found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_ino)
    except struct.error:  # a time beyond the year 2262
        return _pack(found.st_mtime_ns % _WORD >> 1, found.st_ctime_ns % _WORD >> 1, found.st_size, found.st_ino)


def times_of(key: bytes) -> tuple[int, int]:
    """Return a file's times of modification and of any change, by its key, in nanoseconds since 1970."""
    mtime_ns, ctime_ns, _, _ = _KEY.unpack(key)
    return mtime_ns, ctime_ns


def is_settled(stat: bytes, observed_ns: int) -> bool:
    """Tell whether a file cannot change any more without its stat changing.

    It is git's rule for racily clean entries, applied when a file is remembered rather than when the memory is used. A
    file whose times are not older than the moment before it was read may be written again within the same tick of the
    clock.

    Args:
        stat: the file's :func:`stat_key` from before it was read.
        observed_ns: :func:`epicvc.files.scan.cache.clock_ns` from before it was read.
    """
    mtime_ns, ctime_ns = times_of(stat)
    granularity = _TICK_NS if ctime_ns % 1_000_000_000 else _COARSE_NS
    return max(mtime_ns, ctime_ns) < observed_ns - granularity


def scan(
    root: str | Path,
    include: Sequence[str] = DEFAULT_INCLUDE,
    exclude: Sequence[str] = (),
    *,
    skipped: Callable[[str, str], None] | None = None,
    entered: Callable[[str], None] | None = None,
) -> FoundFiles:
    """Find regular files below a directory.

    Hidden files and directories and epicvc's own temporary files are passed over; no symlink is followed.

    Args:
        root: the files directory.
        include: patterns, see :func:`epicvc.files.scan.patterns.compile_patterns`.
        exclude: patterns; one that matches a directory excludes all below it.
        skipped: told of each path that would be tracked if it were a regular file, with the reason.
        entered: told of each directory before it is read; relative to the root, with a ``/`` at the end.

    Raises:
        FileUnavailable: a directory cannot be read.
        UnsafeName: a tracked file's name is not UTF-8.
    """
    walk = _DirectoryWalk(root, include, exclude, skipped)
    directories = [""]
    while directories:
        prefix = directories.pop()
        if entered is not None:
            entered(prefix)
        directories.extend(reversed(walk.read(prefix)))
    return walk.found()


class _DirectoryWalk:
    """Collects the tracked files of one directory after the other."""

    def __init__(
        self,
        root: str | Path,
        include: Sequence[str],
        exclude: Sequence[str],
        skipped: Callable[[str, str], None] | None,
    ) -> None:
        self._root = os.fspath(root)
        self._wanted = compile_patterns(include)
        # Files below an excluded directory are never looked at, so these patterns need not be tried on files.
        whole = [pattern for pattern in exclude if pattern.endswith(_BELOW)]
        others = [pattern for pattern in exclude if not pattern.endswith(_BELOW)]
        self._closed = compile_patterns([*exclude, *(pattern.removesuffix(_BELOW) for pattern in whole)])
        self._unwanted = compile_patterns(others)
        self._suspect = tuple(map(literal_start, others))
        self._skipped = skipped
        self._paths: list[str] = []
        self._stats = bytearray()

    def read(self, prefix: str) -> list[str]:
        """Collect the files of a directory. Returns the directories in it, in order."""
        below: list[str] = []
        descriptor, names = _listed(f"{self._root}/{prefix[:-1]}" if prefix else self._root, follow=not prefix)
        wanted, suspect = self._wanted, self._suspect
        try:
            for name in names:
                if name.startswith(".") or name.endswith(TEMPORARY_SUFFIX):
                    continue
                path = prefix + name
                try:
                    # relative to the directory, so that the system does not walk the whole path for each
                    found = os.lstat(name, dir_fd=descriptor)
                except FileNotFoundError:
                    continue  # gone since the directory was read
                except OSError as error:
                    raise _unavailable(f"{self._root}/{path}", error) from error
                kind = found.st_mode & _KIND
                if kind == stat.S_IFDIR:
                    if not self._closed(path):
                        below.append(path + "/")
                elif wanted(path) and not (name.startswith(suspect) and self._unwanted(path)):
                    if kind == stat.S_IFREG:
                        self._paths.append(path)
                        self._stats += stat_key(found)
                    elif self._skipped is not None:
                        self._skipped(path, "a symlink" if kind == stat.S_IFLNK else "not a regular file")
        finally:
            os.close(descriptor)
        return below

    def found(self) -> FoundFiles:
        """Return everything that was collected."""
        paths = sorted(self._paths)  # the order of code points is that of UTF-8
        try:
            found = FoundFiles(pack_paths(paths), bytes(self._stats))
        except UnicodeEncodeError:
            raise _unsafe(paths) from None
        if paths == self._paths:
            return found
        rows = sorted(range(len(paths)), key=self._paths.__getitem__)  # a directory's files stand among its directories
        return FoundFiles(found.packed_paths, b"".join(map(found.stat, rows)))


def _listed(directory: str, *, follow: bool) -> tuple[int, list[str]]:
    """Open a directory. Returns its descriptor, and the names in it in order."""
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | (0 if follow else os.O_NOFOLLOW)
    try:
        descriptor = os.open(directory, flags)
    except OSError as error:
        raise _unavailable(directory, error) from error
    try:
        return descriptor, sorted(os.listdir(descriptor))  # noqa: PTH208  # pathlib lists no open directory
    except OSError as error:
        os.close(descriptor)
        raise _unavailable(directory, error) from error


def _unavailable(path: str, error: OSError) -> FileUnavailable:
    from epicvc.errors import FileUnavailable

    return FileUnavailable(path, error.strerror or str(error))


def _unsafe(paths: Sequence[str]) -> UnsafeName:
    """Return the fault of paths one of which is no UTF-8. The system's bytes that are none come as surrogates."""
    from epicvc.errors import UnsafeName

    return UnsafeName(next(path for path in paths if any("\ud800" <= char <= "\udfff" for char in path)), "not UTF-8")
