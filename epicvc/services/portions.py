"""Many new epics go into the database a portion at a time, so that the application never waits long.

Each portion is an operation of its own, and agrees on its own epics: after any of them both sides, the base and the
history say the truth. But it continues the one before in the operation log, and its commit takes the place of that
one's, so that in the end a run is one operation and one commit.

Between portions others may write. A portion that meets a change which concerns it is planned again with all that is
left of the run; then what was done so far stays an operation with a commit of its own, since what others did lies
between. An error takes back what was done before it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, suppress
from itertools import islice
from typing import TypeVar

from epicvc.database.changes import EpicChange
from epicvc.errors import EpicvcError, Unfinished
from epicvc.repo.documents import Documents
from epicvc.repo.repository import Repo
from epicvc.repo.workers import many
from epicvc.services.decisions import NoDecisions
from epicvc.services.newepics import in_portions, new_epics, parcels
from epicvc.services.session import Later, Session, act_held
from epicvc.services.steps import Chain, Job, Overtaken, Step
from epicvc.services.syncwork import Agenda, RowByRow
from epicvc.services.undoing import transfer
from epicvc.store.records import Operation

T = TypeVar("T")

SHOWN = 5
"""Epics that an error names."""


class Run:
    """One synchronisation, from its first operation to its last.

    Args:
        repo: the repo, whose lock is held.
    """

    def __init__(self, repo: Repo) -> None:
        self._repo = repo
        self._done: dict[str, list[str]] = {}
        """The operations that there are of it, each with the epics that it added."""
        self._earlier: list[str] = []

    @property
    def earlier(self) -> Sequence[str]:
        """The epics that were added before the rest of the run was planned again."""
        return self._earlier

    @property
    def stays(self) -> bool:
        """Whether something of a run that failed is still done, since it could not be taken back."""
        return bool(self._done)

    def until_done(self, attempt: Callable[[], T]) -> T:
        """Plan and carry out until nothing is left.

        Args:
            attempt: plans what there is, and carries it out.

        Raises:
            EpicvcError: it cannot be done; what had been done has been taken back, or the error says that it stays.
        """
        try:
            while True:
                try:
                    return attempt()
                except Overtaken:
                    self._earlier = self._added()
        except EpicvcError as error:
            if self._done:
                self._take_back(error)
            raise

    def at_once(self, session: Session, documents: Documents, job: Job, result: Callable[[], T]) -> Later[T]:
        """Carry out a job without new epics."""
        agenda = Agenda(job.decisions, (), job.moves, job.bulk, 0, job.total)
        step = Step(session, documents, job, agenda, session.working.snapshot(), session.version)

        def finished(_: Operation) -> T:
            documents.remember(step.after, step.ids)
            return result()

        return Later(step.request(last=True), finished)

    def carry_out(self, session: Session, documents: Documents, job: Job, *, beside_others: bool) -> None:
        """Carry out a job, in portions where it adds more than one.

        Args:
            session: the session in which it was found.
            documents: the documents as they were then.
            job: the job.
            beside_others: others write again and again.

        Raises:
            Replan: a side has changed; nothing was done.
            Overtaken: a side has changed; some portions are done.
            EpicvcError: it cannot be done.
        """
        chain = Chain(self._repo, session, documents, job, self._done)
        added = self._in_parcels(session, documents, job, chain)
        if not chain.complete:
            free = [epic for epic in job.free if epic not in added]
            with closing(new_epics(documents, [*free, *job.together])) as changes:
                for agenda, last in self._agendas(job, len(added), len(free), changes, beside_others=beside_others):
                    chain.carry_out(agenda, last=last)
        documents.remember(chain.before, chain.ids)

    def _in_parcels(self, session: Session, documents: Documents, job: Job, chain: Chain) -> set[str]:
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
        self, job: Job, done: int, free: int, changes: Iterator[EpicChange], *, beside_others: bool
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

    def _added(self) -> list[str]:
        return [epic for epics in self._done.values() for epic in epics]

    def _take_back(self, error: EpicvcError) -> None:
        """Bring back the state before the run, since an error leaves nothing done; else have the error say so."""
        newest = next(reversed(self._done))
        with suppress(EpicvcError):  # of the two the first is the one to be told
            while self._done and not isinstance(error, Unfinished):  # after that nothing can be written
                operation = self._repo.store.operation(next(reversed(self._done)))
                self._undo(operation, in_its_place=operation.id == newest)
                del self._done[operation.id]
        if not self._done:
            return
        epics = self._added()
        more = f" and {len(epics) - SHOWN} more" if len(epics) > SHOWN else ""
        error.message = f"{error.message}; already in the database, and still there: {', '.join(epics[:SHOWN])}{more}"
        error.args = (error.message,)
        error.hint = "take these epics back with `epicvc undo`, or go on with `epicvc sync` once the cause is gone"

    def _undo(self, operation: Operation, *, in_its_place: bool) -> None:
        def act(session: Session) -> Operation | Later[Operation]:
            return transfer(session, operation, "undo", operation.after, operation.before, in_its_place=in_its_place)

        act_held(self._repo, act)
