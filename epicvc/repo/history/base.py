"""The base: by epic, the core on which both sides last agreed. It is a part of every snapshot.

An entry that equals the core of a captured file refers to that file's bytes instead of copying them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, TypeVar, cast

from msgspec import Struct

from epicvc.base.depth import decode
from epicvc.base.jsonio import parse
from epicvc.errors import DamagedObject
from epicvc.model.document import Core, core_bytes, read_file_epic
from epicvc.model.mapping import Mapping
from epicvc.repo.history.objects import payload_of
from epicvc.store.objects import ObjectId, ObjectSink, ObjectSource, ObjectType, object_id
from epicvc.store.tree import tree

T = TypeVar("T")

_OWN, _FILE = 0, 1


class BaseEntry(Struct, frozen=True):
    """The agreed state of one epic.

    Attributes:
        core: the id of the agreed core.
        file: the blob of the file that gives this core, where there is one.
    """

    core: ObjectId
    file: ObjectId | None = None

    def pack(self) -> bytes:
        """Return the entry as the value of a tree."""
        return self.core + (bytes((_FILE,)) + self.file if self.file else bytes((_OWN,)))

    @classmethod
    def unpack(cls, value: bytes) -> BaseEntry:
        """Read an entry from the value of a tree.

        Raises:
            DamagedObject: the value is no base entry.
        """
        if len(value) == 33 and value[32] == _OWN:
            return cls(value[:32])
        if len(value) == 65 and value[32] == _FILE:
            return cls(value[:32], value[33:])
        raise DamagedObject(value[:32].hex(), "a base entry has the wrong shape")


def core_id(epic: str, core: Core) -> ObjectId:
    """Return the id of a core: its name as an object of the store."""
    return object_id(ObjectType.CORE, core_bytes(epic, core))


def put_entry(
    sink: ObjectSink, epic: str, core: Core, file: tuple[ObjectId, ObjectId] | None, known: ObjectId | None = None
) -> BaseEntry:
    """Make the entry for an agreed core.

    Args:
        sink: takes the core where no file has it.
        epic: the epic's id.
        core: the agreed core.
        file: the blob of the epic's file and the id of its core, where there is a file.
        known: the core's id, where it is known.
    """
    if file and file[1] == known:
        return BaseEntry(file[1], file[0])
    payload = core_bytes(epic, core)
    oid = object_id(ObjectType.CORE, payload)
    if file and file[1] == oid:
        return BaseEntry(oid, file[0])
    return BaseEntry(sink.put(ObjectType.CORE, payload))


def get_core(source: ObjectSource, epic: str, entry: BaseEntry, mapping: Mapping) -> Core:
    """Return the agreed core of an epic.

    Args:
        source: the store.
        epic: the epic's id.
        entry: its entry in the base tree.
        mapping: the snapshot's own mapping, under which it was agreed.

    Raises:
        DamagedObject: the entry's object is missing, or gives another core than it names.
    """
    if entry.file is None:
        core = cast("Core", parse(source.get(entry.core, ObjectType.CORE)))
        core.pop("id", None)
        return core
    core = read_file_epic(parse(source.get(entry.file, ObjectType.BLOB)), mapping, epic, stored=True).core
    if core_id(epic, core) != entry.core:
        raise DamagedObject(entry.file.hex(), f"does not give the base of epic {epic}")
    return core


class Base:
    """The base of one snapshot, read lazily."""

    def __init__(self, source: ObjectSource, root: ObjectId, mapping: Mapping) -> None:
        self.root = root
        self.mapping = mapping
        self._source = source

    def entry(self, epic: str) -> BaseEntry | None:
        """Return the entry of one epic, or ``None``."""
        value = tree.get(self._source, self.root, epic.encode())
        return BaseEntry.unpack(value) if value is not None else None

    def entries(self) -> Iterator[tuple[str, BaseEntry]]:
        """Yield all entries, by epic."""
        for key, value in tree.items(self._source, self.root):
            yield key.decode(), BaseEntry.unpack(value)

    def core(self, epic: str) -> Core | None:
        """Return the agreed core of one epic, or ``None``."""
        entry = self.entry(epic)
        return get_core(self._source, epic, entry, self.mapping) if entry else None


def update_base(sink: ObjectSink, root: ObjectId, changes: Iterable[tuple[str, BaseEntry | None]]) -> ObjectId:
    """Return the base with some entries set or removed."""
    packed = sorted((epic.encode(), entry.pack() if entry else None) for epic, entry in changes)
    return tree.update(sink, root, packed) if packed else root


def detached(sink: ObjectSink, base: Base) -> ObjectId:
    """Return the same base without references to files, so that it can be read under any mapping."""
    own = [
        (epic, put_entry(sink, epic, get_core(sink, epic, entry, base.mapping), None))
        for epic, entry in base.entries()
        if entry.file is not None
    ]
    return update_base(sink, base.root, own)


def put_mapping(sink: ObjectSink, mapping: Mapping, ignored: frozenset[str] = frozenset()) -> ObjectId:
    """Store a mapping, together with the tables that are left out of snapshots."""
    value = {"version": 1, "ignored": sorted(ignored), **mapping.to_json()}
    return sink.put(ObjectType.MAPPING, payload_of(value))


def get_mapping(source: ObjectSource, oid: ObjectId) -> Mapping:
    """Read a mapping.

    Raises:
        DamagedObject: the object is missing or is no mapping.
    """
    value = _stored(source, oid, dict[str, Any])
    try:
        return Mapping.from_json(value)
    except (ValueError, KeyError, TypeError) as error:
        raise DamagedObject(oid.hex(), "is no mapping") from error


class _Ignored(Struct):
    """The tables that are left out, which stand beside a mapping."""

    ignored: list[str] = []


def get_ignored(source: ObjectSource, oid: ObjectId) -> frozenset[str]:
    """Return the tables that snapshots with this mapping leave out.

    Raises:
        DamagedObject: the object is missing or is no mapping.
    """
    return frozenset(_stored(source, oid, _Ignored).ignored)


def _stored(source: ObjectSource, oid: ObjectId, kind: type[T]) -> T:
    payload = source.get(oid, ObjectType.MAPPING)
    try:
        return decode(payload, kind)
    except ValueError as error:
        raise DamagedObject(oid.hex(), f"is no mapping: {error}") from error
