"""Figures of recorded runs: their times, the records that they changed and their results, by command and over time.

Pure, except :func:`measure_repo`: runs and times come in as arguments. A median and a 95th percentile are times of real
runs (nearest rank). Only successful runs count for them: the time of a run that failed at once, or waited for a lock in
vain, is not the time of the work.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Final

from msgspec import Struct

from epicvc.actions.backup.retention import DURATION, before
from epicvc.errors import UsageError
from epicvc.repo.history.revisions import parse_when
from epicvc.repo.repository import Repo
from epicvc.repo.runs import Run, kept_runs

SYNCHRONISING: Final = ("sync", "pull", "push")
"""The commands whose time is the time of a synchronisation.

``resolve`` is left out, since a person thinks while it runs.
"""

_HOURS: Final = timedelta(hours=36)
_DAYS: Final = timedelta(days=45)
_WEEKS: Final = timedelta(weeks=45)
_LONGEST: Final = 60  # the most periods of a trend; of a longer time it has the newest


class Figures(Struct, frozen=True):
    """Figures of some runs.

    Attributes:
        runs: the number of runs.
        succeeded: the number of runs that did their work; conflicts may be left.
        interrupted: the number of runs that the user stopped.
        conflicting: the number of successful runs that left conflicts.
        records: the number of changed epics; an epic that was changed twice counts twice.
        conflicts: the number of conflicts that were left, counted in the same way.
        average_ms: the average time of successful runs in milliseconds; ``None`` without one.
        median_ms: the median of the same times.
        p95_ms: the time that 95 % of them took at most.
        last: the time at which the newest run began.
    """

    runs: int
    succeeded: int
    interrupted: int
    conflicting: int
    records: int
    conflicts: int
    average_ms: float | None
    median_ms: float | None
    p95_ms: float | None
    last: datetime | None

    @property
    def failed(self) -> int:
        """The number of runs that ended with an error."""
        return self.runs - self.succeeded - self.interrupted

    @property
    def success_rate(self) -> float:
        """The percentage of successful runs among those that were not interrupted; 100 without one."""
        return percentage(self.succeeded, self.runs - self.interrupted, 100.0)

    @property
    def conflict_rate(self) -> float:
        """The percentage of successful runs that left conflicts."""
        return percentage(self.conflicting, self.succeeded, 0.0)


class Failure(Struct, frozen=True):
    """One kind of failed runs: the command, the error's kind and exit code, their number, and the time of the last."""

    command: str
    error: str
    exit: int
    count: int
    last: datetime


class Period(Struct, frozen=True):
    """One of equal parts of a time: its beginning, and the figures of the runs that began in it."""

    start: datetime
    figures: Figures


class Trend(Struct, frozen=True):
    """Figures over time.

    Attributes:
        unit: ``hour``, ``day``, ``week`` or ``month``, in local time.
        periods: the periods in their order, including those without a run.
    """

    unit: str
    periods: tuple[Period, ...]


class Metrics(Struct, frozen=True):
    """Figures of the runs since a time.

    Attributes:
        since: the beginning of the time.
        until: the time at which they were counted.
        total: the figures of all runs.
        synchronising: the figures of ``sync``, ``pull`` and ``push``.
        commands: the figures by command, those with the most runs first.
        trend: the figures over time of the synchronisations, or of the chosen commands if some were chosen.
        failures: the kinds of failed runs, the most frequent first.
    """

    since: datetime
    until: datetime
    total: Figures
    synchronising: Figures
    commands: tuple[tuple[str, Figures], ...]
    trend: Trend
    failures: tuple[Failure, ...]


def percentage(part: int, whole: int, otherwise: float) -> float:
    """Return a percentage with two decimals, or ``otherwise`` of an empty whole."""
    return round(100 * part / whole, 2) if whole else otherwise


def measure(runs: Iterable[Run], since: datetime, until: datetime, commands: Collection[str] = ()) -> Metrics:
    """Return the figures of runs.

    Args:
        runs: the recorded runs.
        since: the beginning; older runs do not count.
        until: the current time; a run that a wrong clock dated later does not count either.
        commands: count only these commands; the name of a group stands for all of its commands.
    """
    chosen = [run for run in runs if since <= run.started <= until and is_chosen(run.command, commands)]
    by_command: dict[str, list[Run]] = {}
    for run in chosen:
        by_command.setdefault(run.command, []).append(run)
    syncs = [run for run in chosen if run.command in SYNCHRONISING]
    ranked = sorted(by_command.items(), key=lambda item: (-len(item[1]), item[0]))
    return Metrics(
        since,
        until,
        figures(chosen),
        synchronising=figures(syncs),
        commands=tuple((command, figures(found)) for command, found in ranked),
        trend=trend(chosen if commands else syncs, since, until),
        failures=_failures(chosen),
    )


