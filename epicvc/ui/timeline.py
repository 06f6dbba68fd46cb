"""Draws a timetable as a table and as a timeline of bars, within the width of the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from fractions import Fraction
from typing import Final

from msgspec import Struct
from rich.cells import cell_len, set_cell_size
from rich.table import Table
from rich.text import Text

from epicvc.actions.dates.scheduling import DAY, Timetable
from epicvc.dates.schedule import Slot
from epicvc.ui.terminal import Console, line
from epicvc.ui.text import count, printable

FEW: Final = 30
"""The number of tasks up to which tasks are listed one by one unasked."""

MANY: Final = 40
"""The most epics that are listed."""

_LABEL: Final = 24
_WARNINGS: Final = 5
_BARS: Final = ("█", "▒", "·", "▏")
_ASCII: Final = ("#", "=", ".", "|")


class _TimelineRow(Struct, frozen=True):
    """One line of the table and of the timeline."""

    name: str
    title: str
    slot: Slot
    effort: Fraction
    start: date
    end: date
    critical: bool


def draw_timetable(console: Console, table: Timetable, *, tasks: bool = False) -> None:
    """Draw a timetable.

    Args:
        console: the console to draw on.
        table: the timetable.
        tasks: whether tasks are listed, however many there are. If not, epics are listed where there are many tasks.
    """
    one_by_one = tasks or len(table.tasks) <= FEW
    rows = _tasks(table) if one_by_one else _chosen(_epics(table))
    if not rows:
        console.print(line("there are no tasks"))
    else:
        width = min(_LABEL, max(cell_len(row.name) for row in rows))
        _draw_table(console, rows, width, "task" if one_by_one else "epic")
        console.print()
        _draw_bars(console, table, rows, width)
    _draw_summary(console, table, one_by_one=one_by_one)


def _tasks(table: Timetable) -> list[_TimelineRow]:
    return [
        _TimelineRow(
            printable(_short(str(task.label))),
            printable(task.title),
            task.slot,
            effort=task.slot.end - task.slot.start,
            start=task.start,
            end=task.end,
            critical=task.slot.critical,
        )
        for task in table.tasks
    ]


def _epics(table: Timetable) -> list[_TimelineRow]:
    return [
        _TimelineRow(
            printable(e.epic), printable(e.name), e.slot, effort=e.effort, start=e.start, end=e.end, critical=e.critical
        )
        for e in table.epics
    ]


def _chosen(rows: list[_TimelineRow]) -> list[_TimelineRow]:
    """Return as many rows as a person looks at, those on the critical path before others, in their given order."""
    ranked = sorted(range(len(rows)), key=lambda number: not rows[number].critical)[:MANY]
    return [rows[number] for number in sorted(ranked)]


def _short(label: str) -> str:
    """Return a task's label without the word that all of them have."""
    return label.replace(":tasks/", ":", 1)


def _fitted(text: str, width: int) -> str:
    """Return a text in exactly so many cells."""
    if cell_len(text) <= width:
        return set_cell_size(text, width)
    return set_cell_size(text, width - 1) + "…"


def _draw_table(console: Console, rows: Sequence[_TimelineRow], width: int, what: str) -> None:
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, show_edge=False, header_style="label")
    table.add_column("", width=1)
    table.add_column(what, width=max(width, len(what)), no_wrap=True)
    table.add_column("title", ratio=1, no_wrap=True, overflow="ellipsis")
    for name in ("work", "slack"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("start", no_wrap=True)
    table.add_column("end", no_wrap=True)
    for row in rows:
        style = "conflict" if row.critical else ""
        table.add_row(
            Text("*" if row.critical else " ", style),
            Text(_fitted(row.name, width), style),
            Text(row.title),
            Text(_work(row.effort)),
            Text(_work(row.slot.slack) if not row.critical else "", "dim"),
            Text(str(row.start)),
            Text(str(row.end)),
        )
    table.expand = True
    console.print(table, soft_wrap=False, no_wrap=True, crop=True)


def _work(minutes: Fraction) -> str:
    """Return a working time in the two largest units of days, hours and minutes."""
    days, rest = divmod(round(minutes), DAY)
    hours, left = divmod(rest, 60)
    parts = [(days, "d"), (hours, "h"), (left, "m")]
    said = [f"{number}{unit}" for number, unit in parts if number][:2]
    return " ".join(said) or "0"


def _draw_bars(console: Console, table: Timetable, rows: Sequence[_TimelineRow], width: int) -> None:
    columns = max(10, console.width - width - 3)
    signs = _BARS if "utf" in console.encoding.lower() else _ASCII
    length = table.length or Fraction(1)

    def at(minutes: Fraction) -> int:
        return round(minutes / length * columns)

    begin, end = str(table.start), str(table.end)
    gap = " " * max(1, columns - len(begin) - len(end))
    console.print(line((" " * (width + 3), "dim"), (f"{begin}{gap}{end}", "dim")))
    for row in rows:
        first, last = at(row.slot.start), at(row.slot.end)
        later = at(row.slot.end + row.slot.slack)
        if last <= first:  # the bar would be too short to be seen
            first = min(first, columns - 1)
            bar = signs[3] if not row.effort else signs[0] if row.critical else signs[1]
            last = first + 1
        else:
            bar = (signs[0] if row.critical else signs[1]) * (last - first)
        style = "conflict" if row.critical else "moved"
        console.print(
            line(
                ("*" if row.critical else " ", style),
                (_fitted(row.name, width), style if row.critical else ""),
                "  " + " " * first,
                (bar, style),
                (signs[2] * max(0, min(later, columns) - last), "dim"),
            )
        )


def _draw_summary(console: Console, table: Timetable, *, one_by_one: bool) -> None:
    console.print()
    whole = f"{table.start} to {table.end}, {_work(table.length)} of working time"
    console.print(line((whole, "label")))
    if table.critical:
        console.print(line(("* ", "conflict"), f"critical path: {count(len(table.critical), 'task')}"))
    if table.holidays:
        days = ", ".join(f"{name} ({day})" for day, name in list(table.holidays.items())[:_WARNINGS])
        more = f" and {len(table.holidays) - _WARNINGS} more" if len(table.holidays) > _WARNINGS else ""
        console.print(line((printable(f"without {days}{more}"), "dim")))
    for warning in table.warnings[:_WARNINGS]:
        console.print(line(("warning: ", "changed"), printable(warning)))
    if len(table.warnings) > _WARNINGS:
        left = count(len(table.warnings) - _WARNINGS, "more warning")
        console.print(line((f"  … and {left} (--json lists them)", "dim")))
    if not one_by_one and len(table.epics) > MANY:
        console.print(line((f"… and {count(len(table.epics) - MANY, 'more epic')} (--json lists them)", "dim")))
    if not one_by_one:
        console.print(line(("tasks: epicvc plan --schedule EPIC, or --verbose", "dim")))
