"""What ``--help`` says, laid out in plain text, and commands that are built only when somebody asks for them.

Drawing help with rich takes longer than all the rest of a short command, and building forty commands longer than to
run one. So sections are written by the command line library's own formatter, headings bold on a terminal, and a
group knows its commands' names and first words without making them.
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

import typer
from typer.core import TyperCommand, TyperGroup

COMMON_SECTION: Final = "Common"
"""The section of the flags that every command has."""

_SECTIONS: Final = ("Arguments", "Options", COMMON_SECTION)


def _bold(text: str) -> str:
    """Bold where help goes to a terminal; the library takes it out elsewhere."""
    return text if os.environ.get("NO_COLOR") else typer.style(text, bold=True)


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


def _section_of(param: Any) -> str:
    if param.param_type_name == "argument":
        return "Arguments"
    return COMMON_SECTION if getattr(param, "rich_help_panel", None) == COMMON_SECTION else "Options"


def _write_section(formatter: Any, name: str, records: list[tuple[str, str]]) -> None:
    if records:
        with formatter.section(_bold(name)):
            formatter.write_dl(records)


class LaidCommand(_Laid, TyperCommand):
    """A command with that help. Its epilog is examples, one a line."""

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        """Examples line by line."""
        examples = (self.epilog or "").splitlines()
        formatter.write(f"\n{_bold('Examples' if examples[1:] else 'Example')}:\n")
        formatter.write("".join(f"  {example}\n" for example in examples))


class LaidGroup(_Laid, TyperGroup):
    """A group with that help, which does not build its commands to list them. Its epilog stands as it is."""

    def list_commands(self, ctx: Any) -> list[str]:
        """The names, in the order in which a newcomer meets them."""
        return list(self.commands)

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """The group's own flags, then its commands."""
        super().format_options(ctx, formatter)
        _write_section(formatter, "Commands", [(name, self._summary(name)) for name in self.commands])

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        """Text as it is."""
        formatter.write(f"\n{self.epilog}" if self.epilog else "")

    def _summary(self, name: str) -> str:
        assert isinstance(self.commands, Commands)
        return self.commands.summary(name)


def _first_words(text: str | None) -> str:
    """The first paragraph on one line."""
    return " ".join(inspect.cleandoc(text or "").split("\n\n")[0].split())


class Commands(Mapping[str, Any]):
    """Name -> command, built when it is first asked for.

    Args:
        names: in their order.
        build: makes a command.
        summary: what a command does, without building it.
    """

    def __init__(self, names: Iterable[str], build: Callable[[str], Any], summary: Callable[[str], str]) -> None:
        self._built: dict[str, Any] = dict.fromkeys(names)
        self._build = build
        self._summary = summary

    def summary(self, name: str) -> str:
        """What a command does, in one sentence, without building it."""
        return _first_words(self._summary(name))

    def __getitem__(self, name: str) -> Any:
        if self._built[name] is None:
            self._built[name] = self._build(name)
        return self._built[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._built)

    def __len__(self) -> int:
        return len(self._built)
