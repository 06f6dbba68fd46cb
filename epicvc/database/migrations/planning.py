"""Plans the steps that bring a database from its version to a wanted one. Pure: no file, no database, no clock."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from msgspec import Struct

from epicvc.database.migrations.checks import Findings, no_rollback
from epicvc.database.migrations.history import NOTHING, History, MigrationRecord
from epicvc.database.migrations.migration import Migration
from epicvc.errors import InvalidMigration, NotFound, Refused, UsageError


class MigrationDirection(StrEnum):
    """The direction of a step."""

    UP = "up"
    DOWN = "down"


class MigrationStep(Struct, frozen=True):
    """One migration to apply or to take back."""

    migration: Migration
    direction: MigrationDirection


class Plan(Struct, frozen=True):
    """Steps in their order.

    Attributes:
        steps: the steps; empty when there is nothing to do.
        start: the version that the database is at; ``None`` for none.
        end: the version that it will be at.
    """

    steps: tuple[MigrationStep, ...]
    start: str | None
    end: str | None


def plan_up(migrations: Sequence[Migration], history: History, findings: Findings, to: str | None = None) -> Plan:
    """Plan to apply the pending migrations, up to a version or all of them.

    Args:
        migrations: the migrations in the order of their numbers.
        history: the record of the database.
        findings: the results of :func:`~epicvc.database.migrations.checks.check` for both.
        to: the last version to apply; one that has been applied leaves nothing to do.

    Raises:
        InvalidMigration: the checks found a problem.
        NotFound: there is no such version.
    """
    _require_sound(findings)
    last = None if to is None else _number(migrations, history, to)
    pending = [m for m in migrations if m.number not in history.numbers and (last is None or m.number <= last)]
    end = pending[-1].version if pending else history.version
    return Plan(tuple(MigrationStep(migration, MigrationDirection.UP) for migration in pending), history.version, end)


def plan_down(
    migrations: Sequence[Migration],
    history: History,
    findings: Findings,
    *,
    to: str | None = None,
    count: int | None = None,
) -> Plan:
    """Plan to take back applied migrations, newest first.

    Args:
        migrations: the migrations in the order of their numbers.
        history: the record of the database.
        findings: the results of the checks for both.
        to: the version that stays applied; ``none`` for an empty database.
        count: the number of migrations to take back. With neither, one.

    Raises:
        InvalidMigration: the checks found a problem, or there is no way back.
        NotFound: fewer are applied than ``count``, or that version is not applied.
        Refused: a migration was adopted and not applied, so that its rollback would remove things that it never made;
            or only another program has it.
    """
    _require_sound(findings)
    leaving = _leaving(history, to, count)
    known = {migration.number: migration for migration in migrations}
    steps = []
    for record in leaving:
        if record.adopted:
            raise Refused(
                f"{record.title} was adopted by `baseline`: its rollback would take away what it never made",
                hint="migrations that were applied here can be taken back, those that were found here cannot",
            )
        migration = known.get(record.number)
        if migration is None:  # a program gave it: the checks refuse a file that is gone
            raise Refused(
                f"{record.title} was given by a program, which alone has its rollback",
                hint="take it back there: MigrationRunner(migrations=[...]).rollback_last_migration()",
            )
        if not migration.reversible:
            raise InvalidMigration(migration.where, no_rollback(migration).removeprefix(f"{migration.where} "))
        steps.append(MigrationStep(migration, MigrationDirection.DOWN))
    left = history.records[: len(history.records) - len(leaving)]
    return Plan(tuple(steps), history.version, left[-1].version if left else None)


def _leaving(history: History, to: str | None, count: int | None) -> list[MigrationRecord]:
    """Return the records to take back, newest first."""
    if to is not None:
        if to == NOTHING:
            return list(history.records[::-1])
        matches = [record for record in history.records if same_version(record.version, to)]
        if not matches:
            raise NotFound(f"version {to} is not applied", hint="see `epicvc migrate status`")
        return [record for record in history.records[::-1] if record.number > matches[0].number]
    wanted = 1 if count is None else count
    if wanted < 1:
        raise UsageError(f"{wanted} migrations cannot be taken back", hint="give a number from 1 on")
    if not history.records:
        raise NotFound("there is no migration to take back", hint="see `epicvc migrate status`")
    if wanted > len(history.records):
        raise NotFound(
            f"only {len(history.records)} migrations are applied, not {wanted}",
            hint="see `epicvc migrate status`; `epicvc migrate down none` takes back all",
        )
    return list(history.records[::-1][:wanted])


def plan_baseline(
    migrations: Sequence[Migration], history: History, findings: Findings, version: str
) -> list[Migration]:
    """Return the migrations that a database is said to have already.

    Raises:
        Refused: the database has a history.
        NotFound: there is no such version.
        InvalidMigration: the checks found a problem.
    """
    if history.adopted:
        at = f"at {history.version}" if history.version else "from nothing"
        raise Refused(f"the database has a history already, {at}", hint="see `epicvc migrate status`")
    _require_sound(findings)
    if version == NOTHING:
        return []
    last = find(migrations, version).number
    return [migration for migration in migrations if migration.number <= last]


def find(migrations: Sequence[Migration], wanted: str) -> Migration:
    """Find a migration by version, name, or file name.

    Raises:
        NotFound: there is none.
    """
    for migration in migrations:
        file = migration.file.rsplit("/", 1)[-1]
        if same_version(migration.version, wanted) or wanted in (file, file.removesuffix(".sql")):
            return migration
    raise NotFound(f"there is no migration {wanted}", hint="see `epicvc migrate status`")


def _number(migrations: Sequence[Migration], history: History, wanted: str) -> int:
    """Return the number of an existing migration, or of one that another program has and applied here."""
    for record in history.records:
        if record.given and same_version(record.version, wanted):
            return record.number
    return find(migrations, wanted).number


def same_version(version: str, wanted: str) -> bool:
    """Return whether two texts name one version: ``3`` is ``003``."""
    return wanted.isascii() and wanted.isdigit() and len(wanted) <= 18 and int(version) == int(wanted)


def _require_sound(findings: Findings) -> None:
    if findings.problems:
        first, *rest = findings.problems
        raise InvalidMigration(first.where, first.reason, first.line, more=len(rest))
