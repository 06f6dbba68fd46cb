"""Schema migrations from Python: the public names, over the same engine as ``epicvc migrate``.

The module prints nothing and decides nothing: it turns values into the public dicts.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypedDict

from epicvc.actions.migrate.migrating import Migrator
from epicvc.actions.migrate.place import open_migrator
from epicvc.actions.report.recording import recorded
from epicvc.database.lent import LentConnection
from epicvc.database.migrations.migration import Migration as _Migration
from epicvc.errors import UsageError

__all__ = ["Migration", "MigrationConnection", "MigrationRunner"]

Migration = _Migration
MigrationConnection = LentConnection
"""The connection that the functions of a migration are called with."""


class MigrationStatus(TypedDict):
    """The applied and pending migrations of a database. Versions are as the files have them."""

    applied_count: int
    pending_count: int
    applied: list[str]
    pending: list[str]
    current_version: str | None


class Validation(TypedDict):
    """The result of a validation. ``errors`` are sentences."""

    valid: bool
    errors: list[str]


class DependencyCheck(TypedDict):
    """The dependencies that cannot be met, as sentences."""

    conflicts: list[str]


class MigrationRunner:
    """Runs the migrations of a database.

    If the database is that of an epic repo, a checkpoint is made before each run, and the run can be undone.

    Args:
        db_path: the path or URL of the database. If it does not exist, the first migration makes it.
        migrations_dir: the directory of the migrations; by default ``migrations`` in the repo, else beside the
            database, else the built-in ones.
        migrations: further migrations, in one order with the files. They may call functions. Functions are never loaded
            from anywhere: a program that applies such a migration, or takes it back, has to give it.

    Every method raises a subclass of :class:`epicvc.EpicvcError`: ``InvalidMigration`` for a problem with the files,
    ``MigrationFailed`` for a statement that the database refused (with ``where``, ``line``, ``number``, ``statement``
    and ``reason``), ``NoMigrationHistory`` for a database with tables and no record, ``NotFound`` for a version that
    does not exist.
    """

    def __init__(
        self,
        db_path: str | os.PathLike[str] = "framework.db",
        migrations_dir: str | os.PathLike[str] | None = None,
        *,
        migrations: Iterable[Migration] = (),
    ) -> None:
        self._database = os.fspath(db_path)
        self._directory = Path(migrations_dir).absolute() if migrations_dir is not None else None
        self._start = Path.cwd()
        self._given = tuple(migrations)
        for given in self._given:
            if not isinstance(given, Migration):
                raise UsageError(f"{given!r} is no Migration", hint="make it with epicvc.Migration(version, ...)")

    def apply_migrations(self) -> list[str]:
        """Apply all pending migrations, in order.

        Returns:
            The applied versions; none where nothing was pending.
        """
        with self._migrator("migrate up") as migrator:
            return [migration.version for migration in migrator.up().steps]

    def apply_migration(self, file_or_version: str) -> list[str]:
        """Apply one migration and the pending ones before it. No migration is ever skipped.

        Args:
            file_or_version: ``002``, ``002_enhance_framework_epics`` or the file's name.

        Returns:
            The applied versions; none where the migration was applied already.
        """
        with self._migrator("migrate up") as migrator:
            return [migration.version for migration in migrator.up(Path(file_or_version).name).steps]

    def get_migration_status(self) -> MigrationStatus:
        """Return the applied and the pending migrations."""
        with self._migrator() as migrator:
            status = migrator.status()
        applied = [record.version for record in status.history.records]
        pending = [migration.version for migration in status.pending]
        return {
            "applied_count": len(applied),
            "pending_count": len(pending),
            "applied": applied,
            "pending": pending,
            "current_version": status.history.version,
        }

    def get_current_version(self) -> str | None:
        """Return the newest applied version; ``None`` where there is none."""
        return self.get_migration_status()["current_version"]

    def get_pending_migrations(self) -> list[Migration]:
        """Return the migrations that are not applied yet, in order."""
        with self._migrator() as migrator:
            return list(migrator.status().pending)

    def rollback_last_migration(self) -> list[str]:
        """Take back the newest applied migration.

        Returns:
            Its version.
        """
        return self.rollback_migrations(1)

    def rollback_to_version(self, version: str) -> list[str]:
        """Take back every migration after a version. The version itself stays applied.

        Returns:
            The versions that were taken back, newest first.
        """
        with self._migrator("migrate down") as migrator:
            return [migration.version for migration in migrator.down(to=version).steps]

    def rollback_migrations(self, count: int) -> list[str]:
        """Take back the newest migrations; if there are fewer, all of them.

        Returns:
            The versions that were taken back, newest first.
        """
        with self._migrator("migrate down") as migrator:
            return [migration.version for migration in migrator.down(count=count, at_most=True).steps]

    def baseline(self, version: str | None = None) -> list[str]:
        """Adopt a database that has its schema already, after comparing the schema with that of the migrations.

        Args:
            version: the last migration whose result the database has; by default the newest of whose result it has any
                part.

        Returns:
            The versions that count as applied from now on.
        """
        with self._migrator("migrate baseline") as migrator:
            return [migration.version for migration in migrator.baseline(version).steps]

    def validate_migrations(self) -> Validation:
        """Check that the files make sense by themselves, and agree with the applied migrations.

        A missing rollback is an error here: the migration could be applied, but not be taken back.
        """
        with self._migrator() as migrator:
            findings = migrator.status().findings
        errors = [problem.message for problem in findings.problems] + list(findings.without_rollback)
        return {"valid": not errors, "errors": errors}

    def validate_schema_integrity(self) -> Validation:
        """Check that the database has the results of its applied migrations, and each foreign key its table."""
        with self._migrator() as migrator:
            errors = migrator.integrity()
        return {"valid": not errors, "errors": errors}

    def check_dependencies(self) -> DependencyCheck:
        """Find dependencies that are missing, circular, or on a later migration."""
        with self._migrator() as migrator:
            return {"conflicts": [problem.message for problem in migrator.status().findings.dependencies]}

    @contextmanager
    def _migrator(self, command: str | None = None) -> Iterator[Migrator]:
        with (
            open_migrator(
                self._start, dict(os.environ), database=self._database, directory=self._directory, given=self._given
            ) as migrator,
            recorded(migrator.private if command is not None else None, command or ""),
        ):
            yield migrator
