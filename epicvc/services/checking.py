"""``fsck``, ``gc`` and ``doctor``: verify everything, drop what nothing refers to, explain what is odd."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import timedelta
from functools import partial

from msgspec import Struct, field

from epicvc.errors import DamagedStore, EpicvcError, Refused
from epicvc.fileio import leftover_temporaries, remove_file
from epicvc.model.document import tasks_of
from epicvc.repo.base import BaseEntry, get_core, get_mapping
from epicvc.repo.dbside import get_schema
from epicvc.repo.documents import Documents
from epicvc.repo.objects import format_time, get_commit, get_snapshot
from epicvc.repo.recovery import recover
from epicvc.repo.repository import Repo
from epicvc.services.session import Session, look
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


class Finding(Struct, frozen=True):
    """Something that ``doctor`` tells.

    Attributes:
        level: ``error``, ``warning`` or ``info``.
        kind: a word for scripts.
        message: what it is.
        hint: what to do about it.
    """

    level: str
    kind: str
    message: str
    hint: str = ""


def doctor(repo: Repo, *, repair: bool = False) -> list[Finding]:
    """Look both sides and the store over.

    Args:
        repo: the repo.
        repair: finish an operation that a crash left behind, and remove its temporary files.
    """
    findings: list[Finding] = []
    pending = repo.store.pending()
    if repair:
        with repo.lock():
            forward = recover(repo)
        if pending is not None:
            text = "rolled forward" if forward else "rolled back"
            findings.append(Finding("info", "unfinished_operation", f"unfinished `{pending.command}` {text}"))
    elif pending is not None:
        hint = "run `epicvc doctor --repair`, or any command that writes"
        findings.append(Finding("warning", "unfinished_operation", f"`{pending.command}` was interrupted", hint))
    findings += [Finding("error", p.kind, p.message, "run `epicvc fsck`") for p in fsck(repo).problems]
    with look(repo) as session:
        findings += _files(session)
        findings += _database(session)
        if session.reader is not None and not session.working.files.problems:
            findings += _dependencies(session)
    return findings


def _files(session: Session) -> Iterator[Finding]:
    for error in session.working.files.problems:
        yield Finding("error", error.kind, error.message, error.hint or "")
    for path, reason in session.working.files.skipped:
        yield Finding("info", "not_tracked", f"{session.repo.config.shown(path)} is not tracked: {reason}")


def _database(session: Session) -> Iterator[Finding]:
    reader = session.reader
    if reader is None:
        yield Finding("warning", "no_database", "there is no database", "name one with --db or in epicvc.toml")
        return
    counts: dict[tuple[str, str], int] = {}
    for fault in reader.faults():
        counts[(fault.table, fault.parent)] = counts.get((fault.table, fault.parent), 0) + 1
    for (table, parent), count in sorted(counts.items()):
        text = f"{count} rows of {table} refer to rows of {parent} that do not exist"
        yield Finding(
            "warning",
            "orphans",
            text,
            "they block nothing; the application can add the parents or delete the rows",
        )


def _dependencies(session: Session) -> Iterator[Finding]:
    """Dependencies resolve over the whole document set, not within one epic."""
    documents = Documents(session.repo, session.working, session.staging, session.reader)
    epics = sorted({*session.working.files.by_epic, *documents.db_ids()})
    known: set[str] = set()
    wanted: list[tuple[str, str, str]] = []
    links = session.repo.config.mapping.links
    for three in documents.load(epics):
        for core in (three.file, three.db):
            for task in tasks_of(core or {}):
                key = str(task["id"])
                known.add(key)
                names = task.get(links.field) if links else None
                wanted += [(three.epic, key, str(name)) for name in names] if isinstance(names, list) else []
    for epic, key, name in dict.fromkeys(wanted):
        if name not in known:
            text = f"{epic}:tasks/{key} depends on task {name}, which does not exist"
            yield Finding("warning", "dangling_dependency", text, "correct the dependency, or add the task")
