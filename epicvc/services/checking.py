"""``fsck`` and ``gc``: verify everything, and drop what nothing refers to."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import timedelta
from functools import partial

from msgspec import Struct, field

from epicvc.errors import DamagedStore, EpicvcError, Refused
from epicvc.fileio import leftover_temporaries, remove_file
from epicvc.repo.base import BaseEntry, get_core, get_mapping
from epicvc.repo.dbside import get_schema
from epicvc.repo.objects import format_time, get_commit, get_snapshot
from epicvc.repo.recovery import recover
from epicvc.repo.repository import Repo
from epicvc.store import tree
from epicvc.store.objects import ObjectId, ObjectType, is_id
from epicvc.store.verify import Problem, delete_unreachable, verify_objects

KEEP_DAYS = 90
"""How long ``gc`` keeps operations, as git keeps its reflog."""


class FsckReport(Struct):
    """What ``fsck`` verified and found."""

    problems: list[Problem] = field(default_factory=list)
    commits: int = 0
    objects: int = 0


class _Walk:
    """Visits everything that some root refers to, each object once.

    Args:
        repo: the repo.
        since: operations from before this time are no roots.
    """

    def __init__(self, repo: Repo, since: str = "") -> None:
        self._repo = repo
        self._since = since
        self.seen: set[ObjectId] = set()
        self.problems: list[Problem] = []
        self.commits = 0

    def run(self) -> None:
        """Walk from refs and from the operation log."""
        store = self._repo.store
        starts = [bytes.fromhex(value) for value in store.refs().values() if is_id(value)]
        operations = list(store.operations())
        while operations and operations[-1].time < self._since:
            operations.pop()  # as gc drops them: from the oldest on, whatever the clock did in between
        views = [view for operation in operations for view in (operation.before, operation.after)]
        pending = store.pending()
        if pending is not None:
            views += [view for view in (pending.before, pending.after) if view is not None]
        for view in views:
            starts += [bytes.fromhex(value) for value in view.refs.values() if is_id(value)]
        self._commits(starts)
        for view in views:
            if view.snapshot and is_id(view.snapshot):  # others are found by `verify_objects`
                self.guarded(partial(self._snapshot, bytes.fromhex(view.snapshot)))

    def guarded(self, visit: Callable[[], None]) -> None:
        """Visit something; what is wrong with it is a problem."""
        try:
            visit()
        except EpicvcError as error:
            self.problems.append(Problem(getattr(error, "object_id", None), error.kind, error.message))

    def _commits(self, stack: list[ObjectId]) -> None:
        while stack:
            oid = stack.pop()
            if oid in self.seen:
                continue
            self.seen.add(oid)

            self.guarded(partial(self._commit, oid, stack))

    def _commit(self, oid: ObjectId, stack: list[ObjectId]) -> None:
        commit = get_commit(self._repo.store, oid)
        self.commits += 1
        stack.extend(commit.parents)
        self._snapshot(commit.snapshot)

    def _snapshot(self, oid: ObjectId) -> None:
        if oid in self.seen:
            return
        self.seen.add(oid)
        store = self._repo.store
        snapshot = get_snapshot(store, oid)
        self.seen.add(snapshot.mapping)
        mapping = get_mapping(store, snapshot.mapping)
        for _, blob in self._entries(snapshot.files):
            self._leaf(blob, ObjectType.BLOB)
        for epic, value in self._entries(snapshot.base):
            entry = BaseEntry.unpack(value)
            self._leaf(entry.file or entry.core, ObjectType.BLOB if entry.file else ObjectType.CORE)
            get_core(store, epic.decode(), entry, mapping)
        if snapshot.database is not None:
            if snapshot.database.schema not in self.seen:
                self.seen.add(snapshot.database.schema)
                get_schema(store, snapshot.database)
            for _, root in self._entries(snapshot.database.tables):
                for _, row in self._entries(root):
                    if row[:1] == b"\xc1":
                        self._leaf(row[1:], ObjectType.BLOB)

    def _entries(self, root: ObjectId) -> Iterator[tuple[bytes, bytes]]:
        """The entries of those leaves of a tree that were not visited yet."""
        for _, node in tree.walk(self._repo.store, root, self.seen):
            if not node.height:
                yield from zip(node.keys, node.values, strict=True)

    def _leaf(self, oid: ObjectId, kind: ObjectType) -> None:
        if oid not in self.seen:
            self.seen.add(oid)
            if not self._repo.store.has(oid):
                self.problems.append(Problem(oid.hex(), "damaged_object", f"{kind.name.lower()} is missing"))


def fsck(repo: Repo, *, full: bool = False) -> FsckReport:
    """Verify the store: every object's hash, every ref, and that all that is referred to is there.

    Args:
        repo: the repo.
        full: verify the SQLite file page by page too.
    """
    walk = _Walk(repo)
    problems = list(verify_objects(repo.store, full=full))
    walk.guarded(walk.run)
    known = {problem.object for problem in problems if problem.object}
    for problem in walk.problems:
        if problem.object is None or problem.object not in known:
            problems.append(problem)
            known.update((problem.object,) if problem.object else ())
    return FsckReport(problems, walk.commits, _count_objects(repo))


def _count_objects(repo: Repo) -> int:
    count = 0
    with suppress(DamagedStore):  # is among the problems
        for _ in repo.store.objects():
            count += 1
    return count


class GcReport(Struct, frozen=True):
    """What ``gc`` dropped, or would drop."""

    objects: int
    freed: int
    temporaries: int


def gc(repo: Repo, *, keep_days: int = KEEP_DAYS, dry_run: bool = False) -> GcReport:
    """Drop objects that no ref and no operation refers to, and temporary files that a crash left.

    Args:
        repo: the repo.
        keep_days: operations older than this many days leave the log first; they can then not be undone any more.
        dry_run: only say what would go.

    Raises:
        Refused: the store is damaged; dropping from it could lose what might still be saved.
    """
    oldest = format_time(repo.now() - timedelta(days=keep_days))
    with repo.lock():
        if not dry_run:
            recover(repo)
        walk = _Walk(repo, since=oldest)
        walk.run()
        if walk.problems:
            raise Refused(f"the store is damaged: {walk.problems[0].message}", hint="run `epicvc fsck` first")
        temporaries = leftover_temporaries(repo.config.files)
        if dry_run:
            sizes = [stored for oid, _, stored in repo.store.objects() if oid not in walk.seen]
            return GcReport(len(sizes), sum(sizes), len(temporaries))
        for path in temporaries:
            remove_file(path)
        count, size = delete_unreachable(repo.store, walk.seen, oldest)
        return GcReport(count, size, len(temporaries))
