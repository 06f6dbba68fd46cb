"""One read transaction of a SQLite database."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from itertools import chain
from typing import TYPE_CHECKING

from epicvc.database.backend import BrokenCheck, ChangedKeys, Fault, Intruder, Reference, Row, Stranded, targets
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
    from epicvc.database.sqlite.pages.btree import Root
    from epicvc.database.sqlite.pages.marks import Changes


class SQLiteReader:
    """A :class:`~epicvc.database.backend.Reader`.

    Args:
        connection: inside a transaction.
        display: how the database is named in messages.
        timeout: seconds that were waited for a lock; for messages.
        ignore: tables that are not captured.
        version: gives what :meth:`version` returns; called once, when it is asked for.
        held: the file, where the transaction holds it still.
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
        """The full-text indexes over tables that say something else than their tables; found out once."""
        self._seen: tuple[tuple[int, ...], Schema, dict[str, TableSQL]] | None = None

    def schema(self) -> Schema:
        """Every captured definition."""
        return self._captured()[0]

    def left_out(self) -> Mapping[str, str]:
        """What is not captured, with the reason."""
        with translated(self._display, self._timeout):
            return Catalogue.read(self._connection, self._ignore).left_out

    def require_restorable(self) -> Sequence[Stranded]:
        """Restore the captured schema into an empty database in memory."""
        from epicvc.database.sqlite.restore.rehearsal import rehearse  # only a schema that is new need be tried

        return rehearse(self.schema(), self._display)

    def tables(self) -> Sequence[TableInfo]:
        """The captured tables, SQLite's own table of AUTOINCREMENT counters last."""
        return [*self.schema().tables, SEQUENCE]

    def _has_rows(self, sql: TableSQL) -> bool:
        """Whether there is anything that rows could be read of."""
        if sql.table.kind is KeyKind.VIRTUAL:
            return False
        return sql.table.name != SEQUENCE.name or self._exists(SEQUENCE.name)

    def rows(self, table: str) -> Iterator[tuple[bytes, bytes]]:
        """Every row as (key, row), in the order of the keys' bytes."""
        sql = self.statements(table)
        if not self._has_rows(sql):
            return
        with translated(self._display, self._timeout):
            yield from read_rows(self._connection, sql)

    def rows_between(self, table: str, first: bytes, last: bytes) -> Iterator[tuple[bytes, bytes]]:
        """The rows of a range of keys that :meth:`comparing` gave."""
        sql = self.statements(table)
        with translated(self._display, self._timeout):
            yield from read_rows_between(self._connection, sql, decode_key(first), decode_key(last))

    def row(self, table: str, key: bytes) -> bytes | None:
        """One row, or ``None``."""
        sql = self.statements(table)
        if not self._has_rows(sql):
            return None
        with translated(self._display, self._timeout):
            return read_row(self._connection, sql, key)

    def count(self, table: str) -> int:
        """How many rows the table has."""
        sql = self.statements(table)
        if not self._has_rows(sql):
            return 0
        with translated(self._display, self._timeout):
            found = self._connection.execute(f"SELECT count(*) FROM {sql.name}{sql.only}", sql.skip).fetchone()
        return int(found[0])

    def columns(self, table: str) -> Sequence[ColumnInfo]:
        """The columns of any table; none where there is no such table."""
        with translated(self._display, self._timeout):
            return columns_of(self._connection, table)

    def definitions(self) -> Sequence[CatalogueEntry]:
        """Everything that is defined but what is SQLite's or epicvc's own."""
        with translated(self._display, self._timeout):
            return catalogue(self._connection)

    def intruders(self) -> Sequence[Intruder]:
        """What hangs on a table of epicvc's own or takes its place."""
        with translated(self._display, self._timeout):
            return list(intruders(self._connection))

    def missing_parents(self) -> frozenset[tuple[str, str]]:
        """Tables whose foreign keys refer to a table that does not exist."""
        with translated(self._display, self._timeout):
            return missing_parents(self._connection)

    def columns_by(self, definition: TableInfo) -> Sequence[ColumnInfo]:
        """The columns that a table of this definition has."""
        with closing(sqlite3.connect(":memory:")) as scratch:
            create(scratch, "table", Definition(definition.name, definition.sql))
            return columns_of(scratch, definition.name)

    def unique_keys(self, table: str) -> frozenset[tuple[str, ...]]:
        """The sets of columns that are unique together."""
        with translated(self._display, self._timeout):
            return unique_keys_of(self._connection, table)

    def unique_in_part(self, table: str) -> frozenset[tuple[str | None, ...]]:
        """What partial indexes and those of expressions keep unique."""
        with translated(self._display, self._timeout):
            return unique_in_part_of(self._connection, table)

    def unordered(self) -> Mapping[str, str]:
        """Tables with an index in an order that only the application knows, each with the collation."""
        with translated(self._display, self._timeout):
            return self._with_stand_ins(unordered(self._connection))

    def _with_stand_ins(self, found: dict[str, str]) -> dict[str, str]:
        """Have these collations as the order of bytes, so that the tables can be read."""
        for collation in set(found.values()):
            stand_in(self._connection, collation)
        return found

    def references(self, table: str) -> Sequence[Reference]:
        """The foreign keys that a table declares."""
        with translated(self._display, self._timeout):
            return tuple(references_of(self._connection, table).values())

    def references_by(self, definition: TableInfo) -> Sequence[Reference]:
        """The foreign keys that a table of this definition declares."""
        from epicvc.database.sqlite.restore.trials import references_by  # with what writes rows

        return references_by(definition)

    def parents(
        self,
        child: TableInfo,
        rows: Iterable[tuple[bytes, bytes]],
        reference: Reference,
        parent: TableInfo,
        among: Iterable[tuple[bytes, bytes]] | None = None,
    ) -> Mapping[bytes, bytes]:
        """The keys of the rows that others refer to, by the keys of those."""
        from epicvc.database.sqlite.restore.trials import parents_among, parents_in, referred  # as above

        wanted, columns = referred(child, rows, reference.columns), targets(reference, parent)
        if among is not None:
            return parents_among(wanted, parent, columns, among)
        sql = self.statements(parent.name)
        with translated(self._display, self._timeout):
            return parents_in(self._connection, sql, columns, wanted)

    def broken_checks(self, definition: TableInfo, rows: Iterable[tuple[bytes, bytes]]) -> Iterator[BrokenCheck]:
        """The CHECK constraints that rows of a table of this definition break."""
        from epicvc.database.sqlite.checks import broken_checks  # as above

        return broken_checks(definition, rows)

    def faults(self, tables: Collection[str] | None = None) -> frozenset[Fault]:
        """The foreign-key violations that are there now, in all tables or in some."""
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
                yield from chain(cursor)  # a cursor itself would be closed here, maybe after its connection
            except sqlite3.OperationalError as error:
                if not is_decoding_error(error):
                    raise
                raise InvalidData(f"{self._display}: text that is no UTF-8: {str(error)!a}") from error

    def state(self, repo_id: str) -> tuple[str, str] | None:
        """The last (operation id, snapshot id) that the repo committed here."""
        if not self._exists(STATE_TABLE):
            return None
        query = f"SELECT operation_id, snapshot FROM main.{STATE_TABLE} WHERE repo_id = ?"
        found = next(self.execute(query, [repo_id]), None)
        return None if found is None else (str(found[0]), str(found[1]))

    def version(self) -> object:
        """A value that stays equal as long as nobody changes the database."""
        if self._version is None:
            with translated(self._display, self._timeout):
                self._version = self._ask_version()
        return self._version

    @contextmanager
    def marking(self) -> Iterator[Callable[[], bytes | None]]:
        """Note what a later transaction needs to tell what has changed since this one."""
        if self._held is None:
            yield lambda: None
            return
        with self._held.marking(self._roots()) as wait:
            yield wait

    @contextmanager
    def comparing(self, mark: bytes) -> Iterator[Callable[[], ChangedKeys | None]]:
        """Find out what may have changed since a transaction made a mark."""
        if self._held is None:
            yield lambda: None
            return
        with self._held.comparing(self._roots(), mark) as wait:
            yield lambda: _by_key(wait())

    def _roots(self) -> dict[str, Root]:
        """Where the trees of captured tables begin, but of those without row numbers."""
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
        """The statements of a captured table.

        Raises:
            NotFound: there is no such table.
        """
        found = self._captured()[1].get(table)
        if found is None:
            raise NotFound(f"{self._display} has no captured table {table}")
        return found

    def _disagreeing(self) -> frozenset[str]:
        """Indexes that are captured as they are, since making them again would give something else."""
        if self._exactly is None:
            found = Catalogue.read(self._connection, self._ignore).virtual.values()
            indexes = [index for index in found if index.is_over_a_table and not index.is_bare]
            self._exactly = disagreeing(self._connection, indexes, writable=self._writable)
        return self._exactly

    def capture_exactly(self, indexes: frozenset[str]) -> None:
        """Have these indexes over tables, and no others, captured as they are from now on."""
        self._exactly, self._seen = indexes, None

    def ignored_searches(self) -> list[Virtual]:
        """The full-text indexes over tables that are ignored."""
        return ignored_searches(self._connection, self._ignore)

    def _captured(self) -> tuple[Schema, dict[str, TableSQL]]:
        """The schema and the statements made from it, read again when a definition has changed."""
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


def _by_key(found: Changes | None) -> ChangedKeys | None:
    if found is None:
        return None
    tables = {
        table: [(encode_integer_key(first), encode_integer_key(last)) for first, last in ranges]
        for table, ranges in found.tables.items()
    }
    return ChangedKeys(tables, worn=found.worn)
