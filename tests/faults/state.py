"""What can be seen of a repo: both sides as an application would read them, and all that is in each commit."""

from __future__ import annotations

import hashlib
import re
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from epicvc.repo.history.objects import get_commit, get_snapshot
from epicvc.store.objects import ObjectType
from epicvc.store.store import Store
from epicvc.store.tree import tree

_TIME = re.compile(r"\d{4}-\d{2}-\d{2}( \d{2}:\d{2}:\d{2})?")


@dataclass(frozen=True)
class Sides:
    """Both sides.

    Attributes:
        files: every file below the files directory.
        databases: every database as SQL, without what epicvc keeps there for itself.
    """

    files: dict[str, bytes]
    databases: dict[str, tuple[str, ...]]

    def masked(self) -> Sides:
        """Without dates and times, which the database's clock writes into a new state."""
        databases = {
            name: tuple(sorted(_TIME.sub("<time>", line) for line in lines)) for name, lines in self.databases.items()
        }
        return Sides(self.files, databases)


@dataclass(frozen=True)
class Commit:
    """All that is in a commit: its parents, its files, and a digest of each table and of the schema."""

    parents: tuple[str, ...]
    files: dict[str, bytes]
    tables: dict[str, str]


def observe(repo: Path) -> Sides:
    """Both sides as somebody else would find them, after whatever SQLite does when it opens a database."""
    files = {
        path.relative_to(repo / "epics").as_posix(): path.read_bytes()
        for path in sorted((repo / "epics").rglob("*"))
        if path.is_file()
    }
    return Sides(files, {path.name: _dump(path) for path in sorted(repo.glob("*.db"))})


def _dump(path: Path) -> tuple[str, ...]:
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=rw", uri=True)) as connection:
        lines = [line for line in connection.iterdump() if "_epicvc_" not in line]
        for name in ("user_version", "application_id", "journal_mode", "integrity_check"):
            lines.append(f"{name} = {connection.execute(f'PRAGMA {name}').fetchall()}")
    return tuple(sorted(lines))


def commits(store: Store, *, of_operations: bool) -> dict[str, Commit]:
    """Every commit that a ref, or also an operation, leads to, read to its last byte."""
    found: dict[str, Commit] = {}
    values = set(store.refs().values())
    if of_operations:
        for operation in store.operations():
            values.update(operation.before.refs.values(), operation.after.refs.values())
    waiting = [value for value in values if len(value) == 64]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found[name] = _read(store, name)
            waiting += found[name].parents
    return found


def _read(store: Store, name: str) -> Commit:
    commit = get_commit(store, bytes.fromhex(name))
    snapshot = get_snapshot(store, commit.snapshot)
    files = {key.decode(): store.get(blob, ObjectType.BLOB) for key, blob in tree.items(store, snapshot.files)}
    tables: dict[str, str] = {}
    if snapshot.database is not None:
        tables[""] = hashlib.sha256(store.get(snapshot.database.schema, ObjectType.SCHEMA)).hexdigest()
        for key, root in tree.items(store, snapshot.database.tables):
            digest = hashlib.sha256()
            for row_key, row in tree.items(store, root):
                value = store.get(row[1:], ObjectType.BLOB) if row[:1] == b"\xc1" else row
                digest.update(b"%d,%d:" % (len(row_key), len(value)) + row_key + value)
            tables[key.decode()] = digest.hexdigest()
    return Commit(tuple(parent.hex() for parent in commit.parents), files, tables)
