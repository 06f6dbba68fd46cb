"""Finds the pages of a SQLite file that hold the rows of a table, and the row numbers that each page can hold.

It follows the file format (https://sqlite.org/fileformat2.html) through the b-trees of tables with row numbers, and
reads no value. It trusts nothing: anything that is not exactly as the format says raises :class:`Unfamiliar`.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple, TypeAlias

LOWEST: Final = -(1 << 63)
HIGHEST: Final = (1 << 63) - 1

_INTERIOR, _LEAF = 0x05, 0x0D
_LEAF_HEADER, _INTERIOR_HEADER = 8, 12
_LONGEST_VARINT: Final = 9
_WORD: Final = struct.Struct(">I")


class Unfamiliar(Exception):
    """Raised when the file is not as the format says, or changed while it was read."""


class Root(NamedTuple):
    """The beginning of a table's tree.

    Attributes:
        page: its first page.
        stamp: stands for everything in the table's definition that decides how a row is read and keyed.
        numbered: the rows are keyed by their numbers.
    """

    page: int
    stamp: bytes
    numbered: bool


class PagePlace(NamedTuple):
    """A page of a table's tree.

    Attributes:
        page: its number, from 1.
        first: the smallest row number that it, or a page below it, can hold.
        last: the greatest such number.
        content: its bytes; ``None`` where they cannot be read, and then no page below it follows.
    """

    page: int
    first: int
    last: int
    content: bytes | None


ReadPage: TypeAlias = Callable[[int], bytes | None]
"""Returns a page by number, once; raises ``Unfamiliar`` when there is no such page or it was returned before."""


def walk(read: ReadPage, root: int, usable: int) -> Iterator[PagePlace]:
    """Yield every page of a table's tree: each before those below it, and these in the order of their rows.

    An overflow page stands for the one row that continues in it.

    Args:
        read: returns the pages.
        root: the page where the tree begins.
        usable: bytes of a page that the format uses.

    Raises:
        Unfamiliar: it is no such tree.
    """
    waiting = [(root, LOWEST, HIGHEST)]
    while waiting:
        page, first, last = waiting.pop()
        content = read(page)
        yield PagePlace(page, first, last, content)
        if content is None:
            continue
        try:
            if content[0] == _INTERIOR:
                waiting.extend(reversed(list(_children(content, first, last))))
            elif content[0] == _LEAF:
                for row, head, count in _overflowing(content, usable):
                    yield from _chain(read, row, head, count)
            else:
                raise Unfamiliar(f"page {page} is of another kind")
        except (IndexError, struct.error) as error:
            raise Unfamiliar(f"page {page} is damaged") from error


def _children(content: bytes, first: int, last: int) -> Iterator[tuple[int, int, int]]:
    """Yield the pages below an interior page, each with the range of its row numbers."""
    for cell in _cells(content, _INTERIOR_HEADER):
        number, _ = _varint(content, cell + 4)
        separator = _signed(number)
        if not first <= separator < last:
            raise Unfamiliar("rows are out of order")
        yield _WORD.unpack_from(content, cell)[0], first, separator
        first = separator + 1
    yield _WORD.unpack_from(content, 8)[0], first, last


def _overflowing(content: bytes, usable: int) -> Iterator[tuple[int, int, int]]:
    """Yield the rows of a leaf that continue elsewhere: row number, first overflow page, count of overflow pages."""
    most = usable - 35
    least = (usable - 12) * 32 // 255 - 23
    for cell in _cells(content, _LEAF_HEADER):
        head = content[cell]
        # Nearly every row fits, with a length of one or two bytes. Written inline, since calls would make a mark take
        # an eighth longer.
        if head < 0x80 or (content[cell + 1] < 0x80 and (head & 0x7F) << 7 | content[cell + 1] <= most):
            continue
        size, at = _varint(content, cell)
        if size <= most:
            continue
        row, at = _varint(content, at)
        share = least + (size - least) % (usable - 4)
        own = share if share <= most else least
        yield _signed(row), _WORD.unpack_from(content, at + own)[0], -((own - size) // (usable - 4))


def _chain(read: ReadPage, row: int, page: int, count: int) -> Iterator[PagePlace]:
    for _ in range(count):
        content = read(page)
        yield PagePlace(page, row, row, content)
        if content is None:
            return
        page = _WORD.unpack_from(content)[0]


def _cells(content: bytes, header: int) -> tuple[int, ...]:
    count = int.from_bytes(content[3:5], "big")
    return struct.unpack_from(f">{count}H", content, header)


def _varint(content: bytes, at: int) -> tuple[int, int]:
    """Return the number at a place, 64 bits without a sign, and the position after it."""
    value = 0
    for end in range(at + 1, at + _LONGEST_VARINT):
        byte = content[end - 1]
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            return value, end
    return value << 8 | content[at + _LONGEST_VARINT - 1], at + _LONGEST_VARINT


def _signed(number: int) -> int:
    return number - (1 << 64) if number >> 63 else number
