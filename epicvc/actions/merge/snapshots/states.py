"""One of the three states of a merge: its rows by key, and what was agreed. Reads what is asked for, no more."""

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
        sink: holds its objects.
        snapshot: the state.

    Attributes:
        forms: how rows are read whose table has other columns in the merged database.
    """

    def __init__(self, sink: ObjectSink, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        self.forms: Forms = {}
        self.sink = sink
        self.captured = CapturedRows(sink, snapshot.database) if snapshot.database else None
        self._roots: dict[str, ObjectId | None] = {}

    @cached_property
    def base(self) -> Base:
        """What was agreed then, under the mapping of then."""
        return Base(self.sink, self.snapshot.base, get_mapping(self.sink, self.snapshot.mapping))

    def agreed(self, epics: Iterable[str]) -> dict[str, BaseEntry]:
        """What was agreed for some epics."""
        found = tree.get_many(self.sink, self.snapshot.base, [epic.encode() for epic in epics])
        return {key.decode(): BaseEntry.unpack(value) for key, value in found.items()}

    # Rows

    def _root(self, table: str) -> ObjectId | None:
        if table not in self._roots:
            database = self.snapshot.database
            self._roots[table] = table_root(self.sink, database, table) if database else None
        return self._roots[table]

    def packed(self, table: str, key: bytes) -> bytes | None:
        """A row as the tree has it."""
        root = self._root(table)
        return None if root is None else tree.get(self.sink, root, key)

    def packed_rows(self, table: str, keys: Iterable[bytes]) -> dict[bytes, bytes]:
        """Rows as the tree has them, read together."""
        root = self._root(table)
        return {} if root is None else tree.get_many(self.sink, root, keys)

    def columns(self, table: str) -> tuple[str, ...]:
        """The columns of a table's rows; none where there is no such table."""
        info = self.captured.table(table) if self.captured else None
        return info.columns if info else ()

    def highest(self, table: str) -> int:
        """The greatest number that rows of a table have or had for a key."""
        root = self._root(table)
        keys = load_root(self.sink, root).keys if root is not None else ()
        last = decode_key(keys[-1])[0] if keys else 0
        counter = self.row(COUNTERS, encode_key((table,))) or {}
        known = (value for value in (last, counter.get("seq")) if isinstance(value, int))
        return max(known, default=0)

    def entries(self, table: str) -> Iterator[tuple[bytes, bytes]]:
        """Every row of a table as the tree has it, by key."""
        root = self._root(table)
        return iter(()) if root is None else tree.items(self.sink, root)

    def rows_of(self, table: str) -> Iterator[tuple[bytes, bytes]]:
        """Every row of a table as it was captured, by key."""
        for key, value in self.entries(table):
            yield key, unpack_row(self.sink, value)

    def as_captured(self, table: str, packed: bytes | None) -> NamedRow | None:
        """A row by the columns that its table has in this state."""
        if packed is None or self.captured is None:
            return None
        return self.captured.named(table, unpack_row(self.sink, packed))

    def named(self, table: str, packed: bytes | None) -> NamedRow | None:
        """A row by the columns that its table has in the merged database."""
        row, form = self.as_captured(table, packed), self.forms.get(table)
        return row if row is None or form is None else form.read(row)

    def row(self, table: str, key: bytes) -> NamedRow | None:
        """A row by its key."""
        return self.named(table, self.packed(table, key))
