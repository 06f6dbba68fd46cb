"""A sink in memory that counts, for the laws of trees."""

from __future__ import annotations

from epicvc.errors import DamagedObject
from epicvc.store.objects import ObjectId, ObjectType, object_id


class Memory:
    def __init__(self) -> None:
        self.objects: dict[ObjectId, bytes] = {}
        self.gets = 0
        self.puts = 0

    def get(self, oid: ObjectId, type: ObjectType) -> bytes:  # noqa: A002
        self.gets += 1
        if oid not in self.objects:
            raise DamagedObject(oid.hex(), "missing")
        return self.objects[oid]

    def has(self, oid: ObjectId) -> bool:
        return oid in self.objects

    def put(self, type: ObjectType, payload: bytes) -> ObjectId:  # noqa: A002
        self.puts += 1
        oid = object_id(type, payload)
        self.objects[oid] = payload
        return oid
