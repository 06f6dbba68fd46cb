"""Logs the rows that a transaction touches, including those that triggers and cascades touch.

TEMP triggers log the key of every row that is inserted, updated or deleted. They live in the connection and leave no
trace in the database. SQLite restores ``last_insert_rowid()`` and ``changes()`` when a trigger ends, so the
application's triggers notice nothing.

Rows whose number is beyond the highest number that the transaction found are not logged: those of them that exist in
the end are the transaction's own. So inserting in bulk costs little more than without a log.

A row that ``REPLACE`` removes fires no delete trigger (``recursive_triggers`` would change that, and the behaviour of
the application's triggers with it). Every such row is missing from the count afterwards, and nothing else makes the
count too small. So tables that something could write to with REPLACE are counted before and after, and are reported as
unknown when the count does not add up. Counting all the other tables too would cost a scan of each in every
transaction.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from epicvc.database.backend import Touched
from epicvc.database.quoting import quote_identifier
from epicvc.database.rowcodec import encode_integer_key, raw_text
from epicvc.database.sqlite.schema.schema import SEQUENCE, fold, schema_version
from epicvc.database.sqlite.schema.virtual import owners, virtual_tables
from epicvc.database.sqlite.statements import TableSQL
from epicvc.database.tables import KeyKind, Schema

_REPLACE: Final = "replace"
_ENDS: Final = ("min", "max")
_LOWEST: Final = -(1 << 63)
"""The lowest number that a row can have."""


class TouchLog:
    """The log of one write transaction; to be made right after the transaction began."""

    def __init__(self, connection: sqlite3.Connection, schema: Schema, tables: Iterable[TableSQL]) -> None:
        self._connection = connection
        within = owners(schema)  # virtual tables and their side tables take no triggers
        self._unlogged = [*within, *virtual_tables(schema)]
        left_out = {SEQUENCE.name, *self._unlogged}
        self._tables = {sql.table.name: sql for sql in tables if sql.table.name not in left_out}
        self._logs = {name: f"temp._epicvc_log_{number}" for number, name in enumerate(self._tables)}
        self._before: dict[str, int] = {}  # rows before the transaction, of the tables that are counted
        self._found = {name: _found(connection, sql) for name, sql in self._tables.items()}
        for name, sql in self._tables.items():
            for statement in _log_statements(sql, self._logs[name], self._found[name]):
                connection.execute(statement)
        self._count(name for name in replaceable_tables(schema) if name in self._tables)
        self._version = schema_version(connection)

    def expect(self, query: str) -> None:
        """Count all tables before a statement with REPLACE runs.

        The REPLACE of a statement also rules the statements in the triggers that it fires.
        """
        if _REPLACE in query.lower() and len(self._before) < len(self._tables):
            self._count(self._tables)

    def own_change(self) -> None:
        """Accept a change of the schema that was just made and that concerns no captured table."""
        self._version = schema_version(self._connection)

    def rows(self) -> Mapping[str, Touched | None]:
        """Return the touched rows per touched table; ``None`` for a table of which not all of them are known."""
        if schema_version(self._connection) != self._version:
            return dict.fromkeys([*self._tables, *self._unlogged, SEQUENCE.name], None)
        touched: dict[str, Touched | None] = {}
        for name, sql in self._tables.items():
            found = Touched(self._logged(sql), self._beyond(sql))
            if self._rows_vanished(name):
                touched[name] = None
            elif found.keys or found.added:
                touched[name] = found
        # the table of counters takes no triggers, and may have moved with any of the others
        if touched or self._unlogged:
            touched |= dict.fromkeys([*self._unlogged, SEQUENCE.name], None)
        return touched

    def _count(self, names: Iterable[str]) -> None:
        """Note how many rows there were before the transaction. Call it only while nothing can have been replaced."""
        for name in names:
            if name not in self._before:
                self._before[name] = self._now(name) - self._net(name)

    def _now(self, name: str) -> int:
        found = self._found[name]
        condition = "1" if found is None else found.includes()
        query = f"SELECT count(*) FROM {self._tables[name].name} WHERE {condition}"
        return int(self._connection.execute(query).fetchone()[0])

    def _net(self, name: str) -> int:
        return int(self._connection.execute(f"SELECT total(net) FROM {self._logs[name]}").fetchone()[0])

    def _rows_vanished(self, name: str) -> bool:
        return name in self._before and self._now(name) != self._before[name] + self._net(name)

    def _beyond(self, sql: TableSQL) -> tuple[bytes, bytes] | None:
        """Return the first and the last of the existing rows that were not logged, or ``None``."""
        found = self._found[sql.table.name]
        if found is None:
            return None
        # two subqueries: for a lone min or max SQLite reads only one row
        ends = (
            f"(SELECT {end}({found.number}) FROM {sql.name} WHERE {found.number} > {found.highest})" for end in _ENDS
        )
        first, last = self._connection.execute(f"SELECT {', '.join(ends)}").fetchone()
        return None if first is None else (encode_integer_key(first), encode_integer_key(last))

    def _logged(self, sql: TableSQL) -> frozenset[bytes]:
        table = sql.table
        names = [f"k{number}" for number in range(_width(sql))]
        # a key may hold TEXT that is no UTF-8
        self._connection.text_factory = raw_text
        try:
            rows = self._connection.execute(
                f"SELECT DISTINCT {', '.join(names)} FROM {self._logs[table.name]}"
            ).fetchall()
        finally:
            self._connection.text_factory = str
        return frozenset(sql.key_from(row) for row in rows)


def replaceable_tables(schema: Schema) -> frozenset[str]:
    """Return the tables from which something in the schema could remove rows by REPLACE.

    These are the tables whose own constraints say so. As soon as one trigger says it, they are also all tables that any
    trigger names, since the conflict rule of an outer statement overrides that of the statements in the triggers that
    it fires.
    """
    tables = {table.name for table in schema.tables if _REPLACE in table.sql.lower()}
    bodies = [fold(trigger.sql) for trigger in schema.triggers]
    if any(_REPLACE in body for body in bodies):
        everything = "\n".join(bodies)
        for table in schema.tables:
            name = fold(table.name)
            if any(form in everything for form in (name, name.replace('"', '""'), name.replace("`", "``"))):
                tables.add(table.name)
    return frozenset(tables)


def _width(sql: TableSQL) -> int:
    return max(1, len(sql.table.key)) + (sql.table.kind is KeyKind.PRIMARY and sql.rowid is not None)


class _Found(NamedTuple):
    """The rows that a transaction found in a table, by their numbers.

    Attributes:
        number: the column that numbers rows, quoted.
        highest: the highest number.
    """

    number: str
    highest: int

    def includes(self, row: str = "") -> str:
        """Return the condition that a row's number is within those that were found."""
        return f"{row}{self.number} <= {self.highest}"


