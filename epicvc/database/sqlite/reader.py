"""The reader of one transaction of a SQLite database."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from itertools import chain
from typing import TYPE_CHECKING

from epicvc.database.backend import BrokenCheck, Fault, Intruder, Reference, Row, Stranded, targets
from epicvc.database.rowcodec import SQLValue, decode_key, encode_integer_key
from epicvc.database.sqlite.failures import translated
from epicvc.database.sqlite.foreign import find_faults, missing_parents, references_of
from epicvc.database.sqlite.ownstate import STATE_TABLE, intruders
from epicvc.database.sqlite.pages.marking import HeldFile
from epicvc.database.sqlite.rows import is_decoding_error, read_row, read_rows, read_rows_between
from epicvc.database.sqlite.schema.collations import stand_in, unordered
from epicvc.database.sqlite.schema.columns import catalogue, columns_of, unique_in_part_of, unique_keys_of
from epicvc.database.sqlite.schema.definitions import create
from epicvc.database.sqlite.schema.schema import (
    SEQUENCE,
    Catalogue,
    captured_schema,
    ignored_searches,
    left_out_tables,
    root_pages,
    schema_stamp,
)
from epicvc.database.sqlite.schema.virtual import Virtual, disagreeing
from epicvc.database.sqlite.statements import TableSQL
from epicvc.database.tables import CatalogueEntry, ColumnInfo, Definition, KeyKind, Schema, TableInfo
from epicvc.errors import InvalidData, NotFound

if TYPE_CHECKING:
    from epicvc.database.shortcuts import ChangedKeys
    from epicvc.database.sqlite.pages.btree import Root
    from epicvc.database.sqlite.pages.marks import PageChanges


class SQLiteReader:
    """A :class:`~epicvc.database.backend.Reader` for SQLite.

    Args:
        connection: a connection inside a transaction.
        display: the database's name in messages.
        timeout: seconds that were waited for a lock; for messages.
        ignore: tables that are not captured.
        version: returns the value for :meth:`version`; called once, when it is first asked for.
        held: the file, where the transaction still holds it.
    """

    _writable = False

    def __init__(
        self,
        connection: sqlite3.Connection,
        display: str,
        timeout: float,
        ignore: frozenset[str],
        version: Callable[[], object],
        held: HeldFile | None = None,
    ) -> None:
        self._connection = connection
        self._display = display
        self._timeout = timeout
        self._ignore = ignore
        self._ask_version = version
        self._version: object = None
        self._held = held
        self._exactly: frozenset[str] | None = None
        """The full-text indexes over tables that differ from their tables; ``None`` until that is found out, once."""
        self._seen: tuple[tuple[int, ...], Schema, dict[str, TableSQL]] | None = None

    def schema(self) -> Schema:
        """Return every captured definition."""
        return self._captured()[0]

    def left_out(self) -> Mapping[str, str]:
        """Return the tables and views that are not captured, each with the reason."""
        with translated(self._display, self._timeout):
            return Catalogue.read(self._connection, self._ignore).left_out

    def require_restorable(self) -> Sequence[Stranded]:
        """Restore the captured schema into an empty database in memory."""
        from epicvc.database.sqlite.restore.rehearsal import rehearse  # only a new schema has to be tried

        return rehearse(self.schema(), self._display)

    def tables(self) -> Sequence[TableInfo]:
        """Return the captured tables, SQLite's own table of AUTOINCREMENT counters last."""
        return [*self.schema().tables, SEQUENCE]

    def _has_rows(self, sql: TableSQL) -> bool:
        """Return whether rows can be read: the table is not virtual, and it exists."""
        if sql.table.kind is KeyKind.VIRTUAL:
            return False
        return sql.table.name != SEQUENCE.name or self._exists(SEQUENCE.name)

    def rows(self, table: str) -> Iterator[tuple[bytes, bytes]]:
        """Stream every row as (key, row), in the order of the keys' bytes."""
        sql = self.statements(table)
        if not self._has_rows(sql):
            return
        with translated(self._display, self._timeout):
            yield from read_rows(self._connection, sql)

    def rows_between(self, table: str, first: bytes, last: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Stream the rows whose keys lie in a range, both ends included."""
        sql = self.statements(table)
        with translated(self._display, self._timeout):
            yield from read_rows_between(self._connection, sql, decode_key(first), decode_key(last))

    def row(self, table: str, key: bytes) -> bytes | None:
        """Return one row, or ``None`` when no row has this key."""
        sql = self.statements(table)
        if not self._has_rows(sql):
            return None
        with translated(self._display, self._timeout):
            return read_row(self._connection, sql, key)

    def count(self, table: str) -> int:
        """Count the rows of a table."""
        sql = self.statements(table)
        if not self._has_rows(sql):
            return 0
        with translated(self._display, self._timeout):
            found = self._connection.execute(f"SELECT count(*) FROM {sql.name}{sql.only}", sql.skip).fetchone()
        return int(found[0])

    def columns(self, table: str) -> Sequence[ColumnInfo]:
        """Return the columns of any table; empty where there is no such table."""
        with translated(self._display, self._timeout):
            return columns_of(self._connection, table)

    def definitions(self) -> Sequence[CatalogueEntry]:
        """Return every definition but SQLite's and epicvc's own."""
        with translated(self._display, self._timeout):
            return catalogue(self._connection)

    def intruders(self) -> Sequence[Intruder]:
        """Return the objects that hang on a table of epicvc's own or take its place."""
        with translated(self._display, self._timeout):
            return list(intruders(self._connection))

    def missing_parents(self) -> frozenset[tuple[str, str]]:
        """Return the tables whose foreign keys refer to a missing table, each with that table's name."""
        with translated(self._display, self._timeout):
            return missing_parents(self._connection)

    def columns_by(self, definition: TableInfo) -> Sequence[ColumnInfo]:
        """Return the columns of a table with this definition, by making it in memory."""
        with closing(sqlite3.connect(":memory:")) as scratch:
            create(scratch, "table", Definition(definition.name, definition.sql))
            return columns_of(scratch, definition.name)

    def unique_keys(self, table: str) -> frozenset[tuple[str, ...]]:
        """Return the sets of columns that are unique together."""
        with translated(self._display, self._timeout):
            return unique_keys_of(self._connection, table)

    def unique_in_part(self, table: str) -> frozenset[tuple[str | None, ...]]:
        """Return the column sets of partial unique indexes and of those with an expression."""
        with translated(self._display, self._timeout):
            return unique_in_part_of(self._connection, table)

    def unordered(self) -> Mapping[str, str]:
        """Return the tables with an index in an order that only the application knows, each with the collation."""
        with translated(self._display, self._timeout):
            return self._with_stand_ins(unordered(self._connection))

    def _with_stand_ins(self, found: dict[str, str]) -> dict[str, str]:
        """Register the order of bytes for these collations, so that the tables can be read."""
        for collation in set(found.values()):
            stand_in(self._connection, collation)
        return found

    def references(self, table: str) -> Sequence[Reference]:
        """Return the foreign keys that a table declares."""
        with translated(self._display, self._timeout):
            return tuple(references_of(self._connection, table).values())

    def references_by(self, definition: TableInfo) -> Sequence[Reference]:
        """Return the foreign keys that a table with this definition declares."""
        from epicvc.database.sqlite.restore.trials import references_by  # brings the writing modules

        return references_by(definition)

    def parents(
        self,
        child: TableInfo,
        rows: Iterable[tuple[bytes, bytes]],
        reference: Reference,
        parent: TableInfo,
        among: Iterable[tuple[bytes, bytes]] | None = None,
    ) -> Mapping[bytes, bytes]:
        """Find the row that each of some rows refers to, by key."""
        from epicvc.database.sqlite.restore.trials import parents_among, parents_in, referred  # as above

        wanted, columns = referred(child, rows, reference.columns), targets(reference, parent)
        if among is not None:
            return parents_among(wanted, parent, columns, among)
        sql = self.statements(parent.name)
        with translated(self._display, self._timeout):
            return parents_in(self._connection, sql, columns, wanted)

    def broken_checks(self, definition: TableInfo, rows: Iterable[tuple[bytes, bytes]]) -> Iterator[BrokenCheck]:
        """Find the CHECK constraints that rows of a table with this definition break."""
        from epicvc.database.sqlite.checks import broken_checks  # as above

        return broken_checks(definition, rows)

    def faults(self, tables: Collection[str] | None = None) -> frozenset[Fault]:
        """Return the foreign-key violations that exist now, in all tables or in some."""
        known = self._captured()[1]
        with translated(self._display, self._timeout):
            return find_faults(
                self._connection, [sql for name, sql in known.items() if tables is None or name in tables]
            )

    def execute(self, query: str, params: Sequence[SQLValue] = ()) -> Iterator[Row]:
        """Run one statement; its rows are streamed."""
        with translated(self._display, self._timeout):
            cursor = self._connection.execute(query, params)
        return self._stream(cursor)

    def _stream(self, cursor: sqlite3.Cursor) -> Iterator[Row]:
        with translated(self._display, self._timeout):
            try:
                # chain: `yield from` a cursor itself would close it with this generator, maybe after its connection
                yield from chain(cursor)
            except sqlite3.OperationalError as error:
                if not is_decoding_error(error):
                    raise
                raise InvalidData(f"{self._display}: text that is no UTF-8: {str(error)!a}") from error

    def state(self, repo_id: str) -> tuple[str, str] | None:
        """Return the last (operation id, snapshot id) that the repo committed here."""
        if not self._exists(STATE_TABLE):
            return None
        query = f"SELECT operation_id, snapshot FROM main.{STATE_TABLE} WHERE repo_id = ?"
        found = next(self.execute(query, [repo_id]), None)
        return None if found is None else (str(found[0]), str(found[1]))

    def version(self) -> object:
        """Return a value that stays equal as long as nobody changes the database."""
        if self._version is None:
            with translated(self._display, self._timeout):
                self._version = self._ask_version()
        return self._version

    @contextmanager
    def marking(self) -> Iterator[Callable[[], bytes | None]]:
        """Note the state that a later transaction is compared with."""
        if self._held is None:
            yield lambda: None
            return
        with self._held.marking(self._roots()) as wait:
            yield wait

    @contextmanager
    def comparing(self, mark: bytes) -> Iterator[Callable[[], ChangedKeys | None]]:
        """Find out which rows may have changed since a transaction made a mark."""
        if self._held is None:
            yield lambda: None
            return
        with self._held.comparing(self._roots(), mark) as wait:
            yield lambda: _by_key(wait())

    def _roots(self) -> dict[str, Root]:
        """Return the roots of the captured tables' trees, without tables that have no row numbers."""
        from epicvc.database.sqlite.pages.btree import Root

        captured = self._captured()[1]
        with translated(self._display, self._timeout):
            pages = root_pages(self._connection)
        return {
            name: Root(pages[name], sql.stamp, numbered=sql.table.kind is not KeyKind.PRIMARY)
            for name, sql in captured.items()
            if name in pages and not sql.table.without_rowid
        }

    def _exists(self, table: str) -> bool:
        query = "SELECT EXISTS (SELECT 1 FROM main.sqlite_master WHERE type = 'table' AND name = ?)"
        return next(self.execute(query, [table]))[0] == 1

    def statements(self, table: str) -> TableSQL:
        """Return the statements of a captured table.

        Raises:
            NotFound: there is no such table.
        """
        found = self._captured()[1].get(table)
        if found is None:
            raise NotFound(f"{self._display} has no captured table {table}")
        return found

    def _disagreeing(self) -> frozenset[str]:
        """Return the indexes that are captured as they are, since making them again would give another content."""
        if self._exactly is None:
            found = Catalogue.read(self._connection, self._ignore).virtual.values()
            indexes = [index for index in found if index.is_over_a_table and not index.is_bare]
            self._exactly = disagreeing(self._connection, indexes, writable=self._writable)
        return self._exactly

    def capture_exactly(self, indexes: frozenset[str]) -> None:
        """Capture these indexes over tables, and no others, as they are from now on."""
        self._exactly, self._seen = indexes, None

    def ignored_searches(self) -> list[Virtual]:
        """Return the full-text indexes over tables that are ignored."""
        return ignored_searches(self._connection, self._ignore)

    def _captured(self) -> tuple[Schema, dict[str, TableSQL]]:
        """Return the schema and the statements made from it; read both again when a definition has changed."""
        with translated(self._display, self._timeout):
            stamp = schema_stamp(self._connection)
            if self._seen is None or self._seen[0] != stamp:
                schema = captured_schema(self._connection, self._ignore, self._disagreeing())
                skip = tuple(sorted(left_out_tables(self._connection, self._ignore)))
                unknown = self.unordered()
                statements = {t.name: TableSQL(t, unordered=t.name in unknown) for t in schema.tables}
                statements[SEQUENCE.name] = TableSQL(SEQUENCE, skip)
                self._seen = stamp, schema, statements
        return self._seen[1], self._seen[2]


def _by_key(found: PageChanges | None) -> ChangedKeys | None:
    if found is None:
        return None
    from epicvc.database.shortcuts import ChangedKeys  # only where a mark was found

    tables = {
        table: [(encode_integer_key(first), encode_integer_key(last)) for first, last in ranges]
        for table, ranges in found.tables.items()
    }
    return ChangedKeys(tables, worn=found.worn)
