"""One synchronisation, from its first operation to its last: planned again where it must be, taken back where it fails.

Between its operations (:mod:`epicvc.actions.sync.portions`) others may write. One that meets a change which concerns
it is planned again with all that is left of the run; then what was done so far stays an operation with a commit of
its own, since what others did lies between. An error takes back what was done before it.
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
"""Epics that an error names."""


class Overtaken(Exception):  # not an error: the caller plans what is left of the run
    """Somebody changed a side between two portions."""


class SyncRun:
    """One synchronisation.

    Args:
        repo: the repo, whose lock is held.

    Attributes:
        done: the operations that there are of it, each with the epics that it added; who carries it out notes them.
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
        """Whether something of a run that failed is still done, since it could not be taken back."""
        return bool(self.done)

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
            if self.done:
                self._take_back(error)
            raise

    def _added(self) -> list[str]:
        return [epic for epics in self.done.values() for epic in epics]

    def _take_back(self, error: EpicvcError) -> None:
        """Bring back the state before the run, since an error leaves nothing done; else have the error say so."""
        newest = next(reversed(self.done))
        with suppress(EpicvcError):  # of the two the first is the one to be told
            while self.done and not isinstance(error, Unfinished):  # after that nothing can be written
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
        from epicvc.actions.restore.undoing import transfer  # with all that writes, for a run that fails

        def act(session: Session) -> Operation:
            return transfer(session, operation, "undo", operation.after, operation.before, in_its_place=in_its_place)

        act_held(self._repo, act)
