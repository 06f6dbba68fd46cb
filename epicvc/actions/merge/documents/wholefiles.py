"""Merges files that are no valid epic: each is one value, taken unchanged from one side.

These files are set apart before documents are merged, in all three states, and put back afterwards. Rows are merged as
always.
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from epicvc.base.jsonio import JSON, parse
from epicvc.errors import InvalidData
from epicvc.merge.threeway import ABSENT, MergeContext, Value, merge_scalar, same
from epicvc.merge.versions import Versions
from epicvc.model.labels import Label
from epicvc.model.templates import is_template
from epicvc.repo.config.config import Config
from epicvc.repo.files.filestree import changed_files, epic_id_of, parse_file, update_files
from epicvc.repo.history.objects import Snapshot
from epicvc.store.objects import ObjectId, ObjectSink, ObjectType
from epicvc.store.tree import tree


class WholeFile(Struct, frozen=True):
    """A file that is merged as one value.

    Attributes:
        path: the path of the file.
        label: the epic that the file holds in some state, else its path.
        blobs: its bytes in base, ours and theirs.
        values: the bytes as JSON, or as text where they are no JSON.
    """

    path: str
    label: Label
    blobs: Versions[ObjectId | None]
    values: Versions[Value]


def whole_files(sink: ObjectSink, config: Config, states: Versions[Snapshot]) -> list[WholeFile]:
    """Find the files that a side changed and that are no valid epic in some state.

    Args:
        sink: holds the states.
        config: says what an epic is.
        states: base, ours and theirs.
    """
    sides, base = (states.ours, states.theirs), states.base
    paths = {path for side in sides for path, *_ in changed_files(sink, base.files, side.files)}
    found = []
    for path in sorted(paths):
        blobs = Versions(*(tree.get(sink, state.files, path.encode()) for state in states))
        there = [blob for blob in blobs if blob is not None]
        if all(_is_readable(sink, config, path, blob) for blob in there):
            continue
        epic = next((epic for blob in there if (epic := epic_id_of(sink, blob, path)) != path), path)
        values: Versions[Value] = blobs.map(lambda blob: ABSENT if blob is None else _value(sink, blob))
        found.append(WholeFile(path, Label(epic), blobs, values))
    return found


def without(sink: ObjectSink, root: ObjectId, files: list[WholeFile]) -> ObjectId:
    """Return a files tree without these files."""
    return update_files(sink, root, ((file.path, None) for file in files))


def merged_files(files: list[WholeFile], context: MergeContext) -> Iterator[tuple[str, ObjectId | None]]:
    """Yield each of these files with its bytes in the result.

    Ours stays where both sides changed it and nothing decides.
    """
    for file in files:
        result = merge_scalar(context, file.label, file.values).ours
        base, ours, theirs = zip(file.values, file.blobs, strict=True)
        yield file.path, next((blob for value, blob in (ours, theirs, base) if same(value, result)), file.blobs.ours)


def _is_readable(sink: ObjectSink, config: Config, path: str, blob: ObjectId) -> bool:
    data = sink.get(blob, ObjectType.BLOB)
    try:
        parse_file(data, path, config)
    except InvalidData:
        try:
            return is_template(parse(data))
        except InvalidData:
            return False
    return True


def _value(sink: ObjectSink, blob: ObjectId) -> JSON:
    data = sink.get(blob, ObjectType.BLOB)
    try:
        return parse(data)
    except InvalidData:
        return data.decode("utf-8", "backslashreplace")
