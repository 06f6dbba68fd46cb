"""``commit``, ``log``, ``show`` and ``blame``."""

from __future__ import annotations

from itertools import islice
from typing import Annotated

import typer

from epicvc.cli.settings import Command, complete_epics, complete_refs, repo_of, settings_of

Message = Annotated[str, typer.Option("--message", "-m", metavar="MESSAGE", help="Why.")]
Epics = Annotated[
    list[str] | None,
    typer.Argument(metavar="[EPIC]...", help="Only these epics.", autocompletion=complete_epics),
]
AllowEmpty = Annotated[bool, typer.Option("--allow-empty", help="Commit even when nothing changed.")]
DryRun = Annotated[bool, typer.Option("--dry-run", "-n", help="Only say what would happen.")]
Range = Annotated[
    str | None, typer.Argument(metavar="[REV]", help="A revision, or A..B.", autocompletion=complete_refs)
]
Number = Annotated[int | None, typer.Option("--max-count", "-n", metavar="N", min=0, help="At most N commits.")]
OneLine = Annotated[bool, typer.Option("--oneline", help="One line a commit.")]
Revision = Annotated[str, typer.Argument(metavar="REV", help="A revision.", autocompletion=complete_refs)]
Place = Annotated[
    str, typer.Argument(metavar="LABEL", help="An epic, task or field: 5, 5:name.", autocompletion=complete_epics)
]
Labels = Annotated[list[str] | None, typer.Argument(metavar="[LABEL]...", help="Only these, as 5 or 5:name.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command(
        cls=Command,
        epilog="Examples: [b]epicvc commit -m 'before the review'[/b] · [b]epicvc commit -m x 5[/b]",
    )(commit)
    app.command(
        cls=Command,
        epilog="Examples: [b]epicvc log[/b] · [b]epicvc log --oneline -n 5[/b] · [b]epicvc log a..b[/b]",
    )(log)
    app.command(cls=Command, epilog="Examples: [b]epicvc show[/b] · [b]epicvc show HEAD~1 5[/b]")(show)
    app.command(cls=Command, epilog="Examples: [b]epicvc blame 5[/b] · [b]epicvc blame 5:tasks/5.1a[/b]")(blame)


def commit(
    context: typer.Context,
    message: Message,
    epics: Epics = None,
    allow_empty: AllowEmpty = False,
    dry_run: DryRun = False,
) -> int:
    """Record both sides as they are, agreeing or not."""
    from epicvc.cli import machine
    from epicvc.model.labels import Selection
    from epicvc.services import commits

    settings = settings_of(context)
    report = commits.commit(
        repo_of(context), message, Selection.of(epics or []), allow_empty=allow_empty, dry_run=dry_run
    )
    if settings.json:
        settings.emit(machine.commit(report))
    elif not report.changed:
        settings.say("nothing to commit: both sides equal HEAD")
    elif report.commit is None:
        settings.say("would commit")
    else:
        settings.say(f"committed {report.commit.hex()[:12]}  {message.splitlines()[0]}")
    return 0


def log(context: typer.Context, revision: Range = None, max_count: Number = None, oneline: OneLine = False) -> int:
    """Show the history, newest first."""
    from epicvc.cli import machine
    from epicvc.services.refs import names_by_commit
    from epicvc.ui.log import draw_log

    settings = settings_of(context)
    repo = repo_of(context)
    commits = islice(repo.revisions.range(revision), max_count)
    names = names_by_commit(repo)
    if settings.json:
        settings.emit(machine.log(commits, names))
    else:
        draw_log(
            settings.console(),
            commits,
            names,
            repo.revisions.head(),
            repo.revisions.branch(),
            oneline=oneline,
        )
    return 0


def show(context: typer.Context, revision: Revision = "HEAD", labels: Labels = None) -> int:
    """Show a commit and what it changed."""
    from epicvc.cli import machine
    from epicvc.model.labels import Selection
    from epicvc.services.compare import compare_commit
    from epicvc.services.refs import names_by_commit
    from epicvc.ui.changes import draw_changes
    from epicvc.ui.log import draw_commit

    settings = settings_of(context)
    repo = repo_of(context)
    found = repo.revisions.commit(revision)
    comparison = compare_commit(repo, found, Selection.of(labels or []))
    names = names_by_commit(repo)
    if settings.json:
        settings.emit(machine.show(found, names, comparison))
    else:
        console = settings.console()
        draw_commit(console, found, names.get(found.id.hex(), []))
        draw_changes(console, comparison.changes, verbose=settings.verbose)
    return 0


def blame(context: typer.Context, label: Place) -> int:
    """Show who changed each field last: the commit, its author and time, and the side."""
    from epicvc.cli import machine
    from epicvc.model.labels import parse_label
    from epicvc.services import blaming
    from epicvc.ui.log import draw_blame

    settings = settings_of(context)
    found = blaming.blame(repo_of(context), parse_label(label))
    if settings.json:
        settings.emit(machine.blame(label, found))
    else:
        draw_blame(settings.console(), found)
    return 0
