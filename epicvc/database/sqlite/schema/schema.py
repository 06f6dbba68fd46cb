"""Reads the schema of a SQLite database, and refuses definitions that could not be restored exactly."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from functools import cache
from typing import Final

from msgspec import Struct

from epicvc.database.quoting import quote_identifier
from epicvc.database.sqlite.connection import REPLICATION
from epicvc.database.sqlite.schema.definitions import PREFIX
from epicvc.database.sqlite.schema.virtual import SHADOWS, Virtual, parse
from epicvc.database.tables import Definition, KeyKind, Schema, TableInfo
from epicvc.errors import InvalidData, UnsupportedSchema

SEQUENCE: Final = TableInfo("sqlite_sequence", "", ("name", "seq"), ("name",), KeyKind.PRIMARY)
OWN_PREFIX: Final = "_epicvc_"
ROWID_NAMES: Final = ("rowid", "_rowid_", "oid")

_STORED_AS_COLUMN: Final = 0  # `hidden` of table_xinfo: 1 is a virtual table's, 2 and 3 are generated
_ROWID_COLUMN: Final = -1  # `cid` of the row number among the columns of an index


class _SchemaEntry(Struct, frozen=True):
    """One row of ``sqlite_master``."""

    kind: str
    name: str
    table: str
    rootpage: int
    sql: str | None


@cache
def fold(name: str) -> str:
    """Return a name as SQLite compares it: ASCII letters without case."""
    if name.isascii():
        return name.lower()
    return "".join(char.lower() if char.isascii() else char for char in name)


def rowid_name(table: TableInfo) -> str | None:
    """Return a quoted name for the row number that no column takes, or ``None``."""
    taken = {fold(column) for column in table.columns}
    free = None if table.without_rowid else next((name for name in ROWID_NAMES if name not in taken), None)
    return free and quote_identifier(free)


def captured_schema(
    connection: sqlite3.Connection, ignore: frozenset[str], exactly: frozenset[str] = frozenset()
) -> Schema:
    """Return every definition that is captured.

    Left out are the tables of ``ignore``, virtual tables of unknown modules, SQLite's statistics and epicvc's own
    tables.

    Args:
        connection: the database.
        ignore: tables to leave out.
        exactly: full-text indexes over tables that are captured as they are, and not made again.

    Raises:
        UnsupportedSchema: a definition cannot be captured exactly.
        InvalidData: the text encoding cannot be captured exactly.
    """
    encoding = _pragma(connection, "encoding")
    if encoding != "UTF-8":
        raise InvalidData(
            f"text encoding {encoding} cannot be captured exactly",
            hint="dump the database and load it into a new one, which is in UTF-8",
        )
    catalogue = Catalogue.read(connection, ignore)
    entries = catalogue.captured(exactly)
    indexes: dict[str, list[Definition]] = {}
    for entry in entries:
        if entry.kind == "index" and entry.sql is not None:  # the indexes of constraints have no text of their own
            indexes.setdefault(entry.table, []).append(_definition(entry))
    tables = [
        _virtual(connection, entry, catalogue.virtual[entry.name])
        if entry.name in catalogue.virtual
        else _table(connection, entry, indexes.get(entry.name, ()))
        for entry in entries
        if entry.kind == "table"
    ]
    return Schema(
        tables=tuple(sorted(tables, key=lambda table: table.name)),
        views=tuple(_definition(entry) for entry in entries if entry.kind == "view"),
        triggers=tuple(_definition(entry) for entry in entries if entry.kind == "trigger"),
        user_version=int(str(_pragma(connection, "user_version"))),
        application_id=int(str(_pragma(connection, "application_id"))),
    )


class Catalogue(Struct, frozen=True):
    """The rows of ``sqlite_master``, sorted into captured and left out.

    Attributes:
        entries: all rows, in their order.
        named: folded names of the tables that the caller ignores.
        virtual: the virtual tables that are captured, by name.
        ignored: folded names of the ignored tables, side tables of virtual ones included.
        unknown: folded names of virtual tables whose module is not known or does not work here, and of their side
            tables, with the reason.
    """

    entries: tuple[_SchemaEntry, ...]
    named: frozenset[str]
    virtual: dict[str, Virtual]
    ignored: frozenset[str]
    unknown: dict[str, str]

    @classmethod
    def read(cls, connection: sqlite3.Connection, ignore: frozenset[str]) -> Catalogue:
        """Read the catalogue.

        Raises:
            UnsupportedSchema: it holds an entry that is no definition.
        """
        found = connection.execute("SELECT type, name, tbl_name, rootpage, sql FROM main.sqlite_master ORDER BY rowid")
        entries = tuple(_SchemaEntry(*row) for row in found)
        for entry in entries:
            if entry.kind not in PREFIX or not isinstance(entry.name, str) or not isinstance(entry.table, str):
                raise UnsupportedSchema(str(entry.name), f"unknown schema entry {entry.kind!r}")
        ignored = ignored_names(entries, ignore)
        virtual: dict[str, Virtual] = {}
        unknown: dict[str, str] = {}
        for entry in entries:
            if _is_virtual(entry) and fold(entry.name) not in ignored:
                known = parse(entry.name, entry.sql)
                trouble = _trouble(connection, entry.name) if known else "its module is not known"
                if known is not None and trouble is None:
                    virtual[entry.name] = known
                else:
                    unknown |= dict.fromkeys(_beside(entries, entry.name), str(trouble))
        return cls(entries, frozenset(map(fold, ignore)), virtual, ignored, unknown)

    @property
    def left_out(self) -> dict[str, str]:
        """The tables and views that are not captured, as the catalogue spells them, each with the reason."""
        return {
            entry.name: self.unknown.get(fold(entry.name)) or _why_ignored(entry.name)
            for entry in self.entries
            if entry.kind in {"table", "view"} and fold(entry.name) in self.named | self.unknown.keys()
        }

    def captured(self, exactly: frozenset[str]) -> list[_SchemaEntry]:
        """Return the captured rows, in their order."""
        left_out = self.ignored | self.unknown.keys()
        for virtual in self.virtual.values():
            wanted = virtual.captured(exactly=virtual.is_bare or virtual.name in exactly)
            left_out |= {fold(name) for name in virtual.shadows if name not in wanted}
        kept = []
        for entry in self.entries:
            table = fold(entry.table)
            # An index or trigger on an application's table is captured whatever its name, except a name of epicvc's
            # own.
            own = fold(entry.name).startswith(OWN_PREFIX) or table.startswith((OWN_PREFIX, "sqlite_stat"))
            if not own and table != SEQUENCE.name and table not in left_out:
                kept.append(entry)
        return kept


def _why_ignored(name: str) -> str:
    tool = REPLICATION.get(fold(name))
    return f"{tool} keeps its own count in it" if tool is not None else "ignored"


def ignored_searches(connection: sqlite3.Connection, ignore: frozenset[str]) -> list[Virtual]:
    """Return the full-text indexes over tables that are ignored, if they work here."""
    query = "SELECT name, sql FROM main.sqlite_master WHERE type = 'table' AND sql LIKE 'create virtual%'"
    names = frozenset(map(fold, ignore))
    parsed = [parse(name, sql) for name, sql in connection.execute(query).fetchall() if fold(str(name)) in names]
    return [v for v in parsed if v is not None and v.is_over_a_table and _error(connection, v.name) is None]


def _trouble(connection: sqlite3.Connection, name: str) -> str | None:
    """Return the reason why a virtual table does not work here, or ``None``. Its tokenizer may be the application's.

    Raises:
        UnsupportedSchema: the table is damaged.
    """
    error = _error(connection, name)
    if error is not None and error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_CORRUPT:
        raise UnsupportedSchema(name, f"what it holds is damaged: {error}")
    return None if error is None else str(error)


def _error(connection: sqlite3.Connection, name: str) -> sqlite3.DatabaseError | None:
    """Return SQLite's error when a virtual table is opened, or ``None``."""
    try:
        connection.execute(f"PRAGMA main.table_xinfo({quote_identifier(name)})").fetchall()
    except sqlite3.DatabaseError as error:
        if error.sqlite_errorcode & 0xFF not in {sqlite3.SQLITE_ERROR, sqlite3.SQLITE_CORRUPT}:
            raise
        return error
    return None


