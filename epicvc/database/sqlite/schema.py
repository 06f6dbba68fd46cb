"""Reading the schema of a SQLite database, and refusing what could not be restored exactly."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from functools import cache
from typing import Final

from msgspec import Struct

from epicvc.database.quoting import quote_identifier
from epicvc.database.sqlite.definitions import PREFIX
from epicvc.database.tables import Definition, KeyKind, Schema, TableInfo
from epicvc.errors import InvalidData, UnsupportedSchema

SEQUENCE: Final = TableInfo("sqlite_sequence", "", ("name", "seq"), ("name",), KeyKind.PRIMARY)
OWN_PREFIX: Final = "_epicvc_"
ROWID_NAMES: Final = ("rowid", "_rowid_", "oid")

_STORED_AS_COLUMN: Final = 0  # `hidden` of table_xinfo: 1 is a virtual table's, 2 and 3 are generated
_ROWID_COLUMN: Final = -1  # `cid` of the row number among the columns of an index
# Side tables of the virtual tables that SQLite comes with. They go with their virtual table.
_SHADOWS: Final = (
    *("config", "content", "data", "docsize", "idx", "segdir", "segments", "stat"),  # full-text search
    *("node", "parent", "rowid"),  # R*Tree
)


class _Entry(Struct, frozen=True):
    """One row of ``sqlite_master``."""

    kind: str
    name: str
    table: str
    rootpage: int
    sql: str | None


@cache
def fold(name: str) -> str:
    """The name as SQLite compares it: ASCII letters without case."""
    if name.isascii():
        return name.lower()
    return "".join(char.lower() if char.isascii() else char for char in name)


def rowid_name(table: TableInfo) -> str | None:
    """A quoted name for the row number that no column takes, or ``None``."""
    taken = {fold(column) for column in table.columns}
    free = None if table.without_rowid else next((name for name in ROWID_NAMES if name not in taken), None)
    return free and quote_identifier(free)


def captured_schema(connection: sqlite3.Connection, ignore: frozenset[str]) -> Schema:
    """Every definition but those of ``ignore``, of SQLite's statistics and of epicvc itself.

    Raises:
        UnsupportedSchema: something cannot be captured exactly.
        InvalidData: the text encoding is none that can be captured exactly.
    """
    encoding = _pragma(connection, "encoding")
    if encoding != "UTF-8":
        raise InvalidData(
            f"text encoding {encoding} cannot be captured exactly",
            hint="dump the database and load it into a new one, which is in UTF-8",
        )
    entries = captured_entries(connection, ignore)
    indexes: dict[str, list[Definition]] = {}
    for entry in entries:
        if entry.kind == "index" and entry.sql is not None:  # those of constraints have no text of their own
            indexes.setdefault(entry.table, []).append(_definition(entry))
    tables = [_table(connection, entry, indexes.get(entry.name, ())) for entry in entries if entry.kind == "table"]
    return Schema(
        tables=tuple(sorted(tables, key=lambda table: table.name)),
        views=tuple(_definition(entry) for entry in entries if entry.kind == "view"),
        triggers=tuple(_definition(entry) for entry in entries if entry.kind == "trigger"),
        user_version=int(str(_pragma(connection, "user_version"))),
        application_id=int(str(_pragma(connection, "application_id"))),
    )


def captured_entries(connection: sqlite3.Connection, ignore: frozenset[str]) -> list[_Entry]:
    """The rows of ``sqlite_master`` that are captured, in their order."""
    found = connection.execute("SELECT type, name, tbl_name, rootpage, sql FROM main.sqlite_master ORDER BY rowid")
    entries = [_Entry(*row) for row in found]
    left_out = ignored_names(entries, ignore)
    kept = []
    for entry in entries:
        if entry.kind not in PREFIX or not isinstance(entry.name, str) or not isinstance(entry.table, str):
            raise UnsupportedSchema(str(entry.name), f"unknown schema entry {entry.kind!r}")
        own = fold(entry.name).startswith((OWN_PREFIX, "sqlite_stat")) or fold(entry.name) == SEQUENCE.name
        if not own and fold(entry.table) not in left_out and not fold(entry.table).startswith(OWN_PREFIX):
            kept.append(entry)
    return kept


def ignored_names(entries: Iterable[_Entry], ignore: frozenset[str]) -> frozenset[str]:
    """The folded names of the ignored tables, side tables of ignored virtual tables included."""
    ignored = {fold(name) for name in ignore}
    virtual = {fold(entry.name) for entry in entries if _is_virtual(entry) and fold(entry.name) in ignored}
    return frozenset(ignored | {f"{name}_{suffix}" for name in virtual for suffix in _SHADOWS})


def left_out_tables(connection: sqlite3.Connection, ignore: frozenset[str]) -> frozenset[str]:
    """The names, as the catalogue spells them, of tables whose counters are not captured."""
    found = connection.execute("SELECT type, name, tbl_name, rootpage, sql FROM main.sqlite_master")
    entries = [_Entry(*row) for row in found]
    names = ignored_names(entries, ignore)
    return frozenset(
        entry.name
        for entry in entries
        if entry.kind == "table" and (fold(entry.name) in names or fold(entry.name).startswith(OWN_PREFIX))
    )


def _is_virtual(entry: _Entry) -> bool:
    return entry.kind == "table" and (not entry.rootpage or fold(entry.sql or "").startswith("create virtual"))


def _definition(entry: _Entry) -> Definition:
    return Definition(entry.name, _text_of(entry))


def _text_of(entry: _Entry) -> str:
    if not isinstance(entry.sql, str) or not entry.sql.startswith(PREFIX[entry.kind]):
        raise UnsupportedSchema(entry.name, f"its definition is no CREATE {entry.kind.upper()} statement")
    return entry.sql


def _table(connection: sqlite3.Connection, entry: _Entry, indexes: Iterable[Definition]) -> TableInfo:
    if _is_virtual(entry):
        raise UnsupportedSchema(entry.name, "a virtual table cannot be captured")
    sql = _text_of(entry)
    described = connection.execute(f"PRAGMA main.table_xinfo({quote_identifier(entry.name)})").fetchall()
    columns = tuple(row[1] for row in described if row[6] == _STORED_AS_COLUMN)
    key = tuple(row[1] for row in sorted((row for row in described if row[5]), key=lambda row: int(row[5])))
    if not described:
        raise UnsupportedSchema(entry.name, "its definition cannot be read")
    index = _key_index(connection, entry.name)
    if not key:
        kind, without_rowid = KeyKind.ROWID, False
    elif index is None:  # the one case in which a primary key has no index: it is the row number itself
        kind, without_rowid = KeyKind.INTEGER, False
    else:
        kind, without_rowid = KeyKind.PRIMARY, _ROWID_COLUMN not in index
    table = TableInfo(entry.name, sql, columns, key, kind, without_rowid, tuple(indexes))
    if kind is KeyKind.ROWID and rowid_name(table) is None:
        raise UnsupportedSchema(entry.name, "no primary key, and its columns hide the row number")
    return table


def _key_index(connection: sqlite3.Connection, table: str) -> frozenset[int] | None:
    """The column numbers in the index of the primary key; ``None`` when there is no such index."""
    for _, name, _, origin, _ in connection.execute(f"PRAGMA main.index_list({quote_identifier(table)})"):
        if origin == "pk":
            return frozenset(row[1] for row in connection.execute(f"PRAGMA main.index_xinfo({quote_identifier(name)})"))
    return None


def _pragma(connection: sqlite3.Connection, name: str) -> object:
    return connection.execute(f"PRAGMA main.{name}").fetchone()[0]


def schema_version(connection: sqlite3.Connection) -> int:
    """The number that every change of a definition moves."""
    return int(str(_pragma(connection, "schema_version")))


def schema_stamp(connection: sqlite3.Connection) -> tuple[int, int, int]:
    """Changes whenever the captured schema does."""
    names = ("schema_version", "user_version", "application_id")
    version, user, application = (int(str(_pragma(connection, name))) for name in names)
    return version, user, application


def root_pages(connection: sqlite3.Connection) -> dict[str, int]:
    """By table, the page where its tree begins."""
    return dict(connection.execute("SELECT name, rootpage FROM main.sqlite_master WHERE type = 'table'"))
