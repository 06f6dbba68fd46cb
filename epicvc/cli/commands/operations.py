"""``undo``, ``redo`` and ``op``."""

from __future__ import annotations

from itertools import islice
from typing import Annotated

from epicvc.cli.line.parameters import Argument, Option, examples
from epicvc.cli.settings import Context, repo_of, settings_of

Operation = Annotated[str | None, Argument(metavar="[OP]", help="An operation's id; the last one by default.")]
Needed = Annotated[str, Argument(metavar="OP", help="An operation's id.")]
Number = Annotated[int | None, Option("--max-count", "-n", metavar="N", min=0, help="At most N operations.")]
DryRun = Annotated[bool, Option("--dry-run", help="Only say what would happen.")]


@examples("epicvc undo", "epicvc undo 3f2a")
def undo(context: Context, operation: Operation = None, dry_run: DryRun = False) -> int:
    """Take back what an operation changed, and only that."""
    from epicvc.actions.restore import undoing

    found = undoing.undo(repo_of(context), operation, dry_run=dry_run)
    return _tell(context, "undo", found.id, found.description, dry_run=dry_run)


@examples("epicvc redo")
def redo(context: Context, dry_run: DryRun = False) -> int:
    """Bring back what undo took back last."""
    from epicvc.actions.restore import undoing

    found = undoing.redo(repo_of(context), dry_run=dry_run)
    return _tell(context, "redo", found.id, found.description, dry_run=dry_run)


@examples("epicvc op log -n 5")
def log(context: Context, max_count: Number = None) -> int:
    """Show the operations, newest first."""
    from epicvc.ui.log import draw_operations

    settings, repo = settings_of(context), repo_of(context)
    operations = islice(repo.store.operations(), max_count)
    if settings.json:
        from epicvc.cli.output import machine

        settings.emit(machine.operations(operations))
    else:
        draw_operations(settings.console(), operations)
    return 0


@examples("epicvc op restore 3f2a")
def restore(context: Context, operation: Needed, dry_run: DryRun = False) -> int:
    """Bring refs and both sides to where they were after an operation."""
    from epicvc.actions.restore import undoing

    found = undoing.restore_operation(repo_of(context), operation, dry_run=dry_run)
    return _tell(context, "op restore", found.id, found.description, dry_run=dry_run)


def _tell(context: Context, command: str, operation: str, description: str, *, dry_run: bool) -> int:
    settings = settings_of(context)
    if settings.json:
        settings.emit({"format": "epicvc.operation/1", "command": command, "operation": operation, "dry_run": dry_run})
    else:
        settings.say(f"{'would ' if dry_run else ''}{command}: {description} ({operation[:12]})")
    return 0
