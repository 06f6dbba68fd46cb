"""Draws the three versions of a value, side by side or below each other, with the origin of each. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from itertools import zip_longest

from msgspec import Struct
from rich.text import Text

from epicvc.actions.shared.questions import Origin, Question
from epicvc.merge.threeway import ABSENT, Value
from epicvc.repo.history.objects import in_local_zone
from epicvc.ui.resolver.state import ResolverState, said
from epicvc.ui.resolver.values import Paper, shown_in, styled, value_lines, wrap
from epicvc.ui.text import printable

_NAMES = {"files": "in the file", "db": "in the database", "both": "on both sides"}


class Look(Struct, frozen=True):
    """The size and the abilities of the screen.

    Attributes:
        width: its columns.
        height: its lines.
        colour: whether it shows colours.
        plain: whether it shows only ASCII.
        numbers: whether items get numbers, since there is no cursor.
    """

    width: int
    height: int
    colour: bool = False
    plain: bool = False
    numbers: bool = False

    def text(self, raw: str) -> str:
        """Return a user's text as it can be shown here."""
        return shown_in(raw, plain=self.plain)

    @property
    def rule(self) -> str:
        """The character of a horizontal line."""
        return "-" if self.plain else "─"

    @property
    def bar(self) -> str:
        """The text between columns."""
        return " | " if self.plain else " │ "

    @property
    def dot(self) -> str:
        """The text between facts."""
        return " - " if self.plain else " · "


class _Version(Struct, frozen=True):
    """One of the three values, the value that it is marked against, and whether removals and marks are shown."""

    name: str
    value: Value
    against: Value
    origin: Origin | None
    both: bool = True
    marked: bool = True

    def lines(self, paper: Paper) -> list[Text]:
        return value_lines(self.value, self.against, paper, both=self.both, marked=self.marked)


def _versions(state: ResolverState, question: Question) -> list[_Version]:
    conflict, origins = question.conflict, question.origins
    known = conflict.base is not ABSENT
    objects = [side for side in (conflict.ours, conflict.theirs) if isinstance(side, dict)]
    # the other side removed it: the changes of this side are the news
    alone = objects[0] if len(objects) == 1 else conflict.base
    plain = alone is conflict.base
    return [
        _Version("base", conflict.base, alone, origins.base, both=plain, marked=plain),
        _Version(state.sides[0], conflict.ours, conflict.base if known else conflict.theirs, origins.ours, both=known),
        _Version(
            state.sides[1], conflict.theirs, conflict.base if known else conflict.ours, origins.theirs, both=known
        ),
    ]


def beside(state: ResolverState, question: Question, look: Look) -> list[Text]:
    """Draw the versions in three columns."""
    bar = look.bar
    width = max((look.width - 2 - 2 * len(bar)) // 3, 8)
    columns = []
    chosen = _chosen(state)
    for version in _versions(state, question):
        head = [_name(version.name, chosen, look)]
        head += [part for fact in _facts(version) for part in wrap(Text(look.text(fact), "dim"), width)]
        columns.append((head, version.lines(Paper(width, look.colour, look.plain))))
    tall = max(len(head) for head, _ in columns)
    heads = [head + [Text()] * (tall - len(head)) for head, _ in columns]
    cross = "-+-" if look.plain else "─┼─"
    lines = _rows(heads, width, bar)
    lines.append(Text(" " + cross.join(look.rule * width for _ in columns), "dim"))
    return lines + _rows([body for _, body in columns], width, bar)


def _rows(columns: Sequence[Sequence[Text]], width: int, bar: str) -> list[Text]:
    rows = []
    for cells in zip_longest(*columns, fillvalue=Text()):
        row = Text(" ")
        for number, cell in enumerate(cells):
            if number:
                row.append(bar, "dim")
            row.append_text(cell).append(" " * max(width - cell.cell_len, 0) if number < len(cells) - 1 else "")
        rows.append(row)
    return rows


def stacked(state: ResolverState, question: Question, look: Look) -> list[Text]:
    """Draw the versions below each other."""
    lines: list[Text] = []
    chosen = _chosen(state)
    for version in _versions(state, question):
        if lines:
            lines.append(Text())
        head = _name(version.name, chosen, look)
        facts = look.dot.join(map(look.text, _facts(version)))
        if facts:
            head.append(look.dot + facts, "dim")
        lines += wrap(head, look.width - 1, Text(" "))
        lines += [
            Text("   ").append_text(line) for line in version.lines(Paper(look.width - 4, look.colour, look.plain))
        ]
    return lines


def _name(name: str, chosen: str | None, look: Look) -> Text:
    text = styled(name, "name")
    if name == chosen:
        text.append(" (chosen)" if look.plain else " ✓ chosen", "good")
    return text


def _chosen(state: ResolverState) -> str | None:
    """Return the name of the version that the answer so far takes, or ``None``."""
    return said(state.answer.how, state.sides) if state.answer is not None else None


def _facts(version: _Version) -> list[str]:
    """Return the origin of a value in words: who made it what it is, and when."""
    name, origin = version.name, version.origin
    if origin is None:
        if name != "base":
            return []
        return ["never agreed on" if version.value is ABSENT else "not in this history"]
    if origin.commit is None:
        facts = ["not committed yet"]
        return [*facts, f"written {when(origin.time)}"] if origin.time else facts
    done = "agreed in" if name == "base" else "changed in"
    where = "" if name == "base" else f", {_NAMES.get(origin.side, origin.side)}"
    facts = [f"{done} {origin.commit.hex()[:12]}", f"by {printable(origin.author or 'unknown')}{where}"]
    return [*facts, when(origin.time)] if origin.time else facts


def when(time: datetime) -> str:
    """Return a time in the form that people here read."""
    return f"{in_local_zone(time):%Y-%m-%d %H:%M}"
