"""Proves, on a copy of the database, that migrations can be applied, taken back and applied again.

A pending migration is applied and taken back, and the schema must be as before; it is applied again, and the schema
must be as after the first time. The copy holds the rows too, so that a constraint that they break shows here and not in
the database.

An applied migration is taken back, applied and taken back again, the newest first, with the existing rows, on a copy of
its own. On that copy only references out of tables of the migrations may not break. References out of the application's
tables do break in between, since nobody plans to take the migrations' tables away under the application.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import suppress

from msgspec import Struct

from epicvc.database.backend import Backend, Reader
from epicvc.database.migrations import TABLE
from epicvc.database.migrations.history import History, read_history
from epicvc.database.migrations.migration import Migration
from epicvc.database.migrations.planning import MigrationDirection, MigrationStep
from epicvc.database.migrations.running import foreign_keys, run_step
from epicvc.database.migrations.statements import normalised, tokens
from epicvc.database.quoting import quote_identifier as quote
from epicvc.errors import MigrationFailed

# The time of records in scratch databases, which nobody reads.
_NEVER = "1970-01-01 00:00:00"

Definitions = dict[str, str]


class Proof(Struct, frozen=True):
    """The result of a trial.

    Attributes:
        proven: versions that went up, down and up again and left the schema as it was.
        skipped: versions that have no way back, were adopted, or are known to another program alone; they were only
            applied, where they were pending.
        errors: the failures, each naming the file and, where one is to blame, the statement.
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
        with scratch.read() as reader:
            history = read_history(reader)
        kept = _kept(history, migrations)
        pending = _Trial(scratch)
        known = {record.number for record in history.records}
        pending.forward([migration for migration in migrations if migration.number not in known])
    applied = _Trial(scratch)
    applied.skipped += [record.version for record in history.records if record.number not in kept]
    if kept:
        with backend.scratch(copy=True) as scratch:
            with backend.scratch(copy=False) as empty:
                made = _made(empty, [migration for migration in migrations if migration.number in known])
            applied = _Trial(scratch, applied.skipped, made)
            applied.back([migration for migration in migrations if migration.number in kept])
    return Proof(
        (*applied.proven, *pending.proven), (*applied.skipped, *pending.skipped), (*applied.errors, *pending.errors)
    )


def _kept(history: History, migrations: Sequence[Migration]) -> frozenset[int]:
    """Return the newest applied versions that can all be taken back."""
    known = {migration.number: migration for migration in migrations}
    kept = []
    for record in reversed(history.records):
        migration = known.get(record.number)
        if record.adopted or migration is None or not migration.reversible:
            break
        kept.append(record.number)
    return frozenset(kept)


def _made(empty: Backend, migrations: Sequence[Migration]) -> frozenset[str]:
    """Return the objects that migrations define, by every name that they ever have, in lower case: ``table notes``.

    A migration that needs a table of the application cannot be applied to an empty database, and is passed over.
    """
    trial = _Trial(empty)
    made: set[str] = set()
    for migration in migrations:
        with suppress(MigrationFailed):
            trial.step(migration, MigrationDirection.UP)
        made.update(name.lower() for name in trial.definitions())
    return frozenset(made)


def _tables(names: Collection[str]) -> frozenset[str]:
    """Return the names of tables among names of definitions, in lower case."""
    return frozenset(name.removeprefix("table ").lower() for name in names if name.startswith("table "))


def definitions_of(reader: Reader) -> Definitions:
    """Return every definition without white space and comments; the record of migrations is left out."""
    return {
        f"{entry.kind} {entry.name}": normalised(entry.sql)
        for entry in reader.definitions()
        if entry.table.lower() != TABLE
    }


