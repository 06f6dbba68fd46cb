"""What the tests of the database side share."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from epicvc.database.backend import Backend, Change, Writer
from epicvc.database.shortcuts import Ahead
from epicvc.database.sqlite.backend import SQLiteBackend
from epicvc.database.tables import Schema, TableInfo


@dataclass(frozen=True)
class Capture:
    """Everything that a backend gives of a database."""

    schema: Schema
    rows: Mapping[str, Mapping[bytes, bytes]]

    def source(self, table: str) -> Iterator[tuple[bytes, bytes]]:
        return iter(self.rows[table].items())


def capture(backend: Backend) -> Capture:
    with backend.read() as reader:
        return Capture(reader.schema(), {table.name: dict(reader.rows(table.name)) for table in reader.tables()})


def changes(old: Capture, new: Capture) -> dict[str, list[Change]]:
    """The differences that lead from one to the other, tables that only the new one has left out."""
    found = {}
    for table in old.rows:
        here, there = old.rows[table], new.rows.get(table, {})
        keys = sorted(key for key in here.keys() | there.keys() if here.get(key) != there.get(key))
        found[table] = [(key, here.get(key), there.get(key)) for key in keys]
    return found


def touched_keys(writer: Writer) -> dict[str, set[bytes] | None]:
    """The keys of the rows that a transaction touched, per table."""
    found: dict[str, set[bytes] | None] = {}
    for table, touched in writer.touched().items():
        added = writer.rows_between(table, *touched.added) if touched is not None and touched.added else ()
        found[table] = None if touched is None else {*touched.keys, *(key for key, _ in added)}
    return found


def restore(backend: Backend, target: Capture, *, undisturbed: bool = False, waiting: Path | None = None) -> None:
    """Restore, the rows of tables that stay having waited in a file before the lock is taken, if one is given."""
    now = capture(backend)
    difference = changes(now, target)
    if waiting is None:
        transaction = backend.write(as_restore=True)
    else:
        assert backend.shortcuts is not None
        transaction = backend.shortcuts.write(as_restore=True, ahead=Ahead(kept(now, target), waiting))
    with transaction as writer:
        writer.restore(target.schema, difference, target.source, undisturbed=undisturbed or waiting is not None)
        writer.commit()


def kept(old: Capture, new: Capture) -> dict[str, tuple[TableInfo, list[Change]]]:
    """The differing rows of tables that stay as they are defined."""
    tables, found = old.schema.by_name, changes(old, new)
    return {table.name: (table, found[table.name]) for table in new.schema.tables if tables.get(table.name) == table}


def sqlite_backend(path: Path, script: str = "", **options: object) -> SQLiteBackend:
    """A backend for a new file in which ``script`` has been run by the application."""
    run_script(path, script)
    return SQLiteBackend(path, **options)  # type: ignore[arg-type]


def run_script(path: Path, script: str) -> None:
    connection = sqlite3.connect(path)
    try:
        connection.execute("PRAGMA synchronous=OFF")  # no test here pulls the plug
        connection.executescript(script)
    finally:
        connection.close()


def dump(path: Path) -> list[str]:
    """What a database consists of, sorted: definitions, and rows with invalid text included.

    Not :meth:`sqlite3.Connection.iterdump`, which from Python 3.13 on refuses a schema with a broken foreign key.
    """
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    connection.text_factory = lambda data: data.decode(errors="surrogateescape")
    try:
        found = connection.execute("SELECT type, name, sql FROM sqlite_master").fetchall()
        lines = [f"{kind} {name}: {sql}" for kind, name, sql in found]
        for name in (name for kind, name, _ in found if kind == "table"):
            quoted = '"' + name.replace('"', '""') + '"'
            columns = [column for _, column, *_ in connection.execute(f"PRAGMA table_info({quoted})")]
            values = ", ".join('quote("' + column.replace('"', '""') + '")' for column in columns)
            lines += [f"{name}: {row}" for row in connection.execute(f"SELECT {values} FROM {quoted}")]
        return sorted(lines)
    finally:
        connection.close()
