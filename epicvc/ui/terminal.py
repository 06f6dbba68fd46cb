"""The console that everything is drawn on, and the colours.

Most of the drawn things are lines with a few styles, and most of them go where no style shows: into a pipe, a file, a
program. Such lines are written as they are. The rest is drawn by rich, which takes longer to import than most commands
run.
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
"""The variables by which rich may treat a stream as a terminal that is none."""


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
        """The text without styles."""
        return "".join(part if isinstance(part, str) else part[0] for part in self._parts)

    def __rich__(self) -> Text:
        """Return the line as a text of rich."""
        from rich.text import Text

        return Text.assemble(*self._parts, no_wrap=True, overflow="ignore", end="")


def line(*parts: str | tuple[str, str]) -> Line:
    """Make one line of texts and ``(text, style)`` pairs."""
    return Line(*parts)


class Console:
    """Draws lines and everything that rich can draw. It never interprets markup in data, and never wraps.

    Args:
        color: ``auto`` (a terminal, and ``NO_COLOR`` not set), ``always`` or ``never``.
        file: the stream to write to.
    """

    def __init__(self, color: str, file: IO[str]) -> None:
        self._color = color
        self._file = file
        self._no_color = color == "never" or (color == "auto" and bool(os.environ.get("NO_COLOR")))
        may_show = color == "always" or file.isatty() or any(os.environ.get(name) for name in _FORCING)
        self._plain = self._no_color or not may_show

    def print(self, *items: object, **how: Any) -> None:
        """Draw something on a line of its own, or an empty line if nothing is given. ``how`` is passed to rich."""
        if self._plain and not how and all(isinstance(item, Line | str) for item in items):
            texts = (item.plain if isinstance(item, Line) else str(item) for item in items)
            self._file.write(" ".join(texts) + "\n")
        else:
            self.rich.print(*items, **how)

    @property
    def width(self) -> int:
        """The number of characters that fit on a line."""
        return self.rich.width

    @property
    def encoding(self) -> str:
        """The encoding in which characters are written."""
        return self.rich.encoding

    @cached_property
    def rich(self) -> RichConsole:
        """The rich console that draws on the same stream."""
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
    """Make the console for stdout or stderr."""
    return Console(color, sys.stderr if stderr else sys.stdout)
