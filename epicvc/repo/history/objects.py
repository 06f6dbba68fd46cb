"""Snapshots and commits as objects of the store (``docs/format.md``)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, cast

from msgspec import Struct
from msgspec.json import Encoder

from epicvc.base.depth import decode
from epicvc.errors import DamagedObject, NewerFormat
from epicvc.store.objects import ObjectId, ObjectSink, ObjectSource, ObjectType

VERSION = 1

_encode = Encoder(order="sorted", enc_hook=str.__str__).encode  # the hook takes subclasses of str and nothing else


class CommitKind(StrEnum):
    """The kind of command that made a commit."""

    COMMIT = "commit"
    SYNC = "sync"
    CHECKPOINT = "checkpoint"
    MERGE = "merge"
    BACKUP = "backup"


class DatabaseState(Struct, frozen=True, forbid_unknown_fields=True):
    """The state of the db side: its schema, and the tree of the trees of its tables' rows."""

    schema: ObjectId
    tables: ObjectId


class Snapshot(Struct, frozen=True):
    """A complete state: both sides, the base, and the mapping under which the base was agreed.

    ``database`` is ``None`` where no database exists.
    """

    files: ObjectId
    database: DatabaseState | None
    base: ObjectId
    mapping: ObjectId

    def same_sides(self, other: Snapshot) -> bool:
        """Return whether both sides are equal, whatever the bases are."""
        return self.files == other.files and self.database == other.database


class Commit(Struct, frozen=True):
    """A snapshot with its history.

    Attributes:
        id: its name.
        parents: the commits that it follows; two for a merge, none for the first.
        snapshot: the state.
        author: the name of its author.
        time: the time at which it was made, in UTC; later than that of every parent.
        message: the text that its author gave.
        kind: the kind of command that made it.
    """

    id: ObjectId
    parents: tuple[ObjectId, ...]
    snapshot: ObjectId
    author: str
    time: datetime
    message: str
    kind: CommitKind


def payload_of(value: dict[str, Any]) -> bytes:
    """Return an object's payload: JSON with sorted keys and no spaces, in UTF-8.

    Objects are named by it, so it is to the byte what ``json.dumps`` writes, as long as there are no floats.
    """
    return _encode(value)


def _read(source: ObjectSource, oid: ObjectId, kind: ObjectType) -> dict[str, Any]:
    payload = source.get(oid, kind)
    try:
        value = decode(payload, dict[str, Any])
    except ValueError as error:
        raise DamagedObject(oid.hex(), f"is no JSON: {error}") from error
    if not isinstance(value.get("version"), int):
        raise DamagedObject(oid.hex(), "has no version")
    if value["version"] > VERSION:
        raise NewerFormat(f"{kind.name.lower()} {oid.hex()[:12]}", value["version"], VERSION)
    return value


def _hash(oid: ObjectId, value: object) -> ObjectId:
    try:
        result = bytes.fromhex(cast("str", value))
    except (TypeError, ValueError) as error:
        raise DamagedObject(oid.hex(), "names another object by something that is no id") from error
    if len(result) != 32:
        raise DamagedObject(oid.hex(), "names another object by an id of the wrong length")
    return result


def put_snapshot(sink: ObjectSink, snapshot: Snapshot) -> ObjectId:
    """Store a snapshot and return its id."""
    database = snapshot.database
    value = {
        "version": VERSION,
        "files": snapshot.files.hex(),
        "database": {"schema": database.schema.hex(), "tables": database.tables.hex()} if database else None,
        "base": snapshot.base.hex(),
        "mapping": snapshot.mapping.hex(),
    }
    return sink.put(ObjectType.SNAPSHOT, payload_of(value))


def get_snapshot(source: ObjectSource, oid: ObjectId) -> Snapshot:
    """Read a snapshot.

    Raises:
        DamagedObject: the object is missing or is no snapshot.
        NewerFormat: a newer epicvc wrote it.
    """
    value = _read(source, oid, ObjectType.SNAPSHOT)
    database = value.get("database")
    state = None
    if isinstance(database, dict):
        state = DatabaseState(_hash(oid, database.get("schema")), _hash(oid, database.get("tables")))
    files, base, mapping = (_hash(oid, value.get(name)) for name in ("files", "base", "mapping"))
    return Snapshot(files, state, base, mapping)


def put_commit(
    sink: ObjectSink,
    *,
    parents: tuple[ObjectId, ...],
    snapshot: ObjectId,
    author: str,
    time: datetime,
    message: str,
    kind: CommitKind,
) -> ObjectId:
    """Store a commit and return its id.

    Where a clock went back, the time is set to one later than the parents', so that "the last commit before" has one
    answer.
    """
    for parent in parents:
        time = max(time, get_commit(sink, parent).time + timedelta(microseconds=1))
    value = {
        "version": VERSION,
        "parents": [parent.hex() for parent in parents],
        "snapshot": snapshot.hex(),
        "author": author,
        "time": format_time(time),
        "message": message,
        "kind": kind.value,
    }
    return sink.put(ObjectType.COMMIT, payload_of(value))


def get_commit(source: ObjectSource, oid: ObjectId) -> Commit:
    """Read a commit.

    Raises:
        DamagedObject: the object is missing or is no commit.
        NewerFormat: a newer epicvc wrote it.
    """
    value = _read(source, oid, ObjectType.COMMIT)
    parents = value.get("parents")
    texts = [value.get(name) for name in ("author", "message", "time", "kind")]
    if not isinstance(parents, list) or not all(isinstance(text, str) for text in texts):
        raise DamagedObject(oid.hex(), "is no commit")
    try:
        time, kind = parse_time(cast("str", texts[2])), CommitKind(cast("str", texts[3]))
    except ValueError as error:
        raise DamagedObject(oid.hex(), str(error)) from error
    return Commit(
        oid,
        tuple(_hash(oid, parent) for parent in parents),
        _hash(oid, value.get("snapshot")),
        author=cast("str", texts[0]),
        time=time,
        message=cast("str", texts[1]),
        kind=kind,
    )


def in_local_zone(time: datetime) -> datetime:
    """Return a time in the machine's zone, or in UTC where the environment names an impossible zone."""
    try:
        return time.astimezone()
    except ValueError:
        return time.astimezone(UTC)


def format_time(time: datetime) -> str:
    """Return a time as objects and machine output have it: UTC, ISO 8601, microseconds."""
    return time.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def parse_time(text: str) -> datetime:
    """Read a time that :func:`format_time` wrote.

    Raises:
        ValueError: the text is no such time.
    """
    time = datetime.fromisoformat(text)
    if time.tzinfo is None:
        raise ValueError(f"time {text!r} has no zone")
    return time.astimezone(UTC)
