"""Quarantine: objects from outside are proved in a scratch store before anybody else sees them.

Hash, size, type and codec of every object are verified here; what commits and trees lead to is followed above.
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
"""Bytes of a payload up to which any compression is believed."""

RATIO: Final = 1000
"""How many times its data a longer payload may be: no file is that monotonous, and a bomb is."""

_TYPES: Final = frozenset(ObjectType)
_LEARNT: Final = 2


def receive(bundle: Bundle, scratch: Store) -> int:
    """Take a bundle's objects into a scratch store; how many they are.

    Args:
        bundle: the bundle.
        scratch: gets the objects; one in which this failed is of no use to anybody.

    Raises:
        DamagedBundle: an object is not what its name says, or may not be.
        Unavailable: the bundle cannot be read, or the scratch store not be written.
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
    """The object, once its payload was seen.

    Raises:
        EpicvcError: it is not what it claims to be.
    """
    if packed.type not in _TYPES:
        raise InvalidData(f"object {packed.id.hex()[:12]} has the unknown type {packed.type}")
    if packed.size > max(PLAIN, RATIO * len(packed.data)):
        raise InvalidData(f"object {packed.id.hex()[:12]} claims {packed.size} bytes in {len(packed.data)}")
    unpack(packed, scratch.dictionaries)
    if packed.type == ObjectType.DICTIONARY:  # needed by what follows in the same pack
        with scratch.transaction() as transaction:
            transaction.put_packed([packed])
    return packed


def sendable(store: Store, ids: Iterable[ObjectId]) -> Iterator[Packed]:
    """Objects as they are stored, each dictionary before the first object that needs it.

    Raises:
        DamagedObject: one is missing.
    """
    sent: set[ObjectId] = set()
    for oid in ids:
        packed = store.packed(oid)
        if packed.codec == _LEARNT and (dictionary := packed.data[:ID_SIZE]) not in sent:
            sent.add(dictionary)
            yield store.packed(dictionary)
        yield packed
