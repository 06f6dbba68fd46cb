"""The operations of one run: each brings both sides a part of the way, and continues the one before it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from epicvc.actions.shared.commits import committing
from epicvc.actions.shared.session import Session
from epicvc.actions.sync.job import Job, Portion
from epicvc.actions.sync.run import Overtaken
from epicvc.actions.sync.work import RowByRow, SyncWork
from epicvc.database.backend import Writer
from epicvc.database.rowcodec import SQLValue
from epicvc.repo.apply import Replan
from epicvc.repo.apply.apply import After, Request, Stage
from epicvc.repo.documents import Documents
from epicvc.repo.history.objects import CommitKind, Snapshot
from epicvc.store.file.records import Operation
from epicvc.store.objects import ObjectId


class Operations:
    """The operations of one job, performed one after the other.

    Args:
        session: the session in which the job was found.
        documents: the documents of that session.
        job: the job.
        perform: performs an operation and returns it; in a dry run it tries the operation out and returns ``None``.
        done: takes the newest operation, with the epics that were added by it and by the operations that it continues.

    Attributes:
        reached: both sides and the base as they are now.
        ids: the id of the core that the database has now, by epic.
        complete: the last operation has been performed.
    """

    def __init__(
        self,
        session: Session,
        documents: Documents,
        job: Job,
        perform: Callable[[Request], Operation | None],
        done: dict[str, list[str]],
    ) -> None:
        self.reached = session.working.snapshot()
        self.ids: dict[str, ObjectId | None] = {}
        self.complete = False
        self._session, self._documents, self._job = session, documents, job
        self._perform, self._done = perform, done
        self._version = session.version
        self._continues: str | None = None
        self._orphans: frozenset[SQLValue] | None = None  # tasks that do not exist, though links of them do

    def perform(self, portion: Portion, *, last: bool) -> None:
        """Perform the next operation.

        Args:
            portion: the part of the job that it does.
            last: no other operation follows.

        Raises:
            RowByRow: the portion cannot be added as a parcel.
            Replan: a side has changed; nothing was done.
            Overtaken: a side has changed; the operations before are done.
            EpicvcError: the operation cannot be done.
        """
        continues = self._continues
        attempt = _Attempt(self._documents, portion, self.reached, self._orphans)
        try:
            operation = self._perform(self._request(attempt, portion, last=last))
        # This is a Replan too, but the caller goes on without parcels instead of planning again.
        except RowByRow:
            raise
        except Replan as replan:
            if continues is None:
                raise
            raise Overtaken from replan
        if operation is not None:
            added = self._done.pop(continues) if continues is not None else []
            self._done[operation.id] = added + [change.epic for change in portion.fresh]
            self._continues = operation.id
        self.reached, self.complete = attempt.reached, last
        self._orphans = attempt.orphans
        self.ids |= attempt.ids
        if not last:
            backend = self._session.backend
            assert backend is not None  # only new epics come in several operations, and they need a database
            # rows that others have written meanwhile are not captured yet, so that the next operation must read all
            # again
            shortcuts = backend.shortcuts if attempt.alone and self._version is not None else None
            self._version = shortcuts.version_left() if shortcuts is not None else None

    def _request(self, attempt: _Attempt, portion: Portion, *, last: bool) -> Request:
        session, job = self._session, self._job
        text = job.text(None if last else portion.done + len(portion))

        def work(writer: Writer | None, stage: Stage) -> After:
            reached, instead = attempt.run(writer, stage), self._continues is not None
            return committing(session, stage.sink, reached, text, CommitKind.SYNC, instead=instead)

        return Request(
            job.command,
            text,
            self.reached,
            work,
            session.backend if job.writes_rows else None,
            bulk=portion.bulk,
            version=self._version,
            prepare=attempt.prepare,
            continues=self._continues,
            more=not last,
            image=portion.image,
        )


class _Attempt:
    """The work of one operation, from its preparation to its result.

    Attributes:
        reached: both sides and the base afterwards.
        alone: nobody else has written since both sides were read.
    """

    def __init__(
        self, documents: Documents, portion: Portion, before: Snapshot, orphans: frozenset[SQLValue] | None
    ) -> None:
        self.reached = before
        self.alone = True
        self._documents, self._portion, self._before, self._known = documents, portion, before, orphans
        self._work: SyncWork | None = None

    def prepare(self, stage: Stage) -> None:
        self._work = SyncWork(self._documents, self._portion, stage, self._before, self._known)
        self._work.prepare()

    def run(self, writer: Writer | None, stage: Stage) -> Snapshot:
        assert self._work is not None  # the apply has called prepare before
        self.reached, self.alone = self._work.run(writer), stage.alone
        return self.reached

    @property
    def orphans(self) -> frozenset[SQLValue] | None:
        return self._work.orphans if self._work is not None else None

    @property
    def ids(self) -> Mapping[str, ObjectId | None]:
        return self._work.ids if self._work is not None else {}
