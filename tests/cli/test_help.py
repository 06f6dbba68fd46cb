"""Help is complete, plain where it is piped, and commands are built when asked for."""

from __future__ import annotations

import contextlib
import io
from typing import Any

import pytest

from epicvc.cli.edge import run_application
from epicvc.cli.line.app import command_line
from epicvc.cli.line.help import Commands
from epicvc.cli.line.table import EPICVC, Family


def everything(group: Any, path: tuple[str, ...] = ()) -> dict[tuple[str, ...], Any]:
    """Every command and group by its words."""
    found = {path: group}
    for name, command in group.commands.items():
        found |= everything(command, (*path, name)) if hasattr(command, "commands") else {(*path, name): command}
    return found


ALL = everything(command_line())


def said(*arguments: str) -> str:
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        assert run_application(arguments) == 0
    return out.getvalue()


def names(family: Family, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """Every command and group of the table by its words."""
    found = [path]
    for name, entry in family.commands.items():
        found += names(entry, (*path, name)) if isinstance(entry, Family) else [(*path, name)]
    return found


def test_the_commands_of_the_table_in_its_order() -> None:
    assert list(ALL) == names(EPICVC)
    assert all(words[-1:] == (command.name,) for words, command in ALL.items() if words)


@pytest.mark.parametrize("words", list(ALL), ids=" ".join)
def test_help_is_complete(words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    command = ALL[words]
    text = " ".join(said(*words, "--help").split())
    assert text.startswith(f"Usage: {' '.join(('epicvc', *words))} ")
    assert " ".join(command.help.split()) in text
    for param in command.params:
        for flag in param.opts if param.param_type_name == "option" else [param.metavar or param.name]:
            assert flag in text
        assert " ".join(param.help.split()) in text
    for name, inner in getattr(command, "commands", {}).items():
        first, *_ = inner.help.split("\n\n")
        assert f"{name} {' '.join(first.split())}" in text
    assert "[b]" not in text
    assert "\x1b" not in text


def test_sections_come_in_order() -> None:
    lines = said("restore", "-h").splitlines()
    assert [line for line in lines if line.endswith(":")] == ["Arguments:", "Options:", "Common:", "Examples:"]


def test_examples_stand_on_lines_of_their_own() -> None:
    assert said("branch", "--help").splitlines()[-4:] == [
        "Examples:",
        "  epicvc branch",
        "  epicvc branch review HEAD~1",
        "  epicvc branch -m later",
    ]


def test_headings_are_bold_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    def drawn() -> str:
        out = Terminal()
        with contextlib.redirect_stdout(out):
            run_application(["branch", "--help"])
        return out.getvalue()

    monkeypatch.delenv("NO_COLOR", raising=False)
    assert "\x1b[1mOptions\x1b[0m:" in drawn()
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b" not in drawn()


def test_a_command_is_built_once_and_only_when_asked_for() -> None:
    commands = command_line().commands
    assert isinstance(commands, Commands)
    assert (len(commands), "sync" in list(commands)) == (len(list(commands)), True)
    assert commands.summary("sync").startswith("Bring both sides together")
    assert not any(commands._built.values())
    assert commands["sync"] is commands["sync"]
    assert [name for name, built in commands._built.items() if built] == ["sync"]
    with pytest.raises(KeyError):
        commands["nothing"]


@pytest.mark.parametrize(
    ("line", "place", "found"),
    [("epicvc br", 1, ["branch"]), ("epicvc migrate ", 2, ["status", "up", "down", "new", "verify", "baseline"])],
)
def test_completion(
    line: str, place: int, found: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("_EPICVC_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", line)
    monkeypatch.setenv("COMP_CWORD", str(place))
    with pytest.raises(SystemExit):
        run_application([])
    assert capsys.readouterr().out.split() == found


def test_a_mistyped_command_gets_a_suggestion(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_application(["brunch"]) == 2
    assert "Did you mean 'branch'?" in capsys.readouterr().err
