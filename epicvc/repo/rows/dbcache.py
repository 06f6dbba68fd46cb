"""What is remembered of the database between commands: its change token and its captured state.

Only a cache: damaged or gone, it is made again.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from msgspec import Struct

from epicvc.base.cachefile import CacheFile
from epicvc.repo.history.objects import DatabaseState

FILE: Final = "database.cache"


class DatabaseCache(Struct, frozen=True, forbid_unknown_fields=True):
    """What is remembered.

    Attributes:
        token: the change token under which ``state`` was captured.
        state: the captured database.
        ignore: the tables that were left out.
    """

    token: str | None = None
    state: DatabaseState | None = None
    ignore: frozenset[str] = frozenset()

    @classmethod
    def load(cls, directory: Path) -> DatabaseCache:
        """Read the cache; an empty one when there is none or it is damaged."""
        return _FILE.load(directory / FILE) or cls()

    def save(self, directory: Path) -> None:
        """Write the cache; failing to is no failure."""
        _FILE.save(directory / FILE, self)


_FILE: Final = CacheFile("epicvc.database", 1, DatabaseCache)
