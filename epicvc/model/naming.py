"""The notation of one name inside a label; see :mod:`epicvc.model.labels`.

Imports nothing, since commands that start fast use it.

Inside a name ``~`` is written ``~0`` and ``/`` is written ``~1`` (RFC 6901). Three more escapes keep a label readable
back: ``~2`` for a ``:`` inside an epic's id, ``~3`` for an ``@`` at its beginning, and ``~4`` for an empty name, which
would leave nothing to read.
"""

from __future__ import annotations

SIBLINGS = "@"
"""The path segment below which the keys beside ``epic`` in a file are named."""

EMPTY = "~4"
"""The notation of an empty name."""


def escape(name: str) -> str:
    """Return one name as it stands inside a label."""
    return name.replace("~", "~0").replace("/", "~1") or EMPTY


def escape_root(epic: str) -> str:
    """Return an epic's id as it stands at the beginning of a label."""
    root = escape(epic).replace(":", "~2")
    return "~3" + root[1:] if root.startswith("@") else root


def unescape(text: str) -> str:
    """Return the name that a label's segment stands for."""
    if text == EMPTY:
        return ""
    return text.replace("~3", "@").replace("~2", ":").replace("~1", "/").replace("~0", "~")
