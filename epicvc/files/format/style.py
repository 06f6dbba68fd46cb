"""Learns the style of JSON files from the existing ones, for new parts of them and for new files."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Final

from msgspec import Struct, field

from epicvc.base.jsonio import JSON, dumps_text, parse
from epicvc.files.format.spans import Item, SpanNode, spans

_ESCAPED_LETTER: Final = re.compile(r"(?<!\\)(?:\\\\)*+\\u(?!00[0-7])")


class Style(Struct, frozen=True):
    r"""The habits of a file.

    Args:
        indent: one level of indentation; ``None`` where everything is on one line.
        newline: the line end.
        final_newline: whether the file ends with one.
        ensure_ascii: write ``\uXXXX`` for characters beyond ASCII.
        escape_slash: write ``\/`` for a slash.
        key_sep: the text between a key and its value.
        item_gap: the text behind a comma within a line.
        inline_array: flat arrays up to this length in characters are written on one line.
        inline_object: the same for flat objects.
    """

    indent: str | None = "  "
    newline: str = "\n"
    final_newline: bool = True
    ensure_ascii: bool = False
    escape_slash: bool = False
    key_sep: str = ": "
    item_gap: str = " "
    inline_array: int = 0
    inline_object: int = 0


def render(document: JSON, style: Style) -> bytes:
    """Return the bytes of a new file."""
    text = render_value(document, style, None if style.indent is None else "")
    return (text + (style.newline if style.final_newline else "")).encode()


def render_value(value: JSON, style: Style, margin: str | None) -> str:
    """Return the text of a value in a style.

    Args:
        value: the value.
        style: the habits of the file.
        margin: the indentation of the line on which the value starts; ``None`` to keep it on that line.
    """
    if margin is None or style.indent is None or not isinstance(value, (dict, list)) or not value:
        return _on_one_line(value, style)
    if not style.inline_array and not style.inline_object:
        text = dumps_text(
            value,
            indent=style.indent,
            ensure_ascii=style.ensure_ascii,
            newline=style.newline + margin,
            key_sep=style.key_sep,
        )
        return _with_slashes(text, style)
    children: list[JSON] = list(value.values()) if isinstance(value, dict) else value
    if not any(isinstance(child, (dict, list)) and child for child in children):
        line = _on_one_line(value, style)
        if len(line) <= (style.inline_object if isinstance(value, dict) else style.inline_array):
            return line
    inner = margin + style.indent
    written = [render_value(child, style, inner) for child in children]
    if isinstance(value, dict):
        written = [f"{render_key(k, style)}{style.key_sep}{w}" for k, w in zip(value, written, strict=True)]
    between = style.newline + inner
    opening, closing = "{}" if isinstance(value, dict) else "[]"
    return f"{opening}{between}{f',{between}'.join(written)}{style.newline}{margin}{closing}"


def render_key(key: str, style: Style) -> str:
    """Return the text of a key in a style."""
    return _on_one_line(key, style)


def detect_style(raws: Iterable[bytes]) -> Style:
    """Return the prevailing habits of some files, each habit by the files that show it.

    Raises:
        InvalidJSON: a file is no JSON.
    """
    return _prevailing([_Habits.of(raw.decode(), spans(raw.decode(), parse(raw))) for raw in raws])


def style_of(text: str, root: SpanNode) -> Style:
    """Return the habits of one file."""
    return _prevailing([_Habits.of(text, root)])


def notation_of(text: str) -> Style:
    """Return the style in which one file writes values that hold no others, without a look at its structure."""
    return _prevailing([_Habits.of_text(text)])


def usual(texts: Iterable[str], default: str) -> str:
    """Return the most frequent text; of equally frequent ones the first."""
    ranked = Counter(texts).most_common(1)
    return ranked[0][0] if ranked else default


def _on_one_line(value: JSON, style: Style) -> str:
    text = dumps_text(
        value, indent=None, ensure_ascii=style.ensure_ascii, item_sep="," + style.item_gap, key_sep=style.key_sep
    )
    return _with_slashes(text, style)


def _with_slashes(text: str, style: Style) -> str:
    return text.replace("/", "\\/") if style.escape_slash else text  # a slash stands in strings only


class _Habits(Struct):
    """The style that one file shows; ``None`` and empty lists where it shows nothing."""

    multiline: bool | None = None
    final_newline: bool | None = None
    ensure_ascii: bool | None = None
    escape_slash: bool | None = None
    newlines: list[str] = field(default_factory=list)
    indents: list[str] = field(default_factory=list)
    key_seps: list[str] = field(default_factory=list)
    gaps: list[str] = field(default_factory=list)
    flat: dict[type, list[tuple[int, bool]]] = field(default_factory=lambda: {list: [], dict: []})

    @classmethod
    def of_text(cls, text: str) -> _Habits:
        habits = cls(final_newline=text.endswith("\n"))
        if not text.isascii():
            habits.ensure_ascii = False
        elif _ESCAPED_LETTER.search(text):
            habits.ensure_ascii = True
        if "/" in text:
            habits.escape_slash = "\\/" in text and text.count("/") == text.count("\\/")
        return habits

    @classmethod
    def of(cls, text: str, root: SpanNode) -> _Habits:
        habits = cls.of_text(text)
        for node in _containers(root):
            habits.look_at(text, node)
        if root.items:
            habits.multiline = bool(habits.newlines)
        if not habits.newlines and "\n" in text:
            habits.newlines.append("\r\n" if "\r\n" in text else "\n")
        return habits

    def look_at(self, text: str, node: SpanNode) -> None:
        for index, item in enumerate(node.items):
            lead = text[item.begin : item.start]
            if "\n" in lead:
                self.newlines.append("\r\n" if "\r\n" in lead else "\n")
                own, inner = line_margin(text, node.start), lead.rpartition("\n")[2]
                if inner.startswith(own):
                    self.indents.append(inner[len(own) :])
            elif index:
                self.gaps.append(lead)
            if item.colon != item.start:
                self.key_seps.append(text[item.colon : item.value.start])
        if not any(item.value.items for item in node.items):
            on_lines = "\n" in text[node.start : node.end]
            length = sum(len(_written(text, item)) + 2 for item in node.items)
            self.flat[type(node.content)].append((length, not on_lines))


def line_margin(text: str, position: int) -> str:
    """Return the white space at the start of the line of a position."""
    line = text[text.rfind("\n", 0, position) + 1 : position]
    return line[: len(line) - len(line.lstrip(" \t"))]


def _written(text: str, item: Item) -> str:
    return text[item.start : item.value.end]


def _containers(node: SpanNode) -> Iterator[SpanNode]:
    todo = [node]
    while todo:
        node = todo.pop()
        if node.items:
            yield node
            todo += [item.value for item in reversed(node.items) if item.value.items]


def _prevailing(files: list[_Habits]) -> Style:
    default = Style()
    multiline = _majority([h.multiline for h in files], default=True)
    indents = [usual(h.indents, "") for h in files if h.indents]
    key_sep = usual([usual(h.key_seps, "") for h in files if h.key_seps], default.key_sep)
    gap = default.item_gap if key_sep.endswith(" ") else ""
    widths = {kind: [width for h in files if (width := _width(h.flat[kind])) is not None] for kind in (list, dict)}
    return Style(
        indent=usual(indents, "  ") if multiline else None,
        newline=usual([usual(h.newlines, "") for h in files if h.newlines], default.newline),
        final_newline=_majority([h.final_newline for h in files], default=default.final_newline),
        ensure_ascii=_majority([h.ensure_ascii for h in files], default=default.ensure_ascii),
        escape_slash=_majority([h.escape_slash for h in files], default=default.escape_slash),
        key_sep=key_sep,
        item_gap=usual([usual(h.gaps, "") for h in files if h.gaps], gap),
        inline_array=_median(widths[list]),
        inline_object=_median(widths[dict]),
    )


def _median(lengths: list[int]) -> int:
    """Return the middle length, the lower of two, 0 of none: ``statistics`` takes as long as ten modules to load."""
    return sorted(lengths)[(len(lengths) - 1) // 2] if lengths else 0


def _majority(votes: list[bool | None], *, default: bool) -> bool:
    cast = [vote for vote in votes if vote is not None]
    return sum(cast) * 2 >= len(cast) if cast else default


def _width(flat: list[tuple[int, bool]]) -> int | None:
    """Return the length up to which flat containers are on one line, with as few exceptions as can be."""
    if not flat:
        return None
    best = width = 0
    gain = 0
    for length, count in sorted(_balance(flat).items()):
        gain += count
        if gain > best:
            best, width = gain, length
    return width


def _balance(flat: list[tuple[int, bool]]) -> dict[int, int]:
    """Return for each length how many more containers of it are on one line than on several."""
    balance: Counter[int] = Counter()
    for length, on_one_line in flat:
        balance[length] += 1 if on_one_line else -1
    return balance
