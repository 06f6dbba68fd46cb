"""Where migrations run: on a database by itself, or on the database of an epic repo, with its history.

Both do the same to the database, one transaction for each change. In a repo each change is an operation of the
one crash-safe apply as well: it makes a commit of what the migration did and nothing else, a checkpoint before
the run keeps what was there, and the whole run is one entry of the operation log, which ``undo`` takes back.
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
"""Seconds to wait for another run of migrations."""

Change = Callable[[Writer], object]

_LOG: Final = Log("checkpoint")
_MIGRATIONS: Final = Log("migration")


class Ground(Protocol):
    """Where migrations run."""

    backend: Backend
    by: str
    checkpoint: str | None
    commit: ObjectId | None

    def now(self) -> datetime:
        """The time, UTC."""
        ...

    def holding(self) -> AbstractContextManager[None]:
        """Keep other runs out, as far as that goes, until the end."""
        ...

    def begin(self, what: str) -> None:
        """Called once, before the first change of a run that changes anything."""
        ...

    def write(self, title: str, summary: str, change: Change, *, foreign_keys: bool) -> None:
        """One change in one transaction.

        Args:
            title: what this change does.
            summary: what the run has done with it, from its beginning.
            change: the change.
            foreign_keys: the database enforces them meanwhile.

        What the change raises goes through; nothing is written then.
        """
        ...


class PlainGround:
    """A database by itself.

    Args:
        backend: the database; made by the first change where it does not exist.
        by: who runs migrations.
        now: the clock.
    """

    checkpoint: str | None = None
    commit: ObjectId | None = None

    def __init__(self, backend: Backend, by: str, now: Callable[[], datetime]) -> None:
        self.backend, self.by, self.now = backend, by, now

    @contextmanager
    def holding(self) -> Iterator[None]:
        """Nothing is held between changes; each looks again."""
        yield

    def begin(self, what: str) -> None:
        """Make the database where there is none."""
        if not self.backend.exists():
            # stays, should the first change fail: another runner may have it open already
            self.backend.create()

    def write(self, title: str, summary: str, change: Change, *, foreign_keys: bool) -> None:
        """One transaction."""
        began = perf_counter()
        with self.backend.write(track=False, foreign_keys=foreign_keys) as writer:
            change(writer)
            writer.commit()
        _MIGRATIONS.info("%s", title, seconds=perf_counter() - began)


class RepoGround:
    """The database of an epic repo.

    Args:
        repo: the repo; a database is configured.

    Raises:
        InvalidConfig: snapshots are configured to leave the record of migrations out.
        DatabaseUnavailable: the database does not exist and has before.
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
        assert backend is not None  # promised by the caller
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
        """Take a checkpoint."""
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
        """One operation."""
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
                bulk=True,  # definitions change: everything is read again
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
