"""Merges rows that belong to no document, row by row and cell by cell. Pure."""

from __future__ import annotations

from typing import TypeAlias, cast

from epicvc.actions.merge.snapshots.whole import is_birth_time, is_maker, is_touch_time
from epicvc.base.jsonio import JSON, equal
from epicvc.database.rowcodec import SQLValue, plain
from epicvc.merge.threeway import ABSENT, MergeContext, Value
from epicvc.merge.versions import Versions
from epicvc.model.labels import Label
from epicvc.repo.rows.rows import NamedRow

Rows: TypeAlias = "Versions[NamedRow | None]"
"""One row in the three states; ``None`` where it does not exist."""


def merge_row(context: MergeContext, label: Label, rows: Rows) -> NamedRow | None:
    """Return the merged row. An undecided conflict keeps ours.

    Two rows that were inserted under one key with different values are a conflict of the whole row, as are a deletion
    and a change: neither side may be lost in silence. A column with the time of the last write takes the later of two
    times, one with the time of creation the earlier.
    """
    base, ours, theirs = rows
    if ours == theirs or theirs == base:
        return ours
    if ours == base:
        return theirs
    if base is not None and ours is not None and theirs is not None:
        return merge_cells(context, label, rows)
    if base is None and ours is not None and theirs is not None and (once := _made_twice(ours, theirs)) is not None:
        return once
    changed = ours if theirs is None else theirs
    if base is not None and changed is not None and _same_but_touched(base, changed):
        return None  # only a time of writing changed: that does not stand against the deletion
    chosen = context.choose(label, rows.map(_shown))
    if chosen is None:
        return ours
    return _row(chosen.value, (ours, theirs, base))


def _same_but_touched(one: NamedRow, other: NamedRow) -> bool:
    return all(one.get(name) == other.get(name) for name in {*one, *other} if not is_touch_time(name))


def _made_twice(ours: NamedRow, theirs: NamedRow) -> NamedRow | None:
    """Return one row for two that both sides made, as a migration applied on both does; ``None`` where they differ.

    It is the one that was made earlier, with the later of the two times of the last write.
    """
    names = dict.fromkeys([*ours, *theirs])
    differing = [name for name in names if not _same(ours.get(name), theirs.get(name))]
    born, touched = [list(filter(kind, differing)) for kind in (is_birth_time, is_touch_time)]
    makers = [name for name in differing if is_maker(name)]
    if len(born) + len(touched) + len(makers) < len(differing) or not any(map(is_birth_time, names)):
        return None
    if not all(_comparable(ours.get(name), theirs.get(name)) for name in (*born, *touched)):
        return None
    first = min(ours, theirs, key=lambda row: ([row[name] for name in born], [str(row.get(name)) for name in makers]))
    return {**first, **{name: max(ours[name], theirs[name]) for name in touched}}  # type: ignore[type-var]


def _comparable(one: SQLValue, other: SQLValue) -> bool:
    return type(one) is type(other) and isinstance(one, str | int | float)


def merge_cells(context: MergeContext, label: Label, rows: Rows) -> NamedRow:
    """Merge a row that all three states have, column by column. Ours gives the columns, and theirs adds its own."""
    base, ours, theirs = rows.base or {}, rows.ours or {}, rows.theirs or {}
    return {
        name: merge_cell(context, label.child(name), name, Versions(base.get(name), ours.get(name), theirs.get(name)))
        for name in dict.fromkeys([*ours, *theirs])
        if not (name in base and (name not in ours or name not in theirs))
    }


def merge_cell(context: MergeContext, label: Label, column: str, cells: Versions[SQLValue]) -> SQLValue:
    """Return the merged cell. An undecided conflict keeps ours."""
    base, ours, theirs = cells
    if _same(ours, theirs) or _same(theirs, base):
        return ours
    if _same(ours, base):
        return theirs
    if type(ours) is type(theirs) and isinstance(ours, str | int | float):
        if is_touch_time(column):
            return max(ours, cast("str", theirs))
        if is_birth_time(column):
            return min(ours, cast("str", theirs))
    chosen = context.choose(label, cells.map(lambda value: _value(plain(value))))
    return ours if chosen is None else as_cell(chosen.value, (ours, theirs, base))


def as_cell(value: Value, known: tuple[SQLValue, ...]) -> SQLValue:
    """Return a chosen value as a column value: an equal known cell if there is one."""
    if value is ABSENT or value is None:
        return None
    for candidate in known:
        if candidate is not None and equal(plain(candidate), value):
            return candidate
    return value if isinstance(value, bool | int | float | str) else None


def _same(one: SQLValue, other: SQLValue) -> bool:
    return type(one) is type(other) and one == other


def _value(value: JSON) -> Value:
    return ABSENT if value is None else value


def _shown(row: NamedRow | None) -> Value:
    return ABSENT if row is None else {name: plain(value) for name, value in row.items()}


def _row(value: Value, known: tuple[NamedRow | None, ...]) -> NamedRow | None:
    """Return a chosen row as column values."""
    if not isinstance(value, dict):
        return None
    columns = dict.fromkeys(name for row in known if row for name in row)
    return {name: as_cell(value.get(name, ABSENT), tuple(row.get(name) for row in known if row)) for name in columns}
