"""``migrate``: where a database stands, up, down, the baseline, and the proof that there is a way back.

Decides by :mod:`epicvc.database.migrations.planning` and acts through a
:class:`~epicvc.actions.migrate.ground.Ground`. What to do is planned again after every step from what the
database then says, so that of several runners each finds only what is left.
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
"""How often a run plans again because others migrate the same database."""


class _Seen(Struct, frozen=True):
    """Migrations and database as they are at one moment."""

    found: MigrationSet
    history: History
    findings: Findings
    foreign: str | None

    @property
    def migrations(self) -> tuple[Migration, ...]:
        return self.found.migrations


class Migrator:
    """Migrations of one database.

    Args:
        ground: the database, and what is kept of it.
        directory: where the migrations are.
        given: migrations that a program has, beside those.
        private: the private directory of the epic repo that keeps the history, where one does.
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
        """Where the database stands. Only reads.

        Raises:
            NotFound: there is no directory of migrations.
            InvalidData: the record of the database is another tool's.
        """
        seen = self._look()
        pending = tuple(m for m in seen.migrations if m.number not in seen.history.numbers)
        fits = self._fits(seen.migrations) if seen.foreign else None
        return MigrationStanding(
            self._backend.display, seen.found.directory, seen.history, pending, seen.findings, seen.foreign, fits
        )

    def verify(self) -> Proof:
        """Try everything on a copy of the database; problems of the set come first.

        Raises:
            NoMigrationHistory: the database has tables and no record.
        """
        seen = self._look()
        if seen.findings.problems:
            return Proof((), (), tuple(problem.message for problem in seen.findings.problems))
        self._require_history(seen)
        return prove(self._backend, seen.migrations)

    def integrity(self) -> list[str]:
        """What of the applied migrations is not in the database, and which foreign keys lead nowhere.

        Rows that refer to missing rows are no fault of the schema; `epicvc doctor` lists them.
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
        """Apply what is pending, up to a version or all of it.

        Raises:
            InvalidMigration: there is a problem with the migrations.
            NoMigrationHistory: the database has tables and no record.
            NotFound: there is no such version.
            MigrationFailed: a statement was refused; that migration was rolled back, those before it stay.
        """

        def plan(seen: _Seen) -> Plan:
            made = plan_up(seen.migrations, seen.history, seen.findings, to)
            self._require_history(seen)
            return made

        return self._run("up", plan, dry_run=dry_run)

    def down(
        self, to: str | None = None, count: int | None = None, *, at_most: bool = False, dry_run: bool = False
    ) -> MigrationReport:
        """Take back the newest migration, several, or all behind a version.

        Args:
            to: the version that stays; ``none`` takes back all.
            count: how many to take back.
            at_most: take back all where there are not so many.
            dry_run: only say which.

        Raises:
            InvalidMigration: there is a problem with the migrations, or no way back.
            Refused: a migration was adopted, not applied.
            NotFound: so many are not applied, or that version is not.
            MigrationFailed: a statement was refused; that step was rolled back.
        """
        goal: list[str] = []  # decided once: three back are not three more when somebody took one back meanwhile

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
        """Record the migrations that the database has already, after comparing it with what they make.

        Args:
            version: the last of them; ``none`` for none of them. Not given: the newest of which anything is there.
            dry_run: only compare.

        Raises:
            Refused: the database has a record.
            BaselineDiffers: something that they make is not there.
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
                return MigrationReport("baseline", None, end, tuple(adopted), True, notes)
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
                "baseline", None, end, tuple(adopted), False, notes, ground.checkpoint, ground.commit
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
                return MigrationReport(command, first.start, first.end, migrations, True, notes)
            done: list[Migration] = []
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
                command, first.start, seen.history.version, tuple(done), False, notes, ground.checkpoint, ground.commit
            )

    def _take(self, command: str, step: MigrationStep, history: History, start: str | None) -> bool:
        """One step of a run that began at ``start``; ``False`` when somebody else was quicker."""
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
        """Take the checkpoint, where the database can be written to."""
        if self._backend.exists():
            with self._backend.read() as reader:
                require_own(reader)
        self._ground.begin("migrate")

    def _look(self, known: MigrationSet | None = None) -> _Seen:
        found = known or read_directory(self._directory).with_given(self._given)  # one run is about one set
        history, foreign = History(), None
        if self._backend.exists():
            with self._backend.read() as reader:  # both in one transaction: others may migrate it now
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
        """The version that a database without a record is at, as far as can be seen."""
        try:
            shapes = fit.shapes(self._backend, migrations)
        except MigrationFailed:
            return None  # they do not run even on an empty database; that is said when they are run
        return fit.fitting_version(migrations, shapes, self._shape())

    def _time(self) -> str:
        return self._ground.now().strftime("%Y-%m-%d %H:%M:%S")


def _reached(step: MigrationStep, history: History) -> str | None:
    """The version after a step."""
    if step.direction is MigrationDirection.UP:
        return step.migration.version
    return next((record.version for record in history.records[::-1] if record.number < step.migration.number), None)


def _any_table(reader: Reader) -> str | None:
    """A table that is not the record of migrations."""
    tables = sorted(entry.name for entry in reader.definitions() if entry.kind == "table")
    return next((name for name in tables if name.lower() != TABLE), None)
