"""The ground on which migrations run: a database by itself, or the database of an epic repo with its history.

Both do the same to the database, with one transaction for each change. In a repo each change is also an operation of
the one crash-safe apply. It commits the work of the migration and nothing else. A checkpoint before the run keeps the
earlier state. The whole run is one entry of the operation log, which ``undo`` takes back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime
from time import perf_counter
from typing import Final, Protocol

from msgspec.structs import replace

from epicvc.actions.shared.commits import CommitReport, committing, free_checkpoint_name, head_ref, record
from epicvc.actions.shared.session import Session, act_held, holding
from epicvc.base.logs import Log
from epicvc.database.backend import Backend, Writer
from epicvc.database.migrations import TABLE
from epicvc.errors import InvalidConfig
from epicvc.repo.apply.apply import After, Request, Stage
from epicvc.repo.config.config import CONFIG
from epicvc.repo.history.objects import CommitKind
from epicvc.repo.history.revisions import CHECKPOINTS
from epicvc.repo.repository import Repo
from epicvc.repo.rows.dbside import capture
from epicvc.store.file.records import Operation
from epicvc.store.objects import ObjectId

WAIT = 120.0
"""The number of seconds to wait for another run of migrations."""

Change = Callable[[Writer], object]

_LOG: Final = Log("checkpoint")
_MIGRATIONS: Final = Log("migration")


class Ground(Protocol):
    """A database on which migrations run, with the history that is kept of them."""

    backend: Backend
    by: str
    checkpoint: str | None
    commit: ObjectId | None

    def now(self) -> datetime:
        """Return the time, in UTC."""
        ...

    def holding(self) -> AbstractContextManager[None]:
        """Keep other runs out until the end of the block, as far as the ground can."""
        ...

    def begin(self, what: str) -> None:
        """Prepare a run that changes something. It is called once, before the first change."""
        ...

    def write(self, title: str, summary: str, change: Change, *, foreign_keys: bool) -> None:
        """Make one change in one transaction. An error of the change is passed on, and nothing is written then.

        Args:
            title: the title of this change.
            summary: the work of the whole run up to and with this change.
            change: the change.
            foreign_keys: the database enforces foreign keys meanwhile.
        """
        ...


class PlainGround:
    """A database by itself.

    Args:
        backend: the database; the first change makes it if it does not exist.
        by: the author of the migrations in the record.
        now: the clock.
    """

    checkpoint: str | None = None
    commit: ObjectId | None = None

    def __init__(self, backend: Backend, by: str, now: Callable[[], datetime]) -> None:
        self.backend, self.by, self.now = backend, by, now

    @contextmanager
    def holding(self) -> Iterator[None]:
        """Hold nothing: every change reads the record again."""
        yield

    def begin(self, what: str) -> None:
        """Make the database if it does not exist."""
        if not self.backend.exists():
            # a database whose first change fails is not removed: another runner may have it open already
            self.backend.create()

    def write(self, title: str, summary: str, change: Change, *, foreign_keys: bool) -> None:
        """Make the change in one transaction."""
        began = perf_counter()
        with self.backend.write(track=False, foreign_keys=foreign_keys) as writer:
            change(writer)
            writer.commit()
        _MIGRATIONS.info("%s", title, seconds=perf_counter() - began)


class RepoGround:
    """The database of an epic repo.

    Args:
        repo: the repo, for which a database is configured.

    Raises:
        InvalidConfig: the configuration leaves the record of migrations out of snapshots.
        DatabaseUnavailable: the database does not exist, but the commit at HEAD has one.
    """

    def __init__(self, repo: Repo) -> None:
        if TABLE in {name.lower() for name in repo.config.ignore}:
            raise InvalidConfig(
                CONFIG,
                f"[tables] ignore names {TABLE}, so that no snapshot would know its schema's version",
                hint=f"take {TABLE} out of it",
            )
        head = repo.head_snapshot()
        if head is not None and head[1].database is not None:
            repo.require_database()  # a missing database must not be taken for an empty one
        backend = repo.backend()
        assert backend is not None  # the caller has checked that a database is configured
        self._repo, self.backend, self.by, self.now = repo, backend, repo.author, repo.now
        self.checkpoint: str | None = None
        self.commit: ObjectId | None = None
        self._operation: str | None = None

    @contextmanager
    def holding(self) -> Iterator[None]:
        """Hold the repo's lock."""
        with holding(self._repo, timeout=WAIT):
            yield

    def begin(self, what: str) -> None:
        """Take a checkpoint of both sides."""
        name = free_checkpoint_name(self._repo, f"before-{what}-{self.now():%Y%m%dT%H%M%SZ}")

        def act(session: Session) -> CommitReport:
            session.working.files.require_usable()
            refs = {CHECKPOINTS + name: ""}
            _LOG.info("checkpoint %s before %s", name, what, operation=session.repo.coming_operation())
            snapshot = session.working.snapshot()
            return record(session, snapshot, f"checkpoint {name}", CommitKind.CHECKPOINT, "checkpoint", refs)

        act_held(self._repo, act)
        self.checkpoint = name

    def write(self, title: str, summary: str, change: Change, *, foreign_keys: bool) -> None:
        """Make the change as one operation."""
        repo = self._repo

        def act(session: Session) -> Operation:
            before = session.working.snapshot()

            def work(writer: Writer | None, stage: Stage) -> After:
                assert writer is not None  # the request names the database
                change(writer)
                after = replace(before, database=capture(writer, stage.sink))
                return committing(session, stage.sink, after, title, CommitKind.COMMIT)

            request = Request(
                "migrate",
                summary,
                before,
                work,
                session.backend,
                bulk=True,  # definitions change, so that all rows are read again
                version=session.version,
                foreign_keys=foreign_keys,
                continues=self._operation,
            )
            return session.perform(request)

        began = perf_counter()
        operation = act_held(repo, act, may_create=True)
        _MIGRATIONS.info("%s", title, operation=operation.id, seconds=perf_counter() - began)
        self._operation = operation.id
        self.commit = bytes.fromhex(operation.after.refs[head_ref(repo)])
