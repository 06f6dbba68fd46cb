"""Figures of recorded runs: how long they took, what they moved, how they ended, by command and over time.

Pure, but for :func:`measure_repo`: runs and times come in as arguments. A median and a 95th percentile are times that a
run really took (nearest rank), and only runs that did their work count for them: one that failed at once, or waited for
a lock in vain, says nothing of how long the work takes.
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
"""The commands whose time is the time of a synchronisation; a person thinks while ``resolve`` runs."""

_HOURS: Final = timedelta(hours=36)
_DAYS: Final = timedelta(days=45)
_WEEKS: Final = timedelta(weeks=45)
_LONGEST: Final = 60  # periods of a trend; who looks back further sees the newest


class Figures(Struct, frozen=True):
    """Figures of some runs.

    Attributes:
        runs: how many there are.
        succeeded: those that did their work; conflicts may be left.
        interrupted: those that somebody stopped.
        conflicting: those that left conflicts.
        records: the epics that they changed, one that was changed twice counted twice.
        conflicts: the conflicts that they left, counted in the same way.
        average_ms: milliseconds of those that succeeded; ``None`` where there is none.
        median_ms: the same.
        p95_ms: what 95 of a hundred of them took at most.
        last: when the newest began.
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
        """Those that ended with an error."""
        return self.runs - self.succeeded - self.interrupted

    @property
    def success_rate(self) -> float:
        """How many of a hundred succeeded, of those that nobody interrupted; 100 where there is none."""
        return percentage(self.succeeded, self.runs - self.interrupted, 100.0)

    @property
    def conflict_rate(self) -> float:
        """How many of a hundred that succeeded left conflicts."""
        return percentage(self.conflicting, self.succeeded, 0.0)


class Failure(Struct, frozen=True):
    """One way in which runs ended badly: the command, the error's kind and exit code, how often, and when last."""

    command: str
    error: str
    exit: int
    count: int
    last: datetime


class Period(Struct, frozen=True):
    """One of equal parts of a time: when it begins, and the figures of the runs that began in it."""

    start: datetime
    figures: Figures


class Trend(Struct, frozen=True):
    """Figures over time.

    Attributes:
        unit: ``hour``, ``day``, ``week`` or ``month``, in local time.
        periods: one after the other, those without a run too.
    """

    unit: str
    periods: tuple[Period, ...]


class Metrics(Struct, frozen=True):
    """Figures of the runs since a time.

    Attributes:
        since: the time.
        until: when they were counted.
        total: of all of them.
        synchronising: of ``sync``, ``pull`` and ``push``.
        commands: by command, those with the most runs first.
        trend: of the synchronisations; of the chosen commands, where some were chosen.
        failures: how runs failed, the most frequent first.
    """

    since: datetime
    until: datetime
    total: Figures
    synchronising: Figures
    commands: tuple[tuple[str, Figures], ...]
    trend: Trend
    failures: tuple[Failure, ...]


def percentage(part: int, whole: int, otherwise: float) -> float:
    """How many of a hundred, with two decimals."""
    return round(100 * part / whole, 2) if whole else otherwise


def measure(runs: Iterable[Run], since: datetime, until: datetime, commands: Collection[str] = ()) -> Metrics:
    """Count runs.

    Args:
        runs: those that there are.
        since: older ones do not count.
        until: the time now; a run of a wrong clock that is dated later does not count either.
        commands: only these; a group's name stands for all of its commands.
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
        figures(syncs),
        tuple((command, figures(found)) for command, found in ranked),
        trend(chosen if commands else syncs, since, until),
        _failures(chosen),
    )


def measure_repo(repo: Repo, since: datetime, until: datetime, commands: Collection[str] = ()) -> Metrics:
    """Count the runs that a repo has a record of; see :func:`measure`."""
    began = max(0, int(since.timestamp() * 1000))
    return measure(kept_runs(repo.config.private, began), since, until, commands)


def is_chosen(command: str, chosen: Collection[str]) -> bool:
    """Whether a command is one of the chosen ones, or in a group that is; all are where none is chosen."""
    return not chosen or command in chosen or command.split(" ", 1)[0] in chosen


def figures(runs: Sequence[Run]) -> Figures:
    """The figures of some runs."""
    times = sorted(run.took_ms for run in runs if run.succeeded)
    return Figures(
        len(runs),
        len(times),
        sum(run.interrupted for run in runs),
        sum(run.succeeded and run.conflicts > 0 for run in runs),
        sum(run.records for run in runs),
        sum(run.conflicts for run in runs),
        round(math.fsum(times) / len(times), 3) if times else None,
        _percentile(times, 50),
        _percentile(times, 95),
        max((run.started for run in runs), default=None),
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
    """Figures by hours, days, weeks or months, whichever suits the time between the first run and now."""
    first = max(since, min((run.started for run in runs), default=until))
    unit, number, start = _unit(until - first)
    last = number(until)
    found: dict[int, list[Run]] = {place: [] for place in range(max(number(first), last - _LONGEST + 1), last + 1)}
    for run in runs:
        if number(run.started) in found:
            found[number(run.started)].append(run)
    return Trend(unit, tuple(Period(start(place), figures(items)) for place, items in found.items()))


def _unit(length: timedelta) -> tuple[str, Callable[[datetime], int], Callable[[int], datetime]]:
    """A unit, which of its periods a time is in, and when a period begins."""
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
    return datetime(day.year, day.month, day.day).astimezone()  # local time is what is meant


def read_since(text: str, now: datetime) -> datetime:
    """The beginning of a period: a time, or so long ago as ``7d`` or ``1y6m`` says.

    Raises:
        UsageError: the text is neither.
    """
    try:
        return before(now, text) if DURATION.fullmatch(text) else parse_when(text)
    except UsageError as error:
        hint = "for instance 7d, 12h, 1y6m or 2025-08-17"
        raise UsageError(f"--since takes a time or how long ago, not {text!r}", hint=hint) from error
