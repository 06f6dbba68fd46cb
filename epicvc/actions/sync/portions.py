"""Adds many new epics to the database in portions, so that the application never waits long.

Each portion is an operation of its own, and agrees on its own epics: after each one both sides, the base and the
history are right. But it continues the operation before it in the log, and its commit replaces that one's commit. So in
the end a run (:mod:`epicvc.actions.sync.run`) is one operation and one commit.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from itertools import islice

from epicvc.actions.shared.session import Session
from epicvc.actions.sync.job import Job, Portion
from epicvc.actions.sync.newepics import in_portions, new_epics, parcels
from epicvc.actions.sync.operations import Operations
from epicvc.actions.sync.run import SyncRun
from epicvc.actions.sync.work import RowByRow
from epicvc.database.documents.changes import EpicRowsChange
from epicvc.repo.apply.dryrun import DryRun
from epicvc.repo.documents import Documents
from epicvc.repo.files.workers import many


def perform_all(run: SyncRun, session: Session, documents: Documents, job: Job, *, dry_run: bool) -> None:
    """Perform the operations of a job, or try them out.

    Args:
        run: the run to which they belong.
        session: the session in which the job was found.
        documents: the documents of that session.
        job: the job.
        dry_run: only try them out, on a copy of the database.

    Raises:
        Replan: a side has changed; nothing was done.
        Overtaken: a side has changed; some portions are done.
        EpicvcError: an operation cannot be done.
    """
    session.end_reading()
    if dry_run:
        with DryRun(session.repo, session.staging) as trial:
            _perform(session, documents, job, Operations(session, documents, job, trial.perform, {}))
        return
    operations = Operations(session, documents, job, session.perform, run.done)
    _perform(session, documents, job, operations)
    documents.remember(operations.reached, operations.ids)


def _perform(session: Session, documents: Documents, job: Job, operations: Operations) -> None:
    added = _in_parcels(session, documents, job, operations)
    if not operations.complete:
        free = [epic for epic in job.free if epic not in added]
        with closing(new_epics(documents, [*free, *job.together])) as changes:
            for portion, last in _portions(session, job, len(added), len(free), changes):
                operations.perform(portion, last=last)


def _in_parcels(session: Session, documents: Documents, job: Job, operations: Operations) -> set[str]:
    """Add epics in parcels as far as possible, and return the added epics."""
    added: set[str] = set()
    backend = session.backend
    shortcuts = backend.shortcuts if backend is not None else None
    if shortcuts is None or not shortcuts.takes_images or not many(job.free):
        return added
    alone = not (job.decisions or job.together or job.moves)
    with closing(parcels(documents, job.free)) as found:
        for parcel in found:
            portion = Portion(fresh=parcel.changes, done=len(added), total=job.total, image=parcel.image)
            epics = [change.epic for change in parcel.changes]
            try:
                operations.perform(portion, last=alone and len(added) + len(epics) == len(job.free))
            except RowByRow:  # the others are added row by row too, since the same obstacle would meet their parcels
                break
            added.update(epics)
    return added


def _portions(
    session: Session, job: Job, done: int, free: int, changes: Iterator[EpicRowsChange]
) -> Iterator[tuple[Portion, bool]]:
    """Yield the portion of each operation, with a flag that is true for the last one.

    Args:
        session: the session, which tells if others keep writing.
        job: the job.
        done: the number of epics that were added already.
        free: the number of changes that come before those that belong together with decisions.
        changes: the changes that add the other epics.
    """
    before = done
    for fresh in in_portions(islice(changes, free)):
        if done + len(fresh) < before + free:
            yield Portion(fresh=fresh, done=done, total=job.total), False
            done += len(fresh)
            continue
        bulk = job.bulk and not done and not session.beside_others
        all_others = [*fresh, *changes]
        yield (
            Portion(decisions=job.decisions, fresh=all_others, moves=job.moves, bulk=bulk, done=done, total=job.total),
            True,
        )
