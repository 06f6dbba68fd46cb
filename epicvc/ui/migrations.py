"""Draws migrations."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from epicvc.ui.terminal import Console, line
from epicvc.ui.text import count, printable

if TYPE_CHECKING:
    from epicvc.actions.migrate.report import MigrationReport, MigrationStanding
    from epicvc.database.migrations.proving import Proof

_VERBS = {"up": ("applied", "would apply"), "down": ("took back", "would take back")}
_ADOPTED = ("adopted", "would adopt")


def draw_migrations(console: Console, found: MigrationStanding) -> None:
    """Draw the standing of a database: applied and pending migrations, and problems."""
    at = f"at version {found.history.version}" if found.history.version else "without any migration"
    console.print(line(("database    ", "label"), f"{printable(found.database)}, {at}"))
    console.print(line(("migrations  ", "label"), printable(found.directory)))
    for record in found.history.records:
        how = "" if record.kind == "applied" else f"  ({record.kind})"
        when = f"  {record.applied_at} by {record.applied_by}"
        console.print(line(("  applied  ", "good"), printable(record.title), (printable(when + how), "dim")))
    for migration in found.pending:
        console.print(line(("  pending  ", "changed"), printable(migration.title)))
    for problem in found.findings.problems:
        console.print(line(("problem: ", "conflict"), printable(problem.message)))
    _draw_notes(console, found.findings.notes)
    if found.foreign is not None:
        text = f"it has tables ({found.foreign}, for one) and no history of migrations"
        console.print(line((printable(text), "changed")))
        console.print(line((f"next: epicvc migrate baseline {found.fits or 'none'}", "label")))
    elif found.pending and not found.findings.problems:
        console.print(line(("next: epicvc migrate up   (epicvc migrate up --dry-run to look first)", "label")))


def draw_report(console: Console, report: MigrationReport, *, verbose: bool = False) -> None:
    """Draw the migrations that a run applied or took back, or would."""
    verb = _VERBS.get(report.command, _ADOPTED)[report.dry_run]
    for migration in report.steps:
        console.print(line((f"{verb} ", "label"), printable(migration.title)))
        if report.dry_run and report.command != "baseline":
            back = report.command == "down"
            statements = migration.rollback_statements if back else migration.statements
            where = migration.rollback_where if back else migration.where
            console.print(line((f"    {count(len(statements), 'statement')} of {printable(where)}", "dim")))
            if verbose:
                for statement in statements:
                    for text in statement.sql.splitlines():
                        console.print(line(("      " + printable(text), "dim")))
    if not report.steps and report.command != "baseline":
        what = "pending" if report.command == "up" else "to take back"
        console.print(line((f"nothing is {what}", "good")))
    _draw_notes(console, report.notes)
    if not report.dry_run and (report.steps or report.command == "baseline"):
        at = f"at version {report.end}" if report.end else "without any migration"
        console.print(line((f"the database is {at}", "good")))
        if report.checkpoint:
            console.print(line((f"before it: checkpoint {report.checkpoint}; `epicvc undo` goes back", "dim")))


def draw_proof(console: Console, found: Proof) -> None:
    """Draw the result of a trial on a copy."""
    for version in found.proven:
        console.print(line(("proven    ", "good"), f"{version}  up, down, up: the same schema"))
    for version in found.skipped:
        console.print(
            line(("no proof  ", "changed"), f"{version}  it was adopted, has no rollback, or a program has it")
        )
    for error in found.errors:
        console.print(line(("problem: ", "conflict"), printable(error)))
    if not found.errors:
        console.print(line((f"{count(len(found.proven), 'migration')} verified on a copy", "good")))


def _draw_notes(console: Console, notes: Iterable[str]) -> None:
    for note in notes:
        console.print(line(("note: ", "dim"), printable(note)))
