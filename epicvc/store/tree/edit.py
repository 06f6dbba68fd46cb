"""Changes a few entries of a tree, at the cost of the changes; the root is the one that a new build would give.

Untouched subtrees are handed to the builder whole. Where a change removed the key that ended a node, the builder
declines the next subtree. Its children are offered instead, until old and new nodes end at the same keys again.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence

from epicvc.store.objects import ObjectId, ObjectSink
from epicvc.store.tree.build import Builder, KeysOutOfOrder
from epicvc.store.tree.node import Node, ascending, children, load, load_root


def update(sink: ObjectSink, root: ObjectId, changes: Iterable[tuple[bytes, bytes | None]]) -> ObjectId:
    """Set and delete entries.

    Args:
        sink: holds the tree and takes the new nodes.
        root: the tree.
        changes: keys in any order, each once; ``None`` deletes a key, and does nothing where there is none.

    Returns:
        The root of the tree with the changes.

    Raises:
        KeysOutOfOrder: a key occurs twice.
        DamagedObject: a node is missing or malformed.
    """
    ordered = sorted(changes, key=lambda change: change[0])
    if not ordered:
        return root
    keys = [key for key, _ in ordered]
    if not ascending(keys):
        raise KeysOutOfOrder("a key is changed twice")
    edit = _Edit(sink, keys, [value for _, value in ordered])
    edit.node(load_root(sink, root), None, 0, len(keys))
    return edit.builder.finish()


class _Edit:
    """One run of :func:`update`: the changes, and the builder of the new tree."""

    def __init__(self, sink: ObjectSink, keys: Sequence[bytes], values: Sequence[bytes | None]) -> None:
        self.sink, self.keys, self.values = sink, keys, values
        self.builder = Builder(sink)

    def node(self, node: Node, after: bytes | None, low: int, high: int) -> None:
        """Add a node of the old tree to the new one, with the changes ``low`` to ``high`` made."""
        if not node.height:
            self.builder.extend(self._merged(node, low, high))
            return
        refs = children(node, after)
        for position, ref in enumerate(refs, 1):
            # New keys beyond the last key of the tree belong to its last leaf.
            end = high if position == len(refs) else bisect_right(self.keys, ref.last, low, high)
            if end > low or not self.builder.add_subtree(ref):
                self.node(load(self.sink, ref), ref.after, low, end)
            low = end

    def _merged(self, leaf: Node, low: int, high: int) -> Iterator[tuple[bytes, bytes]]:
        entries = dict(zip(leaf.keys, leaf.values, strict=True))
        if low == high:
            yield from entries.items()
            return
        for position in range(low, high):
            key, value = self.keys[position], self.values[position]
            if value is None:
                entries.pop(key, None)
            else:
                entries[key] = value
        yield from sorted(entries.items())
