"""Marks the pages of a database file, so that a later capture need not read the pages that have not changed.

A *mark* lists the pages of each table's tree, with the row numbers that each page can hold and the SHA-256 of its
bytes. Two states of a table differ only in rows within the range of a page that no longer is as the mark says: going
down from the root to a row, each unchanged page leads to the same next page, to the same cell and to the same overflow
pages. So the structure need be known for the marked state only. Other changes of the file do not matter (vacuum, other
tables, free pages): a page that was moved elsewhere is a page that changed.

The reading of a row also depends on the table's definition and on its root page: both are in the mark.

**The file is read beside SQLite.** The caller holds a read transaction. Outside WAL mode nobody writes to the file
during one. In WAL mode a checkpoint may, but it writes only pages that are in the log. So every page with a frame in
the log, whether the frame counts or not, is taken for changed and never looked at.

This runs in a process of its own, see :mod:`epicvc.database.sqlite.pages.marking`.
"""

from __future__ import annotations

import os
import sys
from array import array
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from typing import Final

import msgspec

from epicvc.database.sqlite.pages.btree import Root, Unfamiliar, walk

UNKNOWN: Final = bytes(32)
"""Stands for the hash of a page whose bytes are not known; no page has it."""

WORN: Final = 32
"""A mark is worn once one page in this many has to be read: making a new mark takes about as long."""

MANY: Final = 16
"""A table is read as a whole when more than one page in this many has changed, unless those pages are few."""

MOST: Final = 4096
"""A table is also read as a whole when more pages than this have changed, since the differences are held in memory."""

_PAGE: Final = "I"
_ROW: Final = "q"

_HEADER: Final = 100
_LEAST_USABLE: Final = 480
_LOG_HEADER, _FRAME_HEADER = 32, 24
_LOG_MAGIC: Final = (0x377F0682, 0x377F0683)


class Tree(msgspec.Struct, array_like=True, forbid_unknown_fields=True):
    """The pages of one table, in arrays of this machine's byte order: a large file has hundreds of thousands of pages.

    Attributes:
        root: the first page, with the stamp of the table's definition.
        pages: the numbers of the pages, 4 bytes each, each page before those below it.
        first: the smallest row number that each page can hold, 8 bytes each.
        last: the greatest row number, 8 bytes each.
        hashes: the SHA-256 of each page, 32 bytes each.
    """

    root: Root
    pages: bytes
    first: bytes
    last: bytes
    hashes: bytes

    @property
    def numbers(self) -> memoryview:
        """The numbers of the pages."""
        return memoryview(self.pages).cast(_PAGE)

    @property
    def ranges(self) -> Iterator[tuple[int, int]]:
        """The range of row numbers that each page can hold."""
        return zip(memoryview(self.first).cast(_ROW), memoryview(self.last).cast(_ROW), strict=True)


class Mark(msgspec.Struct, array_like=True, forbid_unknown_fields=True):
    """The mark of a file: its page size, and its trees by table."""

    page_size: int
    trees: dict[str, Tree]


class PageQuestion(msgspec.Struct, array_like=True):
    """The question to the process.

    Attributes:
        path: the database file.
        identity: the file's device and inode.
        roots: the beginnings of the tables' trees.
        mark: an earlier mark to compare with; ``None`` to make one.
    """

    path: bytes
    identity: tuple[int, int]
    roots: dict[str, Root]
    mark: bytes | None


class PageChanges(msgspec.Struct, array_like=True):
    """The possible changes since a mark.

    Attributes:
        tables: by table, ranges of row numbers, ascending, both ends included; nothing is known of a table that is
            missing.
        worn: it is time for a new mark.
    """

    tables: dict[str, list[tuple[int, int]]]
    worn: bool


class PageFile:
    """A database file read page by page, beside SQLite.

    Args:
        descriptor: the open file.
        path: its path, beside which the log lies.
    """

    def __init__(self, descriptor: int, path: bytes) -> None:
        header = os.pread(descriptor, _HEADER, 0)
        if len(header) < _HEADER:
            raise Unfamiliar("it has no header")
        self._descriptor = descriptor
        size = int.from_bytes(header[16:18], "big")
        self.page_size = 65_536 if size == 1 else size
        self.usable = self.page_size - header[20]
        if self.usable < _LEAST_USABLE:
            raise Unfamiliar(f"pages of {self.usable} bytes")
        self._taken = bytearray()  # one byte per page: 1 once it was taken from the file
        self._taken_in_log: set[int] = set()
        self.in_log: Final = frozenset(_pages_in_log(path + b"-wal", self.page_size))

    def take(self, page: int) -> bytes | None:
        """Return a page that was not taken before; ``None`` where the log may have a newer one."""
        if not page or page in self._taken_in_log or self._taken[page : page + 1] == b"\1":
            raise Unfamiliar(f"page {page} is used twice")
        if page in self.in_log:
            self._taken_in_log.add(page)
            return None
        content = os.pread(self._descriptor, self.page_size, (page - 1) * self.page_size)
        if len(content) < self.page_size:
            raise Unfamiliar(f"there is no page {page}")
        self._taken.extend(bytes(max(0, page + 1 - len(self._taken))))
        self._taken[page] = 1
        return content

    def changed(self, tree: Tree) -> set[int]:
        """Return the positions, in the order of the mark, of the pages that no longer are as it says."""
        found: set[int] = set()
        size, hashes, pages = self.page_size, tree.hashes, tree.numbers
        for at in sorted(range(len(pages)), key=pages.__getitem__):  # in the order of the disk
            page = pages[at]
            content = os.pread(self._descriptor, size, (page - 1) * size)
            if sha256(content).digest() != hashes[32 * at : 32 * at + 32] or page in self.in_log:
                found.add(at)
        return found


