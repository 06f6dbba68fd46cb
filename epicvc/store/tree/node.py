"""The nodes of a tree: their bytes, the level rule, and the checks that every node passes when it is read.

A leaf is ``[0, keys, values]``, an inner node ``[height, last keys, child ids, counts]``, in MessagePack.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from itertools import islice
from operator import lt
from typing import Final

import msgspec

from epicvc.errors import DamagedObject
from epicvc.store.objects import ID_SIZE, ObjectId, ObjectSource, ObjectType, object_id

MAX_HEIGHT: Final = 64
LEVEL_BITS: Final = 6
LEVEL_MASK: Final = (1 << LEVEL_BITS) - 1
"""A node has ``2 ** LEVEL_BITS`` children on average."""

_encode = msgspec.msgpack.Encoder().encode
_LEAF: Final = msgspec.msgpack.Decoder(tuple[int, list[bytes], list[bytes]])
_INNER: Final = msgspec.msgpack.Decoder(tuple[int, list[bytes], list[bytes], list[int]])
_LEAF_MARK: Final = b"\x93"  # an array of three


class Node(msgspec.Struct, frozen=True):
    """A decoded node.

    Attributes:
        height: 0 for a leaf.
        keys: a leaf's keys, or the last key below each child; strictly ascending.
        values: a leaf's values, or the ids of the children.
        counts: entries below each child; empty in a leaf.
    """

    height: int
    keys: list[bytes]
    values: list[bytes]
    counts: list[int]

    @property
    def total(self) -> int:
        """The number of entries at or below this node."""
        return sum(self.counts) if self.height else len(self.keys)


class Ref(msgspec.Struct, frozen=True):
    """A parent's claims about a child, which the child must fulfil.

    Attributes:
        id: the child.
        height: the child's height.
        last: its last key.
        total: the number of entries below it.
        after: a key that all keys below the child exceed; ``None`` where nothing comes before.
    """

    id: ObjectId
    height: int
    last: bytes
    total: int
    after: bytes | None


def level(key: bytes) -> int:
    """Return how many heights of nodes end with this key: trailing zero bits of its SHA-256, in groups of six."""
    number = int.from_bytes(sha256(key).digest(), "big")
    return ((number & -number).bit_length() - 1) // LEVEL_BITS


def encode_leaf(keys: Sequence[bytes], values: Sequence[bytes]) -> bytes:
    """Return the payload of a leaf."""
    return _encode((0, keys, values))


def encode_inner(height: int, keys: Sequence[bytes], ids: Sequence[ObjectId], counts: Sequence[int]) -> bytes:
    """Return the payload of an inner node."""
    return _encode((height, keys, ids, counts))


EMPTY_PAYLOAD: Final = encode_leaf((), ())
EMPTY: Final[ObjectId] = object_id(ObjectType.NODE, EMPTY_PAYLOAD)
"""The root of the tree without entries."""


def decode(oid: ObjectId, payload: bytes) -> Node:
    """Read a node's payload.

    Raises:
        DamagedObject: the payload does not have the shape of a node, or its keys do not ascend.
    """
    leaf = payload[:1] == _LEAF_MARK
    try:
        node = Node(*_LEAF.decode(payload), []) if leaf else Node(*_INNER.decode(payload))
    except msgspec.DecodeError as error:
        raise DamagedObject(oid.hex(), f"not a tree node: {error}") from error
    reason = _flaw(node, leaf=leaf)
    if reason:
        raise DamagedObject(oid.hex(), f"not a tree node: {reason}")
    return node


def _flaw(node: Node, *, leaf: bool) -> str | None:
    height, keys, values, counts = node.height, node.keys, node.values, node.counts
    if leaf:
        if height:
            return "a leaf above height 0"
    elif not 1 <= height <= MAX_HEIGHT:
        return f"height {height}"
    elif not keys or len(counts) != len(keys) or min(counts) < 1:
        return "wrong counts"
    elif any(len(child) != ID_SIZE for child in values):
        return "wrong child id"
    if len(values) != len(keys):
        return "as many keys as values are needed"
    return None if ascending(keys) else "keys do not ascend"


def ascending(keys: Sequence[bytes]) -> bool:
    """Return whether the keys are strictly ascending."""
    return all(map(lt, keys, islice(keys, 1, None)))


def load_root(source: ObjectSource, root: ObjectId) -> Node:
    """Read the root of a tree, of which only the id is known.

    Raises:
        DamagedObject: it is missing or malformed.
    """
    return decode(root, source.get(root, ObjectType.NODE))


def load(source: ObjectSource, ref: Ref) -> Node:
    """Read a child and check it against its parent's claims.

    Raises:
        DamagedObject: it is missing, malformed, or contradicts its parent.
    """
    node = decode(ref.id, source.get(ref.id, ObjectType.NODE))
    if node.height != ref.height:
        raise DamagedObject(ref.id.hex(), f"a node of height {node.height} instead of {ref.height}")
    if not node.keys or node.keys[-1] != ref.last or node.total != ref.total:
        raise DamagedObject(ref.id.hex(), "last key or count is not what the parent node says")
    # An inner node lists last keys only. For one, this is fully checked when its first leaf is read.
    if ref.after is not None and node.keys[0] <= ref.after:
        raise DamagedObject(ref.id.hex(), "its keys overlap those of the node before it")
    return node


def children(node: Node, after: bytes | None = None) -> list[Ref]:
    """Return an inner node's claims about its children.

    Args:
        node: an inner node.
        after: the key before all keys of this node.
    """
    height = node.height - 1
    before = [after, *node.keys[:-1]]
    columns = zip(node.values, node.keys, node.counts, before, strict=True)
    return [Ref(oid, height, last, total, floor) for oid, last, total, floor in columns]


def child(node: Node, position: int, after: bytes | None = None) -> Ref:
    """Return one of :func:`children`, without making the others."""
    floor = node.keys[position - 1] if position else after
    return Ref(node.values[position], node.height - 1, node.keys[position], node.counts[position], floor)