def _beside(entries: Iterable[_SchemaEntry], name: str) -> list[str]:
    """Return the folded names of an unknown virtual table and of the tables that, by their names, belong to it."""
    begin = fold(name) + "_"
    return [fold(name), *(fold(e.name) for e in entries if e.kind == "table" and fold(e.name).startswith(begin))]


def ignored_names(entries: Iterable[_SchemaEntry], ignore: frozenset[str]) -> frozenset[str]:
    """Return the folded names of the ignored tables, side tables of ignored virtual tables included."""
    ignored = {fold(name) for name in ignore}
    virtual = {fold(entry.name) for entry in entries if _is_virtual(entry) and fold(entry.name) in ignored}
    endings = {ending for module in SHADOWS.values() for ending in module}
    return frozenset(ignored | {f"{name}_{ending}" for name in virtual for ending in endings})


def left_out_tables(connection: sqlite3.Connection, ignore: frozenset[str]) -> frozenset[str]:
    """Return the names, as the catalogue spells them, of the tables whose counters are not captured."""
    catalogue = Catalogue.read(connection, ignore)
    own = {
        entry.name for entry in catalogue.entries if entry.kind == "table" and fold(entry.name).startswith(OWN_PREFIX)
    }
    return frozenset(own | catalogue.left_out.keys())


