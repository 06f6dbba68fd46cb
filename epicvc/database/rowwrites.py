"""Single rows of mapped tables: which columns to write for a change, and the statements that write them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from itertools import groupby
from operator import itemgetter
from typing import Final, TypeAlias

from epicvc.database.backend import Writer
from epicvc.database.clashes import referring, unique_clash
from epicvc.database.layout import DELETED, Columns, Layout
from epicvc.database.query import Delete, Insert, Query, Update, table_named
from epicvc.database.quoting import quote_identifier as quote
from epicvc.database.rowcodec import SQLValue
from epicvc.database.values import encode
from epicvc.errors import ConstraintBroken
from epicvc.jsonio import JSON, dumps_line, equal
from epicvc.model.document import Core
from epicvc.model.labels import Label
from epicvc.model.mapping import Field, TableMap

Assignments: TypeAlias = dict[str, SQLValue]
"""Column values by column."""

NewRow: TypeAlias = tuple[tuple[str, ...], tuple[SQLValue, ...], tuple[str, ...]]
"""Columns, values, and the place to name where the database refuses them: an epic and the names below it."""

Clash: TypeAlias = Callable[[], "Label | None"]
"""Finds the place that stands in the way of a refused row."""

_EMPTY: Final[Core] = {}


# Values


def inserted_values(table: TableMap, core: Core, label: Label) -> Assignments:
    """Only what is there: an absent field is left to the column's default."""
    values: Assignments = {}
    get = core.get
    for name, column, is_json, field in table.core_columns:
        value = get(name)
        if value is None:
            continue
        if is_json:
            values[column] = dumps_line(value)
        elif type(value) is str:
            values[column] = value
        else:
            values[column] = encode(value, field, label)
    return values


def changed_values(columns: Columns, before: Core | None, after: Core, label: Label) -> Assignments:
    """Only the columns of fields that differ."""
    old = before or _EMPTY
    return {
        field.column: _value(columns, field, after.get(field.name), label)
        for field in columns.map.core
        if not equal(old.get(field.name), after.get(field.name))
    }


def _value(columns: Columns, field: Field, value: JSON, label: Label) -> SQLValue:
    """A field's column value; removing a field writes the column's default."""
    wanted = columns.defaults[field.name] if value is None else value
    return encode(wanted, field, label)


def revival(columns: Columns) -> Assignments:
    """What brings a dead row back."""
    values: Assignments = {}
    if columns.deleted_at:
        values[columns.deleted_at] = None
    if columns.status:
        values[columns.status] = columns.status_default
    return values


# Statements


class RowWrites:
    """Writes rows of mapped tables in one transaction, and names the label that the database refuses.

    Args:
        writer: the open transaction.
        layout: the mapped tables.
        now: the time of deletion, as the database's ``CURRENT_TIMESTAMP`` would say it.
    """

    def __init__(self, writer: Writer, layout: Layout, now: str) -> None:
        self._writer = writer
        self._layout = layout
        self._now = now
        self._insertions: dict[tuple[str, tuple[str, ...]], str] = {}  # by table and columns
        self._updates: dict[tuple[str, tuple[str, ...]], str] = {}

    def mark_deleted(self, columns: Columns, surrogate: SQLValue, label: Label) -> bool:
        """Mark a row as deleted, where the schema has marks; otherwise nothing is done."""
        marks: Assignments = {}
        if columns.deleted_at:
            marks[columns.deleted_at] = self._now
        if columns.status:
            marks[columns.status] = DELETED
        self.update(columns, surrogate, marks, label)
        return bool(marks)

    def delete(self, columns: Columns, surrogate: SQLValue, label: Label) -> None:
        """Delete a row."""
        statement = Delete(target=table_named(columns.map.table))
        self.run(
            statement.where(quote(columns.map.id), "=", surrogate).build(),
            label,
            clash=lambda: referring(self._writer, columns, surrogate),
        )

    def update(self, columns: Columns, surrogate: SQLValue, values: Assignments, label: Label) -> None:
        """Write some columns of a row; none, and nothing is done."""
        if not values:
            return
        form = (columns.map.table, tuple(values))
        if form not in self._updates:
            statement = Update(target=table_named(columns.map.table)).set(dict.fromkeys(values))
            self._updates[form] = statement.where(quote(columns.map.id), "=", 0).build().sql
        self.run(
            Query(self._updates[form], [*values.values(), surrogate]),
            label,
            columns,
            lambda: unique_clash(self._writer, self._layout, columns, surrogate, values),
        )

    def insert(self, columns: Columns, values: Assignments, label: Label) -> SQLValue:
        """Insert a row and give its surrogate key."""
        statement = Insert(target=table_named(columns.map.table)).values(values).returning(quote(columns.map.id))
        ((surrogate,),) = self.run(
            statement.build(), label, columns, lambda: unique_clash(self._writer, self._layout, columns, None, values)
        )
        return surrogate

    def insert_all(self, table: str, rows: Iterable[NewRow], columns: Columns | None = None) -> None:
        """Insert rows in their order, without asking for their surrogate keys.

        Raises:
            ConstraintBroken: the database refuses one; named as by :meth:`run`.
        """
        last: NewRow = ((), (), ("",))

        def values(run: Iterable[NewRow]) -> Iterator[tuple[SQLValue, ...]]:
            nonlocal last
            for last in run:  # what is refused is what was taken last
                yield last[1]

        def clash() -> Label | None:
            new = dict(zip(*last[:2], strict=True))
            return unique_clash(self._writer, self._layout, columns, None, new) if columns else None

        try:
            for names, run in groupby(rows, key=itemgetter(0)):
                self._writer.execute_many(self._insertion(table, names), values(run))
        except ConstraintBroken as error:
            raise _named(error, Label(last[2][0], last[2][1:]), columns, clash) from error

    def _insertion(self, table: str, names: tuple[str, ...]) -> str:
        query = self._insertions.get((table, names))
        if query is None:
            query = Insert(target=table_named(table)).values(dict.fromkeys(names)).build().sql
            self._insertions[table, names] = query
        return query

    def run(
        self, query: Query, label: Label, columns: Columns | None = None, clash: Clash = lambda: None
    ) -> list[tuple[SQLValue, ...]]:
        """Run a statement.

        Args:
            query: the statement.
            label: what it writes.
            columns: the table that it writes to.
            clash: finds what stands in its way.

        Raises:
            ConstraintBroken: the database refuses it; named by label, and by field where the database names a column.
        """
        try:
            return list(self._writer.execute(query.sql, query.params))
        except ConstraintBroken as error:
            raise _named(error, label, columns, clash) from error


def _named(error: ConstraintBroken, label: Label, columns: Columns | None, clash: Clash) -> ConstraintBroken:
    """The error with the label of the field that the database's words name, where they name one mapped column."""
    words = set(re.findall(r"\w+", error.constraint))
    named = [field for field in (columns.fields if columns else ()) if field.column in words]
    other = clash()
    place = label.child(named[0].name) if len(named) == 1 else label
    return ConstraintBroken(str(place), error.constraint, None if other is None else str(other))
