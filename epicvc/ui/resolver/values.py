"""Draws one version of a conflict's value as lines of a given width, with its changes marked word by word. Pure.

Without colour the marks are ``[-removed-]`` and ``{+added+}``, as git writes them. With colour, styles stand for the
marks.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from io import StringIO

from msgspec import Struct
from rich.console import Console
from rich.text import Text

from epicvc.base.jsonio import JSON, dumps_text
from epicvc.merge.threeway import ABSENT, Value, same
from epicvc.model.subsequence import codes
from epicvc.ui.text import printable, shown
from epicvc.ui.words import WordMark, is_similar, word_marks

_STYLES = {WordMark.SAME: "", WordMark.GAP: "dim", WordMark.OLD: "old", WordMark.NEW: "new"}
_BRACKETS = {WordMark.OLD: ("[-", "-]"), WordMark.NEW: ("{+", "+}")}
_RULER = Console(file=StringIO(), width=80, color_system=None)
"""A console that only measures and wraps."""

_CONTEXT = 2
_RUN = 5
"""The number of consecutive unchanged lines of an object up to which all are shown."""


def shown_in(raw: str, *, plain: bool) -> str:
    """Return a user's text with unprintable characters escaped; with ``plain``, all but ASCII is escaped."""
    text = printable(raw)
    return text.encode("ascii", "backslashreplace").decode() if plain else text


class Paper(Struct, frozen=True):
    """The properties of the surface that is drawn on.

    Attributes:
        width: its width in columns.
        colour: whether it shows styles, so that no marks are needed.
        plain: whether only ASCII can be shown.
    """

    width: int
    colour: bool
    plain: bool = False

    def text(self, raw: str) -> str:
        """Return a user's text as it can be shown here."""
        return shown_in(raw, plain=self.plain)


def styled(text: str, style: str) -> Text:
    """Return a text of one style, to which others can be appended."""
    return Text().append(text, style)


def wrap(line: Text, width: int, prefix: Text | None = None) -> Iterator[Text]:
    """Yield a line in parts that fit, broken between words where possible.

    All parts stand to the right of the prefix.
    """
    first = prefix or Text()
    room = max(width - first.cell_len, 1)
    for number, part in enumerate(line.wrap(_RULER, room, overflow="fold") or [Text()]):
        part.rstrip()
        margin = Text(" " * first.cell_len) if number else first.copy()
        yield margin.append_text(part)


def value_lines(value: Value, against: Value, paper: Paper, *, both: bool = True, marked: bool = True) -> list[Text]:
    """Return the lines of a value, with its changes marked.

    Args:
        value: the value to show.
        against: the value to compare it with; the same value for no marks.
        paper: the surface to draw on.
        both: whether the removed parts are shown too.
        marked: whether an object's changes are marked. If not, they are only shown in full, while the rest is counted.
    """
    if value is ABSENT:
        gone = against is not ABSENT and both
        return [Text("(removed)" if gone else "(absent)", "old" if gone and paper.colour else "dim")]
    if isinstance(value, list):
        items = against if isinstance(against, list) else []
        return list(_items([_text(item) for item in items], [_text(item) for item in value], paper, both=both))
    if isinstance(value, dict):
        before = _pretty(against) if isinstance(against, dict) else []
        return list(_members(before, _pretty(value), paper, both=both, marked=marked))
    if isinstance(value, str) and isinstance(against, str) and not same(value, against):
        return list(_words(against, value, paper, both=both))
    style = "" if same(value, against) else "new"
    text = value if isinstance(value, str) else dumps_text(value, indent=None)
    return [part for line in text.split("\n") for part in wrap(Text(paper.text(line), style), paper.width)]


def _text(item: JSON) -> str:
    return item if isinstance(item, str) else shown(item, 10_000)


def _pretty(value: Value) -> list[str]:
    return [] if value is ABSENT else dumps_text(value, indent="  ").split("\n")


