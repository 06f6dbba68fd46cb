"""Declares the parameters of commands, in the command line library's manner but without importing it.

A command is a function whose parameters are annotated ``Annotated[TYPE, Option(...)]`` or ``Annotated[TYPE,
Argument(...)]``. With these declarations :mod:`epicvc.cli.line.plain` reads plain command lines itself, and
:mod:`epicvc.cli.line.app` makes the objects that the library needs for all other lines, for help and for completion.
"""

from __future__ import annotations

from collections.abc import Callable
from types import UnionType
from typing import Any, Final, TypeVar, get_args, get_origin, get_type_hints

Complete = Callable[[str], list[str]]
"""Returns the possible completions of an incomplete word."""

F = TypeVar("F", bound=Callable[..., int])


class Option:
    """A flag, or an option with a value.

    Args:
        names: its names, with their dashes.
        help: its description.
        metavar: the name of its value in help; ``None`` for a flag.
        min: the least number that it takes.
    """

    def __init__(self, *names: str, help: str, metavar: str | None = None, min: int | None = None) -> None:  # noqa: A002  # the library's words
        self.names = names
        self.help = help
        self.metavar = metavar
        self.min = min


class Argument:
    """A word that has a place instead of a name.

    Args:
        metavar: its name in help. It takes several words where its type is a list.
        help: its description.
        autocompletion: returns the completions of an incomplete word.
    """

    def __init__(self, *, metavar: str, help: str, autocompletion: Complete | None = None) -> None:  # noqa: A002  # the library's words
        self.metavar = metavar
        self.help = help
        self.autocompletion = autocompletion


class Parameter:
    """One parameter of a command.

    Args:
        name: its name in the function.
        annotation: its type: ``bool``, ``int``, ``str``, ``Path``, or a list of one of these, with or without ``|
            None``.
        declared: its form on the command line.
        default: its value where the command line lacks it.
        required: whether the command line must have it.

    Attributes:
        type: the type of one value.
        many: whether several values make a list.
    """

    def __init__(
        self, name: str, annotation: Any, declared: Option | Argument, default: object = None, *, required: bool = False
    ) -> None:
        self.name = name
        self.annotation = annotation
        self.declared = declared
        self.default = default
        self.required = required
        kinds = get_args(annotation) if isinstance(annotation, UnionType) else (annotation,)
        kind = next(kind for kind in kinds if kind is not type(None))
        self.many = get_origin(kind) is list
        self.type: type = get_args(kind)[0] if self.many else kind


def parameters_of(command: Callable[..., int]) -> list[Parameter]:
    """Return the parameters of a command's function, without the context, in order."""
    hints = get_type_hints(command, include_extras=True)
    code: Any = command.__code__
    names = code.co_varnames[1 : code.co_argcount]
    defaults: tuple[object, ...] = command.__defaults__ or ()
    required = len(names) - len(defaults)
    return [
        Parameter(
            name,
            get_args(hints[name])[0],
            hints[name].__metadata__[0],
            defaults[place - required] if place >= required else None,
            required=place < required,
        )
        for place, name in enumerate(names)
    ]


COMMON: Final = (
    Parameter("directory", str, Option("-C", metavar="DIR", help="Run as if started in DIR.")),
    Parameter("database", str, Option("--db", metavar="URL", help="Use this database instead of the configured one.")),
    Parameter("json", bool, Option("--json", help="Machine output on stdout."), default=False),
    Parameter("quiet", bool, Option("--quiet", "-q", help="No messages."), default=False),
    Parameter("verbose", bool, Option("--verbose", "-v", help="More detail, and a log on stderr."), default=False),
    Parameter("debug", bool, Option("-vv", help="The log with all details, values included."), default=False),
    Parameter("log_file", str, Option("--log-file", metavar="FILE", help="Write the log to the end of FILE.")),
    Parameter(
        "color", str, Option("--color", metavar="auto|always|never", help="Colour the output (NO_COLOR is obeyed).")
    ),
)
"""The flags that every command takes, and every group before its command."""

_EXAMPLES: Final[dict[Callable[..., int], tuple[str, ...]]] = {}


def examples(*lines: str) -> Callable[[F], F]:
    """Give a command the examples that end its help."""

    def note(command: F) -> F:
        _EXAMPLES[command] = lines
        return command

    return note


def examples_of(command: Callable[..., int]) -> tuple[str, ...]:
    """Return the examples of a command."""
    return _EXAMPLES.get(command, ())
