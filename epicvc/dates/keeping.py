"""Decides whether something that was planned before keeps its start.

Today moves, and a plan must not move with it. So a start is kept until the duration or the strategy changes. Pure: the
caller hands in what was planned.
"""

from __future__ import annotations

from datetime import date

from msgspec import Struct

from epicvc.dates.settings import BUSINESS_DAYS, DAYS, Settings
from epicvc.dates.strategy import PlannedDates, Planner
from epicvc.errors import DurationError


class Planned(Struct, frozen=True):
    """The dates and the duration that are planned now.

    Attributes:
        start: the first day.
        end: start plus duration.
        days: the duration, in units of ``unit``.
        unit: ``days`` or ``business_days``; something else is an application's own.
    """

    start: date | None = None
    end: date | None = None
    days: float | None = None
    unit: str | None = None

    @classmethod
    def of(cls, dates: PlannedDates) -> Planned:
        """Take start, end, days and unit from dates that were calculated."""
        return cls(dates.start_date, dates.end_date, dates.duration_days, dates.unit)


class Record(Struct, frozen=True):
    """The duration and the settings by which something was planned, with the result.

    Attributes:
        text: the duration.
        settings: the settings.
        planned: the result. Where another one is planned now, the record says nothing about that one.
    """

    text: str
    settings: Settings
    planned: Planned

    def is_of(self, planned: Planned) -> bool:
        """Return whether what is planned now is what was recorded."""
        mine = self.planned
        return (mine.start, mine.end, mine.days, mine.unit) == (planned.start, planned.end, planned.days, planned.unit)


def plan_again(planner: Planner, text: str, today: date, before: Planned, record: Record | None = None) -> PlannedDates:
    """Return the dates of something that may have been planned before.

    Args:
        planner: the planner under the settings in force.
        text: the duration.
        today: the day from which a new start is reckoned.
        before: what is planned now.
        record: how ``before`` was planned, where that is known.

    Raises:
        DurationError: the text says no duration, or the end lies beyond the calendar.
    """
    return planner.dates(text, today, kept=before.start if keeps(planner, text, before, record) else None)


def keeps(planner: Planner, text: str, before: Planned, record: Record | None = None) -> bool:
    """Return whether a start that was planned before stays; see :func:`plan_again`.

    Raises:
        DurationError: the text says no duration.
    """
    if before.start is None:
        return False
    length = planner.length(text)
    if record is not None and record.is_of(before):
        old, new = record.settings, planner.settings
        if (old.strategy, old.custom_date) != (new.strategy, new.custom_date):
            return False
        return record.text == text or _length(planner, record.text) == length
    # It is not known how this was planned, so only the durations can be compared. Durations in different units cannot;
    # then the start stays.
    unit = BUSINESS_DAYS if length[1] else DAYS
    return before.days is None or before.unit not in (None, unit) or before.days == length[0]


def _length(planner: Planner, text: str) -> tuple[float, bool] | None:
    try:
        return planner.length(text)
    except DurationError:
        return None
