"""``migrate``: the schema of the database, step by step."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from epicvc.cli.line.parameters import Argument, Option, examples
from epicvc.cli.settings import Context, environment, settings_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from epicvc.actions.migrate.migrating import Migrator
    from epicvc.actions.migrate.report import MigrationReport

Dir = Annotated[Path | None, Option("--dir", metavar="DIR", help="Where the migrations are.")]
Version = Annotated[str | None, Argument(metavar="[VERSION]", help="The last version to apply; all by default.")]
Kept = Annotated[str | None, Argument(metavar="[VERSION]", help="The version that stays; none for an empty database.")]
Adopted = Annotated[
    str | None,
    Argument(metavar="[VERSION]", help="The last version that is there; found out by default, none for nothing."),
]
Title = Annotated[str, Argument(metavar="NAME", help="What it does, in a few words.")]
Number = Annotated[int | None, Option("--count", metavar="N", help="Take back so many.")]
Pending = Annotated[bool, Option("--exit-code", help="Exit with 1 when migrations are pending.")]
DryRun = Annotated[bool, Option("--dry-run", "-n", help="Only say what would happen.")]


@examples("epicvc migrate status")
def status(context: Context, migrations: Dir = None, exit_code: Pending = False) -> int:
    """Show at which version the database is, what is pending, and what is wrong with the migrations."""
    from epicvc.ui.migrations import draw_migrations

    settings = settings_of(context)
    with _migrator(context, migrations) as migrator:
        found = migrator.status()
    if settings.json:
        from epicvc.cli.output import machine

        settings.emit(machine.migrations(found))
    else:
        draw_migrations(settings.console(), found)
    if found.findings.problems:
        return 4
    return 1 if exit_code and found.pending else 0


@examples("epicvc migrate up", "epicvc migrate up 002 --dry-run")
def up(context: Context, version: Version = None, migrations: Dir = None, dry_run: DryRun = False) -> int:
    """Apply what is pending, each migration in a transaction of its own."""
    with _migrator(context, migrations) as migrator:
        return _tell(context, migrator.up(version, dry_run=dry_run))


@examples("epicvc migrate down", "epicvc migrate down 001", "epicvc migrate down --count 2")
def down(
    context: Context, version: Kept = None, count: Number = None, migrations: Dir = None, dry_run: DryRun = False
) -> int:
    """Take back the newest migration, the newest N, or all behind a version."""
    from epicvc.errors import UsageError

    if version is not None and count is not None:
        raise UsageError("a version and --count are two ways to say how far", hint="give one of them")
    with _migrator(context, migrations) as migrator:
        return _tell(context, migrator.down(version, count, dry_run=dry_run))


@examples("epicvc migrate new 'add owner to epics'")
def new(context: Context, name: Title, migrations: Dir = None, dry_run: DryRun = False) -> int:
    """Make the files of a new migration and its rollback, with the next number."""
    from epicvc.actions.migrate.newmigration import new_migration
    from epicvc.actions.migrate.place import DIRECTORY
    from epicvc.errors import NotFound
    from epicvc.repo.repository import find_root

    settings = settings_of(context)
    start = settings.start()
    if migrations is None:
        try:
            home = find_root(start)
        except NotFound:
            home = start
        made = new_migration(home, home / DIRECTORY, name, with_builtin=True, dry_run=dry_run)
    else:
        made = new_migration(start, start / migrations, name, with_builtin=False, dry_run=dry_run)
    if settings.json:
        from epicvc.cli.output import machine

        settings.emit(machine.new_migration(made, dry_run=dry_run))
        return 0
    verb = "would make" if dry_run else "made"
    if made.copied:
        settings.say(f"{'would copy' if dry_run else 'copied'} the {len(made.copied)} built-in files that come first")
    for path in made.files:
        settings.say(f"{verb} {path}")
    return 0


@examples("epicvc migrate verify")
def verify(context: Context, migrations: Dir = None) -> int:
    """Apply, take back and apply again, on a copy of the database: the schema must come back each time."""
    from epicvc.ui.migrations import draw_proof

    settings = settings_of(context)
    with _migrator(context, migrations) as migrator:
        found = migrator.verify()
    if settings.json:
        from epicvc.cli.output import machine

        settings.emit(machine.proof(found))
    else:
        draw_proof(settings.console(), found)
    return 4 if found.errors else 0


@examples("epicvc migrate baseline", "epicvc migrate baseline 002 --dry-run")
def baseline(context: Context, version: Adopted = None, migrations: Dir = None, dry_run: DryRun = False) -> int:
    """Adopt a database that has its schema already, after comparing it with what the migrations make."""
    with _migrator(context, migrations) as migrator:
        return _tell(context, migrator.baseline(version, dry_run=dry_run))


@contextmanager
def _migrator(context: Context, directory: Path | None) -> Iterator[Migrator]:
    from epicvc.actions.migrate.place import open_migrator

    settings = settings_of(context)
    start = settings.start()
    where = start / directory if directory is not None else None
    with open_migrator(start, environment(), database=settings.located_database(), directory=where) as migrator:
        context.record(migrator.private)
        yield migrator


def _tell(context: Context, report: MigrationReport) -> int:
    from epicvc.ui.migrations import draw_report

    settings = settings_of(context)
    if settings.json:
        from epicvc.cli.output import machine

        settings.emit(machine.migrate(report))
    elif not settings.quiet:
        draw_report(settings.console(), report, verbose=settings.verbose)
    return 0
