"""``plan``: calculated dates, and the timetable of all tasks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from epicvc.cli.line.parameters import Argument, Option, examples
from epicvc.cli.settings import Context, complete_epics, repo_of, settings_of

if TYPE_CHECKING:
    from datetime import date

    from epicvc.cli.settings import CommandSettings
    from epicvc.model.labels import Selection
    from epicvc.repo.repository import Repo

Epics = Annotated[
    list[str] | None, Argument(metavar="[EPIC...]", help="Only these epics.", autocompletion=complete_epics)
]
All = Annotated[bool, Option("--all", help="Calculate also where nothing changed, since holidays may have.")]
Replan = Annotated[bool, Option("--replan", help="Give new starts to what is planned already.")]
Schedule = Annotated[bool, Option("--schedule", help="Show when each task can be done, and the critical path.")]
From = Annotated[str | None, Option("--from", metavar="DATE", help="Reckon starts from this day instead of today.")]
DryRun = Annotated[bool, Option("--dry-run", "-n", help="Only say what would change.")]


@examples("epicvc plan", "epicvc plan --schedule")
def plan(
    context: Context,
    epics: Epics = None,
    all_: All = False,
    replan: Replan = False,
    schedule: Schedule = False,
    from_: From = None,
    dry_run: DryRun = False,
) -> int:
    """Calculate planned dates from durations, and write them into the database."""
    from epicvc.dates.inputs import read_day
    from epicvc.errors import UsageError
    from epicvc.model.labels import Selection

    if schedule and (all_ or replan or dry_run):
        raise UsageError("--schedule only shows; it does not go with --all, --replan or --dry-run")
    today = read_day(from_) if from_ is not None else None
    selection = Selection.of(epics or [])
    if any(label.path or label.table for label in selection.labels):
        raise UsageError("plan is about whole epics", hint="for instance `epicvc plan 5`")
    settings, repo = settings_of(context), repo_of(context, recorded=not schedule)
    if schedule:
        return _schedule(settings, repo, today, selection)
    return _plan(context, repo, today, selection, everything=all_, replan=replan, dry_run=dry_run)


def _plan(
    context: Context,
    repo: Repo,
    today: date | None,
    selection: Selection,
    *,
    everything: bool,
    replan: bool,
    dry_run: bool,
) -> int:
    from epicvc.actions.dates.planning import PlanRequest, plan
    from epicvc.repo.runs import Counts
    from epicvc.ui.plans import plan_report

    settings = settings_of(context)
    report = plan(repo, PlanRequest(selection, today, everything, replan, dry_run))
    context.counted(lambda: Counts(len(report.changed)))
    if settings.json:
        from epicvc.cli.output import plans as machine

        settings.emit(machine.plan(report))
    elif not settings.quiet:
        plan_report(settings.console(), report, verbose=settings.verbose)
    return settings.tell_errors(report.errors)


def _schedule(settings: CommandSettings, repo: Repo, today: date | None, selection: Selection) -> int:
    from epicvc.actions.dates.scheduling import timetable
    from epicvc.ui.timeline import draw_timetable

    table = timetable(repo, today=today, selection=selection)
    if settings.json:
        from epicvc.cli.output import plans as machine

        settings.emit(machine.schedule(table))
    else:
        draw_timetable(settings.console(), table, tasks=settings.verbose or not selection.all)
    return settings.tell_errors(table.errors)