def _pages_in_log(path: bytes, page_size: int) -> Iterator[int]:
    """Yield the pages that have a frame in the log, whether the frame counts or not."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return
    try:
        header = os.pread(descriptor, _LOG_HEADER, 0)
        if len(header) < _LOG_HEADER or int.from_bytes(header[:4], "big") not in _LOG_MAGIC:
            return  # the log holds nothing
        if int.from_bytes(header[8:12], "big") != page_size:
            raise Unfamiliar("the log has pages of another size")
        for at in range(_LOG_HEADER, os.fstat(descriptor).st_size, _FRAME_HEADER + page_size):
            yield int.from_bytes(os.pread(descriptor, 4, at), "big")
    finally:
        os.close(descriptor)


def make(file: PageFile, roots: dict[str, Root]) -> Mark:
    """Mark the pages of tables.

    Raises:
        Unfamiliar: the file is not as the format says.
    """
    return Mark(file.page_size, {name: _tree(file, root) for name, root in roots.items()})


def _tree(file: PageFile, root: Root) -> Tree:
    pages, first, last, hashes = array(_PAGE), array(_ROW), array(_ROW), bytearray()
    for place in walk(file.take, root.page, file.usable):
        pages.append(place.page)
        first.append(place.first)
        last.append(place.last)
        hashes += UNKNOWN if place.content is None else sha256(place.content).digest()
    return Tree(root, pages.tobytes(), first.tobytes(), last.tobytes(), bytes(hashes))


def compare(file: PageFile, roots: dict[str, Root], mark: Mark) -> PageChanges:
    """Find the changes that are possible since a mark was made."""
    if mark.page_size != file.page_size:
        return PageChanges({}, worn=True)
    told: dict[str, list[tuple[int, int]]] = {}
    unknown = total = read = 0
    for name, root in roots.items():
        tree = mark.trees.get(name)
        if tree is None or tree.root != root:
            unknown += 1
            continue
        ranges, pages = _touched(tree, file.changed(tree))
        if not pages or (root.numbered and pages <= _most(tree)):
            told[name] = ranges
        else:
            pages = len(tree.numbers)
        total += len(tree.numbers)
        read += pages
    return PageChanges(told, worn=unknown > 0 or read * WORN > total)


def _most(tree: Tree) -> int:
    return max(MANY, min(len(tree.numbers) // MANY, MOST))


def _touched(tree: Tree, changed: set[int]) -> tuple[list[tuple[int, int]], int]:
    """Return the ranges of the changed pages, adjacent ones merged, and the number of pages in these ranges."""
    ranges: list[tuple[int, int]] = []
    count = 0
    for at, (first, last) in enumerate(tree.ranges):
        # each page comes after those above it, so that only the last range can hold it
        inside = bool(ranges) and ranges[-1][0] <= first and last <= ranges[-1][1]
        if at in changed and not inside:
            touches = bool(ranges) and first == ranges[-1][1] + 1
            ranges.append((ranges.pop()[0], last) if touches else (first, last))
            inside = True
        count += inside
    return ranges, count


def answer(question: PageQuestion) -> PageChanges | Mark | None:
    """Make a mark or compare with one; return ``None`` where the file does not allow it."""
    try:
        with _opened(question) as file:
            if question.mark is None:
                return make(file, question.roots)
            return compare(file, question.roots, msgspec.msgpack.decode(question.mark, type=Mark))
    except (OSError, Unfamiliar, msgspec.MsgspecError):
        return None


@contextmanager
def _opened(question: PageQuestion) -> Iterator[PageFile]:
    descriptor = os.open(question.path, os.O_RDONLY)
    try:
        found = os.fstat(descriptor)
        if (found.st_dev, found.st_ino) != question.identity:
            raise Unfamiliar("another file has taken its place")
        yield PageFile(descriptor, question.path)
    finally:
        os.close(descriptor)


def main() -> None:
    """Read a question from standard input, and write the answer if there is one."""
    question = msgspec.msgpack.decode(sys.stdin.buffer.read(), type=PageQuestion)
    found = answer(question)
    if found is not None:
        sys.stdout.buffer.write(msgspec.msgpack.encode(found))
