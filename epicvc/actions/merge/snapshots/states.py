"""One of the three states of a merge: reads its rows by key and its agreed cores, only as they are needed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import TYPE_CHECKING

from epicvc.database.rowcodec import decode_key, encode_key
from epicvc.repo.history.base import Base, BaseEntry, get_mapping
from epicvc.repo.history.objects import Snapshot
from epicvc.repo.rows.dbside import COUNTERS, table_root, unpack_row
from epicvc.repo.rows.rows import CapturedRows, NamedRow
from epicvc.store.objects import ObjectId, ObjectSink
from epicvc.store.tree import tree
from epicvc.store.tree.node import load_root

if TYPE_CHECKING:
    from epicvc.actions.merge.snapshots.forms import Forms


class SnapshotState:
    """One of the three states.

    Args:
        sink: the store of its objects.
        snapshot: the snapshot of the state.

    Attributes:
        forms: the form for the rows of each table that has other columns in the merged database.
    """

    def __init__(self, sink: ObjectSink, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        self.forms: Forms = {}
        self.sink = sink
        self.captured = CapturedRows(sink, snapshot.database) if snapshot.database else None
        self._roots: dict[str, ObjectId | None] = {}

    @cached_property
    def base(self) -> Base:
        """The agreed cores of this state, under the mapping of this state."""
        return Base(self.sink, self.snapshot.base, get_mapping(self.sink, self.snapshot.mapping))

    def agreed(self, epics: Iterable[str]) -> dict[str, BaseEntry]:
        """Return the entries of the agreed cores of some epics."""
        found = tree.get_many(self.sink, self.snapshot.base, [epic.encode() for epic in epics])
        return {key.decode(): BaseEntry.unpack(value) for key, value in found.items()}

    # Rows

    def _root(self, table: str) -> ObjectId | None:
        if table not in self._roots:
            database = self.snapshot.database
            self._roots[table] = table_root(self.sink, database, table) if database else None
        return self._roots[table]

    def packed(self, table: str, key: bytes) -> bytes | None:
        """Return a row as the tree stores it."""
        root = self._root(table)
        return None if root is None else tree.get(self.sink, root, key)

    def packed_rows(self, table: str, keys: Iterable[bytes]) -> dict[bytes, bytes]:
        """Return rows as the tree stores them, read together."""
        root = self._root(table)
        return {} if root is None else tree.get_many(self.sink, root, keys)

    def columns(self, table: str) -> tuple[str, ...]:
        """Return the columns of a table's rows; none if there is no such table."""
        info = self.captured.table(table) if self.captured else None
        return info.columns if info else ()

    def highest(self, table: str) -> int:
        """Return the greatest number that a row of a table has or had as its key."""
        root = self._root(table)
        keys = load_root(self.sink, root).keys if root is not None else ()
        last = decode_key(keys[-1])[0] if keys else 0
        counter = self.row(COUNTERS, encode_key((table,))) or {}
        known = (value for value in (last, counter.get("seq")) if isinstance(value, int))
        return max(known, default=0)

    def entries(self, table: str) -> Iterator[tuple[bytes, bytes]]:
        """Yield every row of a table as the tree stores it, by key."""
        root = self._root(table)
        return iter(()) if root is None else tree.items(self.sink, root)

    def rows_of(self, table: str) -> Iterator[tuple[bytes, bytes]]:
        """Yield every row of a table as it was captured, by key."""
        for key, value in self.entries(table):
            yield key, unpack_row(self.sink, value)

    def as_captured(self, table: str, packed: bytes | None) -> NamedRow | None:
        """Return a row by the columns that its table has in this state."""
        if packed is None or self.captured is None:
            return None
        return self.captured.named(table, unpack_row(self.sink, packed))

    def named(self, table: str, packed: bytes | None) -> NamedRow | None:
        """Return a row by the columns that its table has in the merged database."""
        row, form = self.as_captured(table, packed), self.forms.get(table)
        return row if row is None or form is None else form.read(row)

    def row(self, table: str, key: bytes) -> NamedRow | None:
        """Return a row by its key, with the columns of the merged database."""
        return self.named(table, self.packed(table, key))
