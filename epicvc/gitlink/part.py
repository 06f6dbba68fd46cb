"""What an installation consists of: things that know how they stand, how to be put there and how to be taken back."""

from __future__ import annotations

from typing import Final, NamedTuple, Protocol

INSTALLED: Final = "installed"
STALE: Final = "stale"
"""Ours, but not as it has to be."""

MISSING: Final = "missing"
OTHER: Final = "other"
"""Something else is in this place, which is left alone."""

SIGNATURE: Final = "Written by `epicvc git install`"
"""What files that are ours say of themselves, in a comment."""


class PartState(NamedTuple):
    """How a part stands.

    Attributes:
        name: one of the four words above.
        detail: what more there is to say; mostly nothing.
    """

    name: str
    detail: str = ""


class Part(Protocol):
    """One thing that is installed.

    Attributes:
        name: a word for scripts.
        place: where it is, as messages name it.
    """

    name: str
    place: str

    def state(self) -> PartState:
        """How it stands; looks only."""

    def install(self) -> None:
        """Put it there, or right."""

    def remove(self, *, dry_run: bool = False) -> PartState:
        """Take it back; how it stands then, or would stand. What is not ours stays."""