class _Trial:
    """One trial on one scratch database.

    Args:
        scratch: the scratch database.
        skipped: versions that are passed over.
        made: the objects that the migrations define. If given, only references out of these tables may not break;
            otherwise none may.

    Attributes:
        proven, skipped, errors: as in :class:`Proof`.
    """

    def __init__(self, scratch: Backend, skipped: Sequence[str] = (), made: Collection[str] | None = None) -> None:
        self._scratch = scratch
        self._made = made
        self._owners: dict[str, str] = {}  # the table of each definition
        self.proven: list[str] = []
        self.skipped = [*skipped]
        self.errors: list[str] = []

    def back(self, migrations: Sequence[Migration]) -> None:
        """Take applied migrations back, the newest first, each one down, up and down again."""
        for migration in reversed(migrations):
            before = self.definitions()
            try:
                self._back_and_there(migration)
            except MigrationFailed as error:
                self.errors.append(error.message)
                break
            self._drop_users(_tables(before.keys() - self.definitions().keys()))
        self.proven.reverse()

    def forward(self, migrations: Sequence[Migration]) -> None:
        """Apply each migration; where it can be taken back, up, down and up again."""
        for migration in migrations:
            try:
                self._there_and_back(migration)
            except MigrationFailed as error:
                self.errors.append(error.message)
                return

    def _there_and_back(self, migration: Migration) -> None:
        before = self.definitions()
        self.step(migration, MigrationDirection.UP)
        if not migration.reversible:
            self.skipped.append(migration.version)
            return
        after = self.definitions()
        self.step(migration, MigrationDirection.DOWN)
        self._compare(migration.rollback_where, "does not bring back the schema as it was", before)
        self.step(migration, MigrationDirection.UP)
        self._compare(migration.where, "makes another schema the second time", after)
        self._note(migration)

    def _back_and_there(self, migration: Migration) -> None:
        after = self.definitions()
        self.step(migration, MigrationDirection.DOWN)
        before = self.definitions()
        self.step(migration, MigrationDirection.UP)
        self._compare(migration.where, "makes another schema the second time", self._without_lost(after, before))
        self.step(migration, MigrationDirection.DOWN)
        self._compare(migration.rollback_where, "does not bring back the schema as it was", before)
        self._note(migration)

    def _without_lost(self, after: Definitions, before: Definitions) -> Definitions:
        """Return definitions without those of the application on tables that have gone and come back.

        Those definitions were lost with their tables.
        """
        gone = {name.removeprefix("table ") for name in after.keys() - before.keys() if name.startswith("table ")}
        there = self.definitions()
        return {name: sql for name, sql in after.items() if name in there or self._owners.get(name) not in gone}

    def _drop_users(self, gone: Collection[str]) -> None:
        """Drop the application's views and triggers that name a gone table.

        While one of them exists, SQLite refuses to alter any table.
        """
        missing = {*gone}
        with self._scratch.read() as reader:
            users = {
                entry.name: (entry.kind, {token.text.strip('"`[]').lower() for token in tokens(entry.sql)})
                for entry in reader.definitions()
                if entry.kind in ("view", "trigger") and f"{entry.kind} {entry.name}".lower() not in (self._made or ())
            }
        dropped: list[tuple[str, str]] = []
        while found := [name for name, (_, words) in users.items() if words & missing]:
            dropped += [(users.pop(name)[0], name) for name in found]
            missing.update(name.lower() for name in found)
        if dropped:
            with self._scratch.write(track=False, foreign_keys=False) as writer:
                for kind, name in dropped:
                    for _ in writer.execute(f"DROP {kind.upper()} IF EXISTS {quote(name)}"):
                        pass
                writer.commit()

    def _note(self, migration: Migration) -> None:
        if not any(error.startswith((migration.where, migration.rollback_where)) for error in self.errors):
            self.proven.append(migration.version)

    def step(self, migration: Migration, direction: MigrationDirection) -> None:
        """Carry out one step in a transaction of its own."""
        step = MigrationStep(migration, direction)
        tables = None if self._made is None else _tables(self._made)
        with self._scratch.write(track=False, foreign_keys=foreign_keys(step)) as writer:
            run_step(writer, step, read_history(writer), by="", at=_NEVER, tables=tables)
            writer.commit()

    def definitions(self) -> Definitions:
        """Return the current definitions."""
        with self._scratch.read() as reader:
            self._owners.update((f"{entry.kind} {entry.name}", entry.table) for entry in reader.definitions())
            return definitions_of(reader)

    def _compare(self, where: str, what: str, wanted: Definitions) -> None:
        found = self.definitions()
        names = sorted(name for name in {*found, *wanted} if found.get(name) != wanted.get(name))
        if names:
            how = [_difference(name, name in wanted, name in found) for name in names[:5]]
            more = f" and {len(names) - 5} more" if len(names) > 5 else ""
            self.errors.append(f"{where}: {what}: {', '.join(how)}{more}")


def _difference(name: str, wanted: bool, found: bool) -> str:
    return f"{name} {'is different' if wanted and found else 'is gone' if wanted else 'is left'}"
