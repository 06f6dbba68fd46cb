"""Builds the SQL that reads and writes the rows of one table by key.

Every identifier comes from the catalogue and passes the one quoting function; every value is bound.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from hashlib import sha256

from msgspec import Struct

from epicvc.database.quoting import quote_identifier
from epicvc.database.rowcodec import RawText, SQLValue, decode_key, encode_integer_key, encode_key
from epicvc.database.sqlite.schema.schema import SEQUENCE, rowid_name
from epicvc.database.tables import KeyKind, TableInfo
from epicvc.errors import InvalidData, InvalidRow


def exactly(one: str, other: str, *, numbers: bool = True) -> str:
    """Return the condition that two columns have the same value of the same type. The condition is never NULL.

    A zero with a sign counts as the same as one without.

    Args:
        one: the column.
        other: the other column, which has no type.
        numbers: the values may be numbers. Without it, an integer counts as the same as a real number of its value.
    """
    same = f"+{one} IS {other} COLLATE BINARY"  # the plus sign keeps SQLite from converting types before it compares
    return f"{same} AND typeof({one}) = typeof({other})" if numbers else same


class TableSQL(Struct, frozen=True, dict=True):
    """The statements of one table.

    Attributes:
        table: the table.
        skip: names whose rows in SQLite's table of counters belong to tables that are not captured.
        unordered: an index of the table is in an unknown order, so that no row may be looked up by an index.
    """

    table: TableInfo
    skip: tuple[str, ...] = ()
    unordered: bool = False

    @cached_property
    def name(self) -> str:
        """The table's name, quoted."""
        return "main." + quote_identifier(self.table.name)

    @cached_property
    def rowid(self) -> str | None:
        """The name of the row number, quoted, where a row has one beside its columns."""
        return None if self.table.kind is KeyKind.INTEGER else rowid_name(self.table)

    @cached_property
    def number(self) -> str:
        """The column that numbers the rows of a table keyed by a number, quoted: the key column, or the row number."""
        return self.rowid or quote_identifier(self.table.key[0])

    @cached_property
    def select(self) -> str:
        """The query for all columns, then the row number where there is one, of every captured row."""
        wanted = [*map(quote_identifier, self.table.columns), *([self.rowid] if self.rowid else [])]
        return f"SELECT {', '.join(wanted)} FROM {self.name}{self.only}"

    @cached_property
    def only(self) -> str:
        """The condition that leaves out counters which are not captured or have no effect.

        The table of counters has no key. Of several rows with one name, SQLite uses the first.
        """
        if self.table.name != SEQUENCE.name:
            return ""
        first = f"rowid IN (SELECT min(rowid) FROM {self.name} GROUP BY name)"
        return f" WHERE (name IS NULL OR ({first} AND name NOT IN ({', '.join('?' * len(self.skip))})))"

    @cached_property
    def ordered(self) -> str:
        """The query for all rows in the order of their keys, except for keys in which integers and floats mix."""
        if self.table.kind is KeyKind.INTEGER:
            return f"{self.select} ORDER BY {quote_identifier(self.table.key[0])}"
        # keys are compared by their bytes, whatever the column's own collation
        terms = [f"{quote_identifier(column)} COLLATE BINARY" for column in self.table.key]
        return f"{self.select} ORDER BY {', '.join([*terms, *([self.rowid] if self.rowid else [])])}"

    @cached_property
    def between(self) -> str:
        """The query for the rows of a range of numbers, in their order, in a table that is keyed by the row number."""
        return f"{self.select} WHERE {self.number} BETWEEN ? AND ? ORDER BY {self.number}"

    @cached_property
    def stamp(self) -> bytes:
        """A digest of everything in the table's definition that decides how a row is read and keyed."""
        import json

        table = self.table
        text = json.dumps([table.sql, table.columns, table.key, table.kind, table.without_rowid, self.skip])
        return sha256(text.encode()).digest()

    @cached_property
    def mixes_numbers(self) -> str | None:
        """The query that tells whether a key holds a float; ``None`` where no key can.

        SQLite sorts floats among the integers, and the bytes of keys sort them behind.
        """
        if self.table.kind is not KeyKind.PRIMARY:
            return None
        floats = " OR ".join(f"typeof({quote_identifier(column)})='real'" for column in self.table.key)
        return f"SELECT EXISTS (SELECT 1 FROM {self.name} WHERE {floats})"

    def key_of(self, values: Sequence[SQLValue]) -> bytes:
        """Return the key of a row of :attr:`select`.

        Raises:
            InvalidRow: a key with NULL in a table whose columns hide the row number.
        """
        at = self.table.key_indexes
        return self.key_from([*(values[index] for index in at), values[-1]])

    def key_from(self, values: Sequence[SQLValue]) -> bytes:
        """Return the key from the columns of the primary key, with the row number behind them where there is one.

        Raises:
            InvalidRow: a key with NULL in a table whose columns hide the row number.
        """
        width = len(self.table.key)
        if self.table.kind is not KeyKind.PRIMARY:
            return encode_integer_key(_integer(values[0]))
        key = values[:width]
        if None not in key or self.table.without_rowid:
            return encode_key(key)
        if self.rowid is None:
            reason = "its columns hide the row number that would tell such rows apart"
            raise InvalidRow(self.table.name, "NULL", self.table.key[0], reason)
        return encode_key([*key, values[width]])

    def rowid_in(self, key: bytes) -> int | None:
        """Return the row number that a key holds beside or instead of columns, or ``None``."""
        values = decode_key(key)
        if self.table.kind is KeyKind.ROWID or len(values) > len(self.table.key):
            return _integer(values[-1])
        return None

    def condition(self, key: bytes) -> tuple[str, list[SQLValue]]:
        """Return a condition that only the key's own row fulfils, and its values.

        A row whose key the database takes for equal (another case, 1 for 1.0) may fulfil it too, so the caller compares
        the keys.

        Raises:
            InvalidData: it is no key of this table.
        """
        values = decode_key(key)
        kind, columns = self.table.kind, self.table.key
        if kind is KeyKind.PRIMARY and len(values) == len(columns):
            plain = "+" if self.unordered else ""  # a term with a plus sign uses no index
            terms = [
                f"{plain}{quote_identifier(column)} IS {mark(value)}"
                for column, value in zip(columns, values, strict=True)
            ]
            return " AND ".join(terms), [bound(value) for value in values]
        own_number = kind is not KeyKind.PRIMARY and len(values) == 1
        if own_number or (kind is KeyKind.PRIMARY and len(values) == len(columns) + 1 and self.rowid):
            number = quote_identifier(columns[0]) if kind is KeyKind.INTEGER else self.rowid
            return f"{number} = ?", [_integer(values[-1])]
        raise InvalidData(f"@{self.table.name}: damaged key: {len(values)} values")

    def insert(self, values: Sequence[SQLValue], rowid: int | None) -> tuple[str, list[SQLValue]]:
        """Return the statement that inserts a row, and its values."""
        names = [*map(quote_identifier, self.table.columns)]
        marks = [*map(mark, values)]
        bounds = [*map(bound, values)]
        if rowid is not None and self.rowid:
            names.append(self.rowid)
            marks.append("?")
            bounds.append(rowid)
        return f"INSERT INTO {self.name} ({', '.join(names)}) VALUES ({', '.join(marks)})", bounds


def mark(value: SQLValue) -> str:
    """Return the placeholder of a value. TEXT that is no UTF-8 can only be bound as a BLOB, and is cast."""
    return "CAST(? AS TEXT)" if isinstance(value, RawText) else "?"


def bound(value: SQLValue) -> SQLValue:
    """Return the value to bind at its :func:`mark`."""
    return value.data if isinstance(value, RawText) else value


def _integer(value: SQLValue) -> int:
    if not isinstance(value, int):
        raise InvalidData("damaged key: not an integer")
    return value
