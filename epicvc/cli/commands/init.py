"""``init``."""

from __future__ import annotations

from typing import Annotated

import typer

from epicvc.cli.settings import Command, environment, settings_of

Files = Annotated[str | None, typer.Option("--files", metavar="DIR", help="The directory of JSON epics.")]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(
        cls=Command,
        epilog="Examples: [b]epicvc init[/b] · [b]epicvc init --files plans --db app/framework.db[/b]",
    )(init)


def init(context: typer.Context, files: Files = None) -> int:
    """Make an epic repo here: find the files and the database, take the first snapshot.

    Looks for epics/user_epics, then epics, and for framework.db. A database named with --db that does not exist yet
    is made with the built-in schema.
    """
    from epicvc.cli import machine
    from epicvc.services.initialise import initialise
    from epicvc.ui.reports import init_report

    settings = settings_of(context)
    _, found = initialise(settings.start(), environment(), files=files, database=settings.located_database())
    if settings.json:
        settings.emit(machine.init(found))
    elif not settings.quiet:
        init_report(settings.console(), found, verbose=settings.verbose)
    return 0
