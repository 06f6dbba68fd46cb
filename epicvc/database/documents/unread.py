"""Reads the little that can be told of epics whose rows cannot be read: rows without a key, and the keys of tasks."""

from __future__ import annotations

from collections.abc import Sequence

from epicvc.database.backend import Reader
from epicvc.database.batches import batches
from epicvc.database.documents.documents import belongs, living_heads
from epicvc.database.documents.layout import Layout
from epicvc.database.documents.values import key_text, no_key
from epicvc.database.query import Select
from epicvc.database.quoting import quote_identifier as quote
from epicvc.errors import InvalidRow


def unkeyed_rows(reader: Reader, layout: Layout) -> list[InvalidRow]:
    """Return an error for each living row of an epic that has no usable key, and so belongs to no epic."""
    table = layout.epics
    rows = reader.execute(*living_heads(table, (f"e.{quote(table.map.key)}",)).build())
    return [no_key(value, table.map.table, table.map.key) for (value,) in rows if key_text(value) is None]


def task_keys(reader: Reader, layout: Layout, epics: Sequence[str]) -> set[str]:
    """Return the keys of the living tasks in the living rows of these epics, whatever else the rows hold."""
    tasks = layout.tasks
    owned = (
        Select(columns=(f"t.{quote(tasks.map.key)}",))
        .from_table(quote(tasks.map.table), "t")
        .join(quote(layout.epics.map.table), belongs(layout), alias="e")
        .where_condition(tasks.alive("t"))
        .where_condition(layout.epics.alive("e"))
    )
    found: set[str] = set()
    for chunk in batches(epics):
        rows = reader.execute(*owned.where_condition(layout.epics.keyed("e", chunk)).build())
        found.update(key for (value,) in rows if (key := key_text(value)) is not None)
    return found
