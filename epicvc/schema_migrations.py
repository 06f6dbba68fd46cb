"""Schema migrations from Python: the promised names, over the same engine as ``epicvc migrate``.

Nothing here prints, and nothing is decided here: values become the promised dicts.
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
"""What the functions of a migration are called with."""


class MigrationStatus(TypedDict):
    """What :meth:`MigrationRunner.get_migration_status` gives; versions as they are written in the files."""

    applied_count: int
    pending_count: int
    applied: list[str]
    pending: list[str]
    current_version: str | None


class Validation(TypedDict):
    """The result of a validation; ``errors`` are sentences."""

    valid: bool
    errors: list[str]


class DependencyCheck(TypedDict):
    """Dependencies that cannot be met; sentences."""

    conflicts: list[str]


class MigrationRunner:
    """Runs the migrations of a database.

    Where the database is that of an epic repo, a checkpoint is taken before each run and the run can be undone.

    Args:
        db_path: path or URL of the database; one that does not exist is made by the first migration.
        migrations_dir: where the migrations are. Not given: ``migrations`` in the repo, else beside the database, else
            those that epicvc comes with.
        migrations: others beside the files, in one order with them. They may call functions, which are never loaded
            from anywhere: whoever applies such a migration, or takes it back, gives it.

    Every method raises a subclass of :class:`epicvc.EpicvcError`: ``InvalidMigration`` for a problem with the
    files, ``MigrationFailed`` for a statement that the database refused (with ``where``, ``line``, ``number``,
    ``statement`` and ``reason``), ``NoMigrationHistory`` for a database with tables and no record, ``NotFound`` for a
    version that is not there.
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
            The versions that were applied; none where nothing was pending.
        """
        with self._migrator("migrate up") as migrator:
            return [migration.version for migration in migrator.up().steps]

    def apply_migration(self, file_or_version: str) -> list[str]:
        """Apply one migration and those pending before it: order is never skipped.

        Args:
            file_or_version: ``002``, ``002_enhance_framework_epics`` or the file's name.

        Returns:
            The versions that were applied; none where it was applied already.
        """
        with self._migrator("migrate up") as migrator:
            return [migration.version for migration in migrator.up(Path(file_or_version).name).steps]

    def get_migration_status(self) -> MigrationStatus:
        """Which migrations were applied, and which are pending."""
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
        """The newest applied version; ``None`` where there is none."""
        return self.get_migration_status()["current_version"]

    def get_pending_migrations(self) -> list[Migration]:
        """The migrations that were not applied yet, in order."""
        with self._migrator() as migrator:
            return list(migrator.status().pending)

    def rollback_last_migration(self) -> list[str]:
        """Take back the newest applied migration.

        Returns:
            Its version.
        """
        return self.rollback_migrations(1)

    def rollback_to_version(self, version: str) -> list[str]:
        """Take back every migration behind a version, which stays applied.

        Returns:
            The versions that were taken back, newest first.
        """
        with self._migrator("migrate down") as migrator:
            return [migration.version for migration in migrator.down(to=version).steps]

    def rollback_migrations(self, count: int) -> list[str]:
        """Take back the newest migrations; more than were applied takes back all.

        Returns:
            The versions that were taken back, newest first.
        """
        with self._migrator("migrate down") as migrator:
            return [migration.version for migration in migrator.down(count=count, at_most=True).steps]

    def baseline(self, version: str | None = None) -> list[str]:
        """Adopt a database that has its schema already, after comparing it with what the migrations make.

        Args:
            version: the last migration whose result is there; not given: the newest of which anything is there.

        Returns:
            The versions that count as applied from now on.
        """
        with self._migrator("migrate baseline") as migrator:
            return [migration.version for migration in migrator.baseline(version).steps]

    def validate_migrations(self) -> Validation:
        """Whether the files make sense by themselves, and agree with what was applied.

        A missing rollback is an error here: the migration could be applied, and not be taken back.
        """
        with self._migrator() as migrator:
            findings = migrator.status().findings
        errors = [problem.message for problem in findings.problems] + list(findings.without_rollback)
        return {"valid": not errors, "errors": errors}

    def validate_schema_integrity(self) -> Validation:
        """Whether the database has what its applied migrations make, and each foreign key a table."""
        with self._migrator() as migrator:
            errors = migrator.integrity()
        return {"valid": not errors, "errors": errors}

    def check_dependencies(self) -> DependencyCheck:
        """Dependencies on what does not exist, in a circle, or on what comes later."""
        with self._migrator() as migrator:
            return {"conflicts": [problem.message for problem in migrator.status().findings.dependencies]}

    @contextmanager
    def _migrator(self, command: str | None = None) -> Iterator[Migrator]:
        with (
            open_migrator(
                self._start,
                dict(os.environ),
                database=self._database,
                directory=self._directory,
                given=self._given,
            ) as migrator,
            recorded(migrator.private if command is not None else None, command or ""),
        ):
            yield migrator
