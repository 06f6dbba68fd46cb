"""Finds the objects that a commit reaches and an earlier commit does not, in time that grows with their difference.

Each state is compared with one that comes before it, and equal subtrees are skipped unread. So no missing object is
left out. An object that a state has in another place than before (a copy of a file) may be found a second time.
"""

from __future__ import annotations

from collections.abc import Iterable

from epicvc.repo.history.backups import read_record
from epicvc.repo.history.base import BaseEntry
from epicvc.repo.history.mergebase import commits_since
from epicvc.repo.history.objects import CommitKind, DatabaseState, Snapshot, get_commit, get_snapshot
from epicvc.store.objects import ObjectId, ObjectSource, ObjectType
from epicvc.store.tree import tree

_LONG = b"\xc1"
"""The first byte of a row that is stored as a blob of its own."""


class Fresh:
    """Collects objects with their types. Contents of files are not read.

    Args:
        source: holds the objects.

    Attributes:
        kinds: the type of each object that was found.
    """

    def __init__(self, source: ObjectSource) -> None:
        self._source = source
        self.kinds: dict[ObjectId, ObjectType] = {}

    def commits(self, earlier: ObjectId, later: ObjectId) -> None:
        """Collect the objects that a commit reaches and an earlier one does not.

        Raises:
            DamagedObject: an object on the way is missing or malformed.
        """
        before = get_commit(self._source, earlier)
        state = get_snapshot(self._source, before.snapshot)
        for commit in commits_since(self._source, earlier, later):
            self._note(ObjectType.COMMIT, [commit.id])
            base = state
            if commit.id != later and commit.parents:
                base = get_snapshot(self._source, get_commit(self._source, commit.parents[0]).snapshot)
            self.snapshot(base, commit.snapshot)
            if commit.kind is CommitKind.BACKUP:
                known = read_record(before).place_root if before.kind is CommitKind.BACKUP else tree.EMPTY
                self.files(known, read_record(commit).place_root)

    def snapshot(self, before: Snapshot, oid: ObjectId) -> None:
        """Collect the objects that a snapshot has and an earlier one does not."""
        now = get_snapshot(self._source, oid)
        if now == before:
            return
        self._note(ObjectType.SNAPSHOT, [oid])
        if now.mapping != before.mapping:
            self._note(ObjectType.MAPPING, [now.mapping])
        self.files(before.files, now.files)
        self._agreed(before.base, now.base)
        if now.database is not None:
            self._database(before.database, now.database)

    def files(self, before: ObjectId, now: ObjectId) -> None:
        """Collect the objects that a tree of files has and an earlier one does not."""
        found = self._grown(before, now)
        former = {old for old, _ in found}
        self._note(ObjectType.BLOB, (new for _, new in found if new is not None and new not in former))

    def _agreed(self, before: ObjectId, now: ObjectId) -> None:
        for old, new in self._grown(before, now):
            if new is None:
                continue
            was, entry = BaseEntry.unpack(old) if old else None, BaseEntry.unpack(new)
            if entry.file is not None:  # the core is read from that file, and is no object of its own
                self._note(ObjectType.BLOB, [entry.file] if was is None or was.file != entry.file else [])
            elif was is None or was.file is not None or was.core != entry.core:
                self._note(ObjectType.CORE, [entry.core])

    def _database(self, before: DatabaseState | None, now: DatabaseState) -> None:
        if before is None or before.schema != now.schema:
            self._note(ObjectType.SCHEMA, [now.schema])
        for old, new in self._grown(before.tables if before else tree.EMPTY, now.tables):
            rows = self._grown(old or tree.EMPTY, new) if new is not None else []
            self._note(ObjectType.BLOB, (row[1:] for _, row in rows if row is not None and row[:1] == _LONG))

    def _grown(self, before: ObjectId, now: ObjectId) -> list[tuple[bytes | None, bytes | None]]:
        """Return the former and the new value of each entry that differs."""
        found = tree.growth(self._source, before, now)
        self._note(ObjectType.NODE, found.nodes)
        return [(old, new) for _, old, new in found.entries]

    def _note(self, kind: ObjectType, ids: Iterable[ObjectId]) -> None:
        self.kinds.update(dict.fromkeys(ids, kind))
