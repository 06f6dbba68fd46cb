"""What is remembered of a captured database so that capturing it again need not read all of it.

Only a cache: damaged or gone, the database is read whole and it is made again. A mark belongs to the state that was
captured in the same transaction, and is worth something as long as the store has that state.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Final

import msgspec

from epicvc.errors import FileUnavailable
from epicvc.fileio import atomic_write
from epicvc.repo.objects import DatabaseState

FILE: Final = "database.mark"
VERSION: Final = 1


class MarkedState(msgspec.Struct, frozen=True, array_like=True):
    """A captured state of the database.

    Attributes:
        version: of this format.
        schema: the id of its schema.
        tables: the root of its tables.
        ignore: the tables that were left out, sorted.
        mark: what tells changes since; of no meaning but to the database backend.
    """

    version: int
    schema: bytes
    tables: bytes
    ignore: tuple[str, ...]
    mark: bytes

    @classmethod
    def of(cls, state: DatabaseState, ignore: frozenset[str], mark: bytes) -> MarkedState:
        """What to remember of a state."""
        return cls(VERSION, state.schema, state.tables, tuple(sorted(ignore)), mark)

    @property
    def state(self) -> DatabaseState:
        """The captured state."""
        return DatabaseState(self.schema, self.tables)

    @classmethod
    def load(cls, directory: Path, ignore: frozenset[str]) -> MarkedState | None:
        """What was remembered, if it was captured with these tables left out."""
        try:
            digest, _, body = (directory / FILE).read_bytes().partition(b"\n")
        except OSError:
            return None
        if digest != hashlib.sha256(body).hexdigest().encode():
            return None
        try:
            found = msgspec.msgpack.decode(body, type=cls)
        except msgspec.MsgspecError:
            return None  # another version's
        return found if found.version == VERSION and found.ignore == tuple(sorted(ignore)) else None

    def save(self, directory: Path) -> None:
        """Remember it; failing to is no failure."""
        body = msgspec.msgpack.encode(self)
        try:
            atomic_write(directory / FILE, hashlib.sha256(body).hexdigest().encode() + b"\n" + body, mode=0o600)
        except FileUnavailable:
            return
