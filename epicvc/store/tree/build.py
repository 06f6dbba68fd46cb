"""Builds a tree from sorted entries, in one pass and with only one node of each height in memory.

The end of a node depends on keys alone (:func:`epicvc.store.tree.node.level`), so a tree has one form only, whatever
the order in which it came about. A node is closed when the *next* entry arrives. So the last nodes of a tree are ended
by the end of the entries, never by a key, and no needless root appears above them.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256

from epicvc.store.objects import ObjectId, ObjectSink, ObjectType
from epicvc.store.tree.node import (
    EMPTY_PAYLOAD,
    LEVEL_MASK,
    Ref,
    ascending,
    children,
    encode_inner,
    encode_leaf,
    level,
    load,
    load_root,
)


class KeysOutOfOrder(ValueError):
    """The keys of entries do not ascend strictly: a fault of the source of the entries, such as a damaged database."""


class Builder:
    """Takes entries and whole subtrees in ascending order, and makes the nodes above them.

    Args:
        sink: takes the nodes.
    """

    def __init__(self, sink: ObjectSink) -> None:
        self._sink = sink
        # The open node of each height: keys, values or child ids, counts.
        self._keys: list[list[bytes]] = [[]]
        self._values: list[list[bytes]] = [[]]
        self._counts: list[list[int]] = [[]]
        self._closing = 0  # so many heights are to be closed before anything else is added
        self._last: bytes | None = None  # the last key of the last closed leaf or added subtree

    def extend(self, entries: Iterable[tuple[bytes, bytes]]) -> None:
        """Add entries.

        Raises:
            KeysOutOfOrder: keys do not ascend strictly (noticed when a leaf is closed).
        """
        keys, values = self._keys[0], self._values[0]  # these lists are emptied, never replaced
        for key, value in entries:
            if self._closing:
                self._close()
            keys.append(key)
            values.append(value)
            if not sha256(key).digest()[-1] & LEVEL_MASK:
                self._closing = level(key)

    def add_subtree(self, ref: Ref) -> bool:
        """Add a subtree as it is, if its entries would certainly get the same form here.

        Returns:
            Whether it was added; otherwise the caller must add its children.
        """
        self._close()
        ends = level(ref.last)
        if ends <= ref.height or any(self._keys[: ref.height + 1]):
            return False
        self._push(ref.height + 1, ref.last, ref.id, ref.total)
        self._last = ref.last
        self._closing = ends
        return True

    def finish(self) -> ObjectId:
        """Close all nodes and return the id of the root.

        Raises:
            KeysOutOfOrder: keys do not ascend strictly.
        """
        top = max((height for height, keys in enumerate(self._keys) if keys), default=0)
        for height in range(top):
            if self._keys[height]:
                self._emit(height)
        if top and len(self._keys[top]) == 1:
            return self._lowest(self._values[top][0])
        return self._emit(top)

    def _lowest(self, root: ObjectId) -> ObjectId:
        # The rest of a larger tree may be one subtree below a chain of single children.
        node = load_root(self._sink, root)
        while node.height and len(node.keys) == 1:
            ref = children(node)[0]
            root, node = ref.id, load(self._sink, ref)
        return root

    def _close(self) -> None:
        for height in range(self._closing):
            if self._keys[height]:
                self._emit(height)
        self._closing = 0

    def _emit(self, height: int) -> ObjectId:
        keys, values, counts = self._keys[height], self._values[height], self._counts[height]
        if not ascending(keys):
            raise KeysOutOfOrder("keys must ascend strictly")
        if not keys:
            return self._sink.put(ObjectType.NODE, EMPTY_PAYLOAD)
        if height:
            payload, count = encode_inner(height, keys, values, counts), sum(counts)
        else:
            if self._last is not None and keys[0] <= self._last:
                raise KeysOutOfOrder("keys must ascend strictly")
            payload, count = encode_leaf(keys, values), len(keys)
            self._last = keys[-1]
        oid = self._sink.put(ObjectType.NODE, payload)
        self._push(height + 1, keys[-1], oid, count)
        for column in (keys, values, counts):
            column.clear()
        return oid

    def _push(self, height: int, last: bytes, oid: ObjectId, count: int) -> None:
        while len(self._keys) <= height:
            self._keys.append([])
            self._values.append([])
            self._counts.append([])
        self._keys[height].append(last)
        self._values[height].append(oid)
        self._counts[height].append(count)


def build(sink: ObjectSink, items: Iterable[tuple[bytes, bytes]]) -> ObjectId:
    """Store a tree.

    Args:
        sink: takes its nodes.
        items: keys and values; keys strictly ascending.

    Returns:
        The id of the root.

    Raises:
        KeysOutOfOrder: keys do not ascend strictly.
    """
    builder = Builder(sink)
    builder.extend(items)
    return builder.finish()
