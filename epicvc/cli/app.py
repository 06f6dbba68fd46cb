"""The application: all commands, in the order in which a newcomer meets them."""

from __future__ import annotations

import typer

from epicvc.cli.commands import (
    care,
    clean,
    enrich,
    history,
    init,
    mergefile,
    merges,
    migrate,
    operations,
    plan,
    refs,
    resolve,
    states,
    status,
    sync,
)
from epicvc.cli.settings import Command, Group, Settings, settings_of

ClickException: type[Exception] = next(c for c in typer.BadParameter.__mro__ if c.__name__ == "ClickException")
"""The base of the command line library's own errors (it vendors its parser, so that there is no public name)."""

_EPILOG = """Daily use: edit files, let the application write, then epicvc sync.

Revisions: HEAD~2, a branch, tag or checkpoint, an id prefix, @{1},
@{2025-08-17T10:00:00}.

Labels: 5, 5:name, 5:tasks/5.1a/title, @table/key/column.
"""


def application() -> typer.Typer:
    """Build the application."""
    app = typer.Typer(
        name="epicvc",
        cls=Group,
        help="Version control and three-way sync for plans in JSON files and a database.",
        epilog=_EPILOG,
        no_args_is_help=True,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    )

    @app.callback()
    def root(
        context: typer.Context,
        version: bool = typer.Option(False, "--version", help="Show the version and exit.", is_eager=True),
    ) -> None:
        if version:
            from epicvc import __version__

            typer.echo(f"epicvc {__version__}")
            raise typer.Exit
        context.obj = settings_of(context) or Settings()

    of_history = (history, states, refs, merges, mergefile, operations)
    for module in (init, status, sync, resolve, *of_history, migrate, plan, enrich, clean, care):
        module.register(app)
    return app


__all__ = ["ClickException", "Command", "application"]
