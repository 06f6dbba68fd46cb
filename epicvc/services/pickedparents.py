"""The parents of restored rows: what single rows of another commit refer to, and which of it is missing here.

A whole checkout brings a state that was there. A restore of single places makes one that never was, so that what the
restored rows refer to may be gone by now.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias

from msgspec import Struct

from epicvc.database.backend import Fault, Reader, Reference, Writer, targets
from epicvc.database.rowcodec import SQLValue, decode_row, encode_key
from epicvc.database.tables import TableInfo
from epicvc.errors import ConstraintBroken
from epicvc.model.labels import Label
from epicvc.repo.dbside import get_schema, pack_row, row_changes, table_root, unpack_row
from epicvc.repo.objects import DatabaseState
from epicvc.repo.rows import rows_of
from epicvc.services.difference import key_text
from epicvc.services.threeway.checks import new_rows
from epicvc.store import tree
from epicvc.store.objects import ObjectSink

_Values: TypeAlias = "tuple[object, ...]"


class Parent(Struct, frozen=True):
    """A row that a restored one refers to.

    Attributes:
        table: its table.
        key: its key.
        row: it, as the commit has it.
        child: what refers to it.
    """

    table: str
    key: bytes
    row: bytes
    child: Label

    @property
    def label(self) -> Label:
        """Its label."""
        return row_label(self.table, self.key)


def row_label(table: str, key: bytes) -> Label:
    """A row's label."""
    return Label(table, (key_text(key),), table=True)


class Parents:
    """Finds them.

    Args:
        sink: holds the states.
        reader: reads definitions.
        current: the database as it is.
        source: the database that rows are restored from.
    """

    def __init__(self, sink: ObjectSink, reader: Reader, current: DatabaseState, source: DatabaseState) -> None:
        self._sink = sink
        self._reader = reader
        self._current = current
        self._source = source
        self._schema = get_schema(sink, current)
        self._tables = {table.name.casefold(): table for table in self._schema.tables}
        self._references: dict[str, tuple[Reference, ...]] = {}
        self._indexes: dict[tuple[DatabaseState, str, tuple[str, ...]], dict[_Values, bytes]] = {}

    def missing(self, wanted: DatabaseState) -> list[Parent]:
        """The rows that the commit has, that rows of a state refer to, and that this state has not."""
        found: dict[tuple[str, bytes], Parent] = {}
        for name, changes in row_changes(self._sink, self._current, wanted):
            table = self._tables.get(name.casefold())
            for key, _, row in changes if table is not None else ():
                if row is None or table is None:
                    continue
                for reference in self._references_of(table):
                    parent = self._missing(wanted, table, row, reference, row_label(name, key))
                    if parent is not None:
                        found.setdefault((parent.table, parent.key), parent)
        return list(found.values())

    def bring(self, wanted: DatabaseState) -> tuple[DatabaseState, list[Parent]]:
        """A state with the parents of its rows, theirs too, and which these are."""
        brought: list[Parent] = []
        while parents := self.missing(wanted):
            brought += parents
            for parent in parents:
                root = table_root(self._sink, wanted, parent.table) or tree.EMPTY
                new = tree.update(self._sink, root, [(parent.key, pack_row(self._sink, parent.row))])
                tables = tree.update(self._sink, wanted.tables, [(parent.table.encode(), new)])
                wanted = DatabaseState(wanted.schema, tables)
        return wanted, brought

    def _references_of(self, table: TableInfo) -> tuple[Reference, ...]:
        if table.name not in self._references:
            self._references[table.name] = tuple(self._reader.references_by(table))
        return self._references[table.name]

    def _missing(
        self, wanted: DatabaseState, table: TableInfo, row: bytes, reference: Reference, child: Label
    ) -> Parent | None:
        parent = self._tables.get(reference.parent.casefold())
        values = _values(table, row, reference.columns)
        if parent is None or values is None:
            return None
        columns = targets(reference, parent)
        if self._find(wanted, parent, columns, values) is not None:
            return None
        key = self._find(self._source, parent, columns, values)
        packed = _packed(self._sink, self._source, parent.name, key) if key is not None else None
        return None if key is None or packed is None else Parent(parent.name, key, packed, child)

    def _find(
        self, state: DatabaseState, parent: TableInfo, columns: tuple[str, ...], values: tuple[SQLValue, ...]
    ) -> bytes | None:
        """The key of the row with these values; types and case do not matter."""
        if columns == parent.key and len(columns) == 1:
            for value in _spellings(values[0]):
                key = encode_key((value,))
                if _packed(self._sink, state, parent.name, key) is not None:
                    return key
        if state not in (self._current, self._source):
            changed = dict(row_changes(self._sink, self._current, state)).get(parent.name, ())
            rows = {key: new for key, _, new in changed}
            for key, row in rows.items():
                if row is not None and _alike(_values(parent, row, columns)) == _alike(values):
                    return key
            found = self._find(self._current, parent, columns, values)
            return None if found in rows else found
        place = state, parent.name, columns
        if place not in self._indexes:
            rows_there = rows_of(self._sink, state, parent.name)
            self._indexes[place] = {_alike(_values(parent, row, columns)): key for key, row in rows_there}
        return self._indexes[place].get(_alike(values))

    def check(self, wanted: DatabaseState, writer: Writer, before: frozenset[Fault]) -> None:
        """Make sure of the rows that were written.

        Raises:
            ConstraintBroken: a row refers to one that is not there, as neither the database nor the commit has it.
        """
        for fault in sorted(writer.faults(self.concerned(wanted)) - before, key=lambda fault: (fault.table, fault.key)):
            if not self._as_in_source(wanted, fault):
                label = Label(fault.table, (key_text(fault.key) if fault.key else "*", *fault.columns[:1]), table=True)
                raise ConstraintBroken(str(label), f"it refers to a row of @{fault.parent} that is not there")

    def concerned(self, wanted: DatabaseState) -> frozenset[str]:
        """The tables in which a row may come to be without its parent."""
        changed = {name.casefold() for name, _ in row_changes(self._sink, self._current, wanted)}
        return frozenset(
            table.name
            for table in self._schema.tables
            if table.name.casefold() in changed
            or any(found.parent.casefold() in changed for found in self._references_of(table))
        )

    def _as_in_source(self, wanted: DatabaseState, fault: Fault) -> bool:
        here, there = (
            _packed(self._sink, state, fault.table, fault.key) if fault.key else None
            for state in (wanted, self._source)
        )
        table = self._tables.get(fault.table.casefold())
        if here is None or here != there or table is None:
            return False
        references = (found for found in self._references_of(table) if found.columns == fault.columns)
        return all(self._missing_in_source(table, here, found) for found in references)

    def _missing_in_source(self, table: TableInfo, row: bytes, reference: Reference) -> bool:
        parent, values = self._tables.get(reference.parent.casefold()), _values(table, row, reference.columns)
        return (
            parent is None
            or values is None
            or (self._find(self._source, parent, targets(reference, parent), values) is None)
        )


