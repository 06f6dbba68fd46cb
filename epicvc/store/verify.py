"""Verifies everything in a store, and deletes objects that nothing leads to.

The paths from commits to snapshots to trees are known above; :func:`epicvc.store.tree.tree.walk` follows a tree.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Final

from msgspec import Struct

from epicvc.errors import DamagedObject, EpicvcError, InvalidData, Unavailable
from epicvc.store.codec import unpack
from epicvc.store.objects import ObjectId, ObjectType
from epicvc.store.refs import HEAD, SYMBOLIC, check_name, check_value
from epicvc.store.store import Store, packed_row

_TYPES: Final = frozenset(ObjectType)


class Problem(Struct, frozen=True):
    """One fault of a store.

    Attributes:
        object: hexadecimal id of the object, or ``None``.
        kind: ``store``, ``object``, ``ref`` or ``operation``.
        message: the fault, one sentence without a full stop.
    """

    object: str | None
    kind: str
    message: str


def verify_objects(store: Store, *, full: bool) -> Iterator[Problem]:
    """Verify the file, every object, the refs and the operation log.

    Args:
        store: the store.
        full: let SQLite compare indexes with tables too.

    Yields:
        The faults; nothing for a sound store.

    Raises:
        Unavailable: the store cannot be read now.
    """
    for kind, check in (("store", _file), ("object", _objects), ("ref", _refs), ("operation", _log)):
        try:
            yield from check(store, full)
        except InvalidData as error:
            yield Problem(None, kind, error.message)


def _file(store: Store, full: bool) -> Iterator[Problem]:
    for message in store.integrity(full=full):
        yield Problem(None, "store", message)
    store.check_settings()


def _objects(store: Store, _full: bool) -> Iterator[Problem]:
    for row in store.rows():
        try:
            packed = packed_row(row)
            unpack(packed, store.dictionaries)
        except DamagedObject as error:
            yield Problem(error.object_id, "object", error.message)
            continue
        except EpicvcError as error:
            yield Problem(packed.id.hex(), "object", error.message)
            continue
        if packed.type not in _TYPES:
            yield Problem(packed.id.hex(), "object", f"it has the unknown type {packed.type}")


def _refs(store: Store, _full: bool) -> Iterator[Problem]:
    refs = store.refs(checked=False)
    if HEAD not in refs:
        yield Problem(None, "ref", "there is no HEAD")
    for name, value in refs.items():
        try:
            check_name(name)
            check_value(name, value)
        except InvalidData as error:
            yield Problem(None, "ref", error.message)
            continue
        if value.startswith(SYMBOLIC):
            continue  # a branch without a commit yet is sound
        if not store.resolve_prefix(value):
            yield Problem(value, "ref", f"{name} points at {value[:12]}, which is no commit here")


def _log(store: Store, _full: bool) -> Iterator[Problem]:
    for _ in store.operations():
        pass  # reading them verifies them
    store.pending()
    # makes this a generator, as the other checks are
    yield from ()


def delete_unreachable(store: Store, reachable: set[ObjectId], oldest: str = "") -> tuple[int, int]:
    """Delete every object that is not among the given ones, and give their space back.

    The caller holds the repo's lock: objects that another process has just written are not reachable yet.

    Args:
        store: the store.
        reachable: the objects to keep.
        oldest: entries of the operation log from before this time are dropped in the same transaction.

    Returns:
        The number of deleted objects, and the bytes that their data took.

    Raises:
        Unavailable: the store cannot be written.
    """
    unreachable: list[ObjectId] = []
    freed = 0
    try:
        with store.transaction() as transaction:
            for oid, object_type, stored in store.objects():
                # No commit leads to a dictionary: unused ones are deleted below, after the objects that needed them.
                if oid not in reachable and object_type != ObjectType.DICTIONARY:
                    unreachable.append(oid)
                    freed += stored
            transaction.forget_operations(oldest)
            transaction.delete_objects(unreachable)
            transaction.delete_unused_dictionaries()
        # VACUUM cannot be part of a transaction, and needs space of its own. If it fails, later writes reuse the space.
        with suppress(Unavailable):
            store.vacuum()
    finally:
        with suppress(EpicvcError):
            store.tidy()  # removes a journal that is left over
    return len(unreachable), freed
