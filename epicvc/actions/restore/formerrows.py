"""Reads rows of an earlier state as rows of the present tables, for when a migration lies between."""

from __future__ import annotations

from functools import cached_property

from epicvc.actions.merge.snapshots.columnnames import same_value
from epicvc.actions.merge.snapshots.forms import Form, Forms, forms_between
from epicvc.actions.merge.snapshots.states import SnapshotState
from epicvc.actions.merge.snapshots.whole import is_birth_time, is_touch_time
from epicvc.database.backend import Reader
from epicvc.database.rowcodec import SQLValue, encode_row
from epicvc.database.tables import TableInfo
from epicvc.errors import Refused
from epicvc.model.labels import Label
from epicvc.model.mapping import Mapping
from epicvc.repo.history.objects import Snapshot
from epicvc.repo.rows.rows import NamedRow
from epicvc.store.objects import ObjectSink

_HINT = "restore the fields one by one, or check out the whole database"


class FormerRows:
    """Reads rows of an earlier state in the present columns.

    Args:
        sink: the store of both states.
        reader: reads definitions; ``None`` if there is no database, so that no table has changed.
        source: the earlier state.
        current: the present state.
    """

    def __init__(self, sink: ObjectSink, reader: Reader | None, source: Snapshot, current: Snapshot) -> None:
        self._reader = reader
        self._source = SnapshotState(sink, source)
        self._current = SnapshotState(sink, current)

    @cached_property
    def _forms(self) -> Forms:
        databases = self._source.snapshot.database, self._current.snapshot.database
        if self._reader is None or None in databases or databases[0].schema == databases[1].schema:  # type: ignore[union-attr]
            return {}
        return forms_between(self._reader, self._source, self._current)

    def require_owners(self, label: Label, mapping: Mapping) -> None:
        """Make sure that the mapped columns can tell the owners of rows in the earlier state.

        Raises:
            Refused: a column that tells the owner of a row has another name there.
        """
        tables = {
            mapping.epics.table: (mapping.epics.id, mapping.epics.key),
            mapping.tasks.table: (mapping.tasks.id, mapping.tasks.key, mapping.tasks.parent),
        }
        if mapping.links:
            tables[mapping.links.table] = (mapping.links.parent, mapping.links.column)
        for table, columns in tables.items():
            there, here = self._source.columns(table), self._current.columns(table)
            for column in columns:
                if there and column in here and column not in there:
                    raise Refused(
                        f"{label}: {table} has no column {column} there, so that its rows cannot be told",
                        hint="check out the whole database",
                    )

    def named(self, table: str, row: NamedRow) -> NamedRow:
        """Return the values of an earlier row in the present columns. New columns are left out."""
        form = self._forms.get(table)
        return row if form is None else {name: row[own] for name, own in form.sources.items()}

    def whole(self, table: str, row: NamedRow) -> NamedRow:
        """Return an earlier row in the present columns, with the defaults of new columns.

        A default that is not known is left out.
        """
        form, here = self._forms.get(table), self._current.captured
        if form is None or here is None:
            return row
        found = form.read(row)
        missing = [name for name in self._current.columns(table) if name not in found]
        return found | {name: value for name in missing for value in self._default(here.table(table), name)}

    def likeness(self, table: str, then: bytes) -> bytes | None:
        """Return an earlier row as a present one, to search for it. Values of dropped columns are left out.

        Returns ``None`` if the key has other columns now, or if the default of a new column is not known.
        """
        form, there = self._forms.get(table), self._source.captured
        if form is None or there is None:
            return then
        columns, found = self._current.columns(table), self.whole(table, there.named(table, then))
        return encode_row([found[name] for name in columns]) if form.key and found.keys() >= {*columns} else None

    def has_other_form(self, table: str) -> bool:
        """Return whether the rows of a table have other columns now."""
        return table in self._forms

    def packed(self, label: Label, table: str, then: bytes, now: bytes | None) -> bytes:
        """Return an earlier row as a present one. A new column keeps its present value, or gets its default.

        Args:
            label: the place that is restored.
            table: its table.
            then: the earlier row, as it was captured.
            now: the present row that it replaces; ``None`` without one.

        Raises:
            Refused: the row has a value for which the present table has no column.
        """
        form, there, here = self._forms.get(table), self._source.captured, self._current.captured
        if form is None or there is None or here is None:
            return then
        row = there.named(table, then)
        self._require_place(label, table, form, row)
        kept = here.named(table, now) if now is not None else {}
        found = {**form.added, **{name: kept[name] for name in kept if name not in form.sources}}
        found |= self.named(table, row)
        for name in self._current.columns(table):
            if name not in found:
                found[name] = self._computed(label, here.table(table), name)
        return encode_row([found[name] for name in self._current.columns(table)])

    def _computed(self, label: Label, table: TableInfo | None, name: str) -> SQLValue:
        for value in self._default(table, name):
            return value
        raise Refused(f"{label}: the default of the new column {name} cannot be told", hint=_HINT)

    def _default(self, table: TableInfo | None, name: str) -> tuple[SQLValue, ...]:
        """Return the default of a column as an insert would write it, where the default is an expression."""
        if self._reader is not None and table is not None:
            for column in self._reader.columns_by(table):
                if column.name == name and column.default is not None:
                    ((value,),) = list(self._reader.execute(f"SELECT ({column.default})"))
                    return (value,)
        return ()

    def _require_place(self, label: Label, table: str, form: Form, row: NamedRow) -> None:
        if not form.key:
            raise Refused(f"{label}: the key of {table} has other columns there", hint="check out the whole database")
        for name, default in form.dropped.items():
            if name not in form.replaced and (is_touch_time(name) or is_birth_time(name)):
                continue
            if row[name] is not None and not same_value(row[name], default):
                raise Refused(
                    f"{label}: it has a value in {table}.{name} there, a column that is gone, or renamed without proof",
                    hint=_HINT,
                )
