"""Writes single rows of mapped tables: chooses the columns to write for a change, and builds the statements."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from itertools import groupby
from operator import itemgetter
from typing import Final, TypeAlias

from epicvc.base.jsonio import JSON, dumps_line, equal
from epicvc.database.backend import Writer
from epicvc.database.documents.clashes import referring, unique_clash
from epicvc.database.documents.layout import DELETED, Columns, Layout
from epicvc.database.documents.values import encode
from epicvc.database.documents.waiting import Waiting, WaitingUpdates, free_values
from epicvc.database.query import Delete, Insert, Query, Update, table_named
from epicvc.database.quoting import quote_identifier as quote
from epicvc.database.rowcodec import SQLValue
from epicvc.errors import ConstraintBroken, NotUnique
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
    """Return the column values of a new row. An absent field is left out, so that it gets the column's default."""
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
    """Return the values of the columns whose fields differ."""
    old = before or _EMPTY
    return {
        field.column: _value(columns, field, after.get(field.name), label)
        for field in columns.map.core
        if not equal(old.get(field.name), after.get(field.name))
    }


def _value(columns: Columns, field: Field, value: JSON, label: Label) -> SQLValue:
    """Return a field's column value. A removed field gets the column's default."""
    wanted = columns.defaults[field.name] if value is None else value
    return encode(wanted, field, label)


def revival(columns: Columns) -> Assignments:
    """Return the values that bring a dead row back to life."""
    values: Assignments = {}
    if columns.deleted_at:
        values[columns.deleted_at] = None
    if columns.status:
        values[columns.status] = columns.status_default
    return values


# Statements


