"""Draws figures of runs and the quality of the data: numbers first, then bars and lines of blocks."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from epicvc.actions.report.metrics import Figures, Metrics, Period, Trend
from epicvc.actions.report.quality import Quality, Score
from epicvc.repo.history.objects import in_local_zone
from epicvc.ui.terminal import Console, Line, line
from epicvc.ui.text import count, printable

_BLOCKS: Final = "▁▂▃▄▅▆▇█"
_ASCII: Final = ".:-=+*#@"
_BAR: Final = ("█", "░")
_ASCII_BAR: Final = ("#", ".")
_BAR_WIDTH: Final = 24
_FAILURES: Final = 5
_LOSSES: Final = 5
_MANY: Final = 40
_GOOD: Final = 99.5
_FAIR: Final = 90.0

_SCORES: Final = (
    ("consistency", "fields say the same on both sides"),
    ("completeness", "required fields are filled in"),
    ("accuracy", "calculated fields equal a recomputation"),
)


def draw_metrics(console: Console, found: Metrics, *, verbose: bool = False) -> None:
    """Draw figures of runs."""
    begin = f"{in_local_zone(found.since):%Y-%m-%d %H:%M}"
    if not found.total.runs:
        console.print(line((f"no run is recorded since {begin}", "label")))
        return
    console.print(line((f"{count(found.total.runs, 'run')} since {begin}", "label")))
    if found.synchronising.runs:
        _draw_syncs(console, found.synchronising)
    console.print()
    _draw_trend(console, found.trend)
    console.print()
    _draw_commands(console, found)
    _draw_failures(console, found, verbose=verbose)


def _draw_syncs(console: Console, found: Figures) -> None:
    text = f"  {count(found.runs, 'synchronisation')}: "
    console.print(
        line(
            text,
            (f"{percent(found.success_rate)} succeeded", _style(found.success_rate)),
            f", {percent(found.conflict_rate)} left conflicts",
        )
    )
    if found.median_ms is not None:
        times = (("median", found.median_ms), ("average", found.average_ms), ("95 % within", found.p95_ms))
        said = ", ".join(f"{name} {duration(value)}" for name, value in times)
        console.print(line(f"  {count(found.records, 'epic')} changed; time: {said}"))


def _draw_trend(console: Console, found: Trend) -> None:
    """Draw one block a period, from the first run on, and a blank for a period without runs."""
    periods = found.periods[-max(8, min(60, console.width - 36)) :]
    blocks = _BLOCKS if _speaks_unicode(console) else _ASCII
    runs = [float(period.figures.runs) for period in periods]
    times = [period.figures.median_ms or 0.0 for period in periods]
    first, last = (_period(found.unit, period) for period in (periods[0], periods[-1]))
    span = first if first == last else f"{first} to {last}"
    console.print(line((f"by {found.unit}, {span}", "dim")))
    _draw_spark(console, "runs", spark(runs, blocks), f"at most {max(runs):,.0f}", "moved")
    if any(times):
        _draw_spark(console, "median time", spark(times, blocks), f"at most {duration(max(times))}", "moved")
    failed = [float(period.figures.failed) for period in periods]
    if any(failed):
        _draw_spark(console, "failed", spark(failed, blocks), f"at most {max(failed):,.0f}", "conflict")


def _draw_spark(console: Console, name: str, blocks: str, note: str, style: str) -> None:
    console.print(line(f"  {name:<12}", (blocks, style), (f"  {note}", "dim")))


def spark(values: Sequence[float], blocks: str) -> str:
    """Return numbers as a line of blocks: the largest one is a whole block, zero a blank."""
    largest = max(values, default=0.0)
    height = len(blocks)
    return "".join(blocks[min(height - 1, int(value / largest * height))] if value > 0 else " " for value in values)


def _period(unit: str, period: Period) -> str:
    start = in_local_zone(period.start)
    return f"{start:%Y-%m-%d %H:%M}" if unit == "hour" else f"{start:%Y-%m}" if unit == "month" else f"{start:%Y-%m-%d}"


def _draw_commands(console: Console, metrics: Metrics) -> None:
    rows = [
        (
            printable(command),
            f"{found.runs:,}",
            percent(found.success_rate),
            percent(found.conflict_rate),
            f"{found.records:,}",
            duration(found.median_ms),
            duration(found.p95_ms),
            age(metrics.until - found.last) if found.last is not None else "",
        )
        for command, found in metrics.commands
    ]
    head = ("command", "runs", "success", "conflicts", "epics", "median", "95 %", "last")
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    console.print(line((_row(head, widths), "label")))
    for row in rows:
        console.print(line(_row(row, widths)))


def _row(cells: Sequence[str], widths: Sequence[int]) -> str:
    first, *rest = (
        f"{cell:<{width}}" if number == 0 else f"{cell:>{width}}"
        for number, (cell, width) in enumerate(zip(cells, widths, strict=True))
    )
    return "  ".join((first, *rest)).rstrip()


def _draw_failures(console: Console, found: Metrics, *, verbose: bool) -> None:
    if not found.failures:
        return
    console.print()
    console.print(line(("failures", "label")))
    shown = found.failures if verbose else found.failures[:_FAILURES]
    for one in shown:
        last = f"{in_local_zone(one.last):%Y-%m-%d %H:%M}"
        text = f"  {one.count:,} {'×' if _speaks_unicode(console) else 'x'} {printable(one.command)}: "
        console.print(line(text, (printable(one.error or "bug"), "conflict"), f" (exit {one.exit}), last {last}"))
    if len(shown) < len(found.failures):
        console.print(line((f"  … and {len(found.failures) - len(shown)} more kinds (--verbose lists them)", "dim")))


def draw_quality(console: Console, found: Quality, *, verbose: bool = False) -> None:
    """Draw the quality of the data with the places that cost points."""
    console.print(line(("quality of the data", "label")))
    for name, meaning in _SCORES:
        score: Score = getattr(found, name)
        if not score.total:
            console.print(line(f"  {name:<12}  ", (f"{'-':>7}  there is nothing to measure", "dim")))
            continue
        console.print(_score(console, name, score))
        console.print(line((f"    {score.good:,} of {score.total:,} {meaning}", "dim")))
        _draw_losses(console, score, _MANY if verbose else _LOSSES)
    if found.unreadable:
        text = f"{count(found.unreadable, 'file or row', 'files and rows')} cannot be read, see epicvc status"
        console.print(line(("  not measured: ", "changed"), text))


def _score(console: Console, name: str, score: Score) -> Line:
    full, empty = _BAR if _speaks_unicode(console) else _ASCII_BAR
    filled = int(score.percentage / 100 * _BAR_WIDTH)
    return line(
        f"  {name:<12}  ",
        (f"{percent(score.percentage):>7}", _style(score.percentage)),
        "  ",
        (full * filled, _style(score.percentage)),
        (empty * (_BAR_WIDTH - filled), "dim"),
    )


def _draw_losses(console: Console, score: Score, most: int) -> None:
    for loss in score.losses[:most]:
        fields = f" ({count(loss.points, 'field')})" if loss.points != 1 else ""
        console.print(line("    ", (printable(str(loss.label)), "label"), printable(f" {loss.why}"), (fields, "dim")))
    if score.places > most:
        hint = "" if most == _MANY else ", --verbose shows more"
        console.print(line((f"    … and {score.places - most:,} more (--json lists them{hint})", "dim")))


def percent(value: float) -> str:
    """Return a percentage, such as ``100 %`` or ``99.2 %``. Only 100 itself is shown as 100."""
    if value in (0.0, 100.0):
        return f"{value:.0f} %"
    return f"{min(max(value, 0.1), 99.9):.1f} %"


def age(passed: timedelta) -> str:
    """Return a time span as an age."""
    minutes = int(passed.total_seconds() // 60)
    if minutes < 1:
        return "now"
    number, unit = (minutes, "m") if minutes < 60 else (minutes // 60, "h")
    return f"{number} {unit} ago" if minutes < 48 * 60 else f"{minutes // 1440} d ago"


def duration(milliseconds: float | None) -> str:
    """Return a duration with two or three significant digits."""
    if milliseconds is None:
        return "-"
    if milliseconds < 10:
        return f"{milliseconds:.1f} ms"
    if milliseconds < 1000:
        return f"{milliseconds:.0f} ms"
    seconds = milliseconds / 1000
    if seconds < 100:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.1f} min"


def _style(rate: float) -> str:
    return "good" if rate >= _GOOD else "changed" if rate >= _FAIR else "conflict"


def _speaks_unicode(console: Console) -> bool:
    return "utf" in console.encoding.lower()
