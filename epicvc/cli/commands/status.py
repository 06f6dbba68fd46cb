"""``status`` and ``diff``."""

from __future__ import annotations

from typing import Annotated

import typer

from epicvc.cli.settings import Command, complete_refs, repo_of, settings_of

ExitCode = Annotated[bool, typer.Option("--exit-code", help="Exit with 1 when there are differences.")]
Porcelain = Annotated[bool, typer.Option("--porcelain", help="Short, stable lines for scripts.")]
Words = Annotated[
    list[str] | None,
    typer.Argument(metavar="[REV [REV]] [LABEL]...", help="Revisions, then labels.", autocompletion=complete_refs),
]
Side = Annotated[str | None, typer.Option("--side", metavar="files|db", help="Only this side.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command(cls=Command, epilog="Examples: [b]epicvc status[/b] · [b]epicvc status --json --exit-code[/b]")(status)
    app.command(
        cls=Command,
        epilog="Examples: [b]epicvc diff[/b] · [b]epicvc diff HEAD~1 5[/b] · [b]epicvc diff a b --side db[/b]",
    )(diff)


def status(context: typer.Context, porcelain: Porcelain = False, exit_code: ExitCode = False) -> int:
    """Show what each side changed since HEAD, and what is out of sync."""
    from epicvc.cli import machine
    from epicvc.cli.porcelain import porcelain_lines
    from epicvc.services.status import read_status
    from epicvc.ui.status import draw_status

    settings = settings_of(context)
    found = read_status(repo_of(context))
    if settings.json:
        settings.emit(machine.status(found))
    elif porcelain:
        for line in porcelain_lines(found):
            typer.echo(line)
    else:
        draw_status(settings.console(), found, verbose=settings.verbose)
    return int(exit_code and not (found.clean and found.in_sync))


def diff(context: typer.Context, words: Words = None, side: Side = None, exit_code: ExitCode = False) -> int:
    """Show differences by epic and field: since HEAD, since a commit, or between two commits.

    Without a revision, what both sides changed since HEAD. A..B is the same as A B; A...B is
    what B changed since the merge base of the two.
    """
    from epicvc.cli import machine
    from epicvc.services.compare import compare
    from epicvc.ui.changes import draw_changes

    settings = settings_of(context)
    comparison = compare(repo_of(context), words or [], side=side)
    if settings.json:
        settings.emit(machine.diff(comparison))
    else:
        draw_changes(settings.console(), comparison.changes, verbose=settings.verbose)
    return int(exit_code and bool(comparison.changes))