class RowWrites:
    """Writes rows of mapped tables in one transaction, and names the place of a value that the database refuses.

    Args:
        writer: the open transaction.
        layout: the mapped tables.
        now: the time of deletion, as the database's ``CURRENT_TIMESTAMP`` would say it.
        patient: let an update wait for :meth:`settle` when another row has its unique value.
    """

    def __init__(self, writer: Writer, layout: Layout, now: str, *, patient: bool = False) -> None:
        self._patient = patient
        self._waiting = WaitingUpdates(writer, self._refused)
        self._writer = writer
        self._layout = layout
        self._now = now
        self._insertions: dict[tuple[str, tuple[str, ...]], str] = {}  # by table and columns
        self._updates: dict[tuple[str, tuple[str, ...]], str] = {}

    def mark_deleted(self, columns: Columns, surrogate: SQLValue, label: Label) -> bool:
        """Mark a row as deleted where the schema has marks, and return whether it has; otherwise do nothing."""
        marks: Assignments = {}
        if columns.deleted_at:
            marks[columns.deleted_at] = self._now
        if columns.status:
            marks[columns.status] = DELETED
        self.update(columns, surrogate, marks, label)
        return bool(marks)

    def delete(self, columns: Columns, surrogate: SQLValue, label: Label) -> None:
        """Delete a row."""
        self._waiting.forget(columns, surrogate)
        statement = Delete(target=table_named(columns.map.table))
        self.run(
            statement.where(quote(columns.map.id), "=", surrogate).build(),
            label,
            clash=lambda: referring(self._writer, columns, surrogate),
        )

    def update(self, columns: Columns, surrogate: SQLValue, values: Assignments, label: Label) -> None:
        """Write some columns of a row. Does nothing where there are no columns."""
        if not values:
            return
        # Waiting updates of one row are merged, so they get copies of the values.
        if self._waiting.holds(columns, surrogate):
            self._waiting.add(Waiting(columns, surrogate, {**values}, label))
            return
        form = (columns.map.table, tuple(values))
        if form not in self._updates:
            statement = Update(target=table_named(columns.map.table)).set(dict.fromkeys(values))
            self._updates[form] = statement.where(quote(columns.map.id), "=", 0).build().sql
        update = Waiting(columns, surrogate, values, label)
        try:
            list(self._writer.execute(self._updates[form], [*values.values(), surrogate]))
        except NotUnique as error:
            if not self._patient:
                raise self._refused(update, error) from error
            self._waiting.add(Waiting(columns, surrogate, {**values}, label))
        except ConstraintBroken as error:
            raise self._refused(update, error) from error

    def settle(self, columns: Columns, *, last: bool = True) -> None:
        """Write the updates that wait in a table (:meth:`epicvc.database.documents.waiting.WaitingUpdates.settle`)."""
        self._waiting.settle(columns, last=last)

    def _refused(self, update: Waiting, error: ConstraintBroken) -> ConstraintBroken:
        columns, surrogate, values = update.columns, update.surrogate, update.values

        def clash() -> Label | None:
            return unique_clash(self._writer, self._layout, columns, surrogate, values)

        return _named(error, update.label, columns, clash)

    def insert_early(self, columns: Columns, values: Assignments, label: Label, error: NotUnique) -> SQLValue:
        """Insert a row whose unique value another row still has, with a value of its own for the moment.

        The update to the wanted value waits.

        Args:
            columns: the row's table.
            values: the values that the row is to have.
            label: the row's place.
            error: the refusal, which names the unique columns.

        Returns:
            The row's surrogate key.

        Raises:
            ConstraintBroken: no other value will do.
        """
        # Another row may refer to the key, and the parent says whom the row belongs to: neither gets a stand-in.
        own = [name for name in error.columns if name in values and name not in (columns.map.key, columns.map.parent)]
        for name in own:
            for value in free_values(self._writer, columns, name, values[name]):
                statement = Insert(target=table_named(columns.map.table)).values({**values, name: value})
                query = statement.returning(quote(columns.map.id)).build()
                try:
                    ((surrogate,),) = list(self._writer.execute(query.sql, query.params))
                except ConstraintBroken:
                    continue
                self._waiting.add(Waiting(columns, surrogate, {name: values[name]}, label))
                return surrogate
        raise self._refused(Waiting(columns, None, values, label), error)

    def insert(self, columns: Columns, values: Assignments, label: Label) -> SQLValue:
        """Insert a row and return its surrogate key.

        Raises:
            NotUnique: another row has one of its unique values; that row may still go or change.
            ConstraintBroken: the database refuses it.
        """
        statement = Insert(target=table_named(columns.map.table)).values(values).returning(quote(columns.map.id))
        ((surrogate,),) = self.run(
            statement.build(), label, columns, lambda: unique_clash(self._writer, self._layout, columns, None, values)
        )
        return surrogate

    def insert_all(
        self,
        table: str,
        rows: Iterable[NewRow],
        columns: Columns | None = None,
        late: Callable[[NewRow], object] | None = None,
    ) -> None:
        """Insert rows in their order, without asking for their surrogate keys.

        Args:
            table: the table.
            rows: the rows.
            columns: the same table as a mapped one; ``None`` where it is not mapped.
            late: called with each row that was left out because another row has a unique value of it.

        Raises:
            ConstraintBroken: the database refuses a row; the error names the place as in :meth:`run`.
        """
        for names, run in groupby(rows, key=itemgetter(0)):
            statement = self._insertion(table, names)
            while (refused := self._insert_run(statement, run, columns)) is not None:
                row, error = refused
                if late is None or not isinstance(error.__cause__, NotUnique):
                    raise error
                late(row)

    def _insert_run(
        self, statement: str, run: Iterable[NewRow], columns: Columns | None
    ) -> tuple[NewRow, ConstraintBroken] | None:
        """Insert rows up to the first one that is refused, and return that one with its error."""
        last: NewRow = ((), (), ("",))

        def values() -> Iterator[tuple[SQLValue, ...]]:
            nonlocal last
            for last in run:  # the database takes rows one by one, so the refused row is the last one taken
                yield last[1]

        def clash() -> Label | None:
            new = dict(zip(*last[:2], strict=True))
            return unique_clash(self._writer, self._layout, columns, None, new) if columns else None

        try:
            self._writer.execute_many(statement, values())
        except ConstraintBroken as error:
            named = _named(error, Label(last[2][0], last[2][1:]), columns, clash)
            named.__cause__ = error
            return last, named
        return None

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
            label: the place that it writes.
            columns: the table that it writes to.
            clash: finds the place that stands in its way.

        Raises:
            ConstraintBroken: the database refuses it; the error names the label, and the field where the database names
                a column.
        """
        try:
            return list(self._writer.execute(query.sql, query.params))
        except ConstraintBroken as error:
            raise _named(error, label, columns, clash) from error


def _named(error: ConstraintBroken, label: Label, columns: Columns | None, clash: Clash) -> ConstraintBroken:
    """Return the error with the label of the field, where the database's words name exactly one mapped column."""
    words = set(re.findall(r"\w+", error.constraint))
    named = [field for field in (columns.fields if columns else ()) if field.column in words]
    other = clash()
    place = label.child(named[0].name) if len(named) == 1 else label
    return ConstraintBroken(str(place), error.constraint, None if other is None else str(other))
