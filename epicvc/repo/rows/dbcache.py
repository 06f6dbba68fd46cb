"""The memory of the database between commands: its change token and its captured state.

It is only a cache: damaged or gone, it is made again.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from msgspec import Struct

from epicvc.base.cachefile import CacheFile
from epicvc.repo.history.objects import DatabaseState

FILE: Final = "database.cache"


class DatabaseCache(Struct, frozen=True, forbid_unknown_fields=True):
    """The remembered state of a database, with its change token.

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
        """Read the cache. It is empty where the file is missing or damaged."""
        return _FILE.load(directory / FILE) or cls()

    def save(self, directory: Path) -> None:
        """Write the cache. A failure to do so is ignored."""
        _FILE.save(directory / FILE, self)


_FILE: Final = CacheFile("epicvc.database", 1, DatabaseCache)
