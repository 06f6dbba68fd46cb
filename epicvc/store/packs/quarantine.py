"""Quarantine: objects from outside are proved in a scratch store before anybody else sees them.

Hash, size, type and codec of every object are verified here; the references of commits and trees are followed above.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from epicvc.errors import DamagedBundle, EpicvcError, InvalidData, NewerFormat, Unavailable
from epicvc.store.codec import unpack
from epicvc.store.objects import ID_SIZE, ObjectId, ObjectType, Packed
from epicvc.store.packs.bundle import Bundle
from epicvc.store.packs.pack import read_pack
from epicvc.store.store import Store

PLAIN: Final = 64 << 20
"""Bytes of a payload up to which any rate of compression is believed."""

RATIO: Final = 1000
"""The most times that a longer payload may be the size of its data: no file is that monotonous, but a bomb is."""

_TYPES: Final = frozenset(ObjectType)
_LEARNT: Final = 2


def receive(bundle: Bundle, scratch: Store) -> int:
    """Take a bundle's objects into a scratch store, and return how many there are.

    Args:
        bundle: the bundle.
        scratch: the store that gets the objects; after a failure it must be thrown away.

    Raises:
        DamagedBundle: an object does not match its name, or is not allowed.
        Unavailable: the bundle cannot be read, or the scratch store cannot be written.
    """
    bundle.check_digest()
    total = 0
    for data in bundle.packs():
        try:
            objects = [_proved(scratch, packed) for packed in read_pack(data)]
        except (Unavailable, NewerFormat, DamagedBundle):
            raise
        except EpicvcError as error:
            raise DamagedBundle(str(bundle.path), error.message) from error
        with scratch.transaction() as transaction:
            transaction.put_packed(objects)
        total += len(objects)
    return total


def _proved(scratch: Store, packed: Packed) -> Packed:
    """Return the object after checking its payload.

    Raises:
        EpicvcError: it is not what it claims to be.
    """
    if packed.type not in _TYPES:
        raise InvalidData(f"object {packed.id.hex()[:12]} has the unknown type {packed.type}")
    if packed.size > max(PLAIN, RATIO * len(packed.data)):
        raise InvalidData(f"object {packed.id.hex()[:12]} claims {packed.size} bytes in {len(packed.data)}")
    unpack(packed, scratch.dictionaries)
    if packed.type == ObjectType.DICTIONARY:  # later objects of the same pack need it
        with scratch.transaction() as transaction:
            transaction.put_packed([packed])
    return packed


def sendable(store: Store, ids: Iterable[ObjectId]) -> Iterator[Packed]:
    """Yield objects as they are stored, each dictionary before the first object that needs it.

    Raises:
        DamagedObject: an object is missing.
    """
    sent: set[ObjectId] = set()
    for oid in ids:
        packed = store.packed(oid)
        if packed.codec == _LEARNT and (dictionary := packed.data[:ID_SIZE]) not in sent:
            sent.add(dictionary)
            yield store.packed(dictionary)
        yield packed