def measure_repo(repo: Repo, since: datetime, until: datetime, commands: Collection[str] = ()) -> Metrics:
    """Return the figures of the runs that a repo has recorded; see :func:`measure`."""
    began = max(0, int(since.timestamp() * 1000))
    return measure(kept_runs(repo.config.private, began), since, until, commands)


def is_chosen(command: str, chosen: Collection[str]) -> bool:
    """Return whether a command is chosen, by its name or by that of its group. All are chosen if none is named."""
    return not chosen or command in chosen or command.split(" ", 1)[0] in chosen


def figures(runs: Sequence[Run]) -> Figures:
    """Return the figures of some runs."""
    times = sorted(run.took_ms for run in runs if run.succeeded)
    return Figures(
        len(runs),
        len(times),
        sum(run.interrupted for run in runs),
        conflicting=sum(run.succeeded and run.conflicts > 0 for run in runs),
        records=sum(run.records for run in runs),
        conflicts=sum(run.conflicts for run in runs),
        average_ms=round(math.fsum(times) / len(times), 3) if times else None,
        median_ms=_percentile(times, 50),
        p95_ms=_percentile(times, 95),
        last=max((run.started for run in runs), default=None),
    )


def _percentile(times: Sequence[float], part: int) -> float | None:
    return times[math.ceil(part * len(times) / 100) - 1] if times else None


def _failures(runs: Iterable[Run]) -> tuple[Failure, ...]:
    found: dict[tuple[str, str, int], list[datetime]] = {}
    for run in runs:
        if not run.succeeded and not run.interrupted:
            found.setdefault((run.command, run.error or "", run.exit), []).append(run.started)
    listed = [Failure(*key, len(times), max(times)) for key, times in found.items()]
    return tuple(sorted(listed, key=lambda item: (-item.count, -item.last.timestamp(), item.command)))


def trend(runs: Sequence[Run], since: datetime, until: datetime) -> Trend:
    """Return the figures by hours, days, weeks or months, according to the time between the first run and now."""
    first = max(since, min((run.started for run in runs), default=until))
    unit, number, start = _unit(until - first)
    last = number(until)
    found: dict[int, list[Run]] = {place: [] for place in range(max(number(first), last - _LONGEST + 1), last + 1)}
    for run in runs:
        if number(run.started) in found:
            found[number(run.started)].append(run)
    return Trend(unit, tuple(Period(start(place), figures(items)) for place, items in found.items()))


def _unit(length: timedelta) -> tuple[str, Callable[[datetime], int], Callable[[int], datetime]]:
    """Return the unit of periods that suits a length of time.

    Returns its name, a function from a time to the number of its period, and one from that number to its beginning.
    """
    if length <= _HOURS:
        return "hour", lambda time: int(time.timestamp() // 3600), lambda at: datetime.fromtimestamp(3600 * at, UTC)
    if length <= _DAYS:
        return "day", _day, lambda at: _midnight(date.fromordinal(at))
    if length <= _WEEKS:
        return "week", lambda time: (_day(time) - 1) // 7, lambda at: _midnight(date.fromordinal(7 * at + 1))
    return "month", _month, lambda at: _midnight(date(at // 12, at % 12 + 1, 1))


def _day(time: datetime) -> int:
    return time.astimezone().toordinal()


def _month(time: datetime) -> int:
    here = time.astimezone()
    return 12 * here.year + here.month - 1


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day).astimezone()  # the midnight of local time


def read_since(text: str, now: datetime) -> datetime:
    """Return the beginning of a period from a time, or from an age such as ``7d`` or ``1y6m``.

    Raises:
        UsageError: the text is neither a time nor an age.
    """
    try:
        return before(now, text) if DURATION.fullmatch(text) else parse_when(text)
    except UsageError as error:
        hint = "for instance 7d, 12h, 1y6m or 2025-08-17"
        raise UsageError(f"--since takes a time or how long ago, not {text!r}", hint=hint) from error
