"""Finds the row that makes the database refuse another: it has the unique value, or is the missing parent.

A database names the constraint but not the other row. Both rows have to be named, since each may be right by itself.
Call these functions only after a refusal, in the same transaction, so that the rows written before count.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import cast

from epicvc.database.backend import Reader, Reference
from epicvc.database.documents.layout import Columns, Layout
from epicvc.database.documents.values import key_text
from epicvc.database.query import Select
from epicvc.database.quoting import quote_identifier as quote
from epicvc.database.rowcodec import SQLValue, encode_key, show_key
from epicvc.model.labels import Label
from epicvc.model.mapping import Mapping as DocumentMapping


def unique_clash(
    reader: Reader, layout: Layout, columns: Columns, surrogate: SQLValue, values: Mapping[str, SQLValue]
) -> Label | None:
    """Find the place that has a value which must be unique, or the missing place that a reference asks for.

    Args:
        reader: the transaction.
        layout: the mapped tables.
        columns: the table of the refused row.
        surrogate: the row that was to be changed; ``None`` for a new one.
        values: the values that were to be written.

    Returns:
        The label; ``None`` where nothing is found, as for a constraint on the row alone.
    """
    table, own = columns.map.table, quote(columns.map.id)
    for names in sorted(reader.unique_keys(table)):
        wanted = _wanted(reader, columns, names, surrogate, values)
        # NULL never clashes, and columns that were not written cannot be the reason.
        if not names or None in wanted or not {*names} & values.keys():
            continue
        query = Select(columns=(own,)).from_table(quote(table))
        for name, value in zip(names, wanted, strict=True):
            query = query.where(quote(name), "=", value)
        for (found,) in reader.execute(*query.build()):
            if found != surrogate:
                label = _label(reader, layout, columns, found)
                # Where one field alone is unique, its label says more than the row's.
                fields = [field.name for field in columns.fields if field.column in names]
                return label.child(fields[0]) if len(names) == len(fields) == 1 else label
    return next(_missing_parents(reader, table, values), None)


def _wanted(
    reader: Reader, columns: Columns, names: Sequence[str], surrogate: SQLValue, values: Mapping[str, SQLValue]
) -> list[SQLValue]:
    """Return the values that the row would have in some columns."""
    stored: Mapping[str, SQLValue] = {}
    if surrogate is not None:
        query = Select(columns=tuple(map(quote, names))).from_table(quote(columns.map.table))
        for row in reader.execute(*query.where(quote(columns.map.id), "=", surrogate).build()):
            stored = dict(zip(names, row, strict=True))
    return [values.get(name, stored.get(name)) for name in names]


def _label(reader: Reader, layout: Layout, columns: Columns, surrogate: SQLValue) -> Label:
    """Return the label of a row of epics or of tasks."""
    table = columns.map
    names = (quote(table.key), quote(table.parent)) if table.parent else (quote(table.key),)
    query = Select(columns=names).from_table(quote(table.table)).where(quote(table.id), "=", surrogate)
    for key, *parents in reader.execute(*query.build()):
        text = key_text(key)
        if text is None:
            break
        if not parents:
            return Label(text)
        owner = _label(reader, layout, layout.epics, parents[0])
        if not owner.table:
            return Label(owner.root, (DocumentMapping.TASKS, text))
    return Label(table.table, (show_key(encode_key((surrogate,))),), table=True)


# References


def _missing_parents(reader: Reader, table: str, values: Mapping[str, SQLValue]) -> Iterator[Label]:
    """Find the rows that values refer to and that do not exist."""
    for reference in reader.references(table):
        wanted = [values.get(column) for column in reference.columns]
        if None in wanted:
            continue
        targets = _targets(reader, reference)
        query = Select(columns=tuple(map(quote, targets))).from_table(quote(reference.parent)).limit(1)
        for name, value in zip(targets, wanted, strict=True):
            query = query.where(quote(name), "=", value)
        if not list(reader.execute(*query.build())):
            yield Label(reference.parent, (show_key(encode_key(tuple(wanted))),), table=True)


def referring(reader: Reader, columns: Columns, surrogate: SQLValue) -> Label | None:
    """Find a row that refers to the row which was to be deleted."""
    table = columns.map
    for info in reader.tables():
        for reference in reader.references(info.name):
            if reference.parent.casefold() != table.table.casefold() or len(reference.columns) != 1:
                continue
            (target,) = _targets(reader, reference)
            asked = Select(columns=(quote(target),)).from_table(quote(table.table))
            ((value,),) = reader.execute(*asked.where(quote(table.id), "=", surrogate).build())
            names = info.key or ("rowid",)
            query = Select(columns=tuple(map(quote, names))).from_table(quote(info.name)).limit(1)
            for key in reader.execute(*query.where(quote(reference.columns[0]), "=", value).build()):
                return Label(info.name, (show_key(encode_key(key)), reference.columns[0]), table=True)
    return None


def _targets(reader: Reader, reference: Reference) -> tuple[str, ...]:
    """Return the columns of the parent that a reference points at."""
    if None not in reference.targets:
        return cast("tuple[str, ...]", reference.targets)
    found = (info.key for info in reader.tables() if info.name.casefold() == reference.parent.casefold())
    return next(found, ()) or ("rowid",) * len(reference.columns)
