"""A cache of nodes that were read a moment ago: trees share most of theirs, so comparing trees reads them again."""

from __future__ import annotations

from typing import Final

from epicvc.store.objects import ObjectId, ObjectType

MOST_BYTES: Final = 32 << 20
"""The most bytes of payload to keep: the nodes on the way to a few hundred entries of three states."""


class Recent:
    """A cache of verified payloads that keeps a bounded number of bytes, the most recently used ones.

    Objects never change, so a payload that was proved once in this process need not be decompressed and hashed again.
    """

    def __init__(self, most: int = MOST_BYTES) -> None:
        self._most = most
        self._bytes = 0
        self._kept: dict[ObjectId, tuple[ObjectType, bytes]] = {}  # the most recently used one last

    def get(self, oid: ObjectId) -> tuple[ObjectType, bytes] | None:
        """Return an object's type and payload, or ``None`` where it is not kept."""
        found = self._kept.pop(oid, None)
        if found is not None:
            self._kept[oid] = found
        return found

    def keep(self, oid: ObjectId, type: ObjectType, payload: bytes) -> None:  # noqa: A002  (the word of the format)
        """Keep an object that is not kept yet, and drop the least recently used ones if they take too much."""
        self._kept[oid] = (type, payload)
        self._bytes += len(payload)
        while self._bytes > self._most:
            _, forgotten = self._kept.pop(next(iter(self._kept)))
            self._bytes -= len(forgotten)

    def clear(self) -> None:
        """Drop all objects."""
        self._kept.clear()
        self._bytes = 0
