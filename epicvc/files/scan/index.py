"""An index of files that have not changed, in columns: a few bytes objects, however many files there are.

An index is a value. Comparing it with the findings of a scan costs nothing where nothing changed. A new index is
spliced together from the old one and the rows that are others. :mod:`epicvc.files.scan.cache` reads and writes it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from typing import Final

import msgspec

from epicvc.files.scan.scan import STAT_SIZE, FoundFiles, pack_paths, unpack_paths

ID_SIZE: Final = 32
NEVER: Final = bytes(STAT_SIZE)
"""The stat of a row whose file is to be looked at again. No file has it."""

NO_ID: Final = bytes(ID_SIZE)
_BLOCK: Final = 64
"""The number of rows that are compared at once."""

_pack = msgspec.msgpack.Encoder().encode
_unpack = msgspec.msgpack.Decoder(list[str]).decode


class IndexRow(msgspec.Struct, frozen=True):
    """The row of one file.

    Attributes:
        path: the file's path, relative to the files directory.
        stat: the file's :func:`~epicvc.files.scan.scan.stat_key` when the row was made, or :data:`NEVER`.
        blob: the id of its bytes.
        epic: the epic in the file; empty if there is none.
        core: the id of the epic's core; :data:`NO_ID` if there is none.
        flags: flags of the caller, below 256.
    """

    path: str
    stat: bytes
    blob: bytes
    epic: str = ""
    core: bytes = NO_ID
    flags: int = 0


class Edit(msgspec.Struct, frozen=True):
    """A place where a scan found something else than an index knows.

    Attributes:
        low: the first row of the index that is out of date.
        high: the row after the last one; ``low`` where a file is new.
        found: the row of the scan; ``None`` where a file is gone.
    """

    low: int
    high: int
    found: int | None


class FileIndex(msgspec.Struct, frozen=True, dict=True, forbid_unknown_fields=True):
    """Columns, one row a file, sorted by the bytes of the paths.

    The wide columns are views. Those of an index that was read stay in the buffer that it was read into.

    Attributes:
        basis: the things on which the rows depend, such as the configuration; with another basis the rows are of no
            use.
        root: the id of a tree that holds the same files, which the caller sets.
        packed_paths: :attr:`paths` as :func:`epicvc.files.scan.scan.pack_paths` packs them.
        packed_epics: :attr:`epics` in MessagePack.
        stats: the rows' stats, one after the other.
        blobs: the rows' blobs, likewise.
        cores: the rows' cores, likewise.
        flags: the rows' flags, a byte each.
    """

    basis: str = ""
    root: bytes = b""
    packed_paths: bytes = b""
    packed_epics: bytes = _pack([])
    stats: memoryview = memoryview(b"")
    blobs: memoryview = memoryview(b"")
    cores: memoryview = memoryview(b"")
    flags: bytes = b""

    def __len__(self) -> int:
        return len(self.flags)

    def check(self) -> None:
        """Make sure that all columns have as many rows.

        Raises:
            ValueError: they have not, or a column cannot be read.
        """
        rows = len(self)
        widths = (self.stats, STAT_SIZE), (self.blobs, ID_SIZE), (self.cores, ID_SIZE)
        if len(self.paths) != rows or len(self.epics) != rows or any(len(c) != rows * width for c, width in widths):
            raise ValueError("columns of different lengths")

    @cached_property
    def paths(self) -> list[str]:
        """The paths, unpacked when they are asked for."""
        return unpack_paths(self.packed_paths)

    @cached_property
    def epics(self) -> list[str]:
        """The epics, unpacked when they are asked for."""
        return _unpack(self.packed_epics)

    def stat(self, row: int) -> bytes:
        """Return the stat of one row."""
        return self.stats[row * STAT_SIZE : (row + 1) * STAT_SIZE].tobytes()

    def blob(self, row: int) -> bytes:
        """Return the blob of one row."""
        return self.blobs[row * ID_SIZE : (row + 1) * ID_SIZE].tobytes()

    def core(self, row: int) -> bytes:
        """Return the core of one row."""
        return self.cores[row * ID_SIZE : (row + 1) * ID_SIZE].tobytes()

    def flagged(self, flag: int) -> Iterator[int]:
        """Yield the rows with exactly these flags."""
        row = self.flags.find(flag)
        while row >= 0:
            yield row
            row = self.flags.find(flag, row + 1)

    def edits(self, found: FoundFiles) -> list[Edit]:
        """Return the places where a scan found something else, in the order of the paths."""
        if found.packed_paths == self.packed_paths:
            return [Edit(row, row + 1, row) for row in _unequal(self.stats, found.stats)]
        return list(_merged(self, found))

    def edited(self, edits: Sequence[tuple[Edit, IndexRow | None]]) -> FileIndex:
        """Return the index with other rows in some places.

        Args:
            edits: the places in order, each with its row; ``None`` where the file is gone.
        """
        if not edits:
            return self
        places = [edit for edit, _ in edits]
        rows = [() if row is None else (row,) for _, row in edits]
        paths = self.packed_paths
        if any(edit.low == edit.high or row is None for edit, row in edits):
            paths = pack_paths(_spliced(self.paths, places, [[r.path for r in row] for row in rows]))
        return FileIndex(
            self.basis,
            self.root,
            paths,
            packed_epics=_pack(_spliced(self.epics, places, [[r.epic for r in row] for row in rows])),
            stats=_spliced_view(self.stats, STAT_SIZE, places, [b"".join(r.stat for r in row) for row in rows]),
            blobs=_spliced_view(self.blobs, ID_SIZE, places, [b"".join(r.blob for r in row) for row in rows]),
            cores=_spliced_view(self.cores, ID_SIZE, places, [b"".join(r.core for r in row) for row in rows]),
            flags=bytes(
                _spliced_view(memoryview(self.flags), 1, places, [bytes(r.flags for r in row) for row in rows])
            ),
        )


def _unequal(one: memoryview, other: bytes | bytearray) -> Iterator[int]:
    """Yield the rows whose stats differ in two columns of one length."""
    width = _BLOCK * STAT_SIZE
    for start in range(0, len(one), width):
        block = one[start : start + width].tobytes()  # copied, since views are compared byte by byte
        if block != other[start : start + width]:
            for at in range(0, len(block), STAT_SIZE):
                if block[at : at + STAT_SIZE] != other[start + at : start + at + STAT_SIZE]:
                    yield (start + at) // STAT_SIZE


def _merged(index: FileIndex, found: FoundFiles) -> Iterator[Edit]:
    """Yield the differences of both lists of paths, walked side by side."""
    row, last = 0, len(index)
    for number, path in enumerate(found.paths):
        while row < last and index.paths[row] < path:
            yield Edit(row, row + 1, None)
            row += 1
        known = row < last and index.paths[row] == path
        if not known:
            yield Edit(row, row, number)
        elif index.stat(row) != found.stat(number):
            yield Edit(row, row + 1, number)
        row += known
    yield from (Edit(gone, gone + 1, None) for gone in range(row, last))


def _spliced(column: list[str], places: Iterable[Edit], pieces: Iterable[list[str]]) -> list[str]:
    result: list[str] = []
    at = 0
    for place, piece in zip(places, pieces, strict=True):
        result += column[at : place.low]
        result += piece
        at = place.high
    return result + column[at:]


def _spliced_view(column: memoryview, width: int, places: Iterable[Edit], pieces: Iterable[bytes]) -> memoryview:
    result = bytearray()
    at = 0
    for place, piece in zip(places, pieces, strict=True):
        result += column[at * width : place.low * width]
        result += piece
        at = place.high
    result += column[at * width :]
    return memoryview(result)
