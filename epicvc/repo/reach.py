"""Visits every object that commits and snapshots reach: ``gc`` keeps them, ``fsck`` checks them, bundles hold them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial

from epicvc.errors import EpicvcError
from epicvc.repo.history.backups import read_record
from epicvc.repo.history.base import BaseEntry, get_core, get_mapping
from epicvc.repo.history.objects import CommitKind, get_commit, get_snapshot
from epicvc.repo.rows.dbside import get_schema
from epicvc.store.objects import ObjectId, ObjectSource, ObjectType
from epicvc.store.tree import tree
from epicvc.store.verify import Problem


class Reach:
    """Visits objects, each once, and notes the problems.

    The contents of files must exist and are not read. Dictionaries are left out: they belong to no snapshot.

    Args:
        source: holds the objects.

    Attributes:
        seen: the ids of the visited objects.
        problems: the objects that are missing or malformed.
        commit_count: the number of visited commits.
    """

    def __init__(self, source: ObjectSource) -> None:
        self._source = source
        self.seen: set[ObjectId] = set()
        self.problems: list[Problem] = []
        self.commit_count = 0

    def guarded(self, visit: Callable[[], None]) -> None:
        """Run a visit. An error in it is noted as a problem."""
        try:
            visit()
        except EpicvcError as error:
            self.problems.append(Problem(getattr(error, "object_id", None), error.kind, error.message))

    def commits(self, starts: Iterable[ObjectId]) -> None:
        """Visit commits, their snapshots and all their ancestors."""
        stack = list(starts)
        while stack:
            oid = stack.pop()
            if oid not in self.seen:
                self.seen.add(oid)
                self.guarded(partial(self._commit, oid, stack))

    def _commit(self, oid: ObjectId, stack: list[ObjectId]) -> None:
        commit = get_commit(self._source, oid)
        self.commit_count += 1
        stack.extend(commit.parents)
        self.snapshot(commit.snapshot)
        if commit.kind is CommitKind.BACKUP:
            self.files(read_record(commit).place_root)

    def snapshot(self, oid: ObjectId) -> None:
        """Visit a snapshot.

        Raises:
            EpicvcError: a part of it is missing or malformed.
        """
        if oid in self.seen:
            return
        self.seen.add(oid)
        source = self._source
        snapshot = get_snapshot(source, oid)
        self.seen.add(snapshot.mapping)
        mapping = get_mapping(source, snapshot.mapping)
        self.files(snapshot.files)
        for epic, value in self._entries(snapshot.base):
            entry = BaseEntry.unpack(value)
            self._leaf(entry.file or entry.core, ObjectType.BLOB if entry.file else ObjectType.CORE)
            get_core(source, epic.decode(), entry, mapping)
        if snapshot.database is not None:
            if snapshot.database.schema not in self.seen:
                self.seen.add(snapshot.database.schema)
                get_schema(source, snapshot.database)
            for _, root in self._entries(snapshot.database.tables):
                for _, row in self._entries(root):
                    # A long row is a blob of its own; see :mod:`epicvc.repo.rows.dbside`.
                    if row[:1] == b"\xc1":
                        self._leaf(row[1:], ObjectType.BLOB)

    def files(self, root: ObjectId) -> None:
        """Visit a tree of files.

        Raises:
            EpicvcError: a node of it is missing or malformed.
        """
        for _, blob in self._entries(root):
            self._leaf(blob, ObjectType.BLOB)

    def _entries(self, root: ObjectId) -> Iterator[tuple[bytes, bytes]]:
        """Yield the entries of those leaves of a tree that were not visited yet."""
        for _, node in tree.walk(self._source, root, self.seen):
            if not node.height:
                yield from zip(node.keys, node.values, strict=True)

    def _leaf(self, oid: ObjectId, kind: ObjectType) -> None:
        if oid not in self.seen:
            self.seen.add(oid)
            if not self._source.has(oid):
                self.problems.append(Problem(oid.hex(), "damaged_object", f"{kind.name.lower()} is missing"))
