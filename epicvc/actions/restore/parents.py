"""Finds the parents of restored rows: the rows of another commit to which they refer and that are missing here.

A whole checkout restores a state that existed. A restore of single places makes a new state, in which the parents of
the restored rows may be missing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain

from msgspec import Struct

from epicvc.actions.merge.rows.checks import new_rows
from epicvc.actions.restore.formerrows import FormerRows
from epicvc.actions.shared.difference import key_text
from epicvc.database.backend import BrokenCheck, Fault, Reader, Reference, Writer
from epicvc.database.tables import TableInfo
from epicvc.errors import ConstraintBroken, Refused
from epicvc.model.labels import Label
from epicvc.repo.history.objects import DatabaseState
from epicvc.repo.rows.dbside import RowChange, get_schema, pack_row, row_changes, table_root, unpack_row
from epicvc.repo.rows.rows import rows_of
from epicvc.store.objects import ObjectSink
from epicvc.store.tree import tree


class Parent(Struct, frozen=True):
    """A row to which a restored row refers.

    Attributes:
        table: its table.
        key: its key.
        row: the row as the commit has it, in the present columns.
        child: the row that refers to it.
        taken: a row with this key exists, and has other values.
    """

    table: str
    key: bytes
    row: bytes
    child: Label
    taken: bool = False

    @property
    def label(self) -> Label:
        """The label of the row."""
        return row_label(self.table, self.key)


def row_label(table: str, key: bytes) -> Label:
    """Return the label of a row."""
    return Label(table, (key_text(key),), table=True)


class Parents:
    """Finds the missing parents of restored rows.

    Args:
        sink: the store of the states.
        reader: reads definitions.
        current: the database as it is.
        source: the database from which rows are restored.
        former: reads the rows of the source in the present columns.
    """

    def __init__(
        self, sink: ObjectSink, reader: Reader, current: DatabaseState, source: DatabaseState, former: FormerRows
    ) -> None:
        self._former = former
        self._sink = sink
        self._reader = reader
        self._current = current
        self._source = source
        self._schema = get_schema(sink, current)
        self._tables = {table.name.casefold(): table for table in self._schema.tables}
        self._references: dict[str, tuple[Reference, ...]] = {}
        self._then = get_schema(sink, source).by_name

    def missing(self, wanted: DatabaseState) -> list[Parent]:
        """Return the rows of the commit to which rows of a state refer, and which this state lacks.

        Raises:
            Refused: such a row has a value for which the present table has no column.
        """
        found: dict[tuple[str, bytes], Parent] = {}
        for name, changes in row_changes(self._sink, self._current, wanted):
            table = self._tables.get(name.casefold())
            rows = {key: row for key, _, row in changes if row is not None}
            if table is None or not rows:
                continue
            for reference in self._references_of(table):
                for parent in self._missing(wanted, table, rows, reference):
                    found.setdefault((parent.table, parent.key), parent)
        return list(found.values())

    def _missing(
        self, wanted: DatabaseState, table: TableInfo, rows: dict[bytes, bytes], reference: Reference
    ) -> Iterator[Parent]:
        parent = self._tables.get(reference.parent.casefold())
        if parent is None or parent.name not in self._then:
            return
        changed = {key: new for key, _, new in self._changes(self._current, wanted, parent.name)}
        here = self._reader.parents(table, rows.items(), reference, parent)
        lacking = {key: row for key, row in rows.items() if key not in here or here[key] in changed}
        among = [(key, row) for key, row in changed.items() if row is not None]
        known = self._reader.parents(table, lacking.items(), reference, parent, among)
        lacking = {key: row for key, row in lacking.items() if key not in known}
        for child, key in self._in_source(wanted, table, lacking, reference, parent).items():
            taken = _packed(self._sink, wanted, parent.name, key) is not None
            then = _packed(self._sink, self._source, parent.name, key)
            assert then is not None  # it was found in the source
            row = self._former.packed(row_label(parent.name, key), parent.name, then, None)
            yield Parent(parent.name, key, row, row_label(table.name, child), taken)

    def _in_source(
        self, wanted: DatabaseState, table: TableInfo, rows: dict[bytes, bytes], reference: Reference, parent: TableInfo
    ) -> Mapping[bytes, bytes]:
        """Return the rows that only the commit has and to which some rows refer, by the keys of these rows."""
        among = self._only_there(wanted, parent.name)
        return self._reader.parents(table, rows.items(), reference, parent, among) if rows else {}

    def _only_there(self, wanted: DatabaseState, table: str) -> Iterator[tuple[bytes, bytes]]:
        """Yield the commit's rows of a table that differ in a state, in the present columns."""
        if not self._former.has_other_form(table):
            yield from ((key, row) for key, _, row in self._changes(wanted, self._source, table) if row is not None)
            return
        for key, then in rows_of(self._sink, self._source, table):
            row = self._former.likeness(table, then)
            if row is not None and row != _packed(self._sink, wanted, table, key):
                yield key, row

    def _changes(self, before: DatabaseState, after: DatabaseState, table: str) -> Iterable[RowChange]:
        return dict(row_changes(self._sink, before, after)).get(table, ())

    def bring(self, wanted: DatabaseState) -> tuple[DatabaseState, list[Parent]]:
        """Return a state with the parents of its rows, and their parents too, and the list of these parents."""
        brought: list[Parent] = []
        while parents := [parent for parent in self.missing(wanted) if not parent.taken]:
            brought += parents
            by_table: dict[str, list[tuple[bytes, bytes | None]]] = {}
            for parent in parents:
                by_table.setdefault(parent.table, []).append((parent.key, pack_row(self._sink, parent.row)))
            roots: list[tuple[bytes, bytes | None]] = []
            for name, rows in sorted(by_table.items(), key=lambda item: item[0].encode()):
                root = table_root(self._sink, wanted, name) or tree.EMPTY
                roots.append((name.encode(), tree.update(self._sink, root, sorted(rows))))
            wanted = DatabaseState(wanted.schema, tree.update(self._sink, wanted.tables, roots))
        return wanted, brought

    def _references_of(self, table: TableInfo) -> tuple[Reference, ...]:
        if table.name not in self._references:
            self._references[table.name] = tuple(self._reader.references_by(table))
        return self._references[table.name]

    def check(self, wanted: DatabaseState, writer: Writer, before: frozenset[Fault]) -> None:
        """Make sure that no written row lacks its parent.

        Raises:
            ConstraintBroken: a row refers to a missing row, which it did neither in the database nor in the commit.
        """
        for fault in sorted(writer.faults(self.concerned(wanted)) - before, key=lambda fault: (fault.table, fault.key)):
            if not self._as_in_source(wanted, fault):
                label = Label(fault.table, (key_text(fault.key) if fault.key else "*", *fault.columns[:1]), table=True)
                raise ConstraintBroken(str(label), f"it refers to a row of @{fault.parent} that is not there")

    def concerned(self, wanted: DatabaseState) -> frozenset[str]:
        """Return the tables in which a row may lose its parent."""
        changed = {name.casefold() for name, _ in row_changes(self._sink, self._current, wanted)}
        return frozenset(
            table.name
            for table in self._schema.tables
            if table.name.casefold() in changed
            or any(found.parent.casefold() in changed for found in self._references_of(table))
        )

    def _as_in_source(self, wanted: DatabaseState, fault: Fault) -> bool:
        """Return whether the commit has the same row, without a parent too."""
        table, parent = (self._tables.get(name.casefold()) for name in (fault.table, fault.parent))
        here = _packed(self._sink, wanted, fault.table, fault.key) if fault.key else None
        if here is None or table is None or not self._is_of_source(table.name, fault.key, here):
            return False
        if parent is None:
            return True
        references = (found for found in self._references_of(table) if found.columns == fault.columns)
        return parent.name in self._then and not any(
            self._in_source(wanted, table, {fault.key: here}, found, parent) for found in references
        )

    def _is_of_source(self, table: str, key: bytes, row: bytes) -> bool:
        """Return whether a row is the one that the commit has under its key."""
        then = _packed(self._sink, self._source, table, key) if table in self._then else None
        if then is None:
            return False
        try:
            return self._former.packed(row_label(table, key), table, then, row) == row
        except Refused:  # the row has a value there for which there is no column now
            return False


