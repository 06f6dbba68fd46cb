"""``init``."""

from __future__ import annotations

from typing import Annotated

from epicvc.cli.line.parameters import Option, examples
from epicvc.cli.settings import Context, environment, settings_of

Files = Annotated[str | None, Option("--files", metavar="DIR", help="The directory of JSON epics.")]

DryRun = Annotated[bool, Option("--dry-run", "-n", help="Only say what would be found.")]


@examples("epicvc init", "epicvc init --files plans --db app/framework.db")
def init(context: Context, files: Files = None, dry_run: DryRun = False) -> int:
    """Make an epic repo here: find the files and the database, take the first snapshot.

    Looks for epics/user_epics, then epics, and for framework.db. A database named with --db that does not exist yet
    is made with the built-in schema; where none is found, init asks whether to make one.
    """
    from epicvc.actions.care.initialise import initialise
    from epicvc.ui.reports import init_report

    settings = settings_of(context)
    found = initialise(
        settings.start(),
        environment(),
        files=files,
        database=settings.located_database(),
        dry_run=dry_run,
        offer=lambda name: settings.ask(f"no database found; make {name} with the built-in schema?"),
    )
    if settings.json:
        from epicvc.cli.output import machine

        settings.emit(machine.init(found))
    elif not settings.quiet:
        init_report(settings.console(), found, verbose=settings.verbose)
    settings.tell_errors(found.errors)  # which make no init fail
    return 0