def _words(old: str, new: str, paper: Paper, *, both: bool) -> Iterator[Text]:
    """Yield a text with its added and removed words marked."""
    if is_similar(old, new):
        runs = [run for run in word_marks(old, new, whole=True) if both or run[0] is not WordMark.OLD]
    else:
        runs = [(WordMark.NEW, new)]
    line = Text()
    for mark, run in _apart(runs):
        opening, closing = ("", "") if paper.colour else _BRACKETS.get(mark, ("", ""))
        for number, part in enumerate(run.split("\n")):
            if number:
                yield from wrap(line, paper.width)
                line = Text()
            if part:
                line.append(opening + paper.text(part) + closing, _STYLES[mark])
    yield from wrap(line, paper.width)


def _apart(runs: Iterable[tuple[WordMark, str]]) -> Iterator[tuple[WordMark, str]]:
    """Yield the runs with a space between a removed run and the one in its place, where a line can be broken."""
    before = WordMark.SAME
    for mark, run in runs:
        if mark is WordMark.NEW and before is WordMark.OLD:
            yield WordMark.SAME, " "
        yield mark, run
        before = mark


def _items(old: Sequence[str], new: Sequence[str], paper: Paper, *, both: bool) -> Iterator[Text]:
    """Yield items below each other, each marked: ``+`` added, ``-`` removed, ``~`` changed inside."""
    if not new and not (old and both):
        yield Text("(empty list)", "dim")
    for tag, i1, i2, j1, j2 in codes(old, new):
        if tag == "equal":
            for item in new[j1:j2]:
                yield from wrap(Text(paper.text(item)), paper.width, Text("  "))
            continue
        for position in range(max(i2 - i1, j2 - j1)):
            was = old[i1 + position] if i1 + position < i2 else None
            now = new[j1 + position] if j1 + position < j2 else None
            if was is not None and now is not None and both and is_similar(was, now):
                yield from _changed(was, now, paper)
                continue
            if was is not None and both:
                yield from _removed(was, paper)
            if now is not None:
                yield from _added(now, paper)


def _members(old: Sequence[str], new: Sequence[str], paper: Paper, *, both: bool, marked: bool) -> Iterator[Text]:
    """Yield an object's lines of JSON: the changes with the lines around them. Long unchanged runs are counted."""
    found = codes(old, new)
    for number, (tag, i1, i2, j1, j2) in enumerate(found):
        if tag != "equal":
            for line in old[i1:i2] if both else ():
                yield from _removed(line, paper)
            for line in new[j1:j2]:
                yield from _added(line, paper) if marked else wrap(Text(paper.text(line)), paper.width, Text("  "))
            continue
        head = 1 if number == 0 else _CONTEXT
        tail = 1 if number == len(found) - 1 else _CONTEXT
        lines = list(new[j1:j2])
        left_out = len(lines) - head - tail
        if left_out > _RUN and len(found) > 1:
            lines[head : len(lines) - tail] = [""]
        for position, line in enumerate(lines):
            if left_out > _RUN and len(found) > 1 and position == head:
                dots = "..." if paper.plain else "…"
                yield from wrap(Text(f"{dots} {left_out} lines alike", "dim"), paper.width, Text("  "))
            else:
                yield from wrap(Text(paper.text(line)), paper.width, Text("  "))


def _removed(text: str, paper: Paper) -> Iterator[Text]:
    return wrap(Text(paper.text(text), "old" if paper.colour else ""), paper.width, styled("- ", "removed"))


def _added(text: str, paper: Paper) -> Iterator[Text]:
    return wrap(Text(paper.text(text), "new"), paper.width, styled("+ ", "added"))


def _changed(was: str, now: str, paper: Paper) -> Iterator[Text]:
    line = Text()
    for mark, run in _apart(word_marks(was, now, whole=True)):
        opening, closing = ("", "") if paper.colour else _BRACKETS.get(mark, ("", ""))
        line.append(opening + paper.text(run) + closing, _STYLES[mark])
    yield from wrap(line, paper.width, styled("~ ", "changed"))


def excerpt(value: Value, width: int, *, plain: bool = False) -> str:
    """Return a value on one line, shortened in the middle where it is long."""
    if value is ABSENT:
        return "(absent)"
    text = shown_in(shown(value, max(width, 8)), plain=plain)
    return text if len(text) <= width or not plain else text[: max(width - 3, 5)] + "..."
