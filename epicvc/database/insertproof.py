"""Proof that new epics hold what was inserted, out of the rows that a capture has read anyway.

Good where a transaction inserted the tasks and links of new epics and did nothing else to these tables. Rows are
compared in the order in which they were inserted, which is the order of their numbers; so nothing need be looked up,
decoded or read a second time. That the database says nothing more of the epics is counted, which its indexes answer.
Where anything is out of the ordinary nothing is proven, and the epics have to be read.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import Any, Final, NamedTuple, cast

from epicvc.database.backend import Reader, Row
from epicvc.database.batches import batches
from epicvc.database.documents import of_epics
from epicvc.database.layout import DELETED, Columns, Layout
from epicvc.database.query import Select
from epicvc.database.quoting import quote_identifier as quote
from epicvc.database.rowcodec import SQLValue
from epicvc.database.tables import TableInfo
from epicvc.model.mapping import Kind

_NUMERIC: Final = frozenset({Kind.NUMBER, Kind.BOOL})
_EXACT: Final = frozenset({int, bool, type(None)})
"""Types of numbers that are the same where they are equal; 1 and 1.0 are not."""


class InsertProof:
    """What one transaction inserts, what a capture finds of it, and whether these are the same.

    Args:
        layout: the mapped tables.
        tables: the tables of the database.

    Attributes:
        tasks: columns and values of the tasks that were inserted, in this order.
        links: the links that were inserted, in this order.
    """

    def __init__(self, layout: Layout, tables: Sequence[TableInfo]) -> None:
        self.tasks: list[tuple[tuple[str, ...], tuple[SQLValue, ...]]] = []
        self.links: list[tuple[SQLValue, ...]] = []
        self._layout = layout
        self._columns = {table.name: table.columns for table in tables}
        self._found: dict[str, Sequence[Row] | None] = {layout.tasks.map.table: ()}
        if layout.links is not None:
            self._found[layout.links.table] = ()

    def found(self, table: str, rows: Sequence[Row] | None) -> None:
        """Take note of the rows of a table that the transaction touched.

        Args:
            table: its name.
            rows: its rows, in their order; ``None`` where they are not known.
        """
        if table in self._found:
            self._found[table] = rows

    def holds(self, reader: Reader, epics: Sequence[SQLValue]) -> bool:
        """Whether everything that the database says of these epics is what was inserted.

        Args:
            reader: the transaction.
            epics: the surrogate keys of all epics that tasks were inserted for.
        """
        links = self._layout.links
        try:
            same = self._same_tasks() and (links is None or self._same_links(links.table, (links.parent, links.column)))
        except (KeyError, ValueError):  # a table or column is mapped under another spelling, or is calculated
            return False
        return same and None not in epics and self._counted(reader, epics) == (len(self.tasks), len(self.links))

    def _same_tasks(self) -> bool:
        table = self._layout.tasks
        rows = self._found[table.map.table]
        if rows is None or len(rows) != len(self.tasks):
            return False
        columns = self._columns[table.map.table]
        shapes: dict[tuple[str, ...], _Shape] = {}
        for (names, values), row in zip(self.tasks, rows, strict=True):
            shape = shapes.get(names)
            if shape is None:
                shape = shapes[names] = _shape(table, columns, names)
            if shape.written(row) != values or shape.others(row) != shape.expected:
                return False
            if not _EXACT.issuperset(map(type, (*shape.numbers(row), *shape.numbers_in(values)))):
                return False
        return True

    def _same_links(self, table: str, names: Sequence[str]) -> bool:
        rows = self._found[table]
        columns = self._columns[table]
        return rows is not None and list(map(itemgetter(*map(columns.index, names)), rows)) == self.links

    def _counted(self, reader: Reader, epics: Sequence[SQLValue]) -> tuple[int, int]:
        """How many tasks these epics have in the database, the dead ones too, and how many links those have."""
        links, tasks = self._layout.links, self._layout.tasks.map
        counts = [0, 0]
        for batch in batches(epics):
            queries = [of_epics(self._layout, Select(columns=("count(*)",)), batch)]
            if links is not None:
                on = f"l.{quote(links.parent)} = t.{quote(tasks.id)}"
                queries.append(queries[0].join(quote(links.table), on, alias="l"))
            for number, query in enumerate(queries):
                counts[number] += cast("int", next(reader.execute(*query.build()))[0])
        return counts[0], counts[1]


class _Shape(NamedTuple):
    """How tasks are compared that were inserted with the same columns.

    Attributes:
        written: takes the columns that were written out of a row.
        others: takes what else of a row belongs to the document.
        expected: what is to be there.
        numbers: takes the numbers out of a row.
        numbers_in: takes them out of the values that were written.
    """

    written: Callable[[Row], Any]
    others: Callable[[Row], Any]
    expected: Sequence[SQLValue]
    numbers: Callable[[Row], Sequence[SQLValue]]
    numbers_in: Callable[[Row], Sequence[SQLValue]]


def _shape(table: Columns, columns: Sequence[str], names: Sequence[str]) -> _Shape:
    expected = {column: cell for column, cell in table.default_cells if column not in names}
    if table.deleted_at:
        expected[table.deleted_at] = None
    if table.status:
        _require_alive(table.status_default)
        expected[table.status] = table.status_default
    numeric = [field.column for field in table.map.core if field.kind in _NUMERIC]
    return _Shape(
        itemgetter(*map(columns.index, names)),  # two at least: an epic, a key
        _taking([columns.index(column) for column in expected]),
        tuple(int(cell) if isinstance(cell, bool) else cell for cell in expected.values()),
        _taking([columns.index(column) for column in numeric]),
        _taking([names.index(column) for column in numeric if column in names]),
    )


def _require_alive(status: SQLValue) -> None:
    """Raise ``ValueError`` where a row with this status might be a dead one, under whatever collation."""
    if status is not None and (type(status) is not str or status.strip().casefold() == DELETED):
        raise ValueError(f"not certainly alive: {status!r}")


def _taking(places: Sequence[int]) -> Callable[[Row], Any]:
    """Takes the values at some places out of a row, as a tuple; ``itemgetter`` gives a lone one bare."""
    if len(places) > 1:
        return itemgetter(*places)
    return lambda row: tuple(row[at] for at in places)
