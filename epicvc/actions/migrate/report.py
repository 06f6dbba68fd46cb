"""The results of ``migrate``, as values to be shown."""

from __future__ import annotations

from msgspec import Struct

from epicvc.database.migrations.checks import Findings
from epicvc.database.migrations.history import History
from epicvc.database.migrations.migration import Migration
from epicvc.store.objects import ObjectId


class MigrationStanding(Struct, frozen=True):
    """The standing of a database: its record and the migrations that are pending.

    Attributes:
        database: the name of the database.
        directory: the directory of the migrations.
        history: its record.
        pending: the migrations that can be applied.
        findings: problems and notes of the migrations.
        foreign: a table of a database that has tables but no record; ``None`` for every other database.
        fits: the version that fits such a database; ``None`` if none does.
    """

    database: str
    directory: str
    history: History
    pending: tuple[Migration, ...]
    findings: Findings
    foreign: str | None = None
    fits: str | None = None


class MigrationReport(Struct, frozen=True):
    """The result of a run, or of its dry run.

    Attributes:
        command: ``up``, ``down`` or ``baseline``.
        start: the version before; ``None`` for none.
        end: the version after.
        steps: the migrations that were applied, rolled back or adopted, in the order of the run.
        dry_run: nothing was done.
        notes: remarks that are worth knowing.
        checkpoint: the checkpoint that was taken before; ``None`` if there is no store or nothing to do.
        commit: the last commit that was made.
    """

    command: str
    start: str | None
    end: str | None
    steps: tuple[Migration, ...]
    dry_run: bool = False
    notes: tuple[str, ...] = ()
    checkpoint: str | None = None
    commit: ObjectId | None = None
