"""The operations of one run: each takes both sides a part of the way, and continues the one before it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from msgspec import Struct

from epicvc.actions.shared.commits import committing
from epicvc.actions.shared.session import Session
from epicvc.actions.sync.decisions import Decisions
from epicvc.actions.sync.run import Overtaken
from epicvc.actions.sync.work import Agenda, RowByRow, SyncWork
from epicvc.database.backend import Writer
from epicvc.database.documents.push import TaskAt
from epicvc.database.rowcodec import SQLValue
from epicvc.repo.apply.apply import After, Request, Stage
from epicvc.repo.apply.replan import Replan
from epicvc.repo.documents import Documents
from epicvc.repo.history.objects import CommitKind, Snapshot
from epicvc.store.file.records import Operation
from epicvc.store.objects import ObjectId


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


class Step:
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


class Chain:
    """The operations of one job, each of which continues the one before.

    Args:
        session: the session in which the job was found.
        documents: the documents as they were then.
        job: the job.
        perform: carries out an operation; in a dry run it tries it out, and there is none afterwards.
        done: takes the newest operation, with the epics that it and those that it continues have added.

    Attributes:
        before: both sides and the base as they are now.
        ids: by epic, the id of the core that the database has now.
        complete: the last operation has been carried out.
    """

    def __init__(
        self,
        session: Session,
        documents: Documents,
        job: Job,
        perform: Callable[[Request], Operation | None],
        done: dict[str, list[str]],
    ) -> None:
        self.before = session.working.snapshot()
        self.ids: dict[str, ObjectId | None] = {}
        self.complete = False
        self._session, self._documents, self._job = session, documents, job
        self._perform, self._done = perform, done
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
        step = Step(session, self._documents, self._job, agenda, self.before, self._version, self._orphans)
        try:
            operation = self._perform(step.request(last=last, continues=continues))
        except RowByRow:
            raise
        except Replan as replan:
            if continues is None:
                raise
            raise Overtaken from replan
        if operation is not None:
            added = self._done.pop(continues) if continues is not None else []
            self._done[operation.id] = added + [change.epic for change in agenda.fresh]
            self._continues = operation.id
        self.before, self.complete = step.after, last
        self._orphans = step.orphans
        # what others have written meanwhile is not captured yet, and has to be looked at again
        self._version = backend.version_left() if step.alone and self._version is not None else None
        self.ids |= step.ids
