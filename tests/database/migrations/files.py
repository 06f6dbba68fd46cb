"""Directories of migrations for tests."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from epicvc.database.migrations.directory import MigrationSet, read_directory
from epicvc.database.sqlite.backend import SQLiteBackend


def write(directory: Path, **files: str | bytes) -> Path:
    """Write files; ``_001_a`` stands for ``001_a.sql``, ``__`` for a dot before ``rollback``."""
    directory.mkdir(exist_ok=True)
    for key, text in files.items():
        name = key.removeprefix("_").replace("__", ".") + ".sql"
        (directory / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    return directory


def read(directory: Path, **files: str | bytes) -> MigrationSet:
    """Write and read."""
    return read_directory(write(directory, **files))


def database(path: Path, script: str = "") -> SQLiteBackend:
    """A database in which a script was run."""
    connection = sqlite3.connect(path)
    try:
        connection.executescript(script)
    finally:
        connection.close()
    return SQLiteBackend(path)


def dump(path: Path) -> list[str]:
    """Everything in a database."""
    connection = sqlite3.connect(path)
    try:
        return list(connection.iterdump())
    finally:
        connection.close()
