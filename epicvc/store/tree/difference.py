"""Compares two trees in time that grows with the changes: equal subtrees are skipped unread."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from epicvc.store.objects import ObjectId, ObjectSource
from epicvc.store.tree.node import EMPTY, Node, Ref, children, load, load_root

_NOTHING: Final = Node(0, [], [], [])
"""The empty tree. It need not be in the store to be compared with another tree."""


class _Cursor:
    """The unread rest of a tree, and the ids of the nodes that were read.

    The rest is the entries of the current leaf, then subtrees, each list with the nearest last.
    """

    def __init__(self, source: ObjectSource, root: ObjectId) -> None:
        self._source = source
        self._refs: list[Ref] = []
        self.read = {root}
        self.entries: list[tuple[bytes, bytes]] = []
        node = load_root(source, root) if root != EMPTY else _NOTHING
        if node.height:
            self._refs = children(node)[::-1]
        else:
            self.entries = list(zip(node.keys, node.values, strict=True))[::-1]

    def subtree(self) -> Ref | None:
        """Return the next subtree; ``None`` when an entry comes next or nothing is left."""
        return self._refs[-1] if self._refs and not self.entries else None

    def skip(self) -> None:
        """Skip the next subtree."""
        self._refs.pop()

    def expand(self) -> None:
        """Replace the next subtree by its children or entries."""
        ref = self._refs.pop()
        self.read.add(ref.id)
        node = load(self._source, ref)
        if node.height:
            self._refs.extend(reversed(children(node, ref.after)))
        else:
            self.entries = list(zip(node.keys, node.values, strict=True))[::-1]


def diff(
    source_a: ObjectSource, a: ObjectId, b: ObjectId, source_b: ObjectSource | None = None
) -> Iterator[tuple[bytes, bytes | None, bytes | None]]:
    """Compare two trees.

    Args:
        source_a: holds the first tree.
        a: its root.
        b: the root of the second tree.
        source_b: holds the second tree; the same source unless given.

    Yields:
        Key, value in ``a`` and value in ``b`` of each entry that differs, in key order; ``None`` if absent.

    Raises:
        DamagedObject: a node is missing or malformed.
    """
    if a != b:
        yield from _differences(_Cursor(source_a, a), _Cursor(source_b or source_a, b))


class Growth(NamedTuple):
    """The nodes and entries of a tree that another tree does not have.

    Attributes:
        nodes: its nodes; a node that the other tree has in another place may be among them.
        entries: the entries that differ, in the form of :func:`diff`.
    """

    nodes: set[ObjectId]
    entries: list[tuple[bytes, bytes | None, bytes | None]]


def growth(source: ObjectSource, a: ObjectId, b: ObjectId) -> Growth:
    """Find the nodes and entries of the second of two trees that the first does not have, as :func:`diff` does.

    Raises:
        DamagedObject: a node is missing or malformed.
    """
    if a == b:
        return Growth(set(), [])
    left, right = _Cursor(source, a), _Cursor(source, b)
    found = list(_differences(left, right))
    return Growth(right.read - left.read, found)


def _differences(left: _Cursor, right: _Cursor) -> Iterator[tuple[bytes, bytes | None, bytes | None]]:
    while True:
        _settle(left, right)
        if left.entries and right.entries:
            yield from _compare(left.entries, right.entries)
        elif left.entries:
            yield from ((key, value, None) for key, value in _drain(left.entries))
        elif right.entries:
            yield from ((key, None, value) for key, value in _drain(right.entries))
        else:
            return


def _settle(left: _Cursor, right: _Cursor) -> None:
    """Skip equal subtrees and open different ones, until on each side an entry comes next or nothing is left."""
    while True:
        mine, theirs = left.subtree(), right.subtree()
        if mine and theirs:
            if mine.id == theirs.id:
                left.skip()
                right.skip()
                continue
            # Open the taller one first: equal subtrees can only meet at the same height.
            if mine.height >= theirs.height:
                left.expand()
            if theirs.height >= mine.height:
                right.expand()
        elif mine:
            left.expand()
        elif theirs:
            right.expand()
        else:
            return


def _compare(
    mine: list[tuple[bytes, bytes]], theirs: list[tuple[bytes, bytes]]
) -> Iterator[tuple[bytes, bytes | None, bytes | None]]:
    if len(mine) == len(theirs):
        # Mostly a value has changed and nothing else. One comparison of each pair, in C, finds that out.
        pairs = [pair for pair in zip(mine, theirs, strict=True) if pair[0] != pair[1]]
        if all(old[0] == new[0] for old, new in pairs):
            mine.clear()
            theirs.clear()
            yield from ((old[0], old[1], new[1]) for old, new in reversed(pairs))
            return
    while mine and theirs:
        key, other = mine[-1][0], theirs[-1][0]
        if key == other:
            old, new = mine.pop()[1], theirs.pop()[1]
            if old != new:
                yield key, old, new
        elif key < other:
            yield key, mine.pop()[1], None
        else:
            yield other, None, theirs.pop()[1]


def _drain(entries: list[tuple[bytes, bytes]]) -> Iterator[tuple[bytes, bytes]]:
    while entries:
        yield entries.pop()
