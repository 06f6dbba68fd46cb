"""Where things are drawn, and in which colours.

Most of what is drawn are lines with a few styles, and most of it goes where no style shows: into a pipe, a file, a
program. Such lines are written as they are; rich, which takes longer to import than most commands run, draws the rest.
"""

from __future__ import annotations

import os
import sys
from functools import cached_property
from typing import IO, TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from rich.console import Console as RichConsole
    from rich.text import Text

STYLES: Final = {
    "added": "green",
    "removed": "red",
    "changed": "yellow",
    "moved": "cyan",
    "conflict": "bold red",
    "dim": "dim",
    "label": "bold",
    "good": "green",
    "old": "red strike",
    "new": "green",
    "title": "reverse",
    "key": "bold cyan",
    "name": "bold underline",
    "message": "yellow",
}
_FORCING: Final = ("FORCE_COLOR", "TTY_COMPATIBLE")
"""Variables by which rich may take something for a terminal that is none."""


class Line:
    """One line of texts, each with a style or with none.

    Args:
        parts: texts, and ``(text, style)`` pairs.
    """

    def __init__(self, *parts: str | tuple[str, str]) -> None:
        self._parts = list(parts)

    def append(self, text: str, style: str = "") -> None:
        """Add a text at the end."""
        self._parts.append((text, style))

    @property
    def plain(self) -> str:
        """Without styles."""
        return "".join(part if isinstance(part, str) else part[0] for part in self._parts)

    def __rich__(self) -> Text:
        """As rich draws it."""
        from rich.text import Text

        return Text.assemble(*self._parts, no_wrap=True, overflow="ignore", end="")


def line(*parts: str | tuple[str, str]) -> Line:
    """One line of texts and ``(text, style)`` pairs."""
    return Line(*parts)


class Console:
    """Draws lines and whatever rich can draw; never interprets markup in data, never wraps.

    Args:
        color: ``auto`` (a terminal, and ``NO_COLOR`` not set), ``always`` or ``never``.
        file: where to.
    """

    def __init__(self, color: str, file: IO[str]) -> None:
        self._color = color
        self._file = file
        self._no_color = color == "never" or (color == "auto" and bool(os.environ.get("NO_COLOR")))
        may_show = color == "always" or file.isatty() or any(os.environ.get(name) for name in _FORCING)
        self._plain = self._no_color or not may_show

    def print(self, *items: object, **how: Any) -> None:
        """Draw something on a line of its own; nothing: an empty line. ``how`` is rich's."""
        if self._plain and not how and all(isinstance(item, Line | str) for item in items):
            texts = (item.plain if isinstance(item, Line) else str(item) for item in items)
            self._file.write(" ".join(texts) + "\n")
        else:
            self.rich.print(*items, **how)

    @property
    def width(self) -> int:
        """How many characters fit on a line."""
        return self.rich.width

    @property
    def encoding(self) -> str:
        """How characters are written."""
        return self.rich.encoding

    @cached_property
    def rich(self) -> RichConsole:
        """The same as a console of rich's."""
        from rich.console import Console as RichConsole
        from rich.theme import Theme

        return RichConsole(
            file=self._file,
            theme=Theme(STYLES),
            markup=False,
            emoji=False,
            highlight=False,
            soft_wrap=True,
            force_terminal=True if self._color == "always" else None,
            no_color=self._no_color,
            color_system="auto" if not self._no_color else None,
        )


def make_console(color: str, *, stderr: bool = False) -> Console:
    """The console for stdout or stderr."""
    return Console(color, sys.stderr if stderr else sys.stdout)