def _is_virtual(entry: _SchemaEntry) -> bool:
    return entry.kind == "table" and (not entry.rootpage or fold(entry.sql or "").startswith("create virtual"))


def _definition(entry: _SchemaEntry) -> Definition:
    return Definition(entry.name, _text_of(entry))


def _text_of(entry: _SchemaEntry) -> str:
    if not isinstance(entry.sql, str) or not entry.sql.startswith(PREFIX[entry.kind]):
        raise UnsupportedSchema(entry.name, f"its definition is no CREATE {entry.kind.upper()} statement")
    return entry.sql


def _table(connection: sqlite3.Connection, entry: _SchemaEntry, indexes: Iterable[Definition]) -> TableInfo:
    sql = _text_of(entry)
    described = connection.execute(f"PRAGMA main.table_xinfo({quote_identifier(entry.name)})").fetchall()
    columns = tuple(row[1] for row in described if row[6] == _STORED_AS_COLUMN)
    key = tuple(row[1] for row in sorted((row for row in described if row[5]), key=lambda row: int(row[5])))
    if not described:
        raise UnsupportedSchema(entry.name, "its definition cannot be read")
    index = _key_index(connection, entry.name)
    if not key:
        kind, without_rowid = KeyKind.ROWID, False
    elif index is None:  # only a primary key that is the row number itself has no index
        kind, without_rowid = KeyKind.INTEGER, False
    else:
        kind, without_rowid = KeyKind.PRIMARY, _ROWID_COLUMN not in index
    table = TableInfo(entry.name, sql, columns, key=key, kind=kind, without_rowid=without_rowid, indexes=tuple(indexes))
    if kind is KeyKind.ROWID and rowid_name(table) is None:
        raise UnsupportedSchema(entry.name, "no primary key, and its columns hide the row number")
    return table


def _virtual(connection: sqlite3.Connection, entry: _SchemaEntry, virtual: Virtual) -> TableInfo:
    sql = str(entry.sql)
    if not virtual.is_tree:
        return TableInfo(entry.name, sql, (), (), KeyKind.VIRTUAL)
    described = connection.execute(f"PRAGMA main.table_xinfo({quote_identifier(entry.name)})").fetchall()
    columns = tuple(row[1] for row in described if row[6] == _STORED_AS_COLUMN)
    # the first column of an R*Tree numbers its rows
    return TableInfo(entry.name, sql, columns, columns[:1], KeyKind.INTEGER)


def _key_index(connection: sqlite3.Connection, table: str) -> frozenset[int] | None:
    """Return the column numbers in the index of the primary key; ``None`` when there is no such index."""
    for _, name, _, origin, _ in connection.execute(f"PRAGMA main.index_list({quote_identifier(table)})"):
        if origin == "pk":
            return frozenset(row[1] for row in connection.execute(f"PRAGMA main.index_xinfo({quote_identifier(name)})"))
    return None


def _pragma(connection: sqlite3.Connection, name: str) -> object:
    return connection.execute(f"PRAGMA main.{name}").fetchone()[0]


def schema_version(connection: sqlite3.Connection) -> int:
    """Return the number that every change of a definition moves."""
    return int(str(_pragma(connection, "schema_version")))


def schema_stamp(connection: sqlite3.Connection) -> tuple[int, int, int]:
    """Return a value that moves whenever the captured schema changes."""
    names = ("schema_version", "user_version", "application_id")
    version, user, application = (int(str(_pragma(connection, name))) for name in names)
    return version, user, application


def root_pages(connection: sqlite3.Connection) -> dict[str, int]:
    """Return the first page of each table's tree; virtual tables have none."""
    query = "SELECT name, rootpage FROM main.sqlite_master WHERE type = 'table' AND rootpage > 0"
    return dict(connection.execute(query))
