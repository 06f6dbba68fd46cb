"""The mapped tables as a database really has them, and the conditions under which their rows are alive.

A row is alive when its ``deleted_at`` is empty and its ``status`` is not ``deleted``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from functools import cached_property
from operator import itemgetter
from typing import Final, cast

from msgspec import Struct

from epicvc.base.jsonio import JSON
from epicvc.database.backend import Reader
from epicvc.database.documents.values import default_value, encode
from epicvc.database.query import Condition, all_of, any_of, compare
from epicvc.database.quoting import quote_identifier as quote
from epicvc.database.rowcodec import SQLValue
from epicvc.database.tables import ColumnInfo
from epicvc.errors import InvalidData, NoMappedTable, UnknownOrder
from epicvc.model.labels import Label
from epicvc.model.mapping import Field, LinkMap, Mapping, TableMap

DELETED = "deleted"

_TYPED = re.compile(r"CHAR|TEXT|CLOB|INT|UUID", re.IGNORECASE)
"""Declared types under which a key column compares with a text as one would expect."""


_INTEGER: Final = re.compile(r"0|-?[1-9][0-9]{0,18}")
"""An integer in its canonical spelling; any other spelling is another key."""


class Columns(Struct, frozen=True, dict=True):
    """One mapped table as the database really has it."""

    map: TableMap
    fields: tuple[Field, ...]
    defaults: dict[str, JSON]
    deleted_at: str | None
    status: str | None
    status_default: SQLValue
    plain_keys: bool

    @cached_property
    def default_cells(self) -> tuple[tuple[str, SQLValue], ...]:
        """Each core column with its cell in a row inserted without it; ``None`` where the default is no literal."""
        return tuple(
            (field.column, None if default is None else encode(default, field, Label("")))
            for field in self.map.core
            for default in (self.defaults[field.name],)
        )

    @cached_property
    def core_cells(self) -> Callable[[Sequence[SQLValue]], Sequence[SQLValue]]:
        """A function that picks a row's core columns, in the order of :attr:`default_cells`, from its mapped ones."""
        places = {field: position for position, field in enumerate(self.fields)}
        wanted = [places[field] for field in self.map.core]
        # itemgetter returns a lone item bare, not in a tuple
        return itemgetter(*wanted) if len(wanted) > 1 else lambda row: [row[at] for at in wanted]

    def keyed(self, alias: str, keys: Collection[str]) -> Condition:
        """Return the condition under which a row has one of these keys.

        In a column without a type a text never equals an integer, so an integer key is also looked up as an integer.
        Casting the stored keys to text instead would lose the index, and turns fractions into other texts in other
        releases of SQLite.
        """
        sought: list[SQLValue] = list(keys)
        if not self.plain_keys:
            sought += [int(key) for key in keys if _INTEGER.fullmatch(key) and -(2**63) <= int(key) < 2**63]
        return compare(f"{alias}.{quote(self.map.key)}", "IN", sought)

    def alive(self, alias: str) -> Condition:
        """Return the condition under which a row is alive."""
        parts = []
        if self.deleted_at:
            column = f"{alias}.{quote(self.deleted_at)}"
            parts.append(any_of(compare(column, "=", None), compare(column, "=", "")))
        if self.status:
            column = f"{alias}.{quote(self.status)}"
            parts.append(any_of(compare(column, "=", None), compare(column, "!=", DELETED)))
        return all_of(*parts)


class Layout(Struct, frozen=True):
    """All mapped tables as the database really has them."""

    mapping: Mapping
    epics: Columns
    tasks: Columns
    links: LinkMap | None


def read_layout(reader: Reader, mapping: Mapping, database: str) -> Layout:
    """Check the mapping against the database and return the mapped tables.

    Raises:
        NoMappedTable: a mapped table does not exist.
        InvalidData: a mapped column does not exist, or a table has an index in an unknown order.
    """
    links = mapping.links
    orders = reader.unordered()
    for table in (mapping.epics.table, mapping.tasks.table, *([links.table] if links else [])):
        if table in orders:  # looking up rows would use that index
            raise UnknownOrder(table, orders[table])
    if links:
        _require(reader, database, links.table, (links.parent, links.column))
    return Layout(mapping, _columns(reader, mapping.epics, database), _columns(reader, mapping.tasks, database), links)


def _columns(reader: Reader, table: TableMap, database: str) -> Columns:
    needed = [table.id, table.key, *(field.column for field in table.fields)]
    needed += [column for column in (table.parent, table.sequence) if column]
    present = _require(reader, database, table.table, needed)
    status = present.get(table.status or "")
    return Columns(
        table,
        table.fields,
        {field.name: default_value(present[field.column].default, field) for field in table.fields},
        deleted_at=table.deleted_at if table.deleted_at in present else None,
        status=table.status if status else None,
        status_default=cast("SQLValue", default_value(status.default, Field("status", "status"))) if status else None,
        plain_keys=bool(_TYPED.search(present[table.key].type)),
    )


def _require(reader: Reader, database: str, table: str, columns: Collection[str]) -> dict[str, ColumnInfo]:
    present = {column.name: column for column in reader.columns(table)}
    if not present:
        raise NoMappedTable(database, table, empty=not reader.schema().tables)
    for column in columns:
        if column not in present:
            raise InvalidData(
                f"{database}: table {table} has no column {column}, which the mapping names",
                hint="correct [mapping] in epicvc.toml, or roll back if the column was dropped",
            )
    return present
