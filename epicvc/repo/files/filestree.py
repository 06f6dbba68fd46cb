"""Files in the store: the tree of all of them, and the epics in their stored bytes."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

from epicvc.base.jsonio import JSON, parse
from epicvc.errors import InvalidJSON
from epicvc.model.document import FileEpic, epic_body, natural_key, read_file_epic
from epicvc.model.mapping import Mapping
from epicvc.model.templates import is_template
from epicvc.repo.config.config import Config
from epicvc.repo.files.tracked import TrackedFile
from epicvc.store.objects import ObjectId, ObjectSink, ObjectSource, ObjectType, object_id
from epicvc.store.tree import tree


def has_calculated(whole: dict[str, JSON], mapping: Mapping) -> bool:
    """Return whether an author's epic, a parsed file, has a field that the database calculates."""
    body = epic_body(whole)
    return any(field.name in body for field in mapping.epics.calculated)


def parse_file(data: bytes, path: str, config: Config) -> FileEpic:
    """Return the epic in a file's bytes.

    Raises:
        InvalidJSON: the bytes are no strict JSON.
        InvalidFile: the bytes are no epic.
        InvalidField: a core field's value does not fit its column.
    """
    return read_file_epic(parse(data, source=path), config.mapping, path)


def read_epic(source: ObjectSource, tracked: TrackedFile, config: Config) -> FileEpic:
    """Return the epic of a tracked file, read from its captured bytes."""
    return parse_file(source.get(tracked.blob, ObjectType.BLOB), tracked.path, config)


def epic_id_of(source: ObjectSource, blob: ObjectId, path: str) -> str:
    """Return the epic of any stored file; for a file that is no epic, or only a template of one, its path."""
    try:
        value = parse(source.get(blob, ObjectType.BLOB))
    except InvalidJSON:
        return path
    key = natural_key(epic_body(value).get("id")) if isinstance(value, dict) else None
    return path if key is None or is_template(value) else key


def epic_paths(source: ObjectSource, root: ObjectId, epics: Collection[str]) -> dict[str, tuple[str, ObjectId]]:
    """Return the places of some epics in a files tree: path and blob by epic."""
    found: dict[str, tuple[str, ObjectId]] = {}
    for key, blob in tree.items(source, root):
        path = key.decode()
        epic = epic_id_of(source, blob, path)
        if epic in epics:
            found.setdefault(epic, (path, blob))
            if len(found) == len(epics):
                break
    return found


def blob_id(data: bytes) -> ObjectId:
    """Return the id that these bytes have as a file."""
    return object_id(ObjectType.BLOB, data)


def changed_files(
    source: ObjectSource, before: ObjectId, after: ObjectId
) -> Iterator[tuple[str, ObjectId | None, ObjectId | None]]:
    """Yield the paths whose bytes differ between two files trees, with both blobs."""
    for key, old, new in tree.diff(source, before, after):
        yield key.decode(), old, new


def update_files(sink: ObjectSink, root: ObjectId, changes: Iterable[tuple[str, ObjectId | None]]) -> ObjectId:
    """Return the files tree with some paths set or removed."""
    packed: list[tuple[bytes, bytes | None]] = sorted((path.encode(), blob) for path, blob in changes)
    return tree.update(sink, root, packed) if packed else root