def require_checks(sink: ObjectSink, reader: Reader, inputs: tuple[DatabaseState, ...], wanted: DatabaseState) -> None:
    """Check the CHECK constraints of rows that neither the database nor the commit has.

    Raises:
        ConstraintBroken: a row breaks a CHECK constraint that it breaks in neither of them.
    """
    for table, rows in new_rows(sink, inputs, wanted):
        for broken in reader.broken_checks(table, rows):
            key = broken.key
            before = (_broken_before(sink, reader, state, table.name, key) for state in inputs)
            if not broken.is_among(chain.from_iterable(before)):
                raise ConstraintBroken(str(row_label(table.name, key)), broken.words)


def _broken_before(
    sink: ObjectSink, reader: Reader, state: DatabaseState, table: str, key: bytes
) -> Iterable[BrokenCheck]:
    """Return the constraints of a state's own definition that its own row breaks."""
    info, row = get_schema(sink, state).by_name.get(table), _packed(sink, state, table, key)
    return () if info is None or row is None else reader.broken_checks(info, [(key, row)])


def _packed(sink: ObjectSink, state: DatabaseState, table: str, key: bytes) -> bytes | None:
    root = table_root(sink, state, table)
    row = tree.get(sink, root, key) if root is not None else None
    return None if row is None else unpack_row(sink, row)