def _found(connection: sqlite3.Connection, sql: TableSQL) -> _Found | None:
    """Return the rows that a transaction found; ``None`` for a table whose rows are not keyed by a number."""
    if sql.table.kind is KeyKind.PRIMARY:
        return None
    highest = connection.execute(f"SELECT max({sql.number}) FROM {sql.name}").fetchone()[0]
    return _Found(sql.number, _LOWEST if highest is None else int(highest))


def _log_statements(sql: TableSQL, log: str, found: _Found | None) -> Iterable[str]:
    """Yield the statements that make the log table and its three triggers.

    The log's columns have no type, so that they keep every value as it is.
    """
    columns = [*map(quote_identifier, sql.table.key), *([sql.rowid] if sql.rowid else [])]
    new = ", ".join(f"NEW.{column}" for column in columns)
    old = ", ".join(f"OLD.{column}" for column in columns)
    # Values that SQL takes for equal can be different keys (another case, 1 and 1.0), so only plain numbers are
    # compared.
    moved = "1" if found is None else f"{old} <> {new}"
    came, went = ("1", "1") if found is None else (found.includes("NEW."), found.includes("OLD."))
    names = ", ".join(f"k{number}" for number in range(len(columns)))
    plain = log.removeprefix("temp.")
    yield f"CREATE TEMP TABLE {plain} (net, {names})"
    updated = f"INSERT INTO {plain} VALUES (({came}) - ({went}), {new});"
    triggers = {
        "INSERT": (came, f"INSERT INTO {plain} VALUES (1, {new});"),
        "UPDATE": (f"{came} OR {went}", f"{updated} INSERT INTO {plain} SELECT 0, {old} WHERE {moved};"),
        "DELETE": (went, f"INSERT INTO {plain} VALUES (-1, {old});"),
    }
    for event, (condition, body) in triggers.items():
        name = f"{plain}_{event.lower()}"
        yield f"CREATE TEMP TRIGGER {name} AFTER {event} ON {sql.name} WHEN {condition} BEGIN {body} END"
