"""The mark of a captured database: with it, the next capture need not read all of the database.

It is only a cache: if it is damaged or gone, the database is read whole and a new mark is made. A mark belongs to the
state that was captured in the same transaction, and is useful as long as the store has that state.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from msgspec import Struct

from epicvc.base.cachefile import CacheFile
from epicvc.repo.history.objects import DatabaseState

FILE: Final = "database.mark"


class MarkedState(Struct, frozen=True, forbid_unknown_fields=True):
    """A captured state of the database, with its mark.

    Attributes:
        state: the state.
        ignore: the tables that were left out.
        mark: lets the backend find the changes since; it has a meaning for the backend only.
    """

    state: DatabaseState
    ignore: frozenset[str]
    mark: bytes

    @classmethod
    def load(cls, directory: Path, ignore: frozenset[str]) -> MarkedState | None:
        """Return the remembered state, if it was captured with these tables left out."""
        found = _FILE.load(directory / FILE)
        return found if found is not None and found.ignore == ignore else None

    def save(self, directory: Path) -> None:
        """Remember the state. A failure to write it is ignored."""
        _FILE.save(directory / FILE, self)


_FILE: Final = CacheFile("epicvc.mark", 1, MarkedState)
