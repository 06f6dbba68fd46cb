"""``status`` and ``diff``."""

from __future__ import annotations

import sys
from typing import Annotated

from epicvc.cli.line.parameters import Argument, Option, examples
from epicvc.cli.settings import Context, complete_refs, repo_of, settings_of

_INVALID = 4

ExitCode = Annotated[
    bool, Option("--exit-code", help="Exit with 1 when there are differences, with 4 when something cannot be read.")
]
Porcelain = Annotated[bool, Option("--porcelain", help="Short, stable lines for scripts.")]
Words = Annotated[
    list[str] | None,
    Argument(metavar="[REV [REV]] [LABEL]...", help="Revisions, then labels.", autocompletion=complete_refs),
]
Side = Annotated[str | None, Option("--side", metavar="files|db", help="Only this side.")]


@examples("epicvc status", "epicvc status --json --exit-code")
def status(context: Context, porcelain: Porcelain = False, exit_code: ExitCode = False) -> int:
    """Show what each side changed since HEAD, and what is out of sync."""
    from epicvc.actions.history.status import read_status
    from epicvc.ui.status import draw_status

    settings = settings_of(context)
    found = read_status(repo_of(context))
    if settings.json:
        from epicvc.cli.output import machine

        settings.emit(machine.status(found))
    elif porcelain:
        from epicvc.cli.output.porcelain import porcelain_lines

        for line in porcelain_lines(found):
            sys.stdout.write(line + "\n")
    else:
        draw_status(settings.console(), found, verbose=settings.verbose)
    return _INVALID if exit_code and found.errors else int(exit_code and not (found.clean and found.in_sync))


@examples("epicvc diff", "epicvc diff HEAD~1 5", "epicvc diff a b --side db")
def diff(context: Context, words: Words = None, side: Side = None, exit_code: ExitCode = False) -> int:
    """Show differences by epic and field: since HEAD, since a commit, or between two commits.

    Without a revision, what both sides changed since HEAD. A..B is the same as A B; A...B is
    what B changed since the merge base of the two.
    """
    from epicvc.actions.history.diff import compare
    from epicvc.ui.changes import draw_changes

    settings = settings_of(context)
    comparison = compare(repo_of(context), words or [], side=side)
    if settings.json:
        from epicvc.cli.output import machine

        settings.emit(machine.diff(comparison))
    else:
        draw_changes(settings.console(), comparison.changes, verbose=settings.verbose)
    code = settings.tell_errors(comparison.errors) or int(bool(comparison.changes))
    return code if exit_code else 0
