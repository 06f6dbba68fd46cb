"""Proves that single rows had their old content before a write and have the new one after it, without reading epics.

The proof is good for changes that write columns of existing rows, and nothing else. The caller has to know that nobody
else has written since the rows were read: only then is a row that no statement touched unchanged.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import TypeAlias

from epicvc.database.backend import Touched, Writer
from epicvc.database.batches import batches
from epicvc.database.documents.changes import EpicRowsChange
from epicvc.database.documents.fingerprint import Fingerprint, row_said
from epicvc.database.documents.layout import Columns, Layout
from epicvc.database.documents.values import key_text
from epicvc.database.query import Select, constant
from epicvc.database.quoting import quote_identifier as quote
from epicvc.database.rowcodec import SQLValue, encode_key

Said: TypeAlias = dict[SQLValue, Fingerprint]
"""Digests of rows, by surrogate key."""


class RowProof:
    """The proof of the single rows that one transaction writes.

    Args:
        writer: the transaction.
        layout: the mapped tables.
    """

    def __init__(self, writer: Writer, layout: Layout) -> None:
        self._writer = writer
        self._layout = layout
        self._becomes: dict[str, tuple[Columns, Said]] = {
            columns.map.table: (columns, {}) for columns in (layout.epics, layout.tasks)
        }

    @cached_property
    def _by_surrogate(self) -> bool:
        """Tell whether the rows of both tables are identified by their surrogate keys."""
        keys = {info.name: info.key for info in self._writer.tables()}
        return all(keys.get(columns.map.table) == (columns.map.id,) for columns, _ in self._becomes.values())

    def covers(self, change: EpicRowsChange) -> bool:
        """Return whether a change can be proven row by row."""
        linked = any(task.links != task.links_before for task in change.changed)
        there = change.stays and change.surrogate is not None
        return there and not (change.new or change.left or linked) and self._by_surrogate

    def accept(self, changes: Sequence[EpicRowsChange]) -> bool:
        """Check that the rows of these changes still have their old digests, and if so remember the digests to come.

        The epics' own rows are checked too, written or not: many applications touch them when a task changes.

        Returns:
            Whether all rows have their old digests.
        """
        epics: Said = {}
        tasks: Said = {}
        for change in changes:
            if change.was is not None:
                epics[change.surrogate] = change.was
            tasks.update((task.surrogate, task.was) for task in change.changed)
        if not (self._says(self._layout.epics, epics) and self._says(self._layout.tasks, tasks)):
            return False
        for change in changes:
            if change.becomes is not None:
                self._becomes[self._layout.epics.map.table][1][change.surrogate] = change.becomes
            written = ((task.surrogate, task.becomes) for task in change.changed)
            self._becomes[self._layout.tasks.map.table][1].update(written)
        return True

    def holds(self) -> bool:
        """Return whether all remembered rows have their new digests, and no other row of a document was touched."""
        touched = self._writer.touched()
        links = self._layout.links
        if links is not None and not self._only(touched, links.table, ()):
            return False
        return all(
            self._only(touched, table, said) and self._says(columns, said)
            for table, (columns, said) in self._becomes.items()
        )

    def _only(self, touched: Mapping[str, Touched | None], table: str, said: Iterable[SQLValue]) -> bool:
        rows = touched.get(table, Touched(frozenset()))
        if rows is None or rows.added is not None:
            return False
        return rows.keys <= {encode_key((surrogate,)) for surrogate in said}

    def _says(self, columns: Columns, said: Said) -> bool:
        return dict(self._read(columns, said)) == said

    def _read(self, columns: Columns, wanted: Iterable[SQLValue]) -> Iterator[tuple[SQLValue, Fingerprint]]:
        table = columns.map
        sequence = f"t.{quote(table.sequence)}" if table.sequence else constant(None)
        fields = (f"t.{quote(field.column)}" for field in columns.fields)
        query = (
            Select(columns=(f"t.{quote(table.id)}", sequence, f"t.{quote(table.key)}", *fields))
            .from_table(quote(table.table), "t")
            .where_condition(columns.alive("t"))
        )
        for chunk in batches(wanted):
            for surrogate, number, key, *values in self._writer.execute(
                *query.where(f"t.{quote(table.id)}", "IN", chunk).build()
            ):
                yield surrogate, row_said(number, key_text(key), columns.core_cells(values))
