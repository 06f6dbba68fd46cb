"""The files of merged documents: one side's bytes where they say it already, else an edit of ours that keeps form."""

from __future__ import annotations

from collections.abc import Iterator

from epicvc.actions.merge.documents.epicfiles import Version
from epicvc.files.names import Namer, check_collisions, check_name
from epicvc.repo.files.filestree import update_files
from epicvc.store.objects import ObjectId, ObjectSink
from epicvc.store.tree import tree


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
        known = tree.get_many(self._sink, self._ours, [path.encode() for path in self._changes])
        changes = {path: blob for path, blob in self._changes.items() if known.get(path.encode()) != blob}
        if any(blob is not None and path.encode() not in known for path, blob in changes.items()):
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
        return found.path if found else None
    if base is not None and theirs is not None and ours.path == base.path:
        return theirs.path
    return ours.path
