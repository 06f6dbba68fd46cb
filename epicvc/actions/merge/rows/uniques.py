"""Checks rows that a merge takes from different branches for equal unique values.

An error names both, and nothing is written.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TypeAlias

from epicvc.actions.merge.snapshots.merged import Emit
from epicvc.actions.merge.snapshots.three import ThreeSnapshots
from epicvc.actions.origin.words import OURS, THEIRS
from epicvc.actions.shared.difference import key_text
from epicvc.database.backend import Reader
from epicvc.database.documents.values import key_text as natural_text
from epicvc.database.rowcodec import SQLValue
from epicvc.errors import ConstraintBroken
from epicvc.merge.graph import Tell
from epicvc.model.labels import Label
from epicvc.model.mapping import Mapping as DocumentMapping
from epicvc.model.mapping import TableMap
from epicvc.repo.rows.rows import NamedRow

_Rows: TypeAlias = Mapping[bytes, "NamedRow | None"]


def require_unique(reader: Reader, mapping: DocumentMapping, three: ThreeSnapshots, emit: Emit, tell: Tell) -> None:
    """Check the rows that a merge writes against each other and against those that ours changed.

    Other rows need no check: a row that neither branch changed has been there beside the rows of both.

    Args:
        reader: finds the unique keys of the database.
        mapping: names the rows in errors.
        three: the three states and their differences.
        emit: the rows to write.
        tell: names the edit that gave a place its value.

    Raises:
        ConstraintBroken: two rows have the same unique value.
    """
    for table in sorted(emit.keys() & three.here.rows.keys()):
        mine = {key: three.ours.named(table, change.new) for key, change in three.here.rows[table].items()}
        rows: _Rows = {**mine, **emit[table]}
        for columns in sorted(reader.unique_keys(table)):
            for one, other in _clashes(rows, columns):
                places = [
                    place_of(mapping, three, table, columns=columns, key=key, row=rows[key], emit=emit)
                    for key in (one, other)
                ]
                origins = [
                    tell(label, _whose(three, table, columns, key, rows[key]))
                    for label, key in zip(places, (one, other), strict=True)
                ]
                named = ", ".join(f"{table}.{column}" for column in columns)
                texts = (str(places[0]), f"UNIQUE constraint failed: {named}", str(places[1]))
                raise ConstraintBroken(*texts, (origins[0], origins[1]))


def _clashes(rows: _Rows, columns: tuple[str, ...]) -> Iterator[tuple[bytes, bytes]]:
    seen: dict[tuple[SQLValue, ...], bytes] = {}
    for key, row in sorted(rows.items()):
        values = tuple(row.get(column) for column in columns) if row is not None else (None,)
        if None in values:
            continue  # NULL is equal to no value, so that a unique key may hold it many times
        if values in seen:
            yield seen[values], key
        seen[values] = key


def _whose(three: ThreeSnapshots, table: str, columns: tuple[str, ...], key: bytes, row: NamedRow | None) -> str:
    """Return the branch whose row has these values."""
    ours = three.ours.row(table, key)
    same = ours is not None and row is not None and all(ours.get(name) == row.get(name) for name in columns)
    return OURS if same else THEIRS


def place_of(
    mapping: DocumentMapping,
    three: ThreeSnapshots,
    table: str,
    columns: tuple[str, ...],
    key: bytes,
    row: NamedRow | None,
    emit: Emit | None = None,
) -> Label:
    """Return the label of a row: its epic or task, with the field if it is only one; else the table's row.

    Args:
        mapping: the tables of epics and tasks.
        three: the three states and their differences.
        table: the row's table.
        columns: the columns that are concerned.
        key: the row's key.
        row: the row.
        emit: the rows to write, for rows that are in no state yet.
    """
    found = mapping.epics if table == mapping.epics.table else mapping.tasks if table == mapping.tasks.table else None
    text = natural_text(row.get(found.key)) if found and row else None
    if found is None or row is None or text is None:
        return Label(table, (key_text(key), *(columns if len(columns) == 1 else ())), table=True)
    label: Label | None = Label(text)
    if found is mapping.tasks:
        epic = _epic(mapping.epics, three, emit or {}, row.get(found.parent or ""))
        label = Label(epic, (DocumentMapping.TASKS, text)) if epic is not None else None
    if label is None:
        return Label(table, (key_text(key),), table=True)
    fields = [field.name for field in found.core if field.column in columns]
    return label.child(fields[0]) if len(columns) == len(fields) == 1 else label


def _epic(epics: TableMap, three: ThreeSnapshots, emit: Emit, surrogate: SQLValue) -> str | None:
    for row in emit.get(epics.table, {}).values():
        if row is not None and row.get(epics.id) == surrogate:
            return natural_text(row.get(epics.key))
    for state in (three.ours, three.theirs):
        found = state.captured.by_surrogate(epics, surrogate) if state.captured else None
        if found is not None:
            return natural_text(found.get(epics.key))
    return None
