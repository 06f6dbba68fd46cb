"""Both sides as cells, by the test's own reading of files and rows.

A cell is named by what it is of, not by where it is: the row's key, the task's id, the column's name at the merge base.
So that a task that moved, a column with another name and a row with another surrogate key are still the same.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Cell = tuple[Any, ...]
Names = dict[tuple[str, str], str]
"""Kind and name of what was given another name, to the name that it had."""

TOUCHED = frozenset({"updated_at", "created_at", "completed_at", "task_sequence"})
"""Columns with rules of their own: when something was written, and the order of tasks."""

EPICS, TASKS, LINKS = "framework_epics", "framework_tasks", "task_dependencies"
SHADOWS = ("_data", "_idx", "_content", "_docsize", "_config")


@dataclass
class Table:
    """A table: its columns with their defaults, and its rows by key and column."""

    columns: dict[str, Any] = field(default_factory=dict)
    rows: dict[Cell, dict[str, Any]] = field(default_factory=dict)


@dataclass(frozen=True)
class Copy:
    """Both sides at one time, to be read more than once: the files' bytes and the database's."""

    files: tuple[bytes, ...]
    database: bytes


@dataclass
class Seen:
    """A state of both sides.

    Attributes:
        cells: those of files, by the id of the epic or task and the path.
        tables: the tables, by their name.
        schema: the definitions, by kind and name.
        faults: what SQLite's own checks find.
        copy: what it was read from; none where it was put together.
    """

    cells: dict[Cell, Any]
    tables: dict[str, Table]
    schema: dict[tuple[str, str], str]
    faults: set[str]
    copy: Copy | None = None

    def under(self, names: Names) -> Seen:
        """The same state, read under other names."""
        assert self.copy is not None
        with closing(sqlite3.connect(":memory:", isolation_level=None)) as database:
            database.deserialize(self.copy.database)
            tables = _tables(database, names)
        return Seen(file_cells(self.copy.files, names), tables, self.schema, self.faults, self.copy)


def see(root: Path, names: Names) -> Seen:
    """The state of both sides now."""
    files = tuple(path.read_bytes() for path in sorted((root / "epics").rglob("*.json")))
    with closing(sqlite3.connect(root / "framework.db", isolation_level=None)) as database:
        tables, schema, copy = _tables(database, names), _schema(database), Copy(files, database.serialize())
        return Seen(file_cells(files, names), tables, schema, _faults(database), copy)


# Files


def file_cells(files: Iterable[bytes], names: Names) -> dict[Cell, Any]:
    """Every value in the files."""
    cells: dict[Cell, Any] = {}
    for data in files:
        whole = json.loads(data)
        body = dict(whole.pop("epic"))
        epic = str(body["id"])
        known = names.get(("epic", epic), epic)
        tasks = body.pop("tasks", None) or []
        cells.update((("epic", known, *at), value) for at, value in flat(body))
        cells.update((("epic", known, "@", *at), value) for at, value in flat(whole))
        for task in tasks:
            key = names.get(("task", task["id"]), task["id"])
            cells.update((("task", key, *at), value) for at, value in flat(task))
            if isinstance(needs := cells.get(("task", key, "dependencies")), tuple):
                # A task that is given another id takes its dependants along.
                cells["task", key, "dependencies"] = tuple(names.get(("task", str(need)), need) for need in needs)
            cells["task", key, "in"] = known
    return cells


def flat(value: Any, at: Cell = ()) -> Iterator[tuple[Cell, Any]]:
    if isinstance(value, dict) and value:
        for name, inner in value.items():
            yield from flat(inner, (*at, name))
    elif isinstance(value, list) and value and all(isinstance(item, dict) and "id" in item for item in value):
        for item in value:
            yield from flat(item, (*at, str(item["id"])))
    elif value is not None:
        yield at, tuple(value) if isinstance(value, list) else str(value) if isinstance(value, dict) else value


# Rows


def _tables(database: sqlite3.Connection, names: Names) -> dict[str, Table]:
    ids = {
        TASKS: {key: ("task", names.get(("task", name), name)) for key, name in _pairs(database, TASKS, "task_key")},
        EPICS: {key: ("epic", names.get(("epic", name), name)) for key, name in _pairs(database, EPICS, "epic_key")},
    }
    virtual = _virtual(database)
    found = {}
    for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
        own = any(name == f"{table}{end}" for table in virtual for end in SHADOWS)
        if own or name.startswith(("_epicvc_", "sqlite_")) or "content=" in virtual.get(name, ""):
            continue
        found[name] = _table(database, name, names, ids)
    return found


def _pairs(database: sqlite3.Connection, table: str, column: str) -> list[tuple[int, str]]:
    return database.execute(f"SELECT id, {column} FROM {table}").fetchall()


def _virtual(database: sqlite3.Connection) -> dict[str, str]:
    return dict(database.execute("SELECT name, sql FROM sqlite_master WHERE sql LIKE 'CREATE VIRTUAL%'"))


def _table(database: sqlite3.Connection, name: str, names: Names, ids: dict[str, dict[int, Cell]]) -> Table:
    said = database.execute(f"PRAGMA table_xinfo({name})").fetchall()
    plain = [(column, default, key) for _, column, _, _, default, key, hidden in said if hidden == 0]
    follow = {}
    for row in database.execute(f"PRAGMA foreign_key_list({name})"):
        if row[2].lower() in ids and (row[4] is None or row[4].lower() == "id"):
            follow[row[3].lower()] = ids[row[2].lower()]
    known = [names.get(("column", f"{name}.{column}"), column) for column, _, _ in plain]
    table = Table({column: default for column, (_, default, _) in zip(known, plain, strict=True)})
    places = sorted((key, at) for at, (_, _, key) in enumerate(plain) if key)
    chosen = ", ".join(f'"{column}"' for column, _, _ in plain)
    extra = "" if places else "rowid, "
    for row in database.execute(f"SELECT {extra}{chosen} FROM {name}"):
        values = list(row if places else row[1:])
        for at, (column, _, _) in enumerate(plain):
            with suppress(KeyError):
                values[at] = follow[column.lower()][values[at]]
        cells = dict(zip(known, values, strict=True))
        if name in ids:
            key = ids[name][cells.pop("id")][1:]
            cells = dict(_parsed(cells)) | {"deleted_at": bool(cells["deleted_at"])}
        elif name == LINKS:
            cells.pop("id", None)
            needed = cells["depends_on_task_key"]
            cells["depends_on_task_key"] = needed = names.get(("task", needed), needed)
            key = (cells["task_id"], needed)
        else:
            key = tuple(values[at] for _, at in places) if places else row[:1]
        table.rows[key] = cells
    return table


def _parsed(cells: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Lists and objects that are text in a column, as what they say."""
    for name, value in cells.items():
        if isinstance(value, str) and value[:1] in ("[", "{", '"'):
            yield from (("/".join((name, *at)), inner) for at, inner in flat(json.loads(value)))
        else:
            yield name, value


