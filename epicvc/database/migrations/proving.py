"""Proof that migrations can be applied, taken back and applied again, on a copy of the database.

Each migration that can be taken back is: apply it, take it back, and the schema must be what it was before; apply
it again, and it must be what it was after. The rows of the copy are the real ones, so that a constraint that
they break shows here and not in the database.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from epicvc.database.backend import Backend, Reader
from epicvc.database.migrations import TABLE
from epicvc.database.migrations.history import BASELINE, History, read_history
from epicvc.database.migrations.migration import Migration
from epicvc.database.migrations.planning import Direction, Step
from epicvc.database.migrations.running import foreign_keys, run_step
from epicvc.database.migrations.statements import normalised
from epicvc.errors import MigrationFailed

_NEVER = "1970-01-01 00:00:00"

Definitions = dict[str, str]


class Proof(Struct, frozen=True):
    """What was tried.

    Attributes:
        proven: versions that went up, down and up again and left the schema as it was.
        skipped: versions that have no way back or were adopted; they were only applied, where they were pending.
        errors: what went wrong, each naming file and, where one is to blame, statement.
    """

    proven: tuple[str, ...]
    skipped: tuple[str, ...]
    errors: tuple[str, ...]


def prove(backend: Backend, migrations: Sequence[Migration]) -> Proof:
    """Try all migrations on a copy of a database. The database itself is only read.

    Args:
        backend: the database; one that does not exist yet counts as empty.
        migrations: a set in which the checks found no problem.
    """
    with backend.scratch(copy=True) as scratch:
        return _Trial(scratch, migrations).run()


def definitions_of(reader: Reader) -> Definitions:
    """Every definition without white space and comments; the record of migrations is left out."""
    return {
        f"{entry.kind} {entry.name}": normalised(entry.sql)
        for entry in reader.definitions()
        if entry.table.lower() != TABLE
    }


class _Trial:
    """One proof on one scratch database."""

    def __init__(self, scratch: Backend, migrations: Sequence[Migration]) -> None:
        self._scratch = scratch
        self._migrations = migrations
        self._proven: list[str] = []
        self._skipped: list[str] = []
        self._errors: list[str] = []

    def run(self) -> Proof:
        history, kept = self._begin()
        reverted: list[Migration] = []
        try:
            for migration in reversed([m for m in self._migrations if m.number in kept]):
                self._step(migration, Direction.DOWN)
                reverted.append(migration)
        except MigrationFailed as error:
            self._errors.append(error.message)
        else:
            known = {record.number for record in history.records}
            pending = [m for m in self._migrations if m.number not in known]
            self._forward([*reversed(reverted), *pending])
        return Proof(tuple(self._proven), tuple(self._skipped), tuple(self._errors))

    def _begin(self) -> tuple[History, frozenset[int]]:
        """The record, and the newest applied versions that can all be taken back."""
        with self._scratch.read() as reader:
            history = read_history(reader)
        known = {migration.number: migration for migration in self._migrations}
        kept = []
        for record in reversed(history.records):
            if record.kind == BASELINE or known[record.number].rollback_sql is None:
                break
            kept.append(record.number)
        self._skipped += [record.version for record in history.records if record.number not in kept]
        return history, frozenset(kept)

    def _forward(self, migrations: Sequence[Migration]) -> None:
        for migration in migrations:
            try:
                self._there_and_back(migration)
            except MigrationFailed as error:
                self._errors.append(error.message)
                return

    def _there_and_back(self, migration: Migration) -> None:
        before = self._definitions()
        self._step(migration, Direction.UP)
        if migration.rollback_sql is None:
            self._skipped.append(migration.version)
            return
        after = self._definitions()
        self._step(migration, Direction.DOWN)
        self._compare(migration.rollback_where, "does not bring back the schema as it was", before)
        self._step(migration, Direction.UP)
        self._compare(migration.where, "makes another schema the second time", after)
        if not any(error.startswith((migration.where, migration.rollback_where)) for error in self._errors):
            self._proven.append(migration.version)

    def _step(self, migration: Migration, direction: Direction) -> None:
        step = Step(migration, direction)
        with self._scratch.write(track=False, foreign_keys=foreign_keys(step)) as writer:
            run_step(writer, step, read_history(writer), by="", at=_NEVER)
            writer.commit()

    def _definitions(self) -> Definitions:
        with self._scratch.read() as reader:
            return definitions_of(reader)

    def _compare(self, where: str, what: str, wanted: Definitions) -> None:
        found = self._definitions()
        names = sorted(name for name in {*found, *wanted} if found.get(name) != wanted.get(name))
        if names:
            how = [_difference(name, name in wanted, name in found) for name in names[:5]]
            more = f" and {len(names) - 5} more" if len(names) > 5 else ""
            self._errors.append(f"{where}: {what}: {', '.join(how)}{more}")


def _difference(name: str, wanted: bool, found: bool) -> str:
    return f"{name} {'is different' if wanted and found else 'is gone' if wanted else 'is left'}"
