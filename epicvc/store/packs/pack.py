"""Packs: many objects in one immutable file, in the store's own encoding. No I/O.

Reading a pack only takes it apart: no object is verified until it is unpacked.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from hashlib import sha256
from struct import Struct
from typing import Final

from epicvc.errors import InvalidData
from epicvc.store.objects import ID_SIZE, MAX_SIZE, ObjectId, Packed

MAGIC: Final = b"EPVCpck\x01"
"""The first bytes of a pack; the last of them is the version of its format."""

LIMIT: Final = 16 << 20
"""The most bytes of a pack, unless a single object is longer."""

DIGEST_SIZE: Final = 32

_RECORD: Final = Struct(">32sBBII")  # id, type, codec, size of the payload, length of the data
_ENTRY: Final = Struct(">32sQ")  # id, offset of the record
_COUNT: Final = Struct(">I")
_TAIL: Final = _COUNT.size + DIGEST_SIZE

LARGEST: Final = MAX_SIZE + _RECORD.size + _ENTRY.size + len(MAGIC) + _TAIL
"""The size in bytes of the longest pack: one object of the greatest size."""


class _Writer:
    """A pack that is being written."""

    def __init__(self) -> None:
        self._data = bytearray(MAGIC)
        self._index: list[tuple[ObjectId, int]] = []

    def add(self, packed: Packed) -> None:
        """Add an object."""
        self._index.append((packed.id, len(self._data)))
        self._data += _RECORD.pack(packed.id, packed.type, packed.codec, packed.size, len(packed.data))
        self._data += packed.data

    def has_room(self, packed: Packed) -> bool:
        """Return whether an object may still be added."""
        size = len(self._data) + len(packed.data) + _RECORD.size + _ENTRY.size * (len(self._index) + 1) + _TAIL
        return not self._index or size <= LIMIT

    def finish(self) -> bytes:
        """Return the pack's bytes."""
        for entry in sorted(self._index):
            self._data += _ENTRY.pack(*entry)
        self._data += _COUNT.pack(len(self._index))
        return bytes(self._data) + sha256(self._data).digest()


def write_packs(objects: Iterable[Packed]) -> Iterator[bytes]:
    """Yield packs with the objects in the order given; none where there is no object.

    Args:
        objects: the objects, each once; a dictionary comes before the objects that are compressed with it.
    """
    writer = _Writer()
    empty = True
    for packed in objects:
        if not writer.has_room(packed):
            yield writer.finish()
            writer = _Writer()
        writer.add(packed)
        empty = False
    if not empty:
        yield writer.finish()


def pack_id(data: bytes) -> str:
    """Return the name of a pack: SHA-256 of its bytes, in hexadecimal."""
    return sha256(data).hexdigest()


def read_pack(data: bytes) -> Iterator[Packed]:
    """Yield the objects of a pack, in the order in which they were written.

    Raises:
        InvalidData: it is no pack, or damaged. No object was yielded then.
    """
    if len(data) < len(MAGIC) + _TAIL or not data.startswith(MAGIC):
        raise InvalidData("it is no pack of this format")
    if sha256(data[:-DIGEST_SIZE]).digest() != data[-DIGEST_SIZE:]:
        raise InvalidData("a pack has a wrong checksum")
    (count,) = _COUNT.unpack_from(data, len(data) - _TAIL)
    end = len(data) - _TAIL - count * _ENTRY.size
    if end < len(MAGIC):
        raise InvalidData("a pack has an index that is longer than the pack")
    places = list(_records(data, end))
    index = [_ENTRY.unpack_from(data, end + number * _ENTRY.size) for number in range(count)]
    if index != sorted((oid, start) for oid, start in places) or len({oid for oid, _ in places}) != count:
        raise InvalidData("a pack has an index that does not fit its records")
    for oid, start in places:
        _, kind, codec, size, length = _RECORD.unpack_from(data, start)
        first = start + _RECORD.size
        yield Packed(oid, kind, codec, size, data[first : first + length])


def _records(data: bytes, end: int) -> Iterator[tuple[ObjectId, int]]:
    """Yield id and place of each record. The records must fill the pack up to its index."""
    at = len(MAGIC)
    while at < end:
        if at + _RECORD.size > end:
            raise InvalidData("a pack ends within a record")
        *_, length = _RECORD.unpack_from(data, at)
        if at + _RECORD.size + length > end:
            raise InvalidData("a pack has a record that is longer than the pack")
        yield data[at : at + ID_SIZE], at
        at += _RECORD.size + length
