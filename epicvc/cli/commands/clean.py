"""``clean``: orphans, old records and unused space; copies and common faults of files; files that can be made again."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Annotated

from epicvc.cli.line.parameters import Option, examples
from epicvc.cli.settings import Context, environment, repo_of, settings_of

if TYPE_CHECKING:
    from epicvc.actions.clean.cleaning import CleanReport
    from epicvc.actions.clean.database import DatabaseCleaning

Tasks = Annotated[bool, Option("--orphaned-tasks", help="Tasks without an epic, dependencies without a task.")]
Sessions = Annotated[bool, Option("--orphaned-sessions", help="Recorded sessions on tasks that do not exist.")]
TasksIn = Annotated[str | None, Option("--tasks-in", metavar="URL", help="The database that has the tasks.")]
Archive = Annotated[
    int | None, Option("--archive", metavar="DAYS", min=0, help="Rows deleted or completed so long ago.")
]
Vacuum = Annotated[bool, Option("--vacuum", help="Give unused space back.")]
Duplicates = Annotated[bool, Option("--duplicates", help="Files that say what another file says.")]
Repair = Annotated[bool, Option("--repair", help="Faults that can be mended without a guess.")]
Temporaries = Annotated[bool, Option("--temporaries", help="Temporary files of commands that died.")]
Checksums = Annotated[bool, Option("--checksums", help="What is remembered of files and rows.")]
DryRun = Annotated[bool, Option("--dry-run", "-n", help="Only say what would go.")]


@examples("epicvc clean db --dry-run", "epicvc clean db --archive 90 --vacuum")
def db(
    context: Context,
    orphaned_tasks: Tasks = False,
    orphaned_sessions: Sessions = False,
    tasks_in: TasksIn = None,
    archive: Archive = None,
    vacuum: Vacuum = False,
    dry_run: DryRun = False,
) -> int:
    """Remove orphaned tasks, dependencies and sessions; or only what is named, old records and unused space too."""
    from epicvc.actions.clean.place import open_database_cleaning

    settings = settings_of(context)
    everything = not (orphaned_tasks or orphaned_sessions or archive is not None or vacuum)
    reports: list[CleanReport] = []
    with ExitStack() as stack:

        def opened(database: str | None) -> DatabaseCleaning:
            return stack.enter_context(open_database_cleaning(settings.start(), environment(), database=database))

        cleaning = opened(settings.located_database())
        context.record(cleaning.private)
        parts = [cleaning.orphaned_tasks()] if orphaned_tasks or everything else []
        if orphaned_sessions or everything:
            parts.append(
                cleaning.orphaned_sessions(
                    opened(settings.located(tasks_in, "--tasks-in")).backend if tasks_in is not None else None
                )
            )
        if archive is not None:
            parts.append(cleaning.archive(archive))
        reports += cleaning.run(parts, dry_run=dry_run)
        if vacuum:
            reports.append(cleaning.vacuum(dry_run=dry_run))
    return _tell(context, reports)


@examples("epicvc clean files --dry-run")
def files(context: Context, duplicates: Duplicates = False, repair: Repair = False, dry_run: DryRun = False) -> int:
    """Mend common faults of epic files and remove copies; or only what is named."""
    from epicvc.actions.clean.files import FileCleaning

    repo = repo_of(context)
    cleaning = FileCleaning(repo.config.files, repo.config.mapping, repo)
    parts = [cleaning.repair()] if repair or not duplicates else []
    parts += [cleaning.duplicates()] if duplicates or not repair else []
    return _tell(context, cleaning.run(parts, dry_run=dry_run))


@examples("epicvc clean cache")
def cache(
    context: Context, temporaries: Temporaries = False, checksums: Checksums = False, dry_run: DryRun = False
) -> int:
    """Remove temporary files of commands that died, and what is remembered of both sides."""
    from epicvc.actions.clean import cache as cleaningcache

    repo = repo_of(context)
    reports: list[CleanReport] = []
    if temporaries or not checksums:
        reports.append(cleaningcache.clear_temporaries(repo, dry_run=dry_run))
    if checksums or not temporaries:
        reports.append(cleaningcache.reset_caches(repo, dry_run=dry_run))
    return _tell(context, reports)


def _tell(context: Context, reports: list[CleanReport]) -> int:
    from epicvc.ui.reports import clean_report

    settings = settings_of(context)
    if settings.json:
        from epicvc.cli.output import machine

        settings.emit(machine.clean(reports))
    else:
        clean_report(settings.console(), reports)
    return 0
