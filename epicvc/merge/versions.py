"""The three versions of a thing that a merge is about, as one value in one order: base, ours, theirs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, NamedTuple, TypeVar

T = TypeVar("T")
U = TypeVar("U")


class Versions(NamedTuple, Generic[T]):
    """Base, ours and theirs of one thing, before a merge or after it.

    Attributes:
        base: the version that both sides started from.
        ours: one side: the files, or the branch that is merged into.
        theirs: the other side: the database, or the branch that is merged.
    """

    base: T
    ours: T
    theirs: T

    def map(self, change: Callable[[T], U]) -> Versions[U]:
        """Return what a function makes of each version."""
        return Versions(change(self.base), change(self.ours), change(self.theirs))

    @property
    def one_object(self) -> bool:
        """Tell whether all three are one object, so that nothing need be compared."""
        return self.base is self.ours is self.theirs
