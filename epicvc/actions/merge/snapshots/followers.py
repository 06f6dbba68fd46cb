"""Finds the tasks of epics that got another natural key: their rows are the same, and their epic is another one.

The row of a task names its epic by a surrogate key, so that its bytes are the same before and after. A comparison of
rows alone would leave such a task in the old epic, and take it for deleted there.
"""

from __future__ import annotations

from collections.abc import Iterable

from epicvc.actions.merge.snapshots.changes import RowChange, Rows
from epicvc.actions.merge.snapshots.states import SnapshotState
from epicvc.database.backend import Reader
from epicvc.database.batches import batches
from epicvc.database.documents.values import key_text
from epicvc.database.query import Select
from epicvc.database.quoting import quote_identifier as quote
from epicvc.database.rowcodec import SQLValue, encode_key
from epicvc.model.mapping import Mapping


def followers(
    reader: Reader, mapping: Mapping, old: SnapshotState, new: SnapshotState, rows: Rows, others: Iterable[Rows]
) -> dict[bytes, RowChange]:
    """Return the rows of tasks that are the same in two states, and whose epic has another natural key.

    Args:
        reader: the database as it is now.
        mapping: the tables of epics and tasks.
        old: the earlier state.
        new: the later state.
        rows: the rows that differ between the two.
        others: all rows that differ between a state of the merge and the database as it is now.
    """
    tasks = mapping.tasks
    parents = set(_renamed(mapping, old, new, rows))
    if tasks.parent is None or not parents:
        return {}
    keys = {key for found in others for key in found.get(tasks.table, {})} | set(_children(reader, mapping, parents))
    same = old.packed_rows(tasks.table, keys - rows.get(tasks.table, {}).keys())
    return {
        key: RowChange(packed, packed)
        for key, packed in same.items()
        if (row := old.named(tasks.table, packed)) and row.get(tasks.parent) in parents
    }


def _renamed(mapping: Mapping, old: SnapshotState, new: SnapshotState, rows: Rows) -> Iterable[SQLValue]:
    """Yield the surrogate keys of epics that have another natural key in the later state."""
    epics = mapping.epics
    for change in rows.get(epics.table, {}).values():
        before, after = old.named(epics.table, change.old), new.named(epics.table, change.new)
        if before and after and key_text(before.get(epics.key)) != key_text(after.get(epics.key)):
            yield before.get(epics.id)


def _children(reader: Reader, mapping: Mapping, parents: Iterable[SQLValue]) -> Iterable[bytes]:
    """Yield the keys of the tasks that epics have now."""
    tasks = mapping.tasks
    query = Select(columns=(f"t.{quote(tasks.id)}",)).from_table(quote(tasks.table), "t")
    for chunk in batches(parent for parent in parents if parent is not None):
        for row in reader.execute(*query.where(f"t.{quote(tasks.parent or '')}", "IN", chunk).build()):
            yield encode_key(row)
