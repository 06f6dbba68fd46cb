"""Plain command lines mean to us what they mean to the command line library, and everything else is left to it."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Sequence
from functools import cache, wraps
from itertools import chain
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from epicvc.cli.line import app
from epicvc.cli.line.parameters import COMMON, Argument, Option, Parameter, examples_of, parameters_of
from epicvc.cli.line.plain import read_plainly
from epicvc.cli.line.table import EPICVC, Family, function_of
from epicvc.cli.settings import CommandSettings, Context
from epicvc.errors import NotFound, UsageError

Seen = tuple[Callable[..., int], dict[str, Any], dict[str, Any]]
"""A command with its settings and parameters."""


def leaves(family: Family, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Callable[..., int]]]:
    """Every command by its words."""
    for name, entry in family.commands.items():
        if isinstance(entry, Family):
            yield from leaves(entry, (*path, name))
        else:
            yield (*path, name), function_of(entry, name)


COMMANDS = dict(leaves(EPICVC))
SOUND = st.sampled_from(["5", "12", "007", "HEAD~1", "5:name", "a b", "é", "auto", "ours"])
ODD = st.sampled_from(["0", "-1", "", "-", "--", "--help", "٣", "1_0", "branch"])
NUMBERS = st.sampled_from(["3", "12", "007", "0", "-1", "x", "٣"])
WORDS = st.one_of(SOUND, SOUND, SOUND, SOUND, ODD)


@cache
def library() -> Any:
    """The library's command line, where commands say how they were called instead of running."""

    def recording(module: str, name: str) -> Callable[..., int]:
        command = function_of(module, name)

        @wraps(command)
        def record(context: Context, **values: Any) -> int:
            calls.append((command, vars(context.settings), values))
            return 0

        return record

    def unwrapped(command: Any) -> Any:
        return parameters_of(command.__wrapped__)

    calls: list[Seen] = []
    line = app.command_line()
    with patch.object(app, "function_of", recording), patch.object(app, "parameters_of", unwrapped):
        build_all(line)
    line.calls = calls
    return line


def build_all(group: Any) -> None:
    for command in group.commands.values():
        if hasattr(command, "commands"):
            build_all(command)


def as_the_library_reads(words: list[str]) -> Seen:
    """Run a command line with the library."""
    calls: list[Seen] = library().calls
    calls.clear()
    library()(args=words, prog_name="epicvc", standalone_mode=False)
    [call] = calls
    return call


@st.composite
def lines(draw: st.DrawFn) -> list[str]:
    """Command lines, about half of them plain: a command, its flags and words in any order, now and then an odd one."""
    path = draw(st.sampled_from(list(COMMANDS)))
    parameters = parameters_of(COMMANDS[path])
    own = [parameter for parameter in parameters if isinstance(parameter.declared, Option)]
    arguments = [parameter for parameter in parameters if parameter not in own]

    def written(option: Parameter) -> list[str]:
        assert isinstance(option.declared, Option)
        name = draw(st.sampled_from(option.declared.names))
        if option.type is bool:
            return [draw(st.sampled_from([name] * 8 + [name + "=1", name + "x"]))]
        value = draw(NUMBERS if option.type is int else WORDS)
        return draw(st.sampled_from([[name, value], [f"{name}={value}"]] * 5 + [[name + value], [name]]))

    def some(options: Sequence[Parameter], most: int) -> list[list[str]]:
        return [written(option) for option in draw(st.lists(st.sampled_from(options), max_size=most))]

    pieces = some([*COMMON, *own], 3) + [written(option) for option in own if option.required]
    needed = sum(argument.required for argument in arguments)
    pieces += [[draw(WORDS)] for _ in range(draw(st.integers(needed, len(arguments) + 1)))]
    before = [some(COMMON, 1) if draw(st.integers(0, 5)) == 0 else [] for _ in path]
    levels = [[*flags, [name]] for name, flags in zip(path, before, strict=True)]
    return [word for piece in (*chain(*levels), *draw(st.permutations(pieces))) for word in piece]


@settings(deadline=None)  # the first example builds every command
@given(lines())
@example(["init", "-C", "5", "--log-file", "5"])
def test_what_is_plain_means_the_same_to_the_library(words: list[str]) -> None:
    call = read_plainly(words)
    if call is None:
        return
    try:
        command, common, values = as_the_library_reads(words)
    except (UsageError, NotFound) as error:  # a common flag's value; a directory of -C that is not there
        with pytest.raises(type(error)):
            call.run()
        return
    merged = CommandSettings()
    for flags in call.flags:
        merged = merged.with_flags(flags)
    defaults = {parameter.name: parameter.default for parameter in parameters_of(call.command)}
    assert call.command is command
    assert vars(merged) == common
    assert defaults | call.values == values


@pytest.mark.parametrize("path", list(COMMANDS), ids=" ".join)
def test_the_examples_of_help_are_plain(path: tuple[str, ...]) -> None:
    command = COMMANDS[path]
    assert examples_of(command)
    for line in examples_of(command):
        call = read_plainly(shlex.split(line)[1:])
        assert call is not None
        assert call.command is command


@pytest.mark.parametrize("command", COMMANDS.values())
def test_declarations_are_such_as_are_understood(command: Callable[..., int]) -> None:
    parameters = parameters_of(command)
    assert {parameter.type for parameter in parameters} <= {bool, int, str, Path}
    arguments = [parameter for parameter in parameters if isinstance(parameter.declared, Argument)]
    assert not any(argument.many for argument in arguments[:-1])
    assert {parameter.name for parameter in parameters}.isdisjoint(common.name for common in COMMON)


@pytest.mark.parametrize(
    "line",
    [
        "",
        "--help",
        "--version",
        "op",
        "brunch",
        "branch --help",
        "branch a b c",
        "blame",
        "commit",
        "commit -m",
        "commit -m -x",
        "commit --message=",
        "log -n x",
        "log -n -1",
        "log -n5",
        "log --max-count",
        "log --max",
        "branch -df x",
        "branch --force=1",
        "branch -- -x",
        "resolve --from --json",
        "gc --keep-operations 99999999999999999999",
    ],
)
def test_every_doubt_is_for_the_library(line: str) -> None:
    assert read_plainly(line.split()) is None


def test_a_lone_dash_is_a_word() -> None:
    switch, resolve = read_plainly(["switch", "-"]), read_plainly(["resolve", "--from", "-"])
    assert switch is not None
    assert resolve is not None
    assert (switch.values, resolve.values) == ({"name": "-"}, {"from_": "-"})


def test_flags_of_all_levels_come_together() -> None:
    call = read_plainly(["-C", "a", "--json", "op", "-C", "b", "log", "-q", "-C", "c", "-n", "3"])
    assert call is not None
    assert call.flags == [{"directory": "a", "json": True}, {"directory": "b"}, {"directory": "c", "quiet": True}]
    assert call.values == {"max_count": 3}


def test_what_a_context_closes() -> None:
    closed: list[int] = []

    def fail() -> None:
        with Context(CommandSettings()) as context:
            context.call_on_close(lambda: closed.append(1))
            context.call_on_close(lambda: closed.append(2))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert closed == [2, 1]
