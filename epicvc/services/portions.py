"""Many new epics go into the database a portion at a time, so that the application never waits long.

Each portion is an operation of its own, and agrees on its own epics: after any of them both sides, the base and the
history say the truth. But it continues the one before in the operation log, and its commit takes the place of that
one's, so that in the end a run is one operation and one commit.

Between portions others may write. A portion that meets a change which concerns it is planned again with all that is
left of the run; then what was done so far stays an operation with a commit of its own, since what others did lies
between. An error takes back what was done before it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from itertools import islice
from typing import TypeVar

from msgspec import Struct

from epicvc.database.backend import Writer
from epicvc.database.changes import EpicChange
from epicvc.database.push import TaskAt
from epicvc.database.rowcodec import SQLValue
from epicvc.errors import EpicvcError, Unfinished
from epicvc.repo.apply import After, Replan, Request, Stage, perform
from epicvc.repo.documents import Documents
from epicvc.repo.objects import CommitKind, Snapshot
from epicvc.repo.repository import Repo
from epicvc.repo.workers import many
from epicvc.services.commits import committing
from epicvc.services.decisions import Decisions, NoDecisions
from epicvc.services.newepics import in_portions, new_epics, parcels
from epicvc.services.session import Later, Session, act_held
from epicvc.services.syncwork import Agenda, RowByRow, SyncWork
from epicvc.services.undoing import transfer
from epicvc.store.objects import ObjectId
from epicvc.store.records import Operation

T = TypeVar("T")

SHOWN = 5
"""Epics that an error names."""


class Overtaken(Exception):  # not an error: the caller plans what is left of the run
    """Somebody changed a side between two portions."""


class Job(Struct, frozen=True):
    """What a survey found to do.

    Attributes:
        command: the command's name.
        text: what the operation and its commit are called, given the epics that have been added so far; ``None`` once
            all is done.
        decisions: what becomes of epics that are not only in the files.
        free: epics that the files alone have, and that go into the database on their own.
        together: those that go there together with what was decided.
        moves: tasks that go elsewhere in the database.
        bulk: as one operation it would write so many rows that nobody need note which ones.
        writes_rows: whether the database changes.
    """

    command: str
    text: Callable[[int | None], str]
    decisions: Decisions
    free: Sequence[str]
    together: Sequence[str]
    moves: Mapping[TaskAt, TaskAt]
    bulk: bool
    writes_rows: bool

    @property
    def total(self) -> int:
        """How many epics it concerns."""
        return len(self.decisions) + len(self.free) + len(self.together)


class _Step:
    """One operation of a run: its request, and what came of it."""

    def __init__(
        self,
        session: Session,
        documents: Documents,
        job: Job,
        agenda: Agenda,
        before: Snapshot,
        version: object,
        orphans: frozenset[SQLValue] | None = None,
    ) -> None:
        self._session, self._documents, self._job, self._agenda = session, documents, job, agenda
        self._before, self._version = before, version
        self._carried: SyncWork | None = None
        self._orphans = orphans
        self.after = before
        self.alone = True

    def request(self, *, last: bool, continues: str | None = None) -> Request:
        """The operation to carry out.

        Args:
            last: no other follows.
            continues: the operation before it, of the same run.
        """
        text = self._job.text(None if last else self._agenda.done + len(self._agenda))

        def prepare(stage: Stage) -> None:
            self._carried = SyncWork(self._documents, self._agenda, stage, self._before, self._orphans)
            self._carried.prepare()

        def work(writer: Writer | None, stage: Stage) -> After:
            assert self._carried is not None  # it has been prepared
            self.after = self._carried.run(writer)
            self.alone = stage.alone
            instead = continues is not None
            return committing(self._session, stage.sink, self.after, text, CommitKind.SYNC, instead=instead)

        return Request(
            self._job.command,
            text,
            self._before,
            work,
            self._session.backend if self._job.writes_rows else None,
            bulk=self._agenda.bulk,
            version=self._version,
            prepare=prepare,
            continues=continues,
            more=not last,
            image=self._agenda.image,
        )

    @property
    def orphans(self) -> frozenset[SQLValue] | None:
        """Tasks that did not exist though links of them did, for the step after this one."""
        return self._carried.orphans if self._carried is not None else None

    @property
    def ids(self) -> Mapping[str, ObjectId | None]:
        """By epic, the id of the core that the database has from now on."""
        return self._carried.ids if self._carried is not None else {}


class _Chain:
    """The operations of one job, each of which continues the one before.

    Args:
        repo: the repo, whose lock is held.
        session: the session in which the job was found.
        documents: the documents as they were then.
        job: the job.
        done: takes the newest operation, with the epics that it and those that it continues have added.

    Attributes:
        before: both sides and the base as they are now.
        ids: by epic, the id of the core that the database has now.
        complete: the last operation has been carried out.
    """

    def __init__(
        self, repo: Repo, session: Session, documents: Documents, job: Job, done: dict[str, list[str]]
    ) -> None:
        self.before = session.working.snapshot()
        self.ids: dict[str, ObjectId | None] = {}
        self.complete = False
        self._repo, self._session, self._documents, self._job = repo, session, documents, job
        self._done = done
        self._version = session.version
        self._continues: str | None = None
        self._orphans: frozenset[SQLValue] | None = None

    def carry_out(self, agenda: Agenda, *, last: bool) -> None:
        """Carry out the next operation.

        Raises:
            RowByRow: not as a parcel.
            Replan: a side has changed; nothing was done.
            Overtaken: a side has changed; the operations before are done.
            EpicvcError: it cannot be done.
        """
        session, backend, continues = self._session, self._session.backend, self._continues
        assert backend is not None  # new epics go there
        step = _Step(session, self._documents, self._job, agenda, self.before, self._version, self._orphans)
        try:
            operation = perform(self._repo, session.staging, step.request(last=last, continues=continues))
        except RowByRow:
            raise
        except Replan as replan:
            if continues is None:
                raise
            raise Overtaken from replan
        added = self._done.pop(continues) if continues is not None else []
        self._done[operation.id] = added + [change.epic for change in agenda.fresh]
        self._continues, self.before, self.complete = operation.id, step.after, last
        self._orphans = step.orphans
        # what others have written meanwhile is not captured yet, and has to be looked at again
        self._version = backend.version_left() if step.alone and self._version is not None else None
        self.ids |= step.ids


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
        step = _Step(session, documents, job, agenda, session.working.snapshot(), session.version)

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
        chain = _Chain(self._repo, session, documents, job, self._done)
        added = self._in_parcels(session, documents, job, chain)
        if not chain.complete:
            free = [epic for epic in job.free if epic not in added]
            with closing(new_epics(documents, [*free, *job.together])) as changes:
                for agenda, last in self._agendas(job, len(added), len(free), changes, beside_others=beside_others):
                    chain.carry_out(agenda, last=last)
        documents.remember(chain.before, chain.ids)

    def _in_parcels(self, session: Session, documents: Documents, job: Job, chain: _Chain) -> set[str]:
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
