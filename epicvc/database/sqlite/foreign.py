"""Finds foreign-key violations, with the keys of their rows."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from itertools import groupby

from epicvc.database.backend import Fault, Reference
from epicvc.database.quoting import quote_identifier
from epicvc.database.rowcodec import SQLValue, encode_integer_key, raw_text
from epicvc.database.sqlite.statements import TableSQL
from epicvc.database.tables import KeyKind


def find_faults(connection: sqlite3.Connection, tables: Iterable[TableSQL]) -> frozenset[Fault]:
    """Return a fault for every row of ``tables`` whose foreign key finds no parent."""
    return frozenset(fault for sql in tables for fault in _faults_of(connection, sql))


def missing_parents(connection: sqlite3.Connection) -> frozenset[tuple[str, str]]:
    """Return the tables that refer to a table that does not exist, each with the name of the missing one."""
    found = connection.execute(
        """
        SELECT t.name, f."table" FROM main.sqlite_master t, pragma_foreign_key_list(t.name) f
        WHERE t.type = 'table' AND NOT EXISTS
            (SELECT 1 FROM main.sqlite_master p WHERE p.type = 'table' AND p.name = f."table" COLLATE NOCASE)
        """
    )
    return frozenset((str(table), str(parent)) for table, parent in found)


def _faults_of(connection: sqlite3.Connection, sql: TableSQL) -> Iterator[Fault]:
    """Find every row of one table whose foreign key finds no parent."""
    table = sql.table
    if table.kind is KeyKind.VIRTUAL:
        return
    links = references_of(connection, table.name)
    if not links:
        return
    try:
        found = connection.execute(f"PRAGMA main.foreign_key_check({quote_identifier(table.name)})").fetchall()
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode != sqlite3.SQLITE_ERROR:
            raise
        # the parent has no unique key of these columns, so that no row can be checked
        yield Fault(table.name, b"", "", ())
        return
    if table.without_rowid and found:  # SQLite reports these without a row
        for link in {row[3] for row in found}:
            yield from _search(connection, sql, links[link])
        return
    for _, number, parent, link in found:
        yield Fault(table.name, _key(connection, sql, number), parent, links[link].columns)


def references_of(connection: sqlite3.Connection, table: str) -> dict[int, Reference]:
    """Return a table's foreign keys by number."""
    listed = connection.execute(f"PRAGMA main.foreign_key_list({quote_identifier(table)})").fetchall()
    links = {}
    for number, rows in groupby(sorted(listed, key=lambda row: (row[0], row[1])), key=lambda row: int(row[0])):
        columns = list(rows)
        links[number] = Reference(tuple(row[3] for row in columns), columns[0][2], tuple(row[4] for row in columns))
    return links


def _key(connection: sqlite3.Connection, sql: TableSQL, number: int) -> bytes:
    if sql.table.kind is not KeyKind.PRIMARY:
        return encode_integer_key(number)
    if sql.rowid is None:
        return b""
    return next(_keys(connection, sql, f"{sql.rowid} = ?", [number]))


def _keys(connection: sqlite3.Connection, sql: TableSQL, condition: str, values: list[SQLValue]) -> Iterator[bytes]:
    # a key may hold TEXT that is no UTF-8
    connection.text_factory = raw_text
    try:
        rows = connection.execute(f"{sql.select} WHERE {condition}", values).fetchall()
    finally:
        connection.text_factory = str
    return map(sql.key_of, rows)


def _search(connection: sqlite3.Connection, sql: TableSQL, link: Reference) -> Iterator[Fault]:
    """Search for rows without a parent as ``foreign_key_check`` does, but with the keys of the rows."""
    parent, columns, targets = link.parent, link.columns, link.targets
    described = connection.execute(f"PRAGMA main.table_xinfo({quote_identifier(parent)})").fetchall()
    primary = [row[1] for row in sorted((row for row in described if row[5]), key=lambda row: int(row[5]))]
    own = [f"{sql.name}.{quote_identifier(column)}" for column in columns]
    condition = " AND ".join(f"{column} IS NOT NULL" for column in own)
    if described:
        # the alias tells parent and child apart when a table refers to itself
        wanted = [target or primary[at] for at, target in enumerate(targets)]
        # the plus sign makes the value take the affinity of the parent's column, as a reference does
        pairs = [f"p.{quote_identifier(target)} = +{column}" for target, column in zip(wanted, own, strict=True)]
        source = f"main.{quote_identifier(parent)} AS p"
        condition += f" AND NOT EXISTS (SELECT 1 FROM {source} WHERE {' AND '.join(pairs)})"
    for key in _keys(connection, sql, condition, []):
        yield Fault(sql.table.name, key, parent, columns)
