"""The command line as the library reads it: lines that are not plain, help, mistakes and completion.

It is made of :mod:`epicvc.cli.line.table` and of the declarations of the commands. A command is built when it is asked
for.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Annotated, Any

import typer
from typer.core import TyperOption
from typer.main import get_command, get_command_from_info
from typer.models import CommandInfo

from epicvc.cli.edge import Interrupted
from epicvc.cli.line.help import COMMON_SECTION, Commands, LaidCommand, LaidGroup
from epicvc.cli.line.parameters import COMMON, Option, Parameter, examples_of, parameters_of
from epicvc.cli.line.table import EPICVC, Family, function_of
from epicvc.cli.settings import CommandSettings, Context
from epicvc.errors import UsageError

ClickException: type[Exception] = next(c for c in typer.BadParameter.__mro__ if c.__name__ == "ClickException")
"""The base of the command line library's own errors. The library vendors its parser, so there is no public name."""

_EPILOG = """Daily use: edit files, let the application write, then epicvc sync.

Revisions: HEAD~2, a branch, tag or checkpoint, an id prefix, @{1},
@{2025-08-17T10:00:00}.

Labels: 5, 5:name, 5:tasks/5.1a/title, @table/key/column.
"""


def common_options() -> list[Any]:
    """Make the common flags for one command. Each command needs objects of its own."""
    return [_common_option(parameter, parameter.declared) for parameter in COMMON]


def _common_option(parameter: Parameter, declared: Any) -> TyperOption:
    return TyperOption(
        param_decls=[*declared.names, parameter.name],
        is_flag=parameter.type is bool,
        default=parameter.default,
        metavar=declared.metavar,
        help=declared.help,
        rich_help_panel=COMMON_SECTION,
    )


def _merge(ctx: Any) -> None:
    """Take the common flags out of a command's parameters, on top of those before the command."""
    flags = {parameter.name: ctx.params.pop(parameter.name, None) for parameter in COMMON}
    ctx.obj = (ctx.obj or CommandSettings()).with_flags(flags)


class Command(LaidCommand):
    """A command that also takes the common flags."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.params.extend(common_options())

    def invoke(self, ctx: Any) -> Any:
        """Run the command with the flags merged."""
        _merge(ctx)
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as error:
            raise Interrupted from error


class Group(LaidGroup):
    """A group that also takes the common flags, before the command."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.params.extend(common_options())

    def invoke(self, ctx: Any) -> Any:
        """Run the group with the flags merged."""
        _merge(ctx)
        return super().invoke(ctx)


def command_line() -> Any:
    """Build the whole command line."""
    app = typer.Typer(
        name="epicvc",
        cls=Group,
        help=EPICVC.help,
        epilog=_EPILOG,
        no_args_is_help=True,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    )
    app.callback()(_root)
    group: Any = get_command(app)
    group.commands = _commands_of(EPICVC)
    return group


def _root(version: bool = typer.Option(False, "--version", help="Show the version and exit.", is_eager=True)) -> None:
    if version:
        from epicvc import __version__

        typer.echo(f"epicvc {__version__}")
        raise typer.Exit


def _commands_of(family: Family) -> Commands:
    def build(name: str) -> Any:
        return _build(family.commands[name], name)

    def summary(name: str) -> str:
        entry = family.commands[name]
        return entry.help if isinstance(entry, Family) else function_of(entry, name).__doc__ or ""

    return Commands(family.commands, build, summary)


def _build(entry: str | Family, name: str) -> Any:
    if isinstance(entry, Family):
        group: Any = Group(name=name, help=entry.help, no_args_is_help=False, rich_markup_mode=None)
        group.commands = _commands_of(entry)
        return group
    command = function_of(entry, name)
    info = CommandInfo(name, cls=Command, callback=_typed(command), epilog="\n".join(examples_of(command)))
    return get_command_from_info(info, pretty_exceptions_short=False, rich_markup_mode=None)


def _typed(command: Callable[..., int]) -> Callable[..., int]:
    """Return a command's function with the signature that the library reads."""

    def call(context: typer.Context, **values: Any) -> int:
        for parameter in parameters_of(command):
            if isinstance(parameter.declared, Option) and values.get(parameter.name) in ("", [""]):
                raise UsageError(f"{parameter.declared.names[0]} needs a value")
        with Context(context.obj, name=context.command_path.partition(" ")[2]) as ours:
            return ours.run(command, values)

    call.__doc__ = command.__doc__
    call.__annotations__ = {}
    parameters = [inspect.Parameter("context", inspect.Parameter.KEYWORD_ONLY, annotation=typer.Context)]
    for parameter in parameters_of(command):
        parameters.append(
            inspect.Parameter(
                parameter.name,
                inspect.Parameter.KEYWORD_ONLY,
                default=inspect.Parameter.empty if parameter.required else parameter.default,
                annotation=Annotated[parameter.annotation, _declaration(parameter.declared)],
            )
        )
    call.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    return call


def _declaration(declared: Any) -> Any:
    # not checked by the library: the commands read paths, relative to the directory of -C
    if isinstance(declared, Option):
        return typer.Option(
            *declared.names, help=declared.help, metavar=declared.metavar, min=declared.min, readable=False
        )
    return typer.Argument(
        metavar=declared.metavar, help=declared.help, autocompletion=declared.autocompletion, readable=False
    )