def require_checks(sink: ObjectSink, reader: Reader, inputs: tuple[DatabaseState, ...], wanted: DatabaseState) -> None:
    """Try the rows that neither the database nor the commit has.

    Raises:
        ConstraintBroken: one breaks a CHECK constraint that it broke in neither.
    """
    for table, rows in new_rows(sink, inputs, wanted):
        for key, words in reader.broken_checks(table, rows):
            before = [(key, row) for state in inputs if (row := _packed(sink, state, table.name, key)) is not None]
            if words not in (known for _, known in reader.broken_checks(table, before)):
                raise ConstraintBroken(str(row_label(table.name, key)), words)


def _packed(sink: ObjectSink, state: DatabaseState, table: str, key: bytes) -> bytes | None:
    root = table_root(sink, state, table)
    row = tree.get(sink, root, key) if root is not None else None
    return None if row is None else unpack_row(sink, row)


def _values(table: TableInfo, row: bytes, columns: tuple[str, ...]) -> tuple[SQLValue, ...] | None:
    """What a row has in some columns; ``None`` where one is NULL, which refers to nothing, or is none of the table."""
    named = dict(zip((name.casefold() for name in table.columns), decode_row(row), strict=False))
    values = tuple(named.get(name.casefold()) for name in columns)
    return None if None in values else values


def _spellings(value: SQLValue) -> Iterator[SQLValue]:
    yield value
    text = str(value)
    if not isinstance(value, int) and text.removesuffix(".0").lstrip("-").isdigit():
        yield int(text.removesuffix(".0"))
    if not isinstance(value, str):
        yield text


def _alike(values: tuple[SQLValue, ...] | None) -> _Values:
    return () if values is None else tuple(str(value).removesuffix(".0").casefold() for value in values)
