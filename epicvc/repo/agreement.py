"""How the database's documents stood to the others the last time: the ids of their cores, and which do not agree.

Which epics agree follows from the trees of files, base and rows, all of them named by their content. So it is
remembered for trees that the store has, and brought up to date by what differs from these.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Final

import msgspec

from epicvc.cachefile import CacheFile
from epicvc.errors import DamagedObject
from epicvc.repo.dbside import row_changes
from epicvc.repo.filestree import changed_files, epic_id_of
from epicvc.repo.objects import DatabaseState, Snapshot
from epicvc.repo.repository import Repo
from epicvc.repo.rows import CapturedRows, mapped_tables
from epicvc.store import tree
from epicvc.store.objects import ID_SIZE, ObjectId, ObjectSink

FILE: Final = "documents.cache"

_pack = msgspec.msgpack.Encoder().encode
_unpack = msgspec.msgpack.Decoder(list[str]).decode


class Agreement(msgspec.Struct, frozen=True, dict=True, forbid_unknown_fields=True):
    """What is known for one state of both sides, in columns: a few bytes an epic.

    Attributes:
        basis: what it depends on beside that state.
        files: the files tree.
        base: the base tree.
        schema: the database's schema.
        tables: the tree of its tables.
        packed_epics: the epics that the database has, in MessagePack.
        cores: the ids of their cores, settled against the base (else the file), one after the other.
        open: the epics that do not agree, or of which it is not known.
    """

    basis: str
    files: ObjectId
    base: ObjectId
    schema: ObjectId
    tables: ObjectId
    packed_epics: bytes
    cores: bytes
    open: list[str]

    @classmethod
    def of(cls, basis: str, state: Snapshot, ids: Mapping[str, ObjectId], still_open: Iterable[str]) -> Agreement:
        """What was found out about a state that has a database."""
        assert state.database is not None  # the caller asked
        trees = state.files, state.base, state.database.schema, state.database.tables
        return cls(basis, *trees, _pack(list(ids)), b"".join(ids.values()), sorted(still_open))

    @cached_property
    def ids(self) -> Mapping[str, ObjectId]:
        """The ids of the cores that the database has, by epic."""
        epics = _unpack(self.packed_epics)
        return {epic: self.cores[row * ID_SIZE : (row + 1) * ID_SIZE] for row, epic in enumerate(epics)}

    def moved_to(self, state: Snapshot) -> Agreement:
        """The same for a state in which no document is another."""
        assert state.database is not None  # the caller asked
        trees = {"files": state.files, "base": state.base}
        return msgspec.structs.replace(self, **trees, schema=state.database.schema, tables=state.database.tables)

    def is_kept(self, has: Callable[[ObjectId], bool]) -> bool:
        """Whether a store has the state's trees."""
        return all(map(has, (self.files, self.base, self.schema, self.tables)))


_FILE: Final = CacheFile("epicvc.agreement", 1, Agreement)


def save_agreement(directory: Path, agreement: Agreement) -> None:
    """Remember it; failing to is no failure."""
    _FILE.save(directory / FILE, agreement)


def recall(source: ObjectSink, repo: Repo, basis: str, now: Snapshot) -> tuple[Agreement, set[str]] | None:
    """What was remembered, and the epics of which a file, the base or a row is another now.

    Args:
        source: holds the objects of ``now``, and those of the store.
        repo: the repo.
        basis: what it has to depend on.
        now: both sides as they are.

    Returns:
        ``None`` where nothing is remembered, or it cannot be told what has become of it.
    """
    known = _FILE.load(repo.config.private / FILE)
    if known is None or known.basis != basis:
        return None
    try:
        touched = _touched_since(source, repo, known, now)
    except DamagedObject:  # what is remembered must not stand in the way
        return None
    return None if touched is None else (known, touched)


def _touched_since(source: ObjectSink, repo: Repo, known: Agreement, now: Snapshot) -> set[str] | None:
    if now.database is None or known.schema != now.database.schema:
        return None
    pairs = (known.files, now.files), (known.base, now.base), (known.tables, now.database.tables)
    if not all(old == new or source.has(old) for old, new in pairs):
        return None
    before = DatabaseState(known.schema, known.tables)
    if before != now.database and not CapturedRows(source, before).finds_owners(repo.config.mapping):
        return None
    touched = affected_epics(source, repo, before, now.database)
    touched.update(key.decode() for key, *_ in tree.diff(source, known.base, now.base))
    for path, *blobs in changed_files(source, known.files, now.files):
        touched.update(epic_id_of(source, blob, path) for blob in blobs if blob is not None)
    return touched


def affected_epics(
    source: ObjectSink, repo: Repo, before: DatabaseState | None, after: DatabaseState | None
) -> set[str]:
    """The epics that own a row which differs between two captured databases."""
    mapping = repo.config.mapping
    tables = frozenset(mapped_tables(mapping))
    views = [CapturedRows(source, state) if state else None for state in (before, after)]
    epics: set[str] = set()
    for table, rows in row_changes(source, before, after):
        if table not in tables:
            continue
        for _, old, new in rows:
            for view, row in zip(views, (old, new), strict=True):
                if view is not None and row is not None:
                    owner = view.owner(mapping, table, view.named(table, row))
                    if owner:
                        epics.add(owner.epic)
    return epics
