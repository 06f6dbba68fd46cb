"""Finding the tracked files, at the cost of one ``stat`` each. Nothing is read here."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from epicvc.errors import FileUnavailable, UnsafeName
from epicvc.fileio import TEMPORARY_SUFFIX

DEFAULT_INCLUDE: Final = ("**/*.json",)


class StatKey(NamedTuple):
    """What changes when a file does."""

    mtime_ns: int
    ctime_ns: int
    size: int
    inode: int

    @classmethod
    def of(cls, found: os.stat_result) -> StatKey:
        """The key in a result of ``stat``."""
        return cls(found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_ino)


class FoundFile(NamedTuple):
    """A tracked file: its path relative to the root, with ``/``, and its stat."""

    path: str
    stat: StatKey


def scan(
    root: Path,
    include: Sequence[str] = DEFAULT_INCLUDE,
    exclude: Sequence[str] = (),
    *,
    skipped: Callable[[str, str], None] | None = None,
    entered: Callable[[str], None] | None = None,
) -> Iterator[FoundFile]:
    """Find regular files below a directory, sorted by the bytes of their paths.

    Hidden files and directories and epicvc's own temporary files are passed over; no symlink is followed.

    Args:
        root: the files directory.
        include: patterns, see :func:`compile_patterns`.
        exclude: patterns; one that matches a directory excludes all below it.
        skipped: told of each path that would be tracked if it were a regular file, with the reason.
        entered: told of each directory before it is read; relative to the root, with a ``/`` at the end.

    Raises:
        FileUnavailable: a directory cannot be read.
        UnsafeName: a tracked file's name is not UTF-8.
    """
    wanted, unwanted = compile_patterns(include), compile_patterns(exclude)
    found: list[FoundFile] = []
    directories = [""]
    while directories:
        prefix = directories.pop()
        if entered is not None:
            entered(prefix)
        for entry in _entries(root / prefix):
            name = entry.name
            if name.startswith(".") or name.endswith(TEMPORARY_SUFFIX):
                continue
            path = prefix + name
            if entry.is_dir(follow_symlinks=False):
                if not unwanted(path):
                    directories.append(path + "/")
            elif wanted(path) and not unwanted(path):
                file = _examine(entry, path, skipped)
                if file is not None:
                    found.append(file)
    found.sort()  # the order of code points is that of UTF-8
    return iter(found)


def compile_patterns(patterns: Sequence[str]) -> Callable[[str], bool]:
    """A test whether a path matches one of some patterns.

    ``*`` and ``?`` stay within a segment, ``**`` as a segment stands for any number of directories, none
    included (at the end: for everything below). Every other character stands for itself, ``[`` too, since
    placeholders such as ``[EPIC-ID]`` occur in names.
    """
    if not patterns:
        return lambda path: False
    if tuple(patterns) == DEFAULT_INCLUDE:
        return lambda path: path.endswith(".json")
    compiled = re.compile("|".join(_expression(pattern) for pattern in patterns), re.DOTALL)
    return lambda path: compiled.fullmatch(path) is not None


def _expression(pattern: str) -> str:
    *directories, last = pattern.split("/")
    parts = ["(?:[^/]+/)*" if segment == "**" else _segment(segment) + "/" for segment in directories]
    return "".join(parts) + (".+" if last == "**" else _segment(last))


def _segment(segment: str) -> str:
    return "".join({"*": "[^/]*", "?": "[^/]"}.get(c, re.escape(c)) for c in re.sub(r"\*+", "*", segment))


def _entries(directory: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(directory) as entries:
            return list(entries)
    except OSError as error:
        raise FileUnavailable(str(directory), error.strerror or str(error)) from error


def _examine(entry: os.DirEntry[str], path: str, skipped: Callable[[str, str], None] | None) -> FoundFile | None:
    try:
        found = entry.stat(follow_symlinks=False)
    except FileNotFoundError:
        return None  # gone since the directory was read
    except OSError as error:
        raise FileUnavailable(entry.path, error.strerror or str(error)) from error
    if not stat.S_ISREG(found.st_mode):
        if skipped is not None:
            skipped(path, "a symlink" if stat.S_ISLNK(found.st_mode) else "not a regular file")
        return None
    if not path.isascii():
        _check_encoding(path)
    return FoundFile(path, StatKey(found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_ino))


def _check_encoding(path: str) -> None:
    try:
        path.encode()
    except UnicodeEncodeError:
        raise UnsafeName(path, "not UTF-8") from None
