"""The commands ``fsck`` and ``gc``: verify the whole store, and drop unreferenced objects."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from functools import partial
from time import perf_counter
from typing import Final

from msgspec import Struct, field

from epicvc.base.fileio import leftover_temporaries, remove_file
from epicvc.base.logs import Log
from epicvc.errors import DamagedStore, Refused
from epicvc.repo.apply.recovery import recover
from epicvc.repo.history.objects import format_time
from epicvc.repo.history.revisions import BACKUPS
from epicvc.repo.reach import Reach
from epicvc.repo.repository import Repo
from epicvc.store.objects import is_id
from epicvc.store.verify import Problem, delete_unreachable, verify_objects

KEEP_DAYS = 90
"""The number of days for which ``gc`` keeps operations, as git keeps its reflog."""
_LOG: Final = Log("gc")


class FsckReport(Struct, frozen=True):
    """The problems that ``fsck`` found, and the numbers of objects that it verified."""

    problems: list[Problem] = field(default_factory=list)
    commits: int = 0
    objects: int = 0


class _StoreWalk(Reach):
    """Visits all objects to which a root refers.

    Args:
        repo: the repo.
        since: operations from before this time are no roots.
    """

    def __init__(self, repo: Repo, since: str = "") -> None:
        super().__init__(repo.store)
        self._store = repo.store
        self._since = since

    def run(self) -> None:
        """Walk from the refs and from the operation log."""
        store = self._store
        starts = [bytes.fromhex(value) for value in store.refs(checked=False).values() if is_id(value)]
        operations = list(store.operations())
        while operations and operations[-1].time < self._since:
            # as gc drops them: from the oldest on, until the first that is recent, since a clock may have jumped in
            # between
            operations.pop()
        views = [view for operation in operations for view in (operation.before, operation.after)]
        pending = store.pending()
        if pending is not None:
            views += [view for view in (pending.before, pending.after) if view is not None]
        for view in views:
            # The refs of backups in views are no roots: every operation of a backup's lifetime names it, so that a
            # forgotten one would stay as long as the log.
            refs = (value for name, value in view.refs.items() if not name.startswith(BACKUPS))
            starts += [bytes.fromhex(value) for value in refs if is_id(value)]
        self.commits(starts)
        for view in views:
            if view.snapshot and is_id(view.snapshot):  # malformed ids are reported by `verify_objects`
                self.guarded(partial(self.snapshot, bytes.fromhex(view.snapshot)))


def fsck(repo: Repo, *, full: bool = False) -> FsckReport:
    """Verify the hash of every object, every ref, and that all objects to which others refer exist.

    Args:
        repo: the repo.
        full: verify the SQLite file page by page too.
    """
    walk = _StoreWalk(repo)
    problems = list(verify_objects(repo.store, full=full))
    walk.guarded(walk.run)
    known = {problem.object for problem in problems if problem.object}
    for problem in walk.problems:
        if problem.object is None or problem.object not in known:
            problems.append(problem)
            known.update((problem.object,) if problem.object else ())
    return FsckReport(problems, walk.commit_count, _count_objects(repo))


def _count_objects(repo: Repo) -> int:
    count = 0
    with suppress(DamagedStore):  # the damage is among the problems already
        for _ in repo.store.objects():
            count += 1
    return count


class GcReport(Struct, frozen=True):
    """The numbers that ``gc`` dropped, or would drop."""

    objects: int
    freed: int
    temporaries: int


def gc(repo: Repo, *, keep_days: int = KEEP_DAYS, dry_run: bool = False) -> GcReport:
    """Drop objects to which no ref and no operation refers, and temporary files that a crash left.

    Args:
        repo: the repo.
        keep_days: operations older than this number of days leave the log first, and can no longer be undone.
        dry_run: only say what would be dropped.

    Raises:
        Refused: the store is damaged; dropping objects could lose data that might still be saved.
    """
    began = perf_counter()
    oldest = format_time(repo.now() - timedelta(days=keep_days))
    with repo.lock():
        if not dry_run:
            recover(repo)
        walk = _StoreWalk(repo, since=oldest)
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
        seconds = perf_counter() - began
        _LOG.info(
            "%d objects of %d bytes and %d temporary files are gone", count, size, len(temporaries), seconds=seconds
        )
        return GcReport(count, size, len(temporaries))
