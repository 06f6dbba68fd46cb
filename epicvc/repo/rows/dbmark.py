"""What is remembered of a captured database so that capturing it again need not read all of it.

Only a cache: damaged or gone, the database is read whole and it is made again. A mark belongs to the state that was
captured in the same transaction, and is worth something as long as the store has that state.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from msgspec import Struct

from epicvc.base.cachefile import CacheFile
from epicvc.repo.history.objects import DatabaseState

FILE: Final = "database.mark"


class MarkedState(Struct, frozen=True, forbid_unknown_fields=True):
    """A captured state of the database.

    Attributes:
        state: the state.
        ignore: the tables that were left out.
        mark: what tells changes since; of no meaning but to the database backend.
    """

    state: DatabaseState
    ignore: frozenset[str]
    mark: bytes

    @classmethod
    def load(cls, directory: Path, ignore: frozenset[str]) -> MarkedState | None:
        """What was remembered, if it was captured with these tables left out."""
        found = _FILE.load(directory / FILE)
        return found if found is not None and found.ignore == ignore else None

    def save(self, directory: Path) -> None:
        """Remember it; failing to is no failure."""
        _FILE.save(directory / FILE, self)


_FILE: Final = CacheFile("epicvc.mark", 1, MarkedState)
