"""Compression dictionaries: the common content of objects of one type, learnt once and stored as an object.

Plans of one team look alike, and so do the rows of one table, but a single object is too short for a compressor to
learn that. With a dictionary a store takes less than half the space, and compressing takes no longer. A dictionary is
trained when a command first brings enough objects of a type. From then on all new objects of that type use it.

Imports zstd, as :mod:`epicvc.store.codec` does.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import Final

from msgspec import Struct, field

from epicvc.errors import DamagedObject
from epicvc.store.objects import ObjectId, ObjectType, Packed, check_type

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

LEARNT: Final = (ObjectType.BLOB, ObjectType.NODE)
"""The types that have many objects, and similar ones."""

SIZE: Final = 112 << 10
"""The size of a dictionary in bytes, zstd's own default."""

SAMPLES: Final = 120
"""The number of objects to learn from; with fewer a dictionary is not worth its own space."""

_TRIED: Final = 16  # so many last samples test the dictionary instead of training it
_LEAST: Final = 8 * SIZE  # bytes of samples: with less, most of the dictionary would be the samples themselves
_LONGEST: Final = 128 << 10  # bytes of one sample


class Dictionary(Struct, frozen=True, eq=False):
    """A dictionary, with the id of the object that holds it."""

    id: ObjectId
    content: zstd.ZstdDict


def read_dictionary(oid: ObjectId, payload: bytes) -> Dictionary:
    """Return the dictionary in an object's verified payload.

    Raises:
        DamagedObject: the payload is no dictionary.
    """
    try:
        return Dictionary(oid, zstd.ZstdDict(payload))
    except ValueError as error:
        raise DamagedObject(oid.hex(), "it is no dictionary") from error


class Dictionaries:
    """The dictionaries of one store, each loaded when an object first needs it.

    Args:
        packed: reads an object as it is stored.
    """

    def __init__(self, packed: Callable[[ObjectId], Packed]) -> None:
        self._packed = packed
        self._known: dict[ObjectId, Dictionary] = {}

    def get(self, oid: ObjectId) -> Dictionary:
        """Return a dictionary by its id.

        Raises:
            DamagedObject: it is missing, damaged or no dictionary.
        """
        found = self._known.get(oid)
        if found is None:
            from epicvc.store.codec import unpack  # imported late: that module needs dictionaries itself

            packed = self._packed(oid)
            check_type(oid, packed.type, ObjectType.DICTIONARY)
            found = self._known[oid] = read_dictionary(oid, unpack(packed))
        return found

    def add(self, dictionary: Dictionary) -> None:
        """Make a dictionary known that is not stored yet."""
        self._known[dictionary.id] = dictionary


class Samples(Struct):
    """Objects of one type, gathered until there are enough to learn from."""

    payloads: list[bytes] = field(default_factory=list)
    size: int = 0

    def add(self, payload: bytes) -> bytes | None:
        """Gather one more payload. Return a trained dictionary as soon as there are enough, else ``None``."""
        self.payloads.append(payload[:_LONGEST])
        self.size += len(self.payloads[-1])
        if len(self.payloads) < SAMPLES or self.size < _LEAST:
            return None
        payloads, self.payloads, self.size = self.payloads, [], 0
        return _train(payloads[:-_TRIED], payloads[-_TRIED:])


def _train(samples: list[bytes], tried: list[bytes]) -> bytes | None:
    """Learn a dictionary from some samples; return ``None`` where it does not shorten others by a tenth."""
    try:
        dictionary = zstd.train_dict(samples, SIZE)
    except zstd.ZstdError:
        return None  # the samples have nothing in common
    plain = sum(len(zstd.compress(sample)) for sample in tried)
    short = sum(len(zstd.compress(sample, zstd_dict=dictionary)) for sample in tried)
    return dictionary.dict_content if short * 10 < plain * 9 else None


Current = Mapping[ObjectType, Dictionary]
"""The dictionary that new objects of a type use, for each type that has one."""
