"""``undo``, ``redo`` and ``op``."""

from __future__ import annotations

from itertools import islice
from typing import Annotated

import typer

from epicvc.cli.settings import Command, Group, repo_of, settings_of

Operation = Annotated[str | None, typer.Argument(metavar="[OP]", help="An operation's id; the last one by default.")]
Needed = Annotated[str, typer.Argument(metavar="OP", help="An operation's id.")]
Number = Annotated[int | None, typer.Option("--max-count", "-n", metavar="N", min=0, help="At most N operations.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say what would happen.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command(cls=Command, epilog="Examples: [b]epicvc undo[/b] · [b]epicvc undo 3f2a[/b]")(undo)
    app.command(cls=Command, epilog="Example: [b]epicvc redo[/b]")(redo)
    group = typer.Typer(cls=Group, help="The operation log.", no_args_is_help=True)
    group.command(cls=Command, epilog="Example: [b]epicvc op log -n 5[/b]")(log)
    group.command(cls=Command, epilog="Example: [b]epicvc op restore 3f2a[/b]")(restore)
    app.add_typer(group, name="op")


def undo(context: typer.Context, operation: Operation = None, dry_run: DryRun = False) -> int:
    """Take back what an operation changed, and only that."""
    from epicvc.services import undoing

    found = undoing.undo(repo_of(context), operation, dry_run=dry_run)
    return _tell(context, "undo", found.id, found.description, dry_run=dry_run)


def redo(context: typer.Context, dry_run: DryRun = False) -> int:
    """Bring back what undo took back last."""
    from epicvc.services import undoing

    found = undoing.redo(repo_of(context), dry_run=dry_run)
    return _tell(context, "redo", found.id, found.description, dry_run=dry_run)


def log(context: typer.Context, max_count: Number = None) -> int:
    """Show the operations, newest first."""
    from epicvc.cli import machine
    from epicvc.ui.log import draw_operations

    settings, repo = settings_of(context), repo_of(context)
    operations = islice(repo.store.operations(), max_count)
    if settings.json:
        settings.emit(machine.operations(operations))
    else:
        draw_operations(settings.console(), operations)
    return 0


def restore(context: typer.Context, operation: Needed, dry_run: DryRun = False) -> int:
    """Bring refs and both sides to where they were after an operation."""
    from epicvc.services import undoing

    found = undoing.restore_operation(repo_of(context), operation, dry_run=dry_run)
    return _tell(context, "op restore", found.id, found.description, dry_run=dry_run)


def _tell(context: typer.Context, command: str, operation: str, description: str, *, dry_run: bool) -> int:
    settings = settings_of(context)
    if settings.json:
        settings.emit({"format": "epicvc.operation/1", "command": command, "operation": operation, "dry_run": dry_run})
    else:
        settings.say(f"{'would ' if dry_run else ''}{command}: {description} ({operation[:12]})")
    return 0
