"""Reads plain command lines without the command line library.

Importing the library takes as long as all the rest of a short command. Most command lines need little of it: known
commands and flags, written in full, with valid values. Every other line, ``--help`` and all mistakes included, is left
to the library, which reads it from the start. So no error has a second wording here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from epicvc.base.lean import import_msgspec
from epicvc.cli.line.parameters import COMMON, Argument, Option, Parameter, parameters_of
from epicvc.cli.line.table import EPICVC, Family, function_of
from epicvc.cli.settings import CommandSettings, Context

if TYPE_CHECKING:
    from epicvc.files.scan.early import EarlyLook

_LONGEST: Final = 18  # the most digits of a number: a longer one is left to the library

Values = dict[str, Any]


class Call:
    """A command with its parameters.

    Args:
        command: the function.
        flags: the common flags, from the outermost group to the command.
        values: the command's own parameters.
        name: the command's words.
    """

    def __init__(self, command: Callable[..., int], flags: Sequence[Values], values: Values, name: str) -> None:
        self.command = command
        self.name = name
        self.flags = flags
        self.values = values

    def run(self, early_look: EarlyLook | None = None) -> int:
        """Run the command, and return its exit code.

        Args:
            early_look: a look at the files that was begun before.

        Raises:
            UsageError: a common flag has a value that it does not take.
        """
        settings = CommandSettings()
        for flags in self.flags:
            settings = settings.with_flags(flags)
        with Context(settings, early_look, self.name) as context:
            import_msgspec()  # every command needs msgspec
            return context.run(self.command, self.values)


class _Doubt(Exception):
    """Raised where a line has to be left to the library."""


def read_plainly(words: Sequence[str]) -> Call | None:
    """Return the call that a command line makes, or ``None`` where the line is not plain."""
    try:
        return _read(iter(words))
    except _Doubt:
        return None


def _read(words: Iterator[str]) -> Call:
    entry: str | Family = EPICVC
    flags: list[Values] = []
    name, path = "", []
    while isinstance(entry, Family):
        given, rest = _split(words, _FLAGS, until_word=True)
        flags.append(given)
        name = rest[0] if rest else ""
        if name not in entry.commands:
            raise _Doubt
        entry = entry.commands[name]
        path.append(name)
    command = function_of(entry, name)
    parameters = parameters_of(command)
    given, rest = _split(words, _FLAGS | _by_name(parameters))
    flags.append({parameter.name: given.pop(parameter.name) for parameter in COMMON if parameter.name in given})
    values = given | _placed(parameters, rest)
    if any(parameter.required and parameter.name not in values for parameter in parameters):
        raise _Doubt
    return Call(command, flags, values, " ".join(path))


def _by_name(parameters: Iterable[Parameter]) -> dict[str, Parameter]:
    """Return options by each of their names."""
    options = ((parameter, parameter.declared) for parameter in parameters)
    return {name: parameter for parameter, option in options if isinstance(option, Option) for name in option.names}


_FLAGS: Final = _by_name(COMMON)


def _split(
    words: Iterator[str], options: Mapping[str, Parameter], *, until_word: bool = False
) -> tuple[Values, list[str]]:
    """Return the values of options by their parameters' names, and the other words (or the first of them)."""
    given: Values = {}
    rest: list[str] = []
    for word in words:
        if not _is_flag(word):
            rest.append(word)
            if until_word:
                break
            continue
        name, equals, value = word.partition("=") if word.startswith("--") else (word, "", "")
        if name not in options:
            raise _Doubt
        option = options[name]
        if option.type is bool:
            if equals:
                raise _Doubt
            given[option.name] = True
            continue
        read = _value(option, value if equals else next(words, ""))
        given[option.name] = [*given.get(option.name, ()), read] if option.many else read
    return given, rest


def _is_flag(word: str) -> bool:
    """Return whether a word can only be a flag. A lone dash is a value, as in ``switch -``."""
    return word.startswith("-") and word != "-"


def _placed(parameters: Iterable[Parameter], words: Sequence[str]) -> Values:
    """Return the values of arguments by their parameters' names."""
    given: Values = {}
    left = iter(words)
    for parameter in parameters:
        if isinstance(parameter.declared, Argument):
            mine = [_value(parameter, word) for word in islice(left, None if parameter.many else 1)]
            if mine:
                given[parameter.name] = mine if parameter.many else mine[0]
    if next(left, None) is not None:
        raise _Doubt
    return given


def _value(parameter: Parameter, word: str) -> object:
    """Return a word as a value of a parameter."""
    if not word or _is_flag(word):
        raise _Doubt  # a flag in the place of a value, or a value that looks like one
    if parameter.type is Path:
        return Path(word)
    if parameter.type is not int:
        return word
    if not (word.isascii() and word.isdigit() and len(word) <= _LONGEST):
        raise _Doubt
    least = parameter.declared.min if isinstance(parameter.declared, Option) else None
    if least is not None and int(word) < least:
        raise _Doubt
    return int(word)
