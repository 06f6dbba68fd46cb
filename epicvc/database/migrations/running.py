"""Carries out one step of a plan inside a write transaction, together with its record.

The caller opens the transaction as :func:`foreign_keys` demands, and commits it. When anything is raised here, the
caller must not commit: migration and record are there together or not at all.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from types import AsyncGeneratorType, CoroutineType, GeneratorType
from typing import TYPE_CHECKING, NamedTuple

from epicvc.database.backend import Fault, Writer
from epicvc.database.migrations import TABLE
from epicvc.database.migrations.history import (
    APPLIED,
    BASELINE,
    NOTHING,
    PROGRAM,
    PROGRAM_BASELINE,
    History,
    MigrationRecord,
    add_records,
    drop_record,
    read_history,
)
from epicvc.database.migrations.migration import Migration
from epicvc.database.migrations.planning import MigrationDirection, MigrationStep
from epicvc.database.migrations.rules import enforces_foreign_keys, switches_foreign_keys
from epicvc.database.migrations.statements import SQLStatement
from epicvc.database.rowcodec import show_key
from epicvc.errors import EpicvcError, InvalidData, MigrationFailed, QueryTooLong, Refused

if TYPE_CHECKING:
    from epicvc.database.migrations.migration import Function


class MigrationOvertaken(Exception):  # not an error: the caller plans again
    """Raised when somebody else has migrated the database since the plan was made; nothing was done."""


def statements_of(step: MigrationStep) -> Sequence[SQLStatement]:
    """Return the statements that a step runs; empty where it calls a function."""
    return step.migration.statements if step.direction is MigrationDirection.UP else step.migration.rollback_statements


def _function_of(step: MigrationStep) -> Function | None:
    return step.migration.up if step.direction is MigrationDirection.UP else step.migration.down


def foreign_keys(step: MigrationStep) -> bool:
    """Return whether the step's transaction enforces foreign keys; they are checked before its end in any case.

    They are not enforced for a function: the tables that it is going to drop cannot be known beforehand, and dropping a
    table would cascade.
    """
    return _function_of(step) is None and enforces_foreign_keys(statements_of(step))


def run_step(
    writer: Writer, step: MigrationStep, history: History, *, by: str, at: str, tables: Collection[str] | None = None
) -> History:
    """Apply a migration or take it back, and record it.

    Args:
        writer: the transaction.
        step: the step.
        history: the record that the plan was made for.
        by: the user who does it.
        at: the time, UTC, ``YYYY-MM-DD HH:MM:SS``.
        tables: only references out of these tables, in lower case, may not break; by default out of none.

    Returns:
        The record afterwards.

    Raises:
        Overtaken: the record has changed since the plan was made.
        MigrationFailed: the database refused a statement, or the result.
    """
    writer.lock_migrations()
    if read_history(writer) != history:
        raise MigrationOvertaken
    run = _Run(writer, step, history)
    before = _broken(writer, tables)
    run.run()
    run.check_record()
    run.check_references(before, _broken(writer, tables))
    return _record(writer, step.migration, step.direction, history, by=by, at=at)


def adopt(writer: Writer, migrations: Sequence[Migration], *, by: str, at: str) -> History:
    """Record migrations that the database has already. An empty list records that the database has none of them.

    Raises:
        Overtaken: the database has a record by now.
    """
    writer.lock_migrations()
    if read_history(writer).adopted:
        raise MigrationOvertaken
    records = [_made(migration, BASELINE, by=by, at=at) for migration in migrations]
    add_records(writer, records or [MigrationRecord(NOTHING, "baseline", at, by, kind=BASELINE)])
    found = read_history(writer)
    if not found.adopted or found.numbers != {record.number for record in records}:
        raise _not_recorded()
    return found


def _made(migration: Migration, kind: str, *, by: str, at: str) -> MigrationRecord:
    if not migration.file:
        kind = {APPLIED: PROGRAM, BASELINE: PROGRAM_BASELINE}[kind]
    return MigrationRecord(
        migration.version,
        migration.name,
        at,
        applied_by=by,
        checksum=migration.checksum,
        kind=kind,
        rollback_sql=migration.rollback_sql,
    )


class _Broken(NamedTuple):
    """Broken references: those of rows, and those of tables to tables that do not exist."""

    rows: list[Fault]
    parents: set[tuple[str, str]]


def _broken(writer: Writer, tables: Collection[str] | None) -> _Broken:
    """Return the broken references out of some tables, or out of all."""
    return _Broken(
        [fault for fault in writer.faults() if tables is None or fault.table.lower() in tables],
        {pair for pair in writer.missing_parents() if tables is None or pair[0].lower() in tables},
    )


def _record(
    writer: Writer, migration: Migration, direction: MigrationDirection, history: History, *, by: str, at: str
) -> History:
    if not writer.columns(TABLE):  # a migration whose own table this is took it away
        add_records(writer, history.all_records)
    if direction is MigrationDirection.UP:
        add_records(writer, [_made(migration, APPLIED, by=by, at=at)])
        found = read_history(writer)
        if migration.number not in found.numbers:
            raise _not_recorded()
    else:
        drop_record(writer, next(record for record in history.records if record.number == migration.number))
        found = read_history(writer)
        if len(found.records) >= len(history.records):
            raise _not_recorded()
    return found


def _not_recorded() -> InvalidData:
    """Return the error for a record that is not stored as written.

    A trigger or view of the application's can cause this, since the table is one of its own as well.
    """
    return InvalidData(
        f"{TABLE} does not hold what was written to it; nothing was done",
        hint=f"see which triggers are on {TABLE}, and whether it is a table",
    )


def _words(error: EpicvcError) -> str:
    """Return the database's own words: those of the cause, or the message where there is no cause."""
    ours = isinstance(error, Refused | QueryTooLong) or error.__cause__ is None
    return error.message if ours else str(error.__cause__)


