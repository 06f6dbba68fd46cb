"""What an object is and how it is named. No I/O, no compression.

The type and the version of the naming are part of what is hashed, so that a blob can never be passed off as a
commit, and a later naming can never collide with this one.
"""

from __future__ import annotations

from enum import IntEnum
from functools import cache
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol, TypeAlias

from epicvc.base.limits import OBJECT_SIZE
from epicvc.errors import DamagedObject

if TYPE_CHECKING:
    from hashlib import _Hash

ObjectId: TypeAlias = bytes
"""32 bytes, see :func:`object_id`."""

ID_SIZE: Final = 32
NAMING_VERSION: Final = 1
MAX_SIZE: Final = OBJECT_SIZE.most
"""Longest payload, in bytes: what one row of an ordinary SQLite holds, less the rest of the row."""

_HEX: Final = frozenset("0123456789abcdef")
_MAGIC: Final = b"epicvc-object\0"


class ObjectType(IntEnum):
    """What an object's payload is; the numbers are part of the format."""

    BLOB = 1  # a file, or a value too long for its row
    NODE = 2  # a node of a tree
    CORE = 3  # the canonical core of a document
    SCHEMA = 4
    MAPPING = 5
    SNAPSHOT = 6
    COMMIT = 7
    DICTIONARY = 8  # what compressed objects have in common; part of no snapshot


class Packed(NamedTuple):
    """An object as it is stored and transferred; nothing of it is verified until it is unpacked."""

    id: ObjectId
    type: int
    codec: int
    size: int
    data: bytes


class ObjectSource(Protocol):
    """Where objects can be read."""

    def get(self, oid: ObjectId, type: ObjectType) -> bytes:  # noqa: A002  (the word of the format)
        """The verified payload; raises ``DamagedObject`` when it is missing, damaged or of another type."""
        ...

    def has(self, oid: ObjectId) -> bool:
        """Whether an object of that name is there (not whether it is sound)."""
        ...


class ObjectSink(ObjectSource, Protocol):
    """Where objects can be put, and read back at once."""

    def put(self, type: ObjectType, payload: bytes) -> ObjectId:  # noqa: A002
        """Keep the payload and name it."""
        ...


@cache
def _started(object_type: int) -> _Hash:
    from hashlib import sha256  # takes as long to import as all else here; who reads refs alone hashes nothing

    return sha256(_MAGIC + bytes((object_type, NAMING_VERSION)))


def object_id(object_type: int, payload: bytes) -> ObjectId:
    """The name of a payload: SHA-256 over ``"epicvc-object" NUL type version payload``."""
    digest = _started(object_type).copy()
    digest.update(payload)
    return digest.digest()


def check_type(oid: ObjectId, found: int, wanted: ObjectType) -> None:
    """Refuse an object of another type than its reader expects.

    Raises:
        DamagedObject: the types differ.
    """
    if found != wanted:
        raise DamagedObject(oid.hex(), f"it has type {found} instead of {wanted.value} ({wanted.name.lower()})")


def is_id(text: str) -> bool:
    """Whether the text is an object id: 64 lower-case hexadecimal digits."""
    return len(text) == 2 * ID_SIZE and is_hex(text)


def is_hex(text: str) -> bool:
    """Whether the text has lower-case hexadecimal digits only."""
    return set(text) <= _HEX
