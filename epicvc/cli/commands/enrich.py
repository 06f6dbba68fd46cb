"""``enrich``: calculated fields in files of their own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from epicvc.cli.line.parameters import Argument, Option, examples
from epicvc.cli.settings import Context, complete_epics, repo_of, settings_of

Epics = Annotated[
    list[str] | None, Argument(metavar="[EPIC...]", help="Only these epics.", autocompletion=complete_epics)
]
To = Annotated[Path | None, Option("--to", metavar="DIR", help="The directory of the enriched files.")]
Check = Annotated[bool, Option("--check", help="Write nothing; exit with 1 when an enriched file is stale.")]
DryRun = Annotated[bool, Option("--dry-run", "-n", help="Only say what would be written.")]
From = Annotated[str | None, Option("--from", metavar="DATE", help="Reckon starts from this day instead of today.")]

_STALE, _INVALID = 1, 4


@examples("epicvc enrich", "epicvc enrich --check")
def enrich(
    context: Context,
    epics: Epics = None,
    to: To = None,
    check: Check = False,
    from_: From = None,
    dry_run: DryRun = False,
) -> int:
    """Write every epic with its calculated fields into a file of its own; the authors' files stay as they are."""
    from epicvc.actions.enrich.enriching import enrich_repo
    from epicvc.dates.inputs import read_day
    from epicvc.repo.runs import Counts
    from epicvc.ui.plans import enrich_report

    settings, repo = settings_of(context), repo_of(context)
    found = enrich_repo(
        repo,
        to=settings.start() / to if to is not None else None,
        epics=frozenset(epics) if epics else None,
        today=read_day(from_) if from_ is not None else None,
        check=check or dry_run,
    )
    context.counted(lambda: Counts(len(found.report.stale)))
    if settings.json:
        from epicvc.cli.output import plans as machine

        settings.emit(machine.enrich(found))
    elif not settings.quiet:
        enrich_report(settings.console(), found, repo.config.root, verbose=settings.verbose)
    if found.report.problems:
        return _INVALID
    return _STALE if check and found.report.stale else 0
