"""Merges the rows of documents cell by cell: fields from the merged document, all else by the rule for cells. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from epicvc.actions.merge.rows.plainrows import Rows, as_cell, merge_cell
from epicvc.actions.merge.snapshots.decisions import SET
from epicvc.actions.merge.snapshots.whole import is_touch_time
from epicvc.base.jsonio import JSON, equal
from epicvc.database.documents.values import decode, encode
from epicvc.database.rowcodec import SQLValue, plain
from epicvc.errors import InvalidRow
from epicvc.merge.threeway import MergeContext
from epicvc.merge.versions import Versions
from epicvc.model.document import Core
from epicvc.model.labels import Label
from epicvc.model.mapping import Field, TableMap
from epicvc.repo.rows.rows import NamedRow


def merged_row(
    table: TableMap,
    label: Label,
    rows: Rows,
    merged: Core | None,
    names: dict[str, str],
    whole: str | None,
    defaults: Mapping[str, SQLValue],
) -> NamedRow | None:
    """Return the row of an epic or a task in the result, or ``None`` where there is none.

    Args:
        table: its table.
        label: the epic or task.
        rows: the row in the three states.
        merged: the merged epic or task with its system columns; ``None`` where it is gone.
        names: the members of the merged document that are system columns, each with its column.
        defaults: the value of each column in which nothing is written.
        whole: the side whose value settled the epic or task as a whole, if one did: ``ours``, ``theirs``, ``base`` or
            ``set``.

    Raises:
        InvalidField: a merged value cannot be stored in its column.
    """
    base, ours, theirs = rows.base, rows.ours, rows.theirs
    if whole == SET:
        return _as_said(table, label, ours or theirs or base, merged, defaults)
    if whole is not None:
        return {"ours": ours, "theirs": theirs, "base": base}[whole]
    if ours is None or theirs is None:
        return _present(rows, alive=merged is not None)
    if ours is theirs or theirs is base:
        return ours
    return _cells(table, label, rows, merged=merged, names=names, defaults=defaults)


def _cells(
    table: TableMap,
    label: Label,
    rows: Rows,
    merged: Core | None,
    names: dict[str, str],
    defaults: Mapping[str, SQLValue],
) -> NamedRow:
    base, ours, theirs = rows.base or {}, rows.ours or {}, rows.theirs or {}
    fields = table.by_column
    system = {column: name for name, column in names.items()}
    quiet = MergeContext()  # a context of its own: the document has the conflicts about structure and marks already
    result: NamedRow = {}
    for column in dict.fromkeys([*ours, *theirs]):
        cells = Versions(base.get(column), ours.get(column), theirs.get(column))
        spec = fields.get(column)
        if column in base and (column not in ours or column not in theirs):
            continue  # dropped from the table on one side
        if cells.base == cells.ours == cells.theirs:
            value = cells.ours
        elif merged is None or (_trivial(cells) and (spec is None or spec.name not in table.by_name)):
            value = merge_cell(quiet, label, column, cells)
        elif spec is not None and spec.name in table.by_name:
            merged_cell = (merge_cell(quiet, label, column, cells),) if _trivial(cells) else ()
            known = (*merged_cell, cells.ours, cells.theirs, cells.base)
            value = _field_cell(spec, label, merged.get(spec.name), known, defaults.get(column))
        elif column in system:
            chosen = merged.get(system[column])
            value = as_cell(chosen, (cells.ours, cells.theirs, cells.base))
        else:
            value = merge_cell(quiet, label, column, cells)
        result[column] = value
    return result


def _as_said(
    table: TableMap, label: Label, row: NamedRow | None, merged: Core | None, defaults: Mapping[str, SQLValue]
) -> NamedRow | None:
    """Return a row with the values of an answer that a person set."""
    if merged is None or row is None:
        return None
    cells = {
        spec.column: _field_cell(spec, label, merged.get(spec.name), (row.get(spec.column),), defaults.get(spec.column))
        for spec in table.core
    }
    return {**row, **cells}


def _present(rows: Rows, *, alive: bool) -> NamedRow | None:
    """Return a row that one side does not have, or ``None`` where the result does not have it either.

    The row is there while the document has it, and if it is new. Otherwise its removal counts, unless theirs removed it
    and ours changed more of it than its times.
    """
    base, ours, theirs = rows.base, rows.ours, rows.theirs
    if ours is None and theirs is None:
        return base if alive else None
    found = theirs if ours is None else ours
    if alive or base is None:
        return found
    if ours is None:
        return None
    return None if _only_touched(found, base) else found


def _only_touched(one: NamedRow | None, other: NamedRow | None) -> bool:
    if one is None or other is None:
        return False
    return all(one.get(name) == other.get(name) for name in {*one, *other} if not is_touch_time(name))


def _trivial(cells: tuple[SQLValue, SQLValue, SQLValue]) -> bool:
    base, ours, theirs = (plain(cell) for cell in cells)
    return ours in (theirs, base) or theirs == base


def _field_cell(spec: Field, label: Label, value: JSON, cells: tuple[SQLValue, ...], default: SQLValue) -> SQLValue:
    """Return the cell of a merged field: the first known cell that says the same, else a newly written one.

    An absent field becomes the column's default, as a synchronisation writes it; the agreed core says that it is
    absent.
    """
    for cell in cells:
        if _says(spec, cell, value) or (value is None and plain(cell) == plain(default)):
            return cell
    return default if value is None else encode(value, spec, label)


def _says(spec: Field, cell: SQLValue, value: JSON) -> bool:
    try:
        return equal(decode(cell, spec, "", ""), value)
    except InvalidRow:
        return False
