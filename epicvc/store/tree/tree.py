"""Ordered trees of keys and values, with exactly one root for a set of entries. Pure functions over objects.

This is the module to import; ``build``, ``edit`` and ``difference`` beside it are its parts. The caller gives keys and
values their meaning, and keeps long values (over 16 KiB, say) out of the tree.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence

from epicvc.errors import DamagedObject
from epicvc.store.objects import ObjectId, ObjectSink, ObjectSource, ObjectType, object_id
from epicvc.store.tree.build import KeysOutOfOrder, build
from epicvc.store.tree.difference import Growth, diff, growth
from epicvc.store.tree.edit import update
from epicvc.store.tree.node import EMPTY, EMPTY_PAYLOAD, Node, child, children, load, load_root

__all__ = [
    "EMPTY",
    "Growth",
    "KeysOutOfOrder",
    "build",
    "check",
    "count",
    "diff",
    "empty",
    "get",
    "get_many",
    "growth",
    "items",
    "reachable_nodes",
    "update",
    "walk",
]


def empty(sink: ObjectSink) -> ObjectId:
    """Store the tree without entries; its root is always :data:`EMPTY`."""
    return sink.put(ObjectType.NODE, EMPTY_PAYLOAD)


def count(source: ObjectSource, root: ObjectId) -> int:
    """Return the number of entries of a tree; reads its root only.

    Raises:
        DamagedObject: the root is missing or malformed.
    """
    return load_root(source, root).total


def get(source: ObjectSource, root: ObjectId, key: bytes) -> bytes | None:
    """Return the value of a key, or ``None``.

    Raises:
        DamagedObject: a node is missing or malformed.
    """
    node = load_root(source, root)
    after: bytes | None = None
    while True:
        position = bisect_left(node.keys, key)
        if position == len(node.keys):
            return None
        if not node.height:
            return node.values[position] if node.keys[position] == key else None
        ref = child(node, position, after)
        node, after = load(source, ref), ref.after


def get_many(source: ObjectSource, root: ObjectId, keys: Iterable[bytes]) -> dict[bytes, bytes]:
    """Return the values of keys; missing keys are left out. Each node is read once, however many of the keys it has.

    Raises:
        DamagedObject: a node is missing or malformed.
    """
    wanted = sorted(set(keys))
    found: dict[bytes, bytes] = {}
    _collect(source, load_root(source, root), None, wanted, found)
    return found


def _collect(
    source: ObjectSource, node: Node, after: bytes | None, keys: Sequence[bytes], found: dict[bytes, bytes]
) -> None:
    if not node.height:
        entries = dict(zip(node.keys, node.values, strict=True))
        found.update((key, entries[key]) for key in keys if key in entries)
        return
    low = 0
    for ref in children(node, after):
        high = bisect_right(keys, ref.last, low)
        if high > low:
            _collect(source, load(source, ref), ref.after, keys[low:high], found)
        low = high


def items(
    source: ObjectSource, root: ObjectId, start: bytes = b"", stop: bytes | None = None
) -> Iterator[tuple[bytes, bytes]]:
    """Yield the entries in key order, read leaf by leaf.

    Args:
        source: holds the tree.
        root: the tree.
        start: the first key wanted.
        stop: the first key not wanted; ``None`` for all to the end.

    Raises:
        DamagedObject: a node is missing or malformed.
    """
    for node in _leaves(source, load_root(source, root), None, start, stop):
        low = bisect_left(node.keys, start)
        high = len(node.keys) if stop is None else bisect_left(node.keys, stop)
        yield from zip(node.keys[low:high], node.values[low:high], strict=True)


def _leaves(source: ObjectSource, node: Node, after: bytes | None, start: bytes, stop: bytes | None) -> Iterator[Node]:
    if not node.height:
        yield node
        return
    for ref in children(node, after)[bisect_left(node.keys, start) :]:
        if stop is not None and ref.after is not None and ref.after >= stop:
            return
        yield from _leaves(source, load(source, ref), ref.after, start, stop)


def reachable_nodes(source: ObjectSource, root: ObjectId, seen: set[ObjectId]) -> Iterator[ObjectId]:
    """Yield the ids of a tree's nodes, without those below a node that was seen before.

    Leaves are named by their parents and not read. ``seen`` grows as the iterator is consumed.

    Raises:
        DamagedObject: an inner node is missing or malformed.
    """
    if root in seen:
        return
    seen.add(root)
    yield root
    node = load_root(source, root)
    stack = children(node)[::-1] if node.height else []
    while stack:
        ref = stack.pop()
        if ref.id in seen:
            continue
        seen.add(ref.id)
        yield ref.id
        if ref.height:
            stack.extend(reversed(children(load(source, ref), ref.after)))


def walk(source: ObjectSource, root: ObjectId, seen: set[ObjectId]) -> Iterator[tuple[ObjectId, Node]]:
    """Yield every node with its content, leaves included, without those below a node that was seen before.

    For callers that follow references in the values. ``seen`` grows as the iterator is consumed. Do not share it with
    :func:`reachable_nodes`, which marks leaves that it has not read.

    Raises:
        DamagedObject: a node is missing or malformed.
    """
    if root in seen:
        return
    seen.add(root)
    node = load_root(source, root)
    yield root, node
    stack = children(node)[::-1] if node.height else []
    while stack:
        ref = stack.pop()
        if ref.id in seen:
            continue
        seen.add(ref.id)
        node = load(source, ref)
        yield ref.id, node
        if node.height:
            stack.extend(reversed(children(node, ref.after)))


def check(source: ObjectSource, root: ObjectId) -> None:
    """Prove that a tree is whole and has the one form that its entries give; reads all of it.

    Raises:
        DamagedObject: it is not whole, or has another form.
    """
    try:
        rebuilt = build(_Names(), items(source, root))
    except ValueError as error:
        raise DamagedObject(root.hex(), str(error)) from error
    if rebuilt != root:
        raise DamagedObject(root.hex(), "the tree does not have the form that its entries give")


class _Names:
    """A sink that names objects and keeps none of them."""

    def get(self, oid: ObjectId, type: ObjectType) -> bytes:  # noqa: A002
        raise DamagedObject(oid.hex(), "missing")

    def has(self, oid: ObjectId) -> bool:
        return False

    def put(self, type: ObjectType, payload: bytes) -> ObjectId:  # noqa: A002
        return object_id(type, payload)
