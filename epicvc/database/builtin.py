"""The built-in schema: what ``init`` makes where a named database does not exist yet."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from epicvc.database.backend import Backend
from epicvc.errors import InvalidData


def migrations_directory() -> Traversable:
    """Where the project's own migrations are: inside the installed package, else beside it in a source tree."""
    packaged = files("epicvc") / "_migrations"
    return packaged if packaged.is_dir() else Path(__file__).resolve().parents[2] / "migrations"


def statements(sql: str) -> Iterator[str]:
    """Split SQL at statement ends; a ``;`` inside a string, a comment or a trigger's body ends nothing.

    Raises:
        InvalidData: the last statement has no end.
    """
    pending = ""
    for piece in sql.split(";"):
        pending += piece + ";"
        if sqlite3.complete_statement(pending):
            yield pending.strip()
            pending = ""
    if any(line.strip() and not line.strip().startswith("--") for line in pending.rstrip(";").splitlines()):
        raise InvalidData("a migration's last statement has no end", hint="end it with a ;")


def create_schema(backend: Backend) -> None:
    """Run all migrations on an empty database, in one transaction."""
    scripts = sorted(
        (entry for entry in migrations_directory().iterdir() if entry.name.endswith(".sql")),
        key=lambda entry: entry.name,
    )
    with backend.write() as writer:
        for script in scripts:
            if script.name.endswith("rollback.sql"):
                continue
            for statement in statements(script.read_text(encoding="utf-8")):
                for _ in writer.execute(statement):
                    pass
        writer.commit()
