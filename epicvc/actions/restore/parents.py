"""The parents of restored rows: what single rows of another commit refer to, and which of it is missing here.

A whole checkout brings a state that was there. A restore of single places makes one that never was, so that what the
restored rows refer to may be gone by now.
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
    """A row that a restored one refers to.

    Attributes:
        table: its table.
        key: its key.
        row: it, as the commit has it, in the columns of now.
        child: what refers to it.
        taken: there is a row of this key, which has another value.
    """

    table: str
    key: bytes
    row: bytes
    child: Label
    taken: bool = False

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
        former: reads its rows in the columns of now.
    """

    def __init__(
        self,
        sink: ObjectSink,
        reader: Reader,
        current: DatabaseState,
        source: DatabaseState,
        former: FormerRows,
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
        """The rows that the commit has, that rows of a state refer to, and that this state has not.

        Raises:
            Refused: such a row has a value that the table of now has no column for.
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
            assert then is not None  # it was found there
            row = self._former.packed(row_label(parent.name, key), parent.name, then, None)
            yield Parent(parent.name, key, row, row_label(table.name, child), taken)

    def _in_source(
        self,
        wanted: DatabaseState,
        table: TableInfo,
        rows: dict[bytes, bytes],
        reference: Reference,
        parent: TableInfo,
    ) -> Mapping[bytes, bytes]:
        """Which rows that only the commit has some rows refer to, by the keys of these."""
        among = self._only_there(wanted, parent.name)
        return self._reader.parents(table, rows.items(), reference, parent, among) if rows else {}

    def _only_there(self, wanted: DatabaseState, table: str) -> Iterator[tuple[bytes, bytes]]:
        """The commit's rows of a table that a state does not have so, in the columns of now."""
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
        """A state with the parents of its rows, theirs too, and which these are."""
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
        """Whether the commit has the row too, and no parent of it either."""
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
        """Whether a row is what the commit has under its key."""
        then = _packed(self._sink, self._source, table, key) if table in self._then else None
        if then is None:
            return False
        try:
            return self._former.packed(row_label(table, key), table, then, row) == row
        except Refused:  # it says more there than any row of now can
            return False


def require_checks(sink: ObjectSink, reader: Reader, inputs: tuple[DatabaseState, ...], wanted: DatabaseState) -> None:
    """Try the rows that neither the database nor the commit has.

    Raises:
        ConstraintBroken: one breaks a CHECK constraint that it broke in neither.
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
    """What the row of a state breaks of the state's own definition."""
    info, row = get_schema(sink, state).by_name.get(table), _packed(sink, state, table, key)
    return () if info is None or row is None else reader.broken_checks(info, [(key, row)])


def _packed(sink: ObjectSink, state: DatabaseState, table: str, key: bytes) -> bytes | None:
    root = table_root(sink, state, table)
    row = tree.get(sink, root, key) if root is not None else None
    return None if row is None else unpack_row(sink, row)
