"""What is remembered of the database between commands: its change token and its captured state.

Only a cache: damaged or gone, it is made again.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, Final

from msgspec import Struct
from msgspec.msgpack import decode, encode

from epicvc.errors import FileUnavailable
from epicvc.fileio import atomic_write
from epicvc.repo.objects import DatabaseState

FILE: Final = "database.cache"
VERSION: Final = 3


class DatabaseCache(Struct, frozen=True):
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
        try:
            data = (directory / FILE).read_bytes()
        except OSError:
            return cls()
        digest, _, body = data.partition(b"\n")
        if digest != hashlib.sha256(body).hexdigest().encode():
            return cls()
        try:
            return cls._decode(decode(body))
        except (ValueError, KeyError, TypeError, IndexError):
            return cls()  # another version's

    @classmethod
    def _decode(cls, value: dict[str, Any]) -> DatabaseCache:
        if value["version"] != VERSION:
            return cls()
        return cls(
            value["token"],
            _state(value["state"]),
            frozenset(value["ignore"]),
        )

    def save(self, directory: Path) -> None:
        """Write the cache; failing to is no failure."""
        value = {
            "version": VERSION,
            "token": self.token,
            "state": _texts(self.state),
            "ignore": sorted(self.ignore),
        }
        body = encode(value)
        try:
            atomic_write(directory / FILE, hashlib.sha256(body).hexdigest().encode() + b"\n" + body, mode=0o600)
        except FileUnavailable:
            return


def _texts(state: DatabaseState | None) -> list[str] | None:
    return [state.schema.hex(), state.tables.hex()] if state else None


def _state(texts: list[str] | None) -> DatabaseState | None:
    return DatabaseState(bytes.fromhex(texts[0]), bytes.fromhex(texts[1])) if texts else None
