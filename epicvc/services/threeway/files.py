"""The files of merged documents: one side's bytes where they say it already, else an edit of ours that keeps form."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import cast

from epicvc.files.names import Namer, check_collisions, check_name
from epicvc.files.rewrite import rewrite
from epicvc.jsonio import JSON, equal
from epicvc.model.document import CALCULATED, WRAPPER, Core, FileEpic, epic_body, natural_key, tasks_of
from epicvc.model.edit import graft, with_core
from epicvc.model.labels import SIBLINGS
from epicvc.model.mapping import Mapping
from epicvc.repo.filesside import update_files
from epicvc.services.threeway.states import Place
from epicvc.services.threeway.whole import core_part, of_file, task_id
from epicvc.store import tree
from epicvc.store.objects import ObjectId, ObjectSink

Object = dict[str, JSON]


@dataclass(frozen=True)
class Version:
    """An epic's file in one state."""

    place: Place
    raw: bytes
    file: FileEpic


class MergedFiles:
    """The merged files tree: ours, with what changes.

    Args:
        sink: holds the tree.
        ours: its root.
    """

    def __init__(self, sink: ObjectSink, ours: ObjectId) -> None:
        self._sink = sink
        self._ours = ours
        self._changes: dict[str, ObjectId | None] = {}
        self._namer: Namer | None = None

    def remove(self, path: str) -> None:
        """A file goes, unless another epic's file came to its place."""
        self._changes.setdefault(path, None)

    def put(self, epic: str, path: str, blob: ObjectId, old: str | None) -> str:
        """Put an epic's file.

        Args:
            epic: its epic.
            path: where it is to be.
            blob: its bytes.
            old: where the epic's file is in ours.

        Returns:
            Where it is: elsewhere, where another epic's file has that path.

        Raises:
            UnsafeName: a path is none that can be written everywhere.
        """
        if path != old:
            if old is not None:
                self.remove(old)
            path = self._free(epic, path)
        self._changes[path] = blob
        return path

    def root(self) -> ObjectId:
        """The tree.

        Raises:
            UnsafeName: two of its paths are one on other systems.
        """
        changes = {path: blob for path, blob in self._changes.items() if self._blob(path) != blob}
        if any(blob is not None and self._blob(path) is None for path, blob in changes.items()):
            gone = {path for path, blob in changes.items() if blob is None}
            check_collisions(sorted({*self._paths(), *changes} - gone))
        return update_files(self._sink, self._ours, changes.items())

    def _free(self, epic: str, path: str) -> str:
        check_name(path)
        taken = self._changes[path] is not None if path in self._changes else self._blob(path) is not None
        if not taken:
            return path
        if self._namer is None:
            self._namer = Namer(dict.fromkeys([*self._paths(), *self._changes], ""))
        return self._namer.name(epic)

    def _blob(self, path: str) -> ObjectId | None:
        return tree.get(self._sink, self._ours, path.encode())

    def _paths(self) -> Iterator[str]:
        return (key.decode() for key, _ in tree.items(self._sink, self._ours))


def merged_path(base: Version | None, ours: Version | None, theirs: Version | None) -> str | None:
    """Where the merged file goes: where one side moved it; ours, where both did."""
    if ours is None:
        found = theirs or base
        return found.place[0] if found else None
    if base is not None and theirs is not None and ours.place[0] == base.place[0]:
        return theirs.place[0]
    return ours.place[0]


def merged_bytes(
    mapping: Mapping,
    merged: Core,
    base: Version | None,
    ours: Version | None,
    theirs: Version | None,
    calculated: Core | None,
) -> bytes | None:
    """The bytes of a merged file; ``None`` where no state has the epic's file.

    Args:
        mapping: says which fields are core.
        merged: the core with its extra keys, as :func:`of_file` gives them.
        base: the file then.
        ours: the file here.
        theirs: the file there.
        calculated: the calculated fields to write beside the epic; ``None`` where files have none.
    """
    wanted = cast("JSON", merged)
    untouched = ours is None or (base is not None and ours.place[1] == base.place[1])
    if theirs is not None and untouched and equal(cast("JSON", of_file(theirs.file, mapping)), wanted):
        return theirs.raw
    if ours is not None and equal(cast("JSON", of_file(ours.file, mapping)), wanted):
        return ours.raw
    versions = [version for version in (ours, theirs, base) if version is not None]
    if not versions:
        return None
    start = versions[0]
    if SIBLINGS in merged:  # a bare epic has no place beside it
        start = next((version for version in versions if version.file.body is not version.file.whole), start)
    donors = [version.file for version in versions if version is not start]
    whole = _with_whole(start.file, merged, donors, mapping)
    if calculated is not None and WRAPPER in whole:
        whole.pop(CALCULATED, None)
        if calculated:
            whole[CALCULATED] = cast("JSON", calculated)
    return rewrite(start.raw, cast("JSON", whole), cast("JSON", start.file.whole))


def _with_whole(start: FileEpic, merged: Core, donors: list[FileEpic], mapping: Mapping) -> Object:
    before = of_file(start, mapping)
    whole = with_core(start.whole, start.core, core_part(merged, mapping) or {}, mapping)
    body = dict(epic_body(whole))
    _set_extra(body, before, merged, {*mapping.epic_fields, "id", SIBLINGS})
    if mapping.TASKS in body:
        body[mapping.TASKS] = cast("JSON", _tasks(body, before, merged, donors, mapping))
    if epic_body(whole) is whole:
        return body
    result = {**whole, WRAPPER: cast("JSON", body)}
    old, new = (cast("Core", value.get(SIBLINGS) or {}) for value in (before, merged))
    _set_extra(result, old, new, {WRAPPER, CALCULATED})
    return result


def _tasks(body: Object, before: Core, merged: Core, donors: list[FileEpic], mapping: Mapping) -> list[Object]:
    own = {*mapping.task_fields, "id"}
    old, new = ({task_id(task): task for task in tasks_of(core)} for core in (before, merged))
    result = []
    for item in tasks_of(body):
        key = cast("str", natural_key(item["id"]))
        if key in old:
            if not equal(cast("JSON", old[key]), cast("JSON", new.get(key))):
                item = dict(item)
                _set_extra(item, old[key], new.get(key, {}), own)
        else:
            item = _as_donor({**item, **new.get(key, {}), "id": key}, key, donors)
        result.append(item)
    return result


def _as_donor(item: Object, key: str, donors: list[FileEpic]) -> Object:
    """A task that this file did not have, with its keys in the order and spelling of the file that it comes from."""
    for donor in donors:
        for found in tasks_of(donor.body):
            if natural_key(found["id"]) == key:
                known = {name: graft(value, item[name]) for name, value in found.items() if name in item}
                return {**known, "id": found["id"], **{name: v for name, v in item.items() if name not in known}}
    return item


def _set_extra(target: Object, before: Core, after: Core, own: set[str]) -> None:
    """Set what is no core field; what does not differ keeps the author's spelling."""
    for name in dict.fromkeys([*before, *after]):
        if name in own or equal(before.get(name), after.get(name)):
            continue
        if after.get(name) is None:
            target.pop(name, None)
        else:
            target[name] = graft(target.get(name), after[name])
