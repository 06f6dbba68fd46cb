"""``merge``, ``revert`` and ``cherry-pick``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from epicvc.cli.line.parameters import Argument, Option, examples
from epicvc.cli.settings import Context, complete_refs, repo_of, settings_of

if TYPE_CHECKING:
    from epicvc.actions.merge.merging import MergeReport

Revision = Annotated[str | None, Argument(metavar="[REV]", help="A revision.", autocompletion=complete_refs)]
Message = Annotated[str | None, Option("--message", "-m", metavar="MESSAGE", help="Why.")]
Prefer = Annotated[
    str | None, Option("--prefer", metavar="ours|theirs|base", help="Settle every conflict by this value.")
]
NoFastForward = Annotated[bool, Option("--no-ff", help="Make a commit even where the branch could only move.")]
Mainline = Annotated[
    int | None, Option("--mainline", metavar="N", help="Which parent of a merge its changes are counted from.")
]
Abort = Annotated[bool, Option("--abort", help="Give it up: both sides as they were before.")]
Continue = Annotated[bool, Option("--continue", help="Commit it, now that its conflicts are settled.")]
DryRun = Annotated[bool, Option("--dry-run", "-n", help="Only say what would happen.")]


@examples("epicvc merge review", "epicvc merge --continue", "epicvc merge --abort")
def merge(
    context: Context,
    revision: Revision = None,
    message: Message = None,
    no_ff: NoFastForward = False,
    prefer: Prefer = None,
    abort: Abort = False,
    continue_: Continue = False,
    dry_run: DryRun = False,
) -> int:
    """Merge a branch or commit into the current branch, both sides included."""
    from epicvc.actions.merge import merging
    from epicvc.merge.threeway import preferring

    if _finishes(context, "merge", revision, message, dry_run=dry_run, abort=abort, proceed=continue_):
        return 0
    report = merging.merge(
        repo_of(context),
        revision or "",
        message=message,
        fast_forward=not no_ff,
        decide=preferring(prefer),
        dry_run=dry_run,
    )
    return _tell(context, report)


@examples("epicvc revert HEAD", "epicvc revert HEAD~3 -n", "epicvc revert --abort")
def revert(
    context: Context,
    revision: Revision = None,
    message: Message = None,
    mainline: Mainline = None,
    prefer: Prefer = None,
    abort: Abort = False,
    continue_: Continue = False,
    dry_run: DryRun = False,
) -> int:
    """Take one commit's changes back, by a new commit."""
    from epicvc.actions.merge import merging
    from epicvc.merge.threeway import preferring

    if _finishes(context, "revert", revision, message, dry_run=dry_run, abort=abort, proceed=continue_):
        return 0
    report = merging.revert(
        repo_of(context), revision or "", message=message, mainline=mainline, decide=preferring(prefer), dry_run=dry_run
    )
    return _tell(context, report)


@examples("epicvc cherry-pick 5af392d", "epicvc cherry-pick review~2 -n", "epicvc cherry-pick --continue")
def cherry_pick(
    context: Context,
    revision: Revision = None,
    message: Message = None,
    mainline: Mainline = None,
    prefer: Prefer = None,
    abort: Abort = False,
    continue_: Continue = False,
    dry_run: DryRun = False,
) -> int:
    """Apply one commit's changes here, by a new commit."""
    from epicvc.actions.merge import merging
    from epicvc.merge.threeway import preferring

    if _finishes(context, merging.CHERRY_PICK, revision, message, dry_run=dry_run, abort=abort, proceed=continue_):
        return 0
    report = merging.cherry_pick(
        repo_of(context), revision or "", message=message, mainline=mainline, decide=preferring(prefer), dry_run=dry_run
    )
    return _tell(context, report)


def _finishes(
    context: Context,
    command: str,
    revision: str | None,
    message: str | None,
    *,
    dry_run: bool,
    abort: bool,
    proceed: bool,
) -> bool:
    """Carry out ``--abort`` or ``--continue``. Return whether one of them was given.

    Raises:
        UsageError: not exactly one of a revision and these two is given.
    """
    from epicvc.actions.merge import waiting
    from epicvc.errors import UsageError

    if (revision is not None) + abort + proceed != 1:
        hint = f"epicvc {command} REV, epicvc {command} --continue or epicvc {command} --abort"
        raise UsageError(f"what to {command}, or how to go on?", hint=hint)
    if proceed:
        _tell(context, waiting.finish(repo_of(context), command, message=message, dry_run=dry_run))
    elif abort:
        settings = settings_of(context)
        report = waiting.abort(repo_of(context), command, dry_run=dry_run)
        if settings.json:
            _tell(context, report)
        else:
            settings.say(f"{'would give' if dry_run else 'gave'} the {command} of {report.name} up")
    return abort or proceed


def _tell(context: Context, report: MergeReport) -> int:
    from epicvc.actions.report.recording import counts_of_merge
    from epicvc.ui.reports import merge_report

    settings = settings_of(context)
    context.counted(lambda: counts_of_merge(report))
    if settings.json:
        from epicvc.cli.output import machine

        settings.emit(machine.merge(report))
    elif not settings.quiet:
        merge_report(settings.console(), report)
    return int(bool(report.conflicts))
