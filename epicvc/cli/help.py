"""What ``--help`` says, laid out in plain text, and commands that are built only when somebody asks for them.

Drawing help with rich takes longer than all the rest of a short command, and building forty commands longer than to
run one. So sections are written by the command line library's own formatter, headings bold on a terminal, and a
group knows its commands' names and first words without making them.
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Iterator, MutableMapping
from typing import TYPE_CHECKING, Any, Final

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command, get_command_from_info, get_command_name, get_group_from_info

if TYPE_CHECKING:
    from typer.models import CommandInfo, TyperInfo

COMMON: Final = "Common"
"""The section of the flags that every command has."""

_SECTIONS: Final = ("Arguments", "Options", COMMON)
_EXAMPLES: Final = ("Examples: ", "Example: ")


def _bold(text: str) -> str:
    """Bold where help goes to a terminal; the library takes it out elsewhere."""
    return text if os.environ.get("NO_COLOR") else typer.style(text, bold=True)


def _plain(text: str) -> str:
    return text.replace("[b]", "").replace("[/b]", "")


class _Laid:
    """Lays out a command's help; mixed into commands and groups."""

    def format_usage(self, ctx: Any, formatter: Any) -> None:
        """How it is called."""
        pieces = " ".join(self.collect_usage_pieces(ctx))  # type: ignore[attr-defined]
        formatter.write_usage(ctx.command_path, pieces, prefix=f"{_bold('Usage')}: ")

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Arguments, the command's own flags, the common ones."""
        sections: dict[str, list[tuple[str, str]]] = {name: [] for name in _SECTIONS}
        for param in self.get_params(ctx):  # type: ignore[attr-defined]
            record = param.get_help_record(ctx)
            if record is not None:
                sections[_section_of(param)].append(record)
        for name, records in sections.items():
            _write_section(formatter, name, records)

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        """Examples line by line, other text as it is."""
        text = _plain(inspect.cleandoc(self.epilog or ""))  # type: ignore[attr-defined]
        word = next((word for word in _EXAMPLES if text.startswith(word)), None)
        if word is None:
            formatter.write(f"\n{text}\n" if text else "")
            return
        formatter.write(f"\n{_bold(word.strip(': '))}:\n")
        formatter.write("".join(f"  {example}\n" for example in text.removeprefix(word).split(" · ")))


def _section_of(param: Any) -> str:
    if param.param_type_name == "argument":
        return "Arguments"
    return COMMON if getattr(param, "rich_help_panel", None) == COMMON else "Options"


def _write_section(formatter: Any, name: str, records: list[tuple[str, str]]) -> None:
    if records:
        with formatter.section(_bold(name)):
            formatter.write_dl(records)


class LaidCommand(_Laid, TyperCommand):
    """A command with that help."""


class LaidGroup(_Laid, TyperGroup):
    """A group with that help, which does not build its commands to list them."""

    def list_commands(self, ctx: Any) -> list[str]:
        """The names, in the order in which a newcomer meets them."""
        return list(self.commands)

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """The group's own flags, then its commands."""
        super().format_options(ctx, formatter)
        _write_section(formatter, "Commands", [(name, self._summary(name)) for name in self.commands])

    def _summary(self, name: str) -> str:
        if isinstance(self.commands, Commands):
            return self.commands.summary(name)
        return _first_words(self.commands[name].help)


def _first_words(text: str | None) -> str:
    """The first paragraph on one line."""
    return " ".join(inspect.cleandoc(text or "").split("\n\n")[0].split())


class Commands(MutableMapping[str, Any]):
    """Name -> command, built when it is first asked for.

    Args:
        commands: what the commands are made of.
        groups: what the groups are made of; they have names.
    """

    def __init__(self, commands: list[CommandInfo], groups: list[TyperInfo]) -> None:
        self._commands = {info.name or get_command_name(_callback_of(info).__name__): info for info in commands}
        self._groups = {str(info.name): info for info in groups}
        self._built: dict[str, Any] = {}

    def summary(self, name: str) -> str:
        """A command in one sentence, without building it."""
        info = self._commands.get(name)
        return _first_words(info.help or _callback_of(info).__doc__ if info else self[name].help)

    def __getitem__(self, name: str) -> Any:
        if name not in self._built:
            self._built[name] = self._build(name)
        return self._built[name]

    def _build(self, name: str) -> Any:
        if name in self._commands:
            return get_command_from_info(self._commands[name], pretty_exceptions_short=False, rich_markup_mode=None)
        return get_group_from_info(
            self._groups[name], pretty_exceptions_short=False, suggest_commands=True, rich_markup_mode=None
        )

    def __setitem__(self, name: str, command: Any) -> None:
        self._built[name] = command

    def __delitem__(self, name: str) -> None:
        known = [found for found in (self._built, self._commands, self._groups) if found.pop(name, None) is not None]
        if not known:
            raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        return iter({**self._commands, **self._groups, **self._built})

    def __len__(self) -> int:
        return len({**self._commands, **self._groups, **self._built})


def _callback_of(info: CommandInfo) -> Any:
    assert info.callback is not None, "a command without a function"
    return info.callback


def command_line(app: typer.Typer) -> Any:
    """The command line of an application: what the library makes of it, with commands built as they are needed."""
    commands, groups = app.registered_commands, app.registered_groups
    app.registered_commands, app.registered_groups = [], []
    try:
        group = get_command(app)
    finally:
        app.registered_commands, app.registered_groups = commands, groups
    assert isinstance(group, LaidGroup)
    group.commands = Commands(commands, groups)
    return group
