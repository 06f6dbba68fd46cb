"""Finds faults in a set of migrations, by itself and against the record of the applied ones. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from msgspec import Struct

from epicvc.database.migrations.history import History, MigrationRecord
from epicvc.database.migrations.migration import Migration
from epicvc.errors import InvalidMigration


class Findings(Struct, frozen=True):
    """The results of the checks.

    Attributes:
        problems: faults; nothing can be applied before they are mended.
        dependencies: those of the problems that are about dependencies.
        gaps: numbers that are not used; no fault.
        without_rollback: migrations that can be applied but not taken back.
        elsewhere: applied migrations that only the program has that gave them; no fault.
    """

    problems: tuple[InvalidMigration, ...] = ()
    dependencies: tuple[InvalidMigration, ...] = ()
    gaps: tuple[str, ...] = ()
    without_rollback: tuple[str, ...] = ()
    elsewhere: tuple[str, ...] = ()

    @property
    def notes(self) -> tuple[str, ...]:
        """Notes that are worth knowing and stop nothing."""
        return (*self.gaps, *self.without_rollback, *self.elsewhere)


def check(migrations: Sequence[Migration], history: History, unreadable: Sequence[InvalidMigration] = ()) -> Findings:
    """Run all checks: files, dependencies, and the record.

    Args:
        migrations: the migrations in the order of their numbers.
        history: the record of the database.
        unreadable: the faults of files that could not become migrations.
    """
    others = elsewhere(migrations, history)
    dependencies = tuple(dependency_problems(migrations, others))
    problems = (*unreadable, *dependencies, *history_problems(migrations, history, unreadable))
    gaps = tuple(_gaps(sorted([*migrations, *others], key=lambda one: one.number)))
    notes = tuple(f"{record.title} was given by a program, which alone has it" for record in others)
    return Findings(problems, dependencies, gaps, tuple(_without_rollback(migrations)), notes)


def elsewhere(migrations: Sequence[Migration], history: History) -> list[MigrationRecord]:
    """Return the records of migrations that a program gave and that are not among these."""
    known = {migration.number for migration in migrations}
    return [record for record in history.records if record.given and record.number not in known]


def dependency_problems(
    migrations: Sequence[Migration], elsewhere: Sequence[MigrationRecord] = ()
) -> Iterator[InvalidMigration]:
    """Find dependencies on versions that do not exist, that form a circle, or that come later."""
    there = {record.number for record in elsewhere}
    known = {migration.number: migration for migration in migrations}
    circle = _circle(known)
    if circle:
        names = " -> ".join(known[number].version for number in circle)
        yield InvalidMigration(known[circle[0]].where, f"depends on itself in a circle: {names}")
    for migration in migrations:
        for version in migration.dependencies:
            number = int(version)
            if number not in known and number not in there:
                yield InvalidMigration(migration.where, f"depends on {version}, which does not exist")
            elif number > migration.number and not {number, migration.number} <= set(circle):
                yield InvalidMigration(migration.where, f"depends on {version}, which comes after it")


def history_problems(
    migrations: Sequence[Migration], history: History, unreadable: Sequence[InvalidMigration] = ()
) -> Iterator[InvalidMigration]:
    """Find applied migrations that were edited or are gone, and unapplied ones older than the newest applied one."""
    known = {migration.number: migration for migration in migrations}
    for record in history.records:
        migration = known.get(record.number)
        if migration is None:
            # where a file cannot be read, its own problem names it already
            if not unreadable and not record.given:
                yield InvalidMigration(f"migration {record.title}", "was applied, and its file is gone")
        elif record.checksum and record.checksum != migration.checksum:
            yield InvalidMigration(
                migration.where,
                f"was edited after it was applied ({record.applied_at}); a change needs a new migration",
            )
    newest = history.newest
    if newest is None:
        return
    applied = history.numbers
    for migration in migrations:
        if migration.number < newest.number and migration.number not in applied:
            yield InvalidMigration(
                migration.where, f"comes too late: {newest.version} has been applied; give it a higher number"
            )


def _circle(known: dict[int, Migration]) -> list[int]:
    """Return the first circle of dependencies, its first member repeated at the end; empty where there is none."""
    done: set[int] = set()
    for start in known:
        path: list[int] = []
        # A stack and no recursion: a chain of dependencies may be longer than Python's stack is deep.
        waiting = [iter([start])]
        while waiting:
            number = next(waiting[-1], None)
            if number is None:
                waiting.pop()
                if path:
                    done.add(path.pop())
            elif number in path:
                return [*path[path.index(number) :], number]
            elif number in known and number not in done:
                path.append(number)
                waiting.append(iter([int(version) for version in known[number].dependencies]))
    return []


def _gaps(migrations: Iterable[Migration | MigrationRecord]) -> Iterator[str]:
    before: Migration | MigrationRecord | None = None
    for migration in migrations:
        if before is not None and migration.number > before.number + 1:
            first, last = before.number + 1, migration.number - 1
            width = len(migration.version)
            span = f"{first:0{width}}" if first == last else f"{first:0{width}} to {last:0{width}}"
            yield f"there is no {span} between {before.version} and {migration.version}"
        before = migration


def _without_rollback(migrations: Iterable[Migration]) -> Iterator[str]:
    for migration in migrations:
        if not migration.reversible:
            yield no_rollback(migration)


def no_rollback(migration: Migration) -> str:
    """Return the sentence that says that a migration has no rollback, and how to give it one."""
    remedy = f"write {migration.version}_rollback.sql beside it" if migration.file else "give it rollback_sql or down"
    return f"{migration.where} has no rollback; {remedy}"
