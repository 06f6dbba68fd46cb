"""Captured rows by name: the values of a row of a snapshot, and the epic that it belongs to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cached_property

from msgspec import Struct

from epicvc.database.documents.values import key_text
from epicvc.database.rowcodec import SQLValue, decode_row, encode_key
from epicvc.database.tables import Schema, TableInfo
from epicvc.model.mapping import Mapping, TableMap
from epicvc.repo.history.objects import DatabaseState
from epicvc.repo.rows.dbside import get_schema, table_root, unpack_row
from epicvc.store.objects import ObjectSource
from epicvc.store.tree import tree

NamedRow = dict[str, SQLValue]

_COUNTER_COLUMNS = ("name", "seq")
"""The columns of the table of AUTOINCREMENT counters, the one captured table that no schema describes."""


_OWNERS = 256
"""The number of owning rows that are kept: neighbours in a table mostly have the same owner."""


class Owner(Struct, frozen=True):
    """The document place that a row of a mapped table belongs to."""

    epic: str
    task: str | None = None


class CapturedRows:
    """The rows of one captured database."""

    def __init__(self, source: ObjectSource, state: DatabaseState) -> None:
        self._source = source
        self._state = state
        self._owners: dict[tuple[str, bytes], NamedRow | None] = {}  # the ones that were asked for last

    @cached_property
    def schema(self) -> Schema:
        """The schema of the database."""
        return get_schema(self._source, self._state)

    @cached_property
    def _tables(self) -> dict[str, TableInfo]:
        return {table.name: table for table in self.schema.tables}

    def table(self, name: str) -> TableInfo | None:
        """Return a table's definition; ``None`` where there is no such table."""
        return self._tables.get(name)

    def named(self, table: str, row: bytes) -> NamedRow:
        """Return a row's values by column."""
        info = self._tables.get(table)
        values = decode_row(row)
        columns = info.columns if info else _COUNTER_COLUMNS
        return dict(zip(columns, values, strict=False))

    def by_surrogate(self, table: TableMap, value: SQLValue) -> NamedRow | None:
        """Return the row of a mapped table with this surrogate key, or ``None``."""
        if value is None or not self.finds(table):
            return None
        place = table.table, encode_key((value,))
        if place not in self._owners:
            if len(self._owners) >= _OWNERS:
                self._owners.clear()
            self._owners[place] = self._row(*place)
        return self._owners[place]

    def _row(self, table: str, key: bytes) -> NamedRow | None:
        root = table_root(self._source, self._state, table)
        row = tree.get(self._source, root, key) if root is not None else None
        return None if row is None else self.named(table, unpack_row(self._source, row))

    def finds(self, table: TableMap) -> bool:
        """Return whether the surrogate key of a mapped table is the key of its captured rows, so that it finds them."""
        info = self._tables.get(table.table)
        return info is not None and info.key == (table.id,)

    def finds_owners(self, mapping: Mapping) -> bool:
        """Return whether the owner of every row of the mapped tables can be found. Below views, say, it cannot."""
        links = mapping.links
        return self.finds(mapping.epics) and self.finds(mapping.tasks) and (not links or links.table in self._tables)

    def owner(self, mapping: Mapping, table: str, row: NamedRow) -> Owner | None:
        """Return the epic and task that a row of a mapped table belongs to; ``None`` for any other row."""
        if table == mapping.epics.table:
            return _owner(row.get(mapping.epics.key))
        if table == mapping.tasks.table:
            epic = self.by_surrogate(mapping.epics, row.get(mapping.tasks.parent or ""))
            return _owner(epic.get(mapping.epics.key), row.get(mapping.tasks.key)) if epic else None
        if mapping.links and table == mapping.links.table:
            task = self.by_surrogate(mapping.tasks, row.get(mapping.links.parent))
            return self.owner(mapping, mapping.tasks.table, task) if task else None
        return None


def _owner(epic: SQLValue, task: SQLValue = None) -> Owner | None:
    key = key_text(epic)
    return None if key is None else Owner(key, key_text(task))


def mapped_tables(mapping: Mapping) -> Iterable[str]:
    """Yield the names of the tables that documents are made of."""
    yield mapping.epics.table
    yield mapping.tasks.table
    if mapping.links:
        yield mapping.links.table


def rows_of(source: ObjectSource, state: DatabaseState, table: str) -> Iterator[tuple[bytes, bytes]]:
    """Yield every captured row of a table, by key."""
    root = table_root(source, state, table)
    if root is not None:
        for key, value in tree.items(source, root):
            yield key, unpack_row(source, value)


def is_alive(row: NamedRow, table: TableMap) -> bool:
    """Return whether a captured row is alive: neither marked as deleted nor of the status ``deleted``."""
    marked = bool(table.deleted_at and row.get(table.deleted_at) not in (None, ""))
    return not marked and not (table.status and row.get(table.status) == "deleted")
