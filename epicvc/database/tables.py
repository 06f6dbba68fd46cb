"""The schema of a database as a value, with the canonical form that snapshots store.

A definition is the exact text that the database keeps. Order is kept where it means something (indexes of a table,
views, triggers); tables are sorted by name. Nothing here reads or writes a database.
"""

from __future__ import annotations

from enum import StrEnum
from functools import cached_property

from msgspec import Struct
from msgspec.json import encode

from epicvc.base.depth import decode
from epicvc.errors import InvalidData


class KeyKind(StrEnum):
    """The kinds of row keys."""

    INTEGER = "integer"  # one integer primary key column, which is the rowid
    PRIMARY = "primary"  # the columns of the primary key
    ROWID = "rowid"  # the hidden row number
    VIRTUAL = "virtual"  # no key: a virtual table has no rows that are captured under its own name


class Definition(Struct, frozen=True):
    """A named index, view or trigger."""

    name: str
    sql: str


class ColumnInfo(Struct, frozen=True):
    """A column as the catalogue describes it.

    Attributes:
        name: the column's name.
        type: the declared type, spelled as in the definition.
        default: the default, an SQL expression; ``None`` where there is none.
        nullable: the column may be NULL.
    """

    name: str
    type: str
    default: str | None
    nullable: bool = True


class CatalogueEntry(Struct, frozen=True):
    """An object that is defined in a database.

    Attributes:
        kind: ``table``, ``index``, ``view`` or ``trigger``.
        name: the object's name as the catalogue spells it.
        table: the table that it belongs to; its own name for a table or view.
        sql: the definition.
    """

    kind: str
    name: str
    table: str
    sql: str


class TableInfo(Struct, frozen=True, dict=True):
    """A table whose rows are captured.

    Attributes:
        name: the table's name as the catalogue spells it.
        sql: the definition.
        columns: the columns that a row has values for, generated ones left out.
        key: the columns of the primary key in its order; empty for ``ROWID``.
        kind: the kind of its rows' keys.
        without_rowid: there is no hidden row number.
        indexes: indexes that have a definition of their own, in their order.
    """

    name: str
    sql: str
    columns: tuple[str, ...]
    key: tuple[str, ...]
    kind: KeyKind
    without_rowid: bool = False
    indexes: tuple[Definition, ...] = ()

    @cached_property
    def key_indexes(self) -> tuple[int, ...]:
        """The positions of the key's columns among ``columns``."""
        return tuple(map(self.columns.index, self.key))


class Schema(Struct, frozen=True, dict=True):
    """Everything of a database that is not a row.

    Attributes:
        tables: sorted by name.
        views: in their order.
        triggers: in their order, which decides the order in which they fire.
        user_version: the application's own version number.
        application_id: the application's mark in the file.
        dialect: the database product whose definitions these are.
    """

    tables: tuple[TableInfo, ...] = ()
    views: tuple[Definition, ...] = ()
    triggers: tuple[Definition, ...] = ()
    user_version: int = 0
    application_id: int = 0
    dialect: str = "sqlite"

    @cached_property
    def by_name(self) -> dict[str, TableInfo]:
        """The tables by name."""
        return {table.name: table for table in self.tables}

    def to_json_bytes(self) -> bytes:
        """Return the canonical form: JSON with sorted keys and no spaces, in UTF-8."""
        return encode(self, order="sorted")

    @classmethod
    def from_json_bytes(cls, data: bytes) -> Schema:
        """Read a schema from its canonical form.

        Raises:
            InvalidData: the bytes are no schema, or not in canonical form.
        """
        try:
            schema = decode(data, cls)
        except ValueError as error:
            raise InvalidData(f"damaged schema: {error}") from error
        for table in schema.tables:
            if not set(table.key) <= set(table.columns):
                raise InvalidData(f"damaged schema: @{table.name} has no column for its key")
            if (table.kind in {KeyKind.ROWID, KeyKind.VIRTUAL}) != (not table.key):
                raise InvalidData(f"damaged schema: @{table.name} has a key that is not of its kind")
        if schema.to_json_bytes() != data:
            raise InvalidData("damaged schema: not in canonical form")
        return schema
