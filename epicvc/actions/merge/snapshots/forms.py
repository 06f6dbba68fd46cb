"""Reads the rows of one state of a merge in the columns of the merged tables.

A migration on one branch changes the columns of a table: the rows of the other states lack the added columns and still
have the dropped ones. Before rows are compared, each is read in the form of the merged table: a renamed column under
its new name, an added one with its default, a dropped one left out. A column counts as renamed only if the rows prove
it. A value that the other branch wrote into a dropped column is never lost in silence.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from msgspec import Struct, field

from epicvc.actions.merge.snapshots.changes import RowChange, Rows
from epicvc.actions.merge.snapshots.columnnames import Column, Values, match_columns, same_value
from epicvc.actions.merge.snapshots.states import SnapshotState
from epicvc.actions.merge.snapshots.whole import is_birth_time, is_touch_time
from epicvc.actions.origin.words import OURS, THEIRS
from epicvc.actions.shared.difference import key_text
from epicvc.database.backend import Reader
from epicvc.database.documents.values import stored_default
from epicvc.database.rowcodec import SQLValue, decode_row
from epicvc.database.tables import TableInfo
from epicvc.errors import Refused
from epicvc.model.labels import Label
from epicvc.repo.rows.rows import NamedRow

_NAMED = 3
"""The number of rows that a message names."""


class Form(Struct, frozen=True):
    """The form in which rows of one table in one state are read as rows of the merged table.

    Attributes:
        sources: the merged columns that the state has, each with the state's own name for it.
        added: the values of merged columns that the state lacks, without those whose default is computed.
        dropped: the state's columns that the merged table lacks, with their defaults.
        replaced: the dropped columns that may be in the merged table under another name.
        key: both tables have the same key columns.
    """

    sources: dict[str, str]
    added: NamedRow = field(default_factory=dict)
    dropped: dict[str, SQLValue] = field(default_factory=dict)
    replaced: frozenset[str] = frozenset()
    key: bool = True

    def read(self, row: NamedRow) -> NamedRow:
        """Return a row in the merged form."""
        return {name: row[own] for name, own in self.sources.items() if own in row} | self.added


Forms = Mapping[str, Form]
"""The form of each table whose rows have another form in the merged database."""


def forms_between(reader: Reader, base: SnapshotState, final: SnapshotState) -> Forms:
    """Return the forms in which rows of one schema are read in another one.

    Args:
        reader: reads definitions.
        base: a state with the old schema.
        final: a state with the new schema.
    """
    if base.captured is None or final.captured is None:
        return {}
    result = {}
    for old in base.captured.schema.tables:
        new = final.captured.table(old.name)
        if new is not None and (old.columns, old.key, old.sql) != (new.columns, new.key, new.sql):
            found = _form(reader, base, final, old, new)
            same = [*found.sources] == [*old.columns] and len(old.columns) == len(new.columns)
            if found.dropped or found.added or not found.key or not same:
                result[old.name] = found
    return result


def _form(reader: Reader, base: SnapshotState, final: SnapshotState, old: TableInfo, new: TableInfo) -> Form:
    before, after = _columns(reader, old), _columns(reader, new)

    def pairs() -> Iterator[tuple[Values, Values]]:
        for was, now in _pairs(base.rows_of(old.name), final.rows_of(new.name)):
            yield decode_row(was), decode_row(now)

    sources = match_columns(list(before.values()), list(after.values()), pairs)
    gone = [name for name in old.columns if name not in sources.values()]
    return Form(
        sources,
        {name: value for name in new.columns if name not in sources for value in after[name].defaults},
        {name: next(iter(before[name].defaults), None) for name in gone},
        frozenset(gone if len(sources) < len(new.columns) else ()),
        tuple(sources.get(name) for name in new.key) == old.key,
    )


def _columns(reader: Reader, info: TableInfo) -> dict[str, Column]:
    """Return the columns of a table for which its rows have values, in their order."""
    found = {column.name: column for column in reader.columns_by(info)}
    return {
        name: Column(name, found[name].type, stored_default(found[name])) if name in found else Column(name)
        for name in info.columns
    }


def _pairs(one: Iterator[tuple[bytes, bytes]], other: Iterator[tuple[bytes, bytes]]) -> Iterator[tuple[bytes, bytes]]:
    """Yield the rows that both have. Both are sorted by key."""
    there = next(other, None)
    for key, row in one:
        while there is not None and there[0] < key:
            there = next(other, None)
        if there is not None and there[0] == key:
            yield row, there[1]


def require_no_loss(
    base: SnapshotState, ours: SnapshotState, theirs: SnapshotState, changed: Mapping[str, Rows]
) -> None:
    """Make sure that no branch wrote a value for which the merged tables have no column.

    Args:
        base: the state from which both come.
        ours: our branch.
        theirs: the other branch.
        changed: the changed rows by branch and table, as the trees store them.

    Raises:
        Refused: a branch did so.
    """
    for who, other, state in ((OURS, THEIRS, ours), (THEIRS, OURS, theirs)):
        for table, form in state.forms.items():
            rows = changed[who].get(table)
            if rows:
                _require_place(base, state, table, form=form, rows=rows, who=who, other=other)


def _require_place(
    base: SnapshotState,
    state: SnapshotState,
    table: str,
    form: Form,
    rows: Mapping[bytes, RowChange],
    who: str,
    other: str,
) -> None:
    lost: dict[str, list[str]] = {}
    written = False
    for key, change in rows.items():
        new, old = state.as_captured(table, change.new), base.as_captured(table, change.old)
        written |= new is not None
        for name, default in form.dropped.items() if new is not None else ():
            if name not in form.replaced and (is_touch_time(name) or is_birth_time(name)):
                continue  # the application maintains this column, so that no user's value is lost
            if not same_value((new or {}).get(name), default if old is None else old.get(name)):
                lost.setdefault(name, []).append(str(Label(table, (key_text(key),), table=True)))
    if written and not form.key:
        raise Refused(
            f"@{table}: {other} changed the columns of its key, and {who} changed rows of it",
            hint="bring both branches to one schema with a migration, commit, and merge again",
        )
    for name, labels in lost.items():
        shown = ", ".join(labels[:_NAMED]) + (f" and {len(labels) - _NAMED} more" if len(labels) > _NAMED else "")
        raise Refused(
            f"@{table}: {other} dropped the column {name}, or renamed it without proof, and {who} wrote it in {shown}",
            hint="bring both branches to one schema with a migration, commit, and merge again",
        )
