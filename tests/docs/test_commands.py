"""``docs/commands.md`` and the program know the same commands and flags, and every command has help with an example."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from epicvc.cli.line.app import command_line, common_options
from tests.docs.conftest import ROOT
from tests.docs.console import fenced

COMMON = {flag for option in common_options() for flag in option.opts}
_SECTION = re.compile(r"^## (.+?)\n(.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)
_FLAG = re.compile(r"^\| (`-.*?) \| ", re.MULTILINE)


def commands(group: Any = None, path: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    """Every command with its full name."""
    for name, command in (group or command_line()).commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, (*path, name))
        else:
            yield " ".join((*path, name)), command


COMMANDS = dict(commands())
SECTIONS = dict(_SECTION.findall((ROOT / "docs" / "commands.md").read_text(encoding="utf-8")))
DOCUMENTED = {title.removeprefix("epicvc "): body for title, body in SECTIONS.items() if title.startswith("epicvc ")}


def flags_in(body: str) -> set[str]:
    """The flags that a section's table names."""
    return {flag for row in _FLAG.findall(body) for flag in re.findall(r"`(-[\w-]+)`", row)}


def test_the_same_commands() -> None:
    assert set(DOCUMENTED) == set(COMMANDS)


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_the_same_flags(name: str) -> None:
    options = [option for option in COMMANDS[name].params if option.param_type_name == "option"]
    assert flags_in(DOCUMENTED[name]) == {flag for option in options for flag in option.opts} - COMMON


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_help_says_what_and_gives_an_example(name: str) -> None:
    command = COMMANDS[name]
    assert command.help
    assert f"epicvc {name}" in (command.epilog or "")
    assert all(option.help for option in command.params)


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_documented_examples_parse(name: str) -> None:
    examples = [line for block in fenced(DOCUMENTED[name], "sh") for line in block.splitlines()]
    assert examples
    for example in examples:
        words = shlex.split(example)
        assert words[: 1 + len(name.split())] == ["epicvc", *name.split()]
        COMMANDS[name].make_context(name, words[1 + len(name.split()) :])


def test_common_flags_are_documented() -> None:
    assert flags_in(SECTIONS["Common flags"]) == COMMON


def test_help_is_shown() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "epicvc", "op", "restore", "--help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "epicvc op restore 3f2a" in done.stdout
