"""The types of objects and the naming of objects. No I/O, no compression.

The type and the version of the naming are part of the hashed bytes, so that a blob can never be passed off as a commit,
and a later naming can never collide with this one.
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
"""The name of an object, 32 bytes, see :func:`object_id`."""

ID_SIZE: Final = 32
NAMING_VERSION: Final = 1
MAX_SIZE: Final = OBJECT_SIZE.most
"""The longest payload in bytes: as much as one row of an ordinary SQLite holds, less the rest of the row."""

_HEX: Final = frozenset("0123456789abcdef")
_MAGIC: Final = b"epicvc-object\0"


class ObjectType(IntEnum):
    """The kinds of payload; the numbers are part of the format."""

    BLOB = 1  # a file, or a value too long for its row
    NODE = 2  # a node of a tree
    CORE = 3  # the canonical core of a document
    SCHEMA = 4
    MAPPING = 5
    SNAPSHOT = 6
    COMMIT = 7
    DICTIONARY = 8  # the common content of compressed objects; part of no snapshot


class Packed(NamedTuple):
    """An object as it is stored and transferred. Nothing in it is verified until it is unpacked."""

    id: ObjectId
    type: int
    codec: int
    size: int
    data: bytes


class ObjectSource(Protocol):
    """A place from which objects are read."""

    def get(self, oid: ObjectId, type: ObjectType) -> bytes:  # noqa: A002  (the word of the format)
        """Return the verified payload; raise ``DamagedObject`` when it is missing, damaged or of another type."""
        ...

    def has(self, oid: ObjectId) -> bool:
        """Return whether there is an object of that name; it may still be damaged."""
        ...


class ObjectSink(ObjectSource, Protocol):
    """A place into which objects are put, and from which they can be read at once."""

    def put(self, type: ObjectType, payload: bytes) -> ObjectId:  # noqa: A002
        """Keep the payload and return its name."""
        ...


@cache
def _started(object_type: int) -> _Hash:
    from hashlib import sha256  # imported late: it takes as long as all else here, and reading refs hashes nothing

    return sha256(_MAGIC + bytes((object_type, NAMING_VERSION)))


def object_id(object_type: int, payload: bytes) -> ObjectId:
    """Return the name of a payload: SHA-256 over ``"epicvc-object" NUL type version payload``."""
    digest = _started(object_type).copy()
    digest.update(payload)
    return digest.digest()


def check_type(oid: ObjectId, found: int, wanted: ObjectType) -> None:
    """Refuse an object that is not of the type that its reader expects.

    Raises:
        DamagedObject: the types differ.
    """
    if found != wanted:
        raise DamagedObject(oid.hex(), f"it has type {found} instead of {wanted.value} ({wanted.name.lower()})")


def is_id(text: str) -> bool:
    """Return whether a text is an object id: 64 lower-case hexadecimal digits."""
    return len(text) == 2 * ID_SIZE and is_hex(text)


def is_hex(text: str) -> bool:
    """Return whether a text consists of lower-case hexadecimal digits."""
    return set(text) <= _HEX
