"""``commit``, ``log``, ``show`` and ``blame``."""

from __future__ import annotations

from itertools import islice
from typing import Annotated

from epicvc.cli.line.parameters import Argument, Option, examples
from epicvc.cli.settings import Context, complete_epics, complete_refs, repo_of, settings_of

Message = Annotated[str, Option("--message", "-m", metavar="MESSAGE", help="Why.")]
Epics = Annotated[
    list[str] | None, Argument(metavar="[EPIC]...", help="Only these epics.", autocompletion=complete_epics)
]
AllowEmpty = Annotated[bool, Option("--allow-empty", help="Commit even when nothing changed.")]
DryRun = Annotated[bool, Option("--dry-run", "-n", help="Only say what would happen.")]
Range = Annotated[str | None, Argument(metavar="[REV]", help="A revision, or A..B.", autocompletion=complete_refs)]
Number = Annotated[int | None, Option("--max-count", "-n", metavar="N", min=0, help="At most N commits.")]
OneLine = Annotated[bool, Option("--oneline", help="One line a commit.")]
Revision = Annotated[str, Argument(metavar="REV", help="A revision.", autocompletion=complete_refs)]
Place = Annotated[
    str, Argument(metavar="LABEL", help="An epic, task or field: 5, 5:name.", autocompletion=complete_epics)
]
Labels = Annotated[list[str] | None, Argument(metavar="[LABEL]...", help="Only these, as 5 or 5:name.")]


@examples("epicvc commit -m 'before the review'", "epicvc commit -m x 5")
def commit(
    context: Context, message: Message, epics: Epics = None, allow_empty: AllowEmpty = False, dry_run: DryRun = False
) -> int:
    """Record both sides as they are, agreeing or not."""
    from epicvc.actions.shared import commits
    from epicvc.model.labels import Selection

    settings = settings_of(context)
    report = commits.commit(
        repo_of(context), message, Selection.of(epics or []), allow_empty=allow_empty, dry_run=dry_run
    )
    if settings.json:
        from epicvc.cli.output import machine

        settings.emit(machine.commit(report))
    elif not report.changed:
        settings.say("nothing to commit: both sides equal HEAD")
    elif report.commit is None:
        settings.say("would commit")
    else:
        settings.say(f"committed {report.commit.hex()[:12]}  {message.splitlines()[0]}")
    return 0


@examples("epicvc log", "epicvc log --oneline -n 5", "epicvc log a..b")
def log(context: Context, revision: Range = None, max_count: Number = None, oneline: OneLine = False) -> int:
    """Show the history, newest first."""
    from epicvc.actions.restore.refs import names_by_commit
    from epicvc.ui.log import draw_log

    settings = settings_of(context)
    repo = repo_of(context, history=True)
    commits = islice(repo.revisions.range(revision), max_count)
    names = names_by_commit(repo)
    if settings.json:
        from epicvc.cli.output import machine

        settings.emit(machine.log(commits, names))
    else:
        draw_log(settings.console(), commits, names, repo.revisions.head(), repo.revisions.branch(), oneline=oneline)
    return 0


@examples("epicvc show", "epicvc show HEAD~1 5")
def show(context: Context, revision: Revision = "HEAD", labels: Labels = None) -> int:
    """Show a commit and what it changed."""
    from epicvc.actions.history.diff import compare_commit
    from epicvc.actions.restore.refs import names_by_commit
    from epicvc.model.labels import Selection
    from epicvc.ui.changes import draw_changes
    from epicvc.ui.log import draw_commit

    settings = settings_of(context)
    repo = repo_of(context, history=True)
    found = repo.revisions.commit(revision)
    comparison = compare_commit(repo, found, Selection.of(labels or []))
    names = names_by_commit(repo)
    if settings.json:
        from epicvc.cli.output import machine

        settings.emit(machine.show(found, names, comparison))
    else:
        console = settings.console()
        draw_commit(console, found, names.get(found.id.hex(), []))
        draw_changes(console, comparison.changes, verbose=settings.verbose)
    return 0


@examples("epicvc blame 5", "epicvc blame 5:tasks/5.1a")
def blame(context: Context, label: Place) -> int:
    """Show who changed each field last: the commit, its author and time, and the side."""
    from epicvc.actions.origin import blaming
    from epicvc.model.labels import parse_label
    from epicvc.ui.log import draw_blame

    settings = settings_of(context)
    found = blaming.blame(repo_of(context), parse_label(label))
    if settings.json:
        from epicvc.cli.output import machine

        settings.emit(machine.blame(label, found))
    else:
        draw_blame(settings.console(), found)
    return 0
