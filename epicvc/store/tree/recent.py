"""Nodes that were read a moment ago. Trees share most of them, and whoever compares trees reads these again."""

from __future__ import annotations

from typing import Final

from epicvc.store.objects import ObjectId, ObjectType

MOST_BYTES: Final = 32 << 20
"""Bytes of payload to keep: the nodes on the way to a few hundred entries of three states."""


class Recent:
    """Verified payloads, those that were asked for last; a bounded number of bytes.

    Objects never change, so that what was proved once in this process need not be decompressed and hashed again.
    """

    def __init__(self, most: int = MOST_BYTES) -> None:
        self._most = most
        self._bytes = 0
        self._kept: dict[ObjectId, tuple[ObjectType, bytes]] = {}  # what was asked for last stands last

    def get(self, oid: ObjectId) -> tuple[ObjectType, bytes] | None:
        """An object's type and payload, where it is kept."""
        found = self._kept.pop(oid, None)
        if found is not None:
            self._kept[oid] = found
        return found

    def keep(self, oid: ObjectId, type: ObjectType, payload: bytes) -> None:  # noqa: A002  (the word of the format)
        """Keep an object that is not kept yet, in the place of the ones that nobody asked for."""
        self._kept[oid] = (type, payload)
        self._bytes += len(payload)
        while self._bytes > self._most:
            _, forgotten = self._kept.pop(next(iter(self._kept)))
            self._bytes -= len(forgotten)

    def clear(self) -> None:
        """Forget all."""
        self._kept.clear()
        self._bytes = 0
