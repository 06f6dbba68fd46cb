"""What ``migrate`` found and did, as values for whoever shows them."""

from __future__ import annotations

from msgspec import Struct

from epicvc.database.migrations.checks import Findings
from epicvc.database.migrations.history import History
from epicvc.database.migrations.migration import Migration
from epicvc.store.objects import ObjectId


class MigrationStanding(Struct, frozen=True):
    """Where a database stands.

    Attributes:
        database: how it is named.
        directory: where the migrations are.
        history: its record.
        pending: what could be applied.
        findings: problems and notes of the migrations.
        foreign: a table of a database that has tables and no record; ``None`` for every other.
        fits: the version that such a database is at, as far as can be seen; ``None`` for none.
    """

    database: str
    directory: str
    history: History
    pending: tuple[Migration, ...]
    findings: Findings
    foreign: str | None = None
    fits: str | None = None


class MigrationReport(Struct, frozen=True):
    """What a run did, or would do.

    Attributes:
        command: ``up``, ``down`` or ``baseline``.
        start: the version before; ``None`` for none.
        end: the version after.
        steps: the migrations that were applied, taken back, or adopted, in that order.
        dry_run: nothing was done.
        notes: what is worth knowing.
        checkpoint: the checkpoint that was taken before; ``None`` where there is no store or nothing to do.
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
