"""The parts of an installation: each can tell its state, be put in place, and be taken back."""

from __future__ import annotations

from typing import Final, NamedTuple, Protocol

INSTALLED: Final = "installed"
STALE: Final = "stale"
"""The part is ours, but not as it has to be."""

MISSING: Final = "missing"
OTHER: Final = "other"
"""Something else is in this place. It is left alone."""

SIGNATURE: Final = "Written by `epicvc git install`"
"""The words by which our files name their origin, in a comment."""


class PartState(NamedTuple):
    """The state of a part.

    Attributes:
        name: one of the four words above: installed, stale, missing, other.
        detail: further words about the state; mostly none.
    """

    name: str
    detail: str = ""


class Part(Protocol):
    """One thing that is installed.

    Attributes:
        name: a word for scripts.
        place: the place where it is, as messages name it.
    """

    name: str
    place: str

    def state(self) -> PartState:
        """Return the state of the part. Writes nothing."""

    def install(self) -> None:
        """Put the part in place, or put it right."""

    def remove(self, *, dry_run: bool = False) -> PartState:
        """Take the part back, unless it is not ours.

        Returns the state in which the part is afterwards, or would be after more than a dry run.
        """
