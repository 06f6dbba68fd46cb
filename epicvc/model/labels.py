"""Labels, which name fields everywhere: ``EPIC:FIELD``, as in ``5:tasks/5.1a/title``, or ``@table/key/column``.

The notation of a name inside a label is in :mod:`epicvc.model.naming`. The keys beside ``epic`` in a wrapped file
(``_metadata``, say) are named below ``@``: ``5:@/_metadata/author``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from msgspec import Struct
from msgspec.structs import force_setattr

from epicvc.errors import UsageError
from epicvc.model.naming import SIBLINGS, escape, escape_root, unescape

__all__ = ["SIBLINGS", "Label", "Selection", "escape", "natural_order", "parse_label", "unescape"]


class Label(Struct, frozen=True, order=True):
    """A place in the document set.

    Attributes:
        root: an epic's id, or a table's name without the ``@``.
        path: the names below the root; empty for the epic or table itself.
    """

    root: str
    path: tuple[str, ...] = ()
    table: bool = False

    def __str__(self) -> str:
        inner = "/".join(map(escape, self.path))
        if self.table:
            return "@" + "/".join((escape(self.root), inner) if inner else (escape(self.root),))
        root = escape_root(self.root)
        return f"{root}:{inner}" if inner else root

    def child(self, name: str) -> Label:
        """Return the label one name further down."""
        return Label(self.root, (*self.path, name), self.table)

    def covers(self, other: Label) -> bool:
        """Return whether ``other`` is this place or lies below it."""
        return self.root == other.root and self.table == other.table and other.path[: len(self.path)] == self.path

    def upwards(self) -> Iterator[Label]:
        """Yield the places that cover this one, itself first."""
        yield self
        for length in range(len(self.path) - 1, -1, -1):
            yield Label(self.root, self.path[:length], self.table)


def parse_label(text: str) -> Label:
    """Read a label as a user types it.

    Raises:
        UsageError: the text cannot be a label.
    """
    if not text or text.endswith("/") or text.startswith("@/") or text == "@":
        raise UsageError(f"{text!r} is no label", hint="labels look like 5, 5:name or 5:tasks/5.1a/title")
    if text.startswith("@"):
        root, _, rest = text[1:].partition("/")
        path = tuple(unescape(part) for part in rest.split("/")) if rest else ()
        return Label(unescape(root), path, table=True)
    root, colon, rest = text.partition(":")
    if not root or (colon and not rest) or "/" in root:
        raise UsageError(f"{text!r} is no label", hint="labels look like 5, 5:name or 5:tasks/5.1a/title")
    path = tuple(unescape(part) for part in rest.split("/")) if rest else ()
    return Label(unescape(root), path)


class Selection(Struct, frozen=True):
    """The places that a command is about.

    Attributes:
        labels: the places; empty for all of them.
        but: places that are left out all the same.
    """

    labels: tuple[Label, ...] = ()
    but: frozenset[Label] = frozenset()
    _places: frozenset[Label] = frozenset()
    _above: frozenset[Label] = frozenset()
    """All places that cover one of ``labels``."""

    def __post_init__(self) -> None:
        if self.labels:
            force_setattr(self, "_places", frozenset(self.labels))
            force_setattr(self, "_above", frozenset(at for label in self.labels for at in label.upwards()))

    @classmethod
    def of(cls, texts: Iterable[str]) -> Selection:
        """Read a selection from labels as a user types them."""
        return cls(tuple(parse_label(text) for text in texts))

    @property
    def all(self) -> bool:
        """Tell whether everything is selected."""
        return not self.labels

    def selects(self, label: Label) -> bool:
        """Return whether a change at this label belongs to the command."""
        chosen = not self.labels or any(at in self._places for at in label.upwards())
        return chosen and not self._leaves(label)

    def touches(self, label: Label) -> bool:
        """Return whether anything at, below or above this label is selected."""
        chosen = not self.labels or label in self._above or any(at in self._places for at in label.upwards())
        return chosen and not self._leaves(label)

    def _leaves(self, label: Label) -> bool:
        return bool(self.but) and any(at in self.but for at in label.upwards())

    def epics(self) -> frozenset[str] | None:
        """Return the ids of the epics that can be concerned; ``None`` for all."""
        if not self.labels:
            return None
        return frozenset(label.root for label in self.labels if not label.table)


def natural_order(text: str) -> tuple[tuple[int, int, str], ...]:
    """Return a key that sorts ``10`` after ``9`` and ``5.10`` after ``5.9``, however many digits there are."""
    if text.isascii() and text.isdecimal():  # most texts are
        return (_number(text),)
    parts = (part for part in re.split(r"([0-9]+)", text) if part)
    return tuple(_number(part) if part.isascii() and part.isdecimal() else (1, 0, part) for part in parts)


def _number(digits: str) -> tuple[int, int, str]:
    significant = digits.lstrip("0")
    return (0, len(significant), significant)
