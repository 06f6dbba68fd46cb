"""Where things are drawn, and in which colours."""

from __future__ import annotations

import os
import sys

from rich.console import Console
from rich.text import Text
from rich.theme import Theme

THEME = Theme(
    {
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
    }
)


def make_console(color: str, *, stderr: bool = False) -> Console:
    """A console that never interprets markup in data, never wraps, and colours as asked.

    Args:
        color: ``auto`` (a terminal, and ``NO_COLOR`` not set), ``always`` or ``never``.
        stderr: draw on stderr.
    """
    no_color = color == "never" or (color == "auto" and bool(os.environ.get("NO_COLOR")))
    return Console(
        file=sys.stderr if stderr else sys.stdout,
        theme=THEME,
        markup=False,
        emoji=False,
        highlight=False,
        soft_wrap=True,
        force_terminal=True if color == "always" else None,
        no_color=no_color,
        color_system="auto" if not no_color else None,
    )


def line(*parts: str | tuple[str, str]) -> Text:
    """One line of texts and ``(text, style)`` pairs."""
    return Text.assemble(*parts, no_wrap=True, overflow="ignore", end="")