def _schema(database: sqlite3.Connection) -> dict[tuple[str, str], str]:
    virtual = _virtual(database)
    return {
        (kind, name): " ".join(sql.split())
        for kind, name, sql in database.execute("SELECT type, name, sql FROM sqlite_master WHERE sql IS NOT NULL")
        if not name.startswith(("_epicvc_", "sqlite_"))
        and not any(name == f"{table}{end}" for table in virtual for end in SHADOWS)
    }


def _faults(database: sqlite3.Connection) -> set[str]:
    found = {text for (text,) in database.execute("PRAGMA integrity_check")} - {"ok"}
    found |= {f"no parent: {row}" for row in database.execute("PRAGMA foreign_key_check")}
    for table, key in ((TASKS, "task_key"), (EPICS, "epic_key")):
        living = f"SELECT {key} FROM {table} WHERE deleted_at IS NULL AND status IS NOT 'deleted'"
        twice = database.execute(f"{living} GROUP BY {key} HAVING count(*) > 1")
        found |= {f"two rows of {table}: {name}" for (name,) in twice}
    for name in _virtual(database):
        database.execute("BEGIN")
        try:
            database.execute(f"INSERT INTO {name}({name}, rank) VALUES ('integrity-check', 1)")
        except sqlite3.Error as error:
            found.add(f"index {name}: {error}")
        finally:
            database.execute("ROLLBACK")
    return found
