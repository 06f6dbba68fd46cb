"""Brings a SQLite database to a given schema and given rows, exactly.

The order: drop the triggers, then the views and indexes from the first that differs on, then the tables that are gone
or defined otherwise; make tables and write rows; make indexes, views and triggers again in their order; last, write the
AUTOINCREMENT counters, which the inserts have moved. Everything is read back before the caller may commit.

Definitions may come from a hostile snapshot. Each must begin as SQLite itself begins the text that it stores, is run as
a single statement, and must be in the catalogue afterwards, word for word: nothing but that definition can have run.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from msgspec.structs import replace

from epicvc.database.backend import Change, Fault, RowSource, Stranded
from epicvc.database.quoting import quote_identifier
from epicvc.database.rowcodec import show_key
from epicvc.database.sqlite.restore.following import to_rebuild
from epicvc.database.sqlite.restore.rowwriter import RowWriter
from epicvc.database.sqlite.schema.collations import unordered
from epicvc.database.sqlite.schema.definitions import create, drop, first_difference
from epicvc.database.sqlite.schema.schema import SEQUENCE, fold
from epicvc.database.sqlite.schema.stranded import missing_table
from epicvc.database.sqlite.schema.virtual import exact, is_virtual, owners
from epicvc.database.sqlite.statements import TableSQL
from epicvc.database.tables import Definition, KeyKind, Schema, TableInfo
from epicvc.errors import ConstraintBroken, InvalidData, UnknownOrder, UnsupportedSchema

if TYPE_CHECKING:
    from epicvc.database.sqlite.reader import SQLiteReader
    from epicvc.database.sqlite.restore.incoming import Incoming


class Restore:
    """One restore, carried out by :meth:`run`.

    Args:
        connection: a connection in a write transaction, with foreign keys and checks off.
        reader: reads the same transaction.
        target: the schema to have.
        changes: the differences per table.
        rows: all rows of a table as it is to be.
        undisturbed: the database certainly is in the state that the differences start from.
        incoming: differences that wait in the same connection; used only where the database is undisturbed.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        reader: SQLiteReader,
        target: Schema,
        changes: Mapping[str, Iterable[Change]],
        rows: RowSource,
        *,
        undisturbed: bool = False,
        incoming: Incoming | None = None,
    ) -> None:
        self._connection = connection
        self._reader = reader
        self._target = target
        self._rows = rows
        self._old = reader.schema()
        old_tables = self._old.by_name
        self._owners = owners(target)
        self.stranded: list[Stranded] = []
        """The triggers that were left out because a table that they name does not exist."""
        changed = {table.name for table in target.tables if not _same_rows(table, old_tables.get(table.name))}
        changed |= {shadow for shadow, owner in self._owners.items() if owner in changed}
        self._fresh = [table for table in target.tables if table.name in changed]
        fresh = {table.name for table in self._fresh}
        kept = {table.name for table in target.tables} - fresh | {SEQUENCE.name}
        # Tables that are gone or made anew have no differences to apply.
        rowless = {table.name for table in target.tables if table.kind is KeyKind.VIRTUAL}
        self._changes = {name: _again(found) for name, found in changes.items() if name in kept - rowless}
        unknown = sorted(changes.keys() - kept - fresh - old_tables.keys())
        if unknown:
            raise InvalidData(f"@{unknown[0]}: changes of a table that is in neither schema")
        self._undisturbed = undisturbed
        plain = [table for table in target.tables if not is_virtual(table.sql)]
        waiting = {table.name: incoming.of(table) for table in plain} if incoming and undisturbed else {}
        self._waiting = {name: found for name, found in waiting.items() if found and name in self._changes}
        self._emptied = {
            name
            for name in self._changes
            if undisturbed and name != SEQUENCE.name and next(iter(rows(name)), None) is None
        }
        self._gone = [table for table in self._old.tables if table.name not in kept]

    def run(self, allowed: frozenset[Fault] | None) -> None:
        """Carry out the restore, and read the result back.

        Raises:
            InvalidRow: a row is read back other than it was given.
            UnsupportedSchema: a definition cannot be made, or is stored differently.
            ConstraintBroken: a foreign-key violation that is not in ``allowed``.
        """
        if self._target.dialect != "sqlite":
            raise InvalidData(f"a {self._target.dialect} schema cannot be restored into SQLite")
        counters = self._counters()
        if self._writes_anything():
            self._definitions_and_rows()
            self._write_counters(counters)
        self._connection.execute(f"PRAGMA main.user_version={self._target.user_version:d}")
        self._connection.execute(f"PRAGMA main.application_id={self._target.application_id:d}")
        self._verify(counters, allowed)

    def touched(self) -> dict[str, frozenset[bytes] | None]:
        """Return the keys that were written, per table; ``None`` for tables that were made anew or are gone."""
        touched: dict[str, frozenset[bytes] | None] = {
            name: frozenset(change[0] for change in found) for name, found in self._changes.items()
        }
        return touched | dict.fromkeys([table.name for table in [*self._fresh, *self._gone]])

    def _writes_anything(self) -> bool:
        definitions = (self._target.tables, self._target.views, self._target.triggers)
        if definitions != (self._old.tables, self._old.views, self._old.triggers):
            return True
        return bool(self._emptied) or any(True for found in self._changes.values() for _ in found)

    def _definitions_and_rows(self) -> None:
        self._require_orders(self._differing)
        written = self._differing | {table.name for table in [*self._fresh, *self._gone]}
        ignored = self._reader.ignored_searches()
        searches = to_rebuild(self._connection, self._old, self._target, written, ignored)
        for trigger in self._old.triggers:
            drop(self._connection, "trigger", trigger.name)
        self._require_silence(written)
        # Views before the first that differs stay: those made again come behind them, so the order is right.
        keep_views = first_difference(self._old.views, self._target.views)
        for view in reversed(self._old.views[keep_views:]):
            drop(self._connection, "view", view.name)
        missing = self._drop_indexes()
        within = owners(self._old)  # side tables of a virtual table come and go with it
        gone = {table.name for table in self._gone}
        for table in sorted(self._gone, key=lambda table: table.name in within):
            # side tables too, since some versions of SQLite leave one behind when the virtual table is dropped
            if within.get(table.name, table.name) in gone:
                drop(self._connection, "table", table.name)
        # Virtual tables last: a full-text index may take its columns from the table that it indexes.
        for table in sorted(self._fresh, key=lambda table: is_virtual(table.sql)):
            if table.name not in self._owners:
                create(self._connection, "table", Definition(table.name, table.sql))
        self._reader.capture_exactly(exact(self._target))
        made = self._reader.schema().by_name
        for table in self._fresh:
            if not _same_rows(table, made.get(table.name)):
                raise UnsupportedSchema(table.name, "its columns are not those of its definition")
        self._write_rows()
        for owner, index in missing:
            create(self._connection, "index", index, owner)
        for view in self._target.views[keep_views:]:
            create(self._connection, "view", view)
        for search in searches:
            search.rebuild(self._connection)
        made_now = {table.name for table in self._fresh} | {owner for owner, _ in missing}
        self._require_orders(name for name in made_now if self._reader.count(name))
        for trigger in self._target.triggers:
            self._create_trigger(trigger)

    def _create_trigger(self, trigger: Definition) -> None:
        """Make a trigger; leave it out if it is new and could not run, so that its table can still be written to."""
        create(self._connection, "trigger", trigger)
        if trigger in self._old.triggers:
            return
        query = "SELECT tbl_name FROM main.sqlite_master WHERE type = 'trigger' AND name = ?"
        (table,) = self._connection.execute(query, [trigger.name]).fetchone()
        missing = missing_table(self._connection, str(table))
        if missing is None:
            return
        drop(self._connection, "trigger", trigger.name)
        if missing_table(self._connection, str(table)) is not None:  # an older trigger is to blame
            create(self._connection, "trigger", trigger)
        else:
            self.stranded.append(Stranded(trigger.name, str(table), missing))

    @cached_property
    def _differing(self) -> frozenset[str]:
        """The tables that stay and get other rows."""
        return frozenset(self._emptied | {name for name, found in self._changes.items() if any(True for _ in found)})

    def _drop_indexes(self) -> list[tuple[str, Definition]]:
        """Drop the indexes that differ; return those to make once the rows are there, each with its table."""
        missing: list[tuple[str, Definition]] = []
        fresh = {table.name for table in self._fresh}
        for table in self._target.tables:
            old: Sequence[Definition] = () if table.name in fresh else self._old.by_name[table.name].indexes
            keep = first_difference(old, table.indexes)
            for index in old[keep:]:
                drop(self._connection, "index", index.name)
            missing.extend((table.name, index) for index in table.indexes[keep:])
        return missing

    def _write_rows(self) -> None:
        tables = {table.name: table for table in self._target.tables}
        for name, found in self._changes.items():
            if name in self._emptied:
                RowWriter(self._connection, TableSQL(tables[name])).clear()
            elif name in self._waiting:
                if not self._waiting[name].write():
                    writer = RowWriter(self._connection, TableSQL(tables[name]))
                    writer.insert((key, new) for key, _, new in found if new is not None)
            elif name != SEQUENCE.name:
                writer = RowWriter(self._connection, TableSQL(tables[name]))
                # All old rows go first: a unique value that moves from row to row must be free when it comes.
                old_rows = ((key, old) for key, old, _ in found if old is not None)
                writer.delete(old_rows, undisturbed=self._undisturbed)
                writer.insert((key, new) for key, _, new in found if new is not None)
        for table in self._fresh:
            writer = RowWriter(self._connection, TableSQL(table))
            if table.name in self._owners:  # a side table, which the virtual table has made and filled
                writer.clear()
            if table.kind is not KeyKind.VIRTUAL:
                writer.insert(self._rows(table.name))

    def _counters(self) -> dict[bytes, bytes]:
        """Return the rows that the table of AUTOINCREMENT counters must hold in the end."""
        counters = dict(self._reader.rows(SEQUENCE.name))
        for key, _, new in self._changes.get(SEQUENCE.name, ()):
            if new is None:
                counters.pop(key, None)
            else:
                counters[key] = new
        return counters

    def _write_counters(self, counters: dict[bytes, bytes]) -> None:
        present = dict(self._reader.rows(SEQUENCE.name))
        if present == counters:
            return
        writer = RowWriter(self._connection, self._reader.statements(SEQUENCE.name))
        writer.delete((key, row) for key, row in present.items() if row != counters.get(key))
        writer.insert((key, row) for key, row in sorted(counters.items()) if present.get(key) != row)

    def _require_orders(self, tables: Iterable[str]) -> None:
        """Make sure that no row of these tables is, or has been, written into an index of an unknown order.

        Raises:
            UnknownOrder: there is such an index.
        """
        for table, collation in unordered(self._connection, set(tables)).items():
            raise UnknownOrder(table, collation)

    def _require_silence(self, tables: Iterable[str]) -> None:
        """Make sure that no trigger is left that fires when rows of these tables are written.

        Raises:
            InvalidData: there is such a trigger.
        """
        names = {fold(table) for table in tables}
        query = "SELECT name, tbl_name FROM main.sqlite_master WHERE type = 'trigger'"
        for trigger, table in self._connection.execute(query):
            if fold(table) in names:
                raise InvalidData(f"@{table}: the trigger {trigger} would fire while rows are restored")

    def _verify(self, counters: dict[bytes, bytes], allowed: frozenset[Fault] | None) -> None:
        found = self._reader.schema()
        left_out = {stranded.trigger for stranded in self.stranded}
        triggers = tuple(trigger for trigger in self._target.triggers if trigger.name not in left_out)
        target = replace(self._target, triggers=triggers) if left_out else self._target
        if found != target:
            raise UnsupportedSchema(_differing(found, target), "its definition does not come back as it was")
        if dict(self._reader.rows(SEQUENCE.name)) != counters:
            raise InvalidData(f"@{SEQUENCE.name}: the counters do not come back as they were")
        for name, changes in self._changes.items():
            writer = RowWriter(self._connection, self._reader.statements(name))
            if name in self._emptied:
                writer.verify_all(())
            elif name in self._waiting and self._waiting[name].is_there():
                continue
            elif name != SEQUENCE.name:
                writer.verify((key, new) for key, _, new in changes)
        for table in self._fresh:
            if table.kind is not KeyKind.VIRTUAL:
                writer = RowWriter(self._connection, self._reader.statements(table.name))
                writer.verify_all(self._rows(table.name))
        if allowed is not None:
            for fault in sorted(self._reader.faults() - allowed, key=lambda fault: (fault.table, fault.key)):
                label = f"@{fault.table}/{show_key(fault.key) if fault.key else '*'}"
                raise ConstraintBroken(label, f"FOREIGN KEY: no such row in {quote_identifier(fault.parent)}")


def _same_rows(new: TableInfo, old: TableInfo | None) -> bool:
    """Return whether a table can stay: everything but the indexes is equal."""
    return old is not None and (new.sql, new.columns, new.key, new.kind, new.without_rowid) == (
        old.sql,
        old.columns,
        old.key,
        old.kind,
        old.without_rowid,
    )


def _again(changes: Iterable[Change]) -> Iterable[Change]:
    """Return the changes as an iterable that can be read more than once."""
    return changes if iter(changes) is not changes else list(changes)


def _differing(found: Schema, wanted: Schema) -> str:
    """Return the name of the first definition in which two schemas differ."""
    pairs = [
        ({table.name: table for table in found.tables}, {table.name: table for table in wanted.tables}),
        ({view.name: view for view in found.views}, {view.name: view for view in wanted.views}),
        ({trigger.name: trigger for trigger in found.triggers}, {trigger.name: trigger for trigger in wanted.triggers}),
    ]
    for here, there in pairs:
        for name in sorted(here.keys() | there.keys()):  # type: ignore[attr-defined]
            if here.get(name) != there.get(name):  # type: ignore[attr-defined]
                return str(name)
    return "schema"