class _Run:
    """One step as it runs, and the errors that name it."""

    def __init__(self, writer: Writer, step: MigrationStep, history: History) -> None:
        self._statements = statements_of(step)
        self._function = _function_of(step)
        self._writer = writer
        self._history = history
        migration = step.migration
        self._where = migration.where if step.direction is MigrationDirection.UP else migration.rollback_where

    def run(self) -> None:
        if self._function is not None:
            self._call(self._function)
        for number, statement in enumerate(self._statements, 1):
            self._execute(number, statement)

    def _call(self, function: Function) -> None:
        try:
            made = self._writer.lend(function)
        except (InvalidData, Refused) as error:
            raise self._failed(_words(error)) from error
        except Exception as error:  # an error of the program's own goes through unchanged
            error.add_note(f"raised by {self._where}, which is rolled back")
            raise
        if isinstance(made, GeneratorType | CoroutineType | AsyncGeneratorType):
            # closed, so that Python does not warn of a coroutine that was never awaited
            made.close() if isinstance(made, CoroutineType) else None
            raise self._failed("its function has only made a generator or a coroutine, which nobody runs")

    def _execute(self, number: int, statement: SQLStatement) -> None:
        if switches_foreign_keys(statement) is not None:
            return  # the transaction was opened that way, see `foreign_keys`
        try:
            for _ in self._writer.execute(statement.sql):
                pass
        except InvalidData as error:
            raise self._failed(_words(error), number, statement) from error

    def check_record(self) -> None:
        """Make sure that the migration did not change the record, which is the runner's.

        A migration may make and drop the record's table, and nothing else.
        """
        if self._writer.columns(TABLE):
            now = read_history(self._writer)
            if now != self._history:
                raise self._failed(f"it changes the rows of {TABLE}, which are the runner's record")

    def check_references(self, before: _Broken, now: _Broken) -> None:
        """Make sure that no more references are broken than before."""
        for table, parent in sorted(now.parents - before.parents):
            raise self._failed(f"it leaves {table} with a foreign key to {parent}, which does not exist")
        # the number decides first: a table or column may have a new name, and then its old faults look new
        if len(now.rows) <= len(before.rows):
            return
        known = {(fault.table, fault.key, fault.parent) for fault in before.rows}
        broken = sorted(
            (fault for fault in now.rows if (fault.table, fault.key, fault.parent) not in known),
            key=lambda fault: (fault.table, fault.key),
        )
        first = broken[0]
        row = f"@{first.table}/{show_key(first.key) if first.key else '*'}"
        more = f", and {len(broken) - 1} more rows" if len(broken) > 1 else ""
        raise self._failed(f"FOREIGN KEY: it leaves {row} without its row in {first.parent}{more}")

    def _failed(self, reason: str, number: int = 0, statement: SQLStatement | None = None) -> MigrationFailed:
        line, text = (statement.line, statement.sql) if statement else (None, "")
        total = len(self._statements)
        return MigrationFailed(
            self._where, line, number, total=total, statement=text, reason=reason, version=self._history.version
        )
