"""The command ``migrate``: status, up, down, baseline, and the proof that every migration has a way back.

It plans with :mod:`epicvc.database.migrations.planning` and acts through a
:class:`~epicvc.actions.migrate.ground.Ground`. After every step the rest is planned again from the record in the
database, so that each of several runners does only the steps that are left.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from msgspec import Struct

from epicvc.actions.migrate.ground import Ground
from epicvc.actions.migrate.report import MigrationReport, MigrationStanding
from epicvc.database.backend import Reader
from epicvc.database.migrations import TABLE, fit
from epicvc.database.migrations.checks import Findings, check, elsewhere
from epicvc.database.migrations.directory import MigrationSet, read_directory
from epicvc.database.migrations.history import NOTHING, History, read_history
from epicvc.database.migrations.migration import Migration
from epicvc.database.migrations.planning import (
    MigrationDirection,
    MigrationStep,
    Plan,
    plan_baseline,
    plan_down,
    plan_up,
)
from epicvc.database.migrations.proving import Proof, prove
from epicvc.database.migrations.running import MigrationOvertaken, adopt, foreign_keys, run_step
from epicvc.database.reserved import require_own
from epicvc.errors import BaselineDiffers, MigrationFailed, NoMigrationHistory, Unavailable

ATTEMPTS = 100
"""The number of times that a run plans again because others migrate the same database."""


class _Seen(Struct, frozen=True):
    """The migrations and the database at one moment."""

    found: MigrationSet
    history: History
    findings: Findings
    foreign: str | None

    @property
    def migrations(self) -> tuple[Migration, ...]:
        return self.found.migrations


class Migrator:
    """Runs the migrations of one database.

    Args:
        ground: the database, and the history that is kept of it.
        directory: the directory of the migrations.
        given: further migrations, which a program gives.
        private: the private directory of the epic repo that keeps the history, if there is one.
    """

    def __init__(
        self, ground: Ground, directory: Path, given: Sequence[Migration] = (), private: Path | None = None
    ) -> None:
        self.private = private
        self._ground = ground
        self._backend = ground.backend
        self._directory = directory
        self._given = given

    # Looking

    def status(self) -> MigrationStanding:
        """Return the standing of the database. It only reads.

        Raises:
            NotFound: the directory of migrations does not exist.
            InvalidData: the record in the database belongs to another tool.
        """
        seen = self._look()
        pending = tuple(m for m in seen.migrations if m.number not in seen.history.numbers)
        fits = self._fits(seen.migrations) if seen.foreign else None
        return MigrationStanding(
            self._backend.display,
            seen.found.directory,
            seen.history,
            pending=pending,
            findings=seen.findings,
            foreign=seen.foreign,
            fits=fits,
        )

    def verify(self) -> Proof:
        """Try all migrations on a copy of the database. Problems of the migrations themselves are reported first.

        Raises:
            NoMigrationHistory: the database has tables but no record.
        """
        seen = self._look()
        if seen.findings.problems:
            return Proof((), (), tuple(problem.message for problem in seen.findings.problems))
        self._require_history(seen)
        return prove(self._backend, seen.migrations)

    def integrity(self) -> list[str]:
        """Return the parts of applied migrations that the database lacks, and foreign keys to missing tables.

        Rows that refer to missing rows are no fault of the schema. `epicvc doctor` lists them.
        """
        seen = self._look()
        errors = [problem.message for problem in seen.findings.problems]
        if seen.foreign is not None:
            errors.append(f"{self._backend.display} has tables and no history of migrations; adopt it with `baseline`")
        applied = [m for m in seen.migrations if m.number in seen.history.numbers]
        for record in elsewhere(seen.migrations, seen.history):
            errors.append(f"{record.title} was given by a program; without it the schema cannot be compared")
            applied = []
        if applied:
            errors += fit.compare(fit.shapes(self._backend, applied)[-1], self._shape()).missing
        if self._backend.exists():
            with self._backend.read() as reader:
                parents = sorted(reader.missing_parents())
            errors += [f"{table} refers to {parent}, which does not exist" for table, parent in parents]
        return errors

    # Acting

    def up(self, to: str | None = None, *, dry_run: bool = False) -> MigrationReport:
        """Apply the pending migrations, all of them or up to a version.

        Raises:
            InvalidMigration: the migrations have a problem.
            NoMigrationHistory: the database has tables but no record.
            NotFound: the version does not exist.
            MigrationFailed: the database refused a statement. Its migration was rolled back; those before it stay.
        """

        def plan(seen: _Seen) -> Plan:
            made = plan_up(seen.migrations, seen.history, seen.findings, to)
            self._require_history(seen)
            return made

        return self._run("up", plan, dry_run=dry_run)

    def down(
        self, to: str | None = None, count: int | None = None, *, at_most: bool = False, dry_run: bool = False
    ) -> MigrationReport:
        """Roll back the newest migration, several, or all behind a version.

        Args:
            to: the version that stays; ``none`` to roll back all.
            count: the number of migrations to roll back.
            at_most: roll back all if fewer are applied.
            dry_run: only report them.

        Raises:
            InvalidMigration: the migrations have a problem, or one has no rollback.
            Refused: a migration was adopted by ``baseline``, not applied.
            NotFound: fewer migrations are applied, or the version is not.
            MigrationFailed: the database refused a statement. Its step was undone.
        """
        # decided once: if another runner rolls one of three back meanwhile, only two are left to do
        goal: list[str] = []

        def plan(seen: _Seen) -> Plan:
            target = goal[0] if goal else to
            if at_most and count is not None and 0 < len(seen.history.records) < count:
                target = target or NOTHING
            made = plan_down(seen.migrations, seen.history, seen.findings, to=target, count=None if target else count)
            if not goal:
                goal.append(made.end or NOTHING)
            return made

        return self._run("down", plan, dry_run=dry_run)

    def baseline(self, version: str | None = None, *, dry_run: bool = False) -> MigrationReport:
        """Record the migrations that the database has already, after comparing it with their result.

        Args:
            version: the last of these migrations; ``none`` for none of them; ``None`` for the newest of which the
                database has any part.
            dry_run: only compare.

        Raises:
            Refused: the database has a record already.
            BaselineDiffers: the database lacks something that the migrations make.
        """
        ground = self._ground
        with ground.holding():
            seen = self._look()
            plan_baseline(seen.migrations, seen.history, seen.findings, NOTHING)
            wanted = version or self._fits(seen.migrations) or NOTHING
            adopted = plan_baseline(seen.migrations, seen.history, seen.findings, wanted)
            notes = self._verified(adopted) if adopted else ()
            end = adopted[-1].version if adopted else None
            if dry_run:
                return MigrationReport("baseline", None, end, steps=tuple(adopted), dry_run=True, notes=notes)
            self._begin()
            title = f"migrate baseline {end or NOTHING}"
            try:
                ground.write(
                    title,
                    title,
                    lambda writer: adopt(writer, adopted, by=ground.by, at=self._time()),
                    foreign_keys=True,
                )
            except MigrationOvertaken as error:
                raise Unavailable("somebody else migrated the database meanwhile", hint="run it again") from error
            return MigrationReport(
                "baseline",
                None,
                end,
                steps=tuple(adopted),
                dry_run=False,
                notes=notes,
                checkpoint=ground.checkpoint,
                commit=ground.commit,
            )

    def _verified(self, migrations: Sequence[Migration]) -> tuple[str, ...]:
        found = fit.compare(fit.shapes(self._backend, migrations)[-1], self._shape())
        if found.missing:
            raise BaselineDiffers(self._backend.display, migrations[-1].version, list(found.missing))
        return found.notes

    def _run(self, command: str, plan: Callable[[_Seen], Plan], *, dry_run: bool) -> MigrationReport:
        ground = self._ground
        with ground.holding():
            seen = self._look()
            first = now = plan(seen)
            notes = seen.findings.notes
            if dry_run:
                migrations = tuple(step.migration for step in first.steps)
                return MigrationReport(command, first.start, first.end, steps=migrations, dry_run=True, notes=notes)
            done: list[Migration] = []
            # Each of our own steps takes a round, and so does each one that another runner does first.
            for _ in range(ATTEMPTS + len(first.steps)):
                if not now.steps:
                    break
                if not done:
                    self._begin()
                if self._take(command, now.steps[0], seen.history, first.start):
                    done.append(now.steps[0].migration)
                seen = self._look(seen.found)
                now = plan(seen)
            else:
                raise Unavailable("others kept migrating the database", hint="run it again")
            return MigrationReport(
                command,
                first.start,
                seen.history.version,
                steps=tuple(done),
                dry_run=False,
                notes=notes,
                checkpoint=ground.checkpoint,
                commit=ground.commit,
            )

    def _take(self, command: str, step: MigrationStep, history: History, start: str | None) -> bool:
        """Do one step of a run that began at ``start``. Return ``False`` if another runner did it first."""
        ground = self._ground
        try:
            ground.write(
                f"migrate {command} {step.migration.title}",
                f"migrate {command} from {start or NOTHING} to {_reached(step, history) or NOTHING}",
                lambda writer: run_step(writer, step, history, by=ground.by, at=self._time()),
                foreign_keys=foreign_keys(step),
            )
        except MigrationOvertaken:
            return False
        return True

    # Helpers

    def _begin(self) -> None:
        """Begin the run, once it is sure that no foreign object hangs on epicvc's own tables."""
        if self._backend.exists():
            with self._backend.read() as reader:
                require_own(reader)
        self._ground.begin("migrate")

    def _look(self, known: MigrationSet | None = None) -> _Seen:
        # one run uses one set, even if files change meanwhile
        found = known or read_directory(self._directory).with_given(self._given)
        history, foreign = History(), None
        if self._backend.exists():
            # both reads in one transaction, since others may migrate the database now
            with self._backend.read() as reader:
                history = read_history(reader)
                foreign = None if history.adopted else _any_table(reader)
        return _Seen(found, history, check(found.migrations, history, found.problems), foreign)

    def _shape(self) -> fit.Shape:
        if not self._backend.exists():
            return fit.Shape()
        with self._backend.read() as reader:
            return fit.shape_of(reader)

    def _require_history(self, seen: _Seen) -> None:
        if seen.foreign is not None:
            raise NoMigrationHistory(self._backend.display, seen.foreign, self._fits(seen.migrations))

    def _fits(self, migrations: Sequence[Migration]) -> str | None:
        """Return the version that fits a database without a record, as far as its tables show it."""
        try:
            shapes = fit.shapes(self._backend, migrations)
        except MigrationFailed:
            return None  # the migrations fail even on an empty database, which is reported when they are run
        return fit.fitting_version(migrations, shapes, self._shape())

    def _time(self) -> str:
        return self._ground.now().strftime("%Y-%m-%d %H:%M:%S")


def _reached(step: MigrationStep, history: History) -> str | None:
    """Return the version after a step."""
    if step.direction is MigrationDirection.UP:
        return step.migration.version
    return next((record.version for record in history.records[::-1] if record.number < step.migration.number), None)


def _any_table(reader: Reader) -> str | None:
    """Return a table that is not the record of migrations."""
    tables = sorted(entry.name for entry in reader.definitions() if entry.kind == "table")
    return next((name for name in tables if name.lower() != TABLE), None)
