"""How a command begins and ends: lock, recover, capture, act, and start over when somebody interfered."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Generic, TypeVar, cast

from msgspec import Struct
from msgspec.structs import replace

from epicvc.errors import EpicvcError, Unavailable, Unfinished
from epicvc.repo.apply import newdatabase
from epicvc.repo.apply.replan import Replan
from epicvc.repo.repository import Repo, Working

if TYPE_CHECKING:
    from epicvc.database.backend import Backend, Reader
    from epicvc.repo.apply.apply import Request
    from epicvc.store.file.records import Operation
    from epicvc.store.staging import Staging

ATTEMPTS = 8
"""How often a command plans again before it gives up on sides that never stand still."""

UNDISTURBED = 2
"""How often a bulk operation hopes that nobody else writes, before it notes what it touches, which takes longer."""

T = TypeVar("T")


class Session(Struct):
    """One attempt of a command: both sides as they are, and where new objects go.

    What is entered into ``leaving`` is left when the attempt ends. Only what is going to write needs the ``version``.
    """

    repo: Repo
    working: Working
    staging: Staging
    reader: Reader | None
    backend: Backend | None
    version: object
    leaving: ExitStack


class Later(Struct, Generic[T], frozen=True):
    """An operation to perform once the read transaction has ended, since SQLite's writers wait for readers.

    Attributes:
        request: the operation.
        result: what the command returns for it.
        tried: what a dry run returns, for which the operation is only tried out.
    """

    request: Request
    result: Callable[[Operation], T]
    tried: Callable[[], T] | None = None

    def only_tried(self, report: Callable[[], T]) -> Later[T]:
        """The same for a dry run, with what that returns."""
        return replace(self, tried=report)


class Afterwards(Struct, Generic[T], frozen=True):
    """What a command does once the read transaction has ended, where that is more than one operation.

    Attributes:
        run: does it with the session, and says what the command returns. Told whether to put up with others who write.
    """

    run: Callable[[bool], T]


@contextmanager
def look(repo: Repo, *, reads_rows: bool = True) -> Iterator[Session]:
    """Read both sides for a command that changes neither.

    Args:
        repo: the repo.
        reads_rows: whether the command asks the database for more than its state. Otherwise the session may be without
            a reader.

    Raises:
        DatabaseUnavailable: the configured database does not exist.
    """
    repo.require_database()
    with (
        ExitStack() as leaving,
        repo.staging(writable=False) as staging,
        repo.reading(staging, reads_rows=reads_rows) as (working, reader),
    ):
        yield Session(repo, working, staging, reader, None, None, leaving)


def finish_interrupted(repo: Repo) -> None:
    """Finish or undo what a crash left, for a command that looks at both sides before it decides what to write.

    Raises:
        Unavailable: another command holds the lock, or the disk does not let us.
    """
    with holding(repo, while_merging=True):
        pass


def change(
    repo: Repo,
    act: Callable[[Session], T | Later[T] | Afterwards[T]],
    *,
    may_create: bool = False,
    while_merging: bool = False,
) -> T:
    """Run a command that writes.

    Args:
        repo: the repo.
        act: the command; called inside a read transaction of the database, again from the start when somebody
            changed a side in between. It returns its result, or the operation that leads to it.
        may_create: make the configured database where it does not exist; without it that is an error, since a missing
            database must not be taken for an empty one.
        while_merging: go on though a merge or revert waits for answers.

    Raises:
        DatabaseUnavailable: the configured database does not exist.
        Refused: an unfinished merge would be mixed up with this.
        Unavailable: somebody changed a side during every attempt.
    """
    if not may_create:
        repo.require_database()
    with holding(repo, while_merging=while_merging):
        return act_held(repo, act, may_create=may_create)


@contextmanager
def holding(repo: Repo, *, timeout: float = 10.0, while_merging: bool = False) -> Iterator[None]:
    """Hold the repo's lock, with nothing unfinished left in it.

    Args:
        repo: the repo.
        timeout: seconds to wait for another command.
        while_merging: go on though a merge or revert waits for answers.

    Raises:
        Refused: an unfinished merge would be mixed up with this.
    """
    from epicvc.actions.shared.mergestate import require_no_merge
    from epicvc.repo.apply.recovery import recover

    with repo.lock(timeout):
        recover(repo)
        if not while_merging:
            require_no_merge(repo)
        yield


def act_held(
    repo: Repo,
    act: Callable[[Session], T | Later[T] | Afterwards[T]],
    *,
    may_create: bool = False,
    keeps: bool = True,
) -> T:
    """What :func:`change` does, for a command that holds the lock over several operations.

    Args:
        repo: the repo.
        act: the command.
        may_create: make the configured database where it does not exist.
        keeps: objects may go into the store meanwhile; without, no lock need be held.
    """
    for attempt in range(ATTEMPTS):
        try:
            return _attempt(repo, act, may_create=may_create, beside_others=attempt >= UNDISTURBED, keeps=keeps)
        except Replan:
            continue
    raise Unavailable("the database or the files kept changing", hint="try again when they are quieter")


def _attempt(
    repo: Repo,
    act: Callable[[Session], T | Later[T] | Afterwards[T]],
    *,
    may_create: bool,
    beside_others: bool,
    keeps: bool,
) -> T:
    with (
        ExitStack() as leaving,
        repo.staging(writable=keeps) as staging,
        _backend(repo, may_create=may_create) as backend,
    ):
        with repo.reading(staging, backend) as (working, reader):
            session = Session(repo, working, staging, reader, backend, reader.version() if reader else None, leaving)
            result = act(session)
            if isinstance(result, Later) and beside_others:
                result = replace(result, request=replace(result.request, bulk=False))
            if isinstance(result, Later) and result.request.database is None:
                return _carry_out(repo, staging, cast("Later[T]", result))
        if isinstance(result, Later):
            return _carry_out(repo, staging, cast("Later[T]", result))
        if isinstance(result, Afterwards):
            return result.run(beside_others)
        return result


def _carry_out(repo: Repo, staging: Staging, later: Later[T]) -> T:
    if later.tried is not None:
        from epicvc.repo.apply.dryrun import DryRun  # as below

        with DryRun(repo, staging) as trial:
            trial.perform(later.request)
        return later.tried()
    from epicvc.repo.apply.apply import perform  # with all that writes, for commands that have found something to write

    return later.result(perform(repo, staging, later.request))


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
            newdatabase.take_back(repo)  # of a command that found nothing to write
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
