"""Lays out ``--help`` in plain text, and builds commands only when they are asked for.

Drawing help with rich takes longer than all the rest of a short command, and building forty commands takes longer than
running one. So the command line library's own formatter writes the sections, with bold headings on a terminal, and a
group knows its commands' names and first sentences without building them.
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
    """Return a text in bold. The library removes the style where help does not go to a terminal."""
    return text if os.environ.get("NO_COLOR") else typer.style(text, bold=True)


class _Laid:
    """A mixin for commands and groups that lays out their help."""

    def format_usage(self, ctx: Any, formatter: Any) -> None:
        """Write the usage line."""
        pieces = " ".join(self.collect_usage_pieces(ctx))  # type: ignore[attr-defined]
        formatter.write_usage(ctx.command_path, pieces, prefix=f"{_bold('Usage')}: ")

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write the arguments, the command's own flags, and the common flags."""
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
    """A command with this layout of help. Its epilog has examples, one a line."""

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        """Write the examples line by line."""
        examples = (self.epilog or "").splitlines()
        formatter.write(f"\n{_bold('Examples' if examples[1:] else 'Example')}:\n")
        formatter.write("".join(f"  {example}\n" for example in examples))


class LaidGroup(_Laid, TyperGroup):
    """A group with this layout of help, which lists its commands without building them.

    Its epilog is written as it is.
    """

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the names, in the order in which a newcomer meets them."""
        return list(self.commands)

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write the group's own flags, then its commands."""
        super().format_options(ctx, formatter)
        _write_section(formatter, "Commands", [(name, self._summary(name)) for name in self.commands])

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        """Write the epilog as it is."""
        formatter.write(f"\n{self.epilog}" if self.epilog else "")

    def _summary(self, name: str) -> str:
        assert isinstance(self.commands, Commands)
        return self.commands.summary(name)


def _first_words(text: str | None) -> str:
    """Return the first paragraph of a text, on one line."""
    return " ".join(inspect.cleandoc(text or "").split("\n\n")[0].split())


class Commands(Mapping[str, Any]):
    """The commands by name, each built when it is first asked for.

    Args:
        names: the names, in their order.
        build: builds a command.
        summary: returns the description of a command without building it.
    """

    def __init__(self, names: Iterable[str], build: Callable[[str], Any], summary: Callable[[str], str]) -> None:
        self._built: dict[str, Any] = dict.fromkeys(names)
        self._build = build
        self._summary = summary

    def summary(self, name: str) -> str:
        """Return the description of a command in one sentence, without building the command."""
        return _first_words(self._summary(name))

    def __getitem__(self, name: str) -> Any:
        if self._built[name] is None:
            self._built[name] = self._build(name)
        return self._built[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._built)

    def __len__(self) -> int:
        return len(self._built)
