"""The built-in schema, which ``init`` makes where a named database does not exist yet."""

from __future__ import annotations

from epicvc.database.backend import Backend
from epicvc.database.migrations.directory import builtin_directory, read_directory
from epicvc.database.migrations.history import History
from epicvc.database.migrations.planning import MigrationDirection, MigrationStep
from epicvc.database.migrations.running import run_step


def create_schema(backend: Backend, *, by: str, at: str) -> None:
    """Apply the project's own migrations to an empty database, all in one transaction, each with its record.

    Args:
        backend: the database.
        by: the user who does it.
        at: the time, UTC, ``YYYY-MM-DD HH:MM:SS``.
    """
    with backend.write(track=False) as writer:
        history = History()
        for migration in read_directory(builtin_directory()).migrations:
            history = run_step(writer, MigrationStep(migration, MigrationDirection.UP), history, by=by, at=at)
        writer.commit()
