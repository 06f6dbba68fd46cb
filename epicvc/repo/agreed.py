"""The remembered agreement: the ids of the cores that the database had, and the epics on which the copies disagreed.

Which epics agree follows from the trees of files, base and rows, all of them named by their content. So the answer is
kept for trees that the store has, and brought up to date by what differs from these trees
(:mod:`epicvc.repo.agreement`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Final

import msgspec

from epicvc.base.cachefile import CacheFile
from epicvc.repo.history.objects import DatabaseState, Snapshot
from epicvc.repo.repository import Repo, Working
from epicvc.store.objects import ID_SIZE, ObjectId

FILE: Final = "documents.cache"

_pack = msgspec.msgpack.Encoder().encode
_unpack = msgspec.msgpack.Decoder(list[str]).decode


class Agreement(msgspec.Struct, frozen=True, dict=True, forbid_unknown_fields=True):
    """The cores and disagreements of one state of both sides, in columns: a few bytes an epic.

    Attributes:
        basis: the mapping and the setting that the core ids depend on, beside that state.
        files: the tree of the files.
        base: the base tree.
        schema: the database's schema.
        tables: the tree of its tables.
        packed_epics: the epics that the database has, in MessagePack.
        cores: the ids of the cores of these epics, settled against the base (else the file), one after the other.
        open: the epics on which files, base and database disagree, or of which that is not known.
        unread: the open epics whose rows cannot be read.
        unkeyed: whether there are rows without a usable key.
    """

    basis: str
    files: ObjectId
    base: ObjectId
    schema: ObjectId
    tables: ObjectId
    packed_epics: bytes
    cores: bytes
    open: list[str]
    unread: list[str] = []
    unkeyed: bool = False

    @classmethod
    def of(
        cls,
        basis: str,
        state: Snapshot,
        ids: Mapping[str, ObjectId],
        still_open: Iterable[str],
        unread: Iterable[str] = (),
        *,
        unkeyed: bool = False,
    ) -> Agreement:
        """Make the agreement for a state that has a database. The epics that cannot be read are counted as open."""
        assert state.database is not None  # the caller asked
        trees = state.files, state.base, state.database.schema, state.database.tables
        bad = sorted(unread)
        open_ = sorted({*still_open, *bad})
        return cls(basis, *trees, _pack(list(ids)), b"".join(ids.values()), open_, bad, unkeyed)

    @cached_property
    def ids(self) -> Mapping[str, ObjectId]:
        """The ids of the cores that the database has, by epic."""
        epics = _unpack(self.packed_epics)
        return {epic: self.cores[row * ID_SIZE : (row + 1) * ID_SIZE] for row, epic in enumerate(epics)}

    def check(self) -> None:
        """Make sure that there is an id for each epic.

        Raises:
            ValueError: an id is missing or left over, or the epics cannot be read.
        """
        if len(self.cores) != len(self.ids) * ID_SIZE:
            raise ValueError("columns of different lengths")

    def moved_to(self, state: Snapshot, *, unkeyed: bool) -> Agreement:
        """Return the agreement for another state in which every document is the same."""
        assert state.database is not None  # the caller asked
        trees = {"files": state.files, "base": state.base}
        database = {"schema": state.database.schema, "tables": state.database.tables}
        return msgspec.structs.replace(self, **trees, **database, unkeyed=unkeyed)

    def is_kept(self, has: Callable[[ObjectId], bool]) -> bool:
        """Return whether a store has the trees of this state."""
        return all(map(has, (self.files, self.base, self.schema, self.tables)))


_FILE: Final = CacheFile("epicvc.agreement", 2, Agreement, check=Agreement.check)


def load_agreement(directory: Path) -> Agreement | None:
    """Return the remembered agreement, or ``None`` where there is none."""
    return _FILE.load(directory / FILE)


def save_agreement(directory: Path, agreement: Agreement) -> None:
    """Remember an agreement. A failure to write it is ignored."""
    _FILE.save(directory / FILE, agreement)


def basis(repo: Repo, working: Working) -> str:
    """Return the basis of a moment's core ids: the mapping and the setting that they depend on beside its state."""
    return f"{working.mapping.hex()} {repo.config.calculated}"


def all_rows_known_readable(repo: Repo, basis: str, state: DatabaseState) -> bool:
    """Return whether every epic of this very state of the database is remembered to be readable."""
    known = load_agreement(repo.config.private)
    if known is None or known.basis != basis or (known.schema, known.tables) != (state.schema, state.tables):
        return False
    return not known.unread and not known.unkeyed
