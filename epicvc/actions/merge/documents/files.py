"""The files of merged documents: the bytes of one side if they say the result, else ours edited in its form."""

from __future__ import annotations

from collections.abc import Iterator

from epicvc.actions.merge.documents.epicfiles import Version
from epicvc.files.names import Namer, check_collisions, check_name
from epicvc.repo.files.filestree import update_files
from epicvc.store.objects import ObjectId, ObjectSink
from epicvc.store.tree import tree


class MergedFiles:
    """Collects the changes to our tree of files.

    Args:
        sink: the store of the tree.
        ours: the root of our tree.
    """

    def __init__(self, sink: ObjectSink, ours: ObjectId) -> None:
        self._sink = sink
        self._ours = ours
        self._changes: dict[str, ObjectId | None] = {}
        self._namer: Namer | None = None

    def remove(self, path: str) -> None:
        """Remove a file, unless another epic's file was put at its path."""
        self._changes.setdefault(path, None)

    def put(self, epic: str, path: str, blob: ObjectId, old: str | None) -> str:
        """Put an epic's file into the tree.

        Args:
            epic: the id of the epic.
            path: the path that the file should have.
            blob: the id of its bytes.
            old: the path of the epic's file in ours; ``None`` if it has none.

        Returns:
            The path of the file: another one if another epic's file has that path.

        Raises:
            UnsafeName: the path cannot be written on every system.
        """
        if path != old:
            if old is not None:
                self.remove(old)
            path = self._free(epic, path)
        self._changes[path] = blob
        return path

    def root(self) -> ObjectId:
        """Return the root of the merged tree.

        Raises:
            UnsafeName: two of its paths are the same one on other systems.
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
    """Return the path of the merged file: the path to which one side moved it, or ours if both did."""
    if ours is None:
        found = theirs or base
        return found.path if found else None
    if base is not None and theirs is not None and ours.path == base.path:
        return theirs.path
    return ours.path
