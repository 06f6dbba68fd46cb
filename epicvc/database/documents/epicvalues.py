"""Reads single fields of epics and the states of their tasks, for planning and enrichment.

Whole documents are never read, which makes this fast.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import cast

from msgspec import Struct
from msgspec.structs import replace

from epicvc.database.backend import Reader
from epicvc.database.batches import batches
from epicvc.database.documents.documents import BadRow, epic_heads
from epicvc.database.documents.layout import Layout
from epicvc.database.documents.values import decode, key_text
from epicvc.database.query import Select
from epicvc.database.quoting import quote_identifier as quote
from epicvc.database.rowcodec import SQLValue
from epicvc.errors import InvalidRow
from epicvc.model.document import Core


class EpicValues(Struct, frozen=True):
    """Some fields of an epic's own row.

    Attributes:
        surrogate: the row's surrogate key.
        id: the epic.
        values: the fields that have a value.
    """

    surrogate: SQLValue
    id: str
    values: Core


def read_values(
    reader: Reader,
    layout: Layout,
    names: Collection[str],
    keys: Collection[str] | None = None,
    bad: BadRow | None = None,
) -> Iterator[EpicValues]:
    """Read core or calculated fields of the living epics; a name that is not mapped is left out.

    Args:
        reader: the transaction.
        layout: the mapped tables.
        names: the fields.
        keys: the epics; all of them by default.
        bad: called with rows that cannot be read, as in :func:`epicvc.database.documents.documents.read_epics`.

    Raises:
        InvalidRow: a value cannot be a field's value, or two living rows have one key; never where ``bad`` is given.
    """
    fields = tuple(field for field in layout.epics.fields if field.name in names)
    narrow = replace(layout, epics=replace(layout.epics, fields=fields))
    table = layout.epics.map.table
    for surrogate, epic, values in epic_heads(reader, narrow, keys, bad):
        found = [(field, value) for field, value in zip(fields, values, strict=True) if value is not None]
        try:
            decoded = {field.name: decode(value, field, table, epic) for field, value in found}
        except InvalidRow as error:
            if bad is None:
                raise
            bad(error, epic)
        else:
            yield EpicValues(surrogate, epic, decoded)


def read_texts(reader: Reader, layout: Layout, name: str, keys: Collection[str] | None = None) -> dict[str, str | None]:
    """Read one text field of the living epics; ``None`` where it is no text, has no value or no column.

    Raises:
        InvalidRow: two living rows have one key.
    """
    fields = tuple(field for field in layout.epics.fields if field.name == name)
    narrow = replace(layout, epics=replace(layout.epics, fields=fields))
    heads = epic_heads(reader, narrow, keys)
    if not fields:
        return {epic: None for _, epic, _ in heads}
    return {epic: value if isinstance(value, str) else None for _, epic, (value,) in heads}


def read_states(reader: Reader, layout: Layout, keys: Collection[str] | None = None) -> dict[str, dict[str, int]]:
    """Count the living tasks of each living epic by state; empty where tasks have no such column.

    Args:
        reader: the database.
        layout: its tables.
        keys: the epics; all of them by default.
    """
    result: dict[str, dict[str, int]] = {}
    for epic, status, number in _states(reader, layout, keys, "COUNT(*)", grouped=True):
        result.setdefault(epic, {})[status] = cast("int", number)
    return result


def read_task_states(reader: Reader, layout: Layout, keys: Collection[str]) -> dict[str, dict[str, str]]:
    """Return the state of each living task of these epics, by epic and task; empty where tasks have no such column."""
    result: dict[str, dict[str, str]] = {}
    for epic, status, task in _states(reader, layout, keys, f"t.{quote(layout.tasks.map.key)}", grouped=False):
        key = key_text(task)
        if key is not None:
            result.setdefault(epic, {})[key] = status
    return result


def _states(
    reader: Reader, layout: Layout, keys: Collection[str] | None, what: str, *, grouped: bool
) -> Iterator[tuple[str, str, SQLValue]]:
    """Yield the epic, the state and one more column of living tasks."""
    epics, tasks = layout.epics, layout.tasks
    if tasks.status is None:
        return
    owner, state = f"e.{quote(epics.map.key)}", f"t.{quote(tasks.status)}"
    belongs = f"e.{quote(epics.map.id)} = t.{quote(cast('str', tasks.map.parent))}"
    query = (
        Select(columns=(owner, state, what))
        .from_table(quote(tasks.map.table), "t")
        .join(quote(epics.map.table), belongs, alias="e")
        .where_condition(tasks.alive("t"))
        .where_condition(epics.alive("e"))
        .where(f"t.{quote(tasks.map.key)}", "!=", None)
    )
    if grouped:
        query = query.group_by(owner, state)
    for chunk in _chunks(keys):
        chosen = query.where_condition(epics.keyed("e", chunk)) if chunk else query
        for epic, status, value in reader.execute(*chosen.build()):
            key = key_text(epic)
            if key is not None and (keys is None or key in keys):
                yield key, str(status or ""), value


def _chunks(keys: Collection[str] | None) -> Iterator[Sequence[str]]:
    """Split keys into portions; yield one empty portion where all epics are meant."""
    if keys is None:
        yield ()
        return
    yield from batches(sorted(keys))
