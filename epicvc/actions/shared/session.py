"""Sessions: the attempts of a command.

A command takes the lock, recovers, captures both sides and acts. It starts over if somebody changed a side meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from epicvc.errors import EpicvcError, Unavailable, Unfinished
from epicvc.repo.apply import Replan, newdatabase
from epicvc.repo.repository import Repo, Working

if TYPE_CHECKING:
    from epicvc.database.backend import Backend, Reader
    from epicvc.repo.apply.apply import Request
    from epicvc.store.file.records import Operation
    from epicvc.store.staging import Staging

ATTEMPTS = 8
"""The number of times that a command plans again before it gives up on sides that keep changing."""

UNDISTURBED = 2
"""The number of times that a bulk operation assumes to be the only writer.

After that it notes the rows that it touches, which takes longer.
"""

T = TypeVar("T")


class Session(Struct):
    """One attempt of a command: both sides as they are, and the way to change them.

    A command reads from top to bottom: it looks at both sides in one read transaction, then performs operations, each
    of which ends that transaction first if it writes to the database, since SQLite's writers wait for readers.
    :class:`~epicvc.repo.apply.replan.Replan` in the middle means that somebody changed a side; then the command is
    called again from the start, with another session.

    Attributes:
        repo: the repo.
        working: both sides as they were captured.
        staging: takes new objects.
        reader: the read transaction; ``None`` without a database.
        backend: the database; ``None`` for a command that only reads.
        version: the version of the database; ``None`` for a command that only reads.
        leaving: the contexts to leave when the attempt ends.
        reading: holds the read transaction open.
        beside_others: others keep writing, so that operations must allow for it.
    """

    repo: Repo
    working: Working
    staging: Staging
    reader: Reader | None
    backend: Backend | None
    version: object
    leaving: ExitStack
    reading: ExitStack
    beside_others: bool = False

    def end_reading(self) -> None:
        """End the read transaction. From here on others may change both sides."""
        self.reading.close()

    def perform(self, request: Request) -> Operation:
        """Perform an operation.

        Raises:
            Replan: a side is not as it was; nothing was done.
            EpicvcError: the operation cannot be done; nothing was done.
        """
        from epicvc.repo.apply.apply import perform  # imported here, once there is something to write

        return perform(self.repo, self.staging, self._prepared(request))

    def try_out(self, request: Request) -> None:
        """Try an operation out on a copy of the database, for a dry run.

        Raises:
            Replan: a side is not as it was.
            EpicvcError: the operation could not be done.
        """
        from epicvc.repo.apply.dryrun import DryRun  # as in perform

        with DryRun(self.repo, self.staging) as trial:
            trial.perform(self._prepared(request))

    def _prepared(self, request: Request) -> Request:
        if request.database is not None:
            self.end_reading()
        return replace(request, bulk=False) if self.beside_others else request


@contextmanager
def look(repo: Repo, *, reads_rows: bool = True) -> Iterator[Session]:
    """Read both sides for a command that changes neither.

    Args:
        repo: the repo.
        reads_rows: the command reads more of the database than its state. Otherwise the session may have no reader.

    Raises:
        DatabaseUnavailable: the configured database does not exist.
    """
    repo.require_database()
    with (
        ExitStack() as leaving,
        repo.staging(writable=False) as staging,
        repo.reading(staging, reads_rows=reads_rows) as (working, reader),
    ):
        yield Session(
            repo, working, staging, reader=reader, backend=None, version=None, leaving=leaving, reading=ExitStack()
        )


def finish_interrupted(repo: Repo) -> None:
    """Finish or undo an interrupted operation, for a command that reads both sides before it decides what to write.

    Raises:
        Unavailable: another command holds the lock, or the disk cannot be written.
    """
    with holding(repo, while_merging=True):
        pass


def change(repo: Repo, act: Callable[[Session], T], *, may_create: bool = False, while_merging: bool = False) -> T:
    """Run a command that writes.

    Args:
        repo: the repo.
        act: the command. It is called inside a read transaction of the database, and again from the start if somebody
            changed a side in between.
        may_create: make the configured database if it does not exist. Otherwise that is an error, since a missing
            database must not be taken for an empty one.
        while_merging: go on although a merge or revert waits for answers.

    Raises:
        DatabaseUnavailable: the configured database does not exist.
        Refused: a merge or revert is unfinished.
        Unavailable: somebody changed a side during every attempt.
    """
    if not may_create:
        repo.require_database()
    with holding(repo, while_merging=while_merging):
        return act_held(repo, act, may_create=may_create)


@contextmanager
def holding(repo: Repo, *, timeout: float = 10.0, while_merging: bool = False) -> Iterator[None]:
    """Hold the repo's lock in the block. An interrupted operation is finished first.

    Args:
        repo: the repo.
        timeout: seconds to wait for another command.
        while_merging: go on although a merge or revert waits for answers.

    Raises:
        Refused: a merge or revert is unfinished.
    """
    from epicvc.actions.shared.mergestate import require_no_merge
    from epicvc.repo.apply.recovery import recover

    with repo.lock(timeout):
        recover(repo)
        if not while_merging:
            require_no_merge(repo)
        yield


def act_held(repo: Repo, act: Callable[[Session], T], *, may_create: bool = False, keeps: bool = True) -> T:
    """Do the same as :func:`change` for a command that holds the lock over several operations.

    Args:
        repo: the repo.
        act: the command.
        may_create: make the configured database if it does not exist.
        keeps: objects may be written into the store meanwhile; otherwise the caller need not hold the lock.
    """
    for attempt in range(ATTEMPTS):
        try:
            return _attempt(repo, act, may_create=may_create, beside_others=attempt >= UNDISTURBED, keeps=keeps)
        except Replan:
            continue
    raise Unavailable("the database or the files kept changing", hint="try again when they are quieter")


def _attempt(repo: Repo, act: Callable[[Session], T], *, may_create: bool, beside_others: bool, keeps: bool) -> T:
    with (
        ExitStack() as leaving,
        repo.staging(writable=keeps) as staging,
        _backend(repo, may_create=may_create) as backend,
        ExitStack() as reading,
    ):
        working, reader = reading.enter_context(repo.reading(staging, backend))
        version = reader.version() if reader else None
        return act(
            Session(
                repo,
                working,
                staging,
                reader=reader,
                backend=backend,
                version=version,
                leaving=leaving,
                reading=reading,
                beside_others=beside_others,
            )
        )


@contextmanager
def _backend(repo: Repo, *, may_create: bool) -> Iterator[Backend | None]:
    backend = repo.backend()
    if backend is None:
        yield None
        return
    made = False
    try:
        if may_create and not backend.exists():
            made = newdatabase.make(repo, backend)
        yield backend
        if made:
            newdatabase.take_back(repo)  # the command found nothing to write
    except BaseException as error:
        if made:
            try:
                newdatabase.take_back(repo)
            except Unavailable as again:
                if isinstance(error, EpicvcError) and not isinstance(error, Unfinished):
                    raise Unfinished(str(error)) from again
        raise
    finally:
        backend.close()
