"""Many new epics go into the database a portion at a time, so that the application never waits long.

Each portion is an operation of its own, and agrees on its own epics: after any of them both sides, the base and the
history say the truth. But it continues the one before in the operation log, and its commit takes the place of that
one's, so that in the end a run (:mod:`epicvc.actions.sync.run`) is one operation and one commit.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from itertools import islice
from typing import TypeVar

from epicvc.actions.shared.session import Session
from epicvc.actions.sync.decisions import NoDecisions
from epicvc.actions.sync.newepics import in_portions, new_epics, parcels
from epicvc.actions.sync.run import SyncRun
from epicvc.actions.sync.steps import Chain, Job, Step
from epicvc.actions.sync.work import Agenda, RowByRow
from epicvc.database.documents.changes import EpicRowsChange
from epicvc.repo.apply.dryrun import DryRun
from epicvc.repo.documents import Documents
from epicvc.repo.files.workers import many

T = TypeVar("T")


def at_once(session: Session, documents: Documents, job: Job, *, dry_run: bool) -> None:
    """Carry out a job without new epics, or try it out.

    Raises:
        Replan: a side has changed; nothing was done.
        EpicvcError: it cannot be done.
    """
    agenda = Agenda(job.decisions, (), job.moves, job.bulk, 0, job.total)
    step = Step(session, documents, job, agenda, session.working.snapshot(), session.version)
    if dry_run:
        session.try_out(step.request(last=True))
        return
    session.perform(step.request(last=True))
    documents.remember(step.after, step.ids)


def carry_out(run: SyncRun, session: Session, documents: Documents, job: Job) -> None:
    """Carry out a job, in portions where it adds more than one.

    Args:
        run: the run that it is of.
        session: the session in which it was found.
        documents: the documents as they were then.
        job: the job.

    Raises:
        Replan: a side has changed; nothing was done.
        Overtaken: a side has changed; some portions are done.
        EpicvcError: it cannot be done.
    """
    session.end_reading()
    chain = Chain(session, documents, job, session.perform, run.done)
    _go_through(session, documents, job, chain, beside_others=session.beside_others)
    documents.remember(chain.before, chain.ids)


def try_out(session: Session, documents: Documents, job: Job) -> None:
    """Do the same in a dry run.

    Raises:
        Replan: a side has changed.
        EpicvcError: it could not be done.
    """
    session.end_reading()
    with DryRun(session.repo, session.staging) as trial:
        _go_through(session, documents, job, Chain(session, documents, job, trial.perform, {}), beside_others=False)


def _go_through(session: Session, documents: Documents, job: Job, chain: Chain, *, beside_others: bool) -> None:
    added = _in_parcels(session, documents, job, chain)
    if not chain.complete:
        free = [epic for epic in job.free if epic not in added]
        with closing(new_epics(documents, [*free, *job.together])) as changes:
            for agenda, last in _agendas(job, len(added), len(free), changes, beside_others=beside_others):
                chain.carry_out(agenda, last=last)


def _in_parcels(session: Session, documents: Documents, job: Job, chain: Chain) -> set[str]:
    """Add what can be added in parcels; which epics that were."""
    added: set[str] = set()
    assert session.backend is not None  # new epics go there
    if not session.backend.takes_images or not many(job.free):
        return added
    alone = not (job.decisions or job.together or job.moves)
    with closing(parcels(documents, job.free)) as found:
        for parcel in found:
            agenda = Agenda(NoDecisions(), parcel.changes, {}, False, len(added), job.total, parcel.image)
            epics = [change.epic for change in parcel.changes]
            try:
                chain.carry_out(agenda, last=alone and len(added) + len(epics) == len(job.free))
            except RowByRow:  # and all others too, since what stands in the way of these would in theirs
                break
            added.update(epics)
    return added


def _agendas(
    job: Job, done: int, free: int, changes: Iterator[EpicRowsChange], *, beside_others: bool
) -> Iterator[tuple[Agenda, bool]]:
    """What each portion does, and whether it is the last.

    Args:
        job: the job.
        done: epics that have been added already.
        free: how many of the changes come before those that go together with decisions.
        changes: what adds the others.
        beside_others: others write again and again.
    """
    before = done
    for portion in in_portions(islice(changes, free)):
        if done + len(portion) < before + free:
            yield Agenda(NoDecisions(), portion, {}, False, done, job.total), False
            done += len(portion)
            continue
        portion += changes
        bulk = job.bulk and not done and not beside_others
        yield Agenda(job.decisions, portion, job.moves, bulk, done, job.total), True
