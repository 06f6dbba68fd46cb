"""One synchronisation from its first operation to its last: planned again where necessary, undone if it fails.

Between its operations (:mod:`epicvc.actions.sync.portions`) others may write. If an operation meets a change that
concerns it, the rest of the run is planned again. The earlier work then stays an operation with a commit of its own,
since the changes of others lie in between. An error undoes the operations before it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, TypeVar

from epicvc.actions.shared.session import Session, act_held
from epicvc.errors import EpicvcError, Unfinished
from epicvc.repo.repository import Repo

if TYPE_CHECKING:
    from epicvc.store.file.records import Operation

T = TypeVar("T")

SHOWN = 5
"""The number of epics that an error names."""


class Overtaken(Exception):  # not an error: the caller plans what is left of the run
    """Somebody changed a side between two portions."""


class SyncRun:
    """One synchronisation.

    Args:
        repo: the repo, whose lock the caller holds.

    Attributes:
        done: the operations of the run, each with the epics that it added;
            :class:`~epicvc.actions.sync.operations.Operations` fills it.
    """

    def __init__(self, repo: Repo) -> None:
        self.done: dict[str, list[str]] = {}
        self._repo = repo
        self._earlier: list[str] = []

    @property
    def earlier(self) -> Sequence[str]:
        """The epics that were added before the rest of the run was planned again."""
        return self._earlier

    @property
    def stays(self) -> bool:
        """An operation of a failed run could not be undone."""
        return bool(self.done)

    def until_done(self, attempt: Callable[[], T]) -> T:
        """Plan and carry out until nothing is left to do.

        Args:
            attempt: plans the rest, and carries it out.

        Raises:
            EpicvcError: the rest cannot be done. The operations before were undone, or the error names those that stay.
        """
        try:
            while True:
                try:
                    return attempt()
                except Overtaken:
                    self._earlier = self._added()
        except EpicvcError as error:
            if self.done:
                self._take_back(error)
            raise

    def _added(self) -> list[str]:
        return [epic for epics in self.done.values() for epic in epics]

    def _take_back(self, error: EpicvcError) -> None:
        """Undo the operations of the run after an error. If that fails, the error says so."""
        newest = next(reversed(self.done))
        with suppress(EpicvcError):  # the first of the two errors is the one to report
            # an unfinished operation lets nothing else be written
            while self.done and not isinstance(error, Unfinished):
                operation = self._repo.store.operation(next(reversed(self.done)))
                self._undo(operation, in_its_place=operation.id == newest)
                del self.done[operation.id]
        if not self.done:
            return
        epics = self._added()
        more = f" and {len(epics) - SHOWN} more" if len(epics) > SHOWN else ""
        error.message = f"{error.message}; already in the database, and still there: {', '.join(epics[:SHOWN])}{more}"
        error.args = (error.message,)
        error.hint = "take these epics back with `epicvc undo`, or go on with `epicvc sync` once the cause is gone"

    def _undo(self, operation: Operation, *, in_its_place: bool) -> None:
        from epicvc.actions.restore.undoing import transfer  # imported here, since only a run that fails needs it

        def act(session: Session) -> Operation:
            return transfer(session, operation, "undo", operation.after, operation.before, in_its_place=in_its_place)

        act_held(self._repo, act)
