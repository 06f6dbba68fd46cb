"""Plans when an epic starts and ends: the start by a strategy, the end by a duration over a calendar.

``end`` is start plus duration, so that two days from a Monday end on Wednesday. Parts of a day round up. A day is only
counted where the calendar counts it. A start on any other day moves to the next one that counts.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from fractions import Fraction
from typing import Protocol

from epicvc.dates.calendar import Calendar
from epicvc.dates.country import Country, country
from epicvc.dates.duration import Duration, parse_duration
from epicvc.dates.settings import BUSINESS_DAYS, DAYS, DateBaseStrategy, Settings
from epicvc.dates.words import Counting
from epicvc.errors import BeyondCalendar, DurationError, InvalidData, UsageError


class DurationCalculator(Protocol):
    """An application's own calculator of durations. It needs one of the two methods."""

    def parse_and_convert_to_days(self, text: str) -> float:
        """Return the days that a text says."""

    def calculate_end_date(self, start: date, days: float) -> date:
        """Return the day on which something ends that starts on ``start`` and takes ``days``."""


@dataclass(frozen=True)
class PlannedDates:
    """The start and the end of something, and what decided them.

    Attributes:
        start_date: the first day.
        end_date: start plus duration.
        duration_days: the duration, in units of ``unit``.
        business_days_used: the number of working days that were counted; 0 where every day of the week counts.
        holidays_skipped: the holidays that moved the start or the end, with their names.
        holidays_version: the release of the ``holidays`` package that knew them; ``None`` where the package was not
            asked.
        unit: ``business_days`` where only working days were counted, else ``days``.
    """

    start_date: date
    end_date: date
    duration_days: float
    business_days_used: int = 0
    holidays_skipped: Mapping[date, str] = field(default_factory=dict)
    holidays_version: str | None = None
    unit: str = DAYS


class Planner:
    """Plans dates under settings.

    Args:
        settings: the settings by which dates are planned.
        calculator: an application's own calculator, used for the methods that it has.
    """

    def __init__(self, settings: Settings, calculator: DurationCalculator | None = None) -> None:
        self.settings = settings
        self._reads = getattr(calculator, "parse_and_convert_to_days", None)
        self._ends = getattr(calculator, "calculate_end_date", None)
        if calculator is not None and self._reads is None and self._ends is None:
            raise UsageError(
                f"{type(calculator).__name__} is no duration calculator",
                hint="it needs parse_and_convert_to_days(text) or calculate_end_date(start, days)",
            )
        self._calendars: dict[tuple[bool, bool], Calendar] = {}

    # Calendars

    def calendar(self, *, business: bool) -> Calendar:
        """Return the calendar that counts working days, or the one that counts every day.

        Neither counts holidays where the settings leave these out.
        """
        key = (business, self.settings.holidays)
        if key not in self._calendars:
            self._calendars[key] = Calendar(self._country() if any(key) else None, *key)
        return self._calendars[key]

    def _country(self) -> Country:
        return country(self.settings.country, self.settings.subdivision, self.settings.categories)

    # Durations

    def days(self, text: str) -> float:
        """Return the days in a text, with seven in a week.

        The application's calculator reads them, or else the grammar.

        Raises:
            DurationError: the text says none.
        """
        return float(parse_duration(text).days) if self._reads is None else self._given(text)

    def _given(self, text: str) -> float:
        try:
            value = self._reads(text) if self._reads else None
        except ValueError as error:
            raise DurationError(text, f"the duration calculator says: {error}") from error
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or value < 0:
            raise DurationError(text, f"the duration calculator gives {value!r}")
        return float(value)

    def length(self, text: str) -> tuple[float, bool]:
        """Return the length of something in the days that count for it, and whether these are working days.

        A text that says which days it counts ("5 dias úteis") is taken at its word.

        Raises:
            DurationError: the text says no duration.
        """
        business = self.settings.business_days
        if self._reads is not None:
            return self._given(text), business
        duration: Duration = parse_duration(text)
        if duration.counting is not None:
            business = duration.counting is Counting.BUSINESS
        return float(duration.working if business else duration.days), business

    # Dates

    def start(self, reference: date, *, business: bool | None = None) -> date:
        """Return the start that the strategy gives.

        Args:
            reference: the day from which the start is reckoned.
            business: whether working days are counted; by default as the settings say.

        Raises:
            UsageError: the strategy needs a date that is not given.
        """
        calendar = self.calendar(business=self.settings.business_days if business is None else business)
        return calendar.roll(self._wanted(reference))

    def _wanted(self, reference: date) -> date:
        strategy = self.settings.strategy
        if strategy is DateBaseStrategy.CUSTOM_DATE:
            if self.settings.custom_date is None:
                raise UsageError("the strategy custom_date needs a date")
            return self.settings.custom_date
        if strategy is DateBaseStrategy.IMMEDIATE:
            return reference
        days = 7 - reference.weekday() if strategy is DateBaseStrategy.NEXT_MONDAY else 1
        later = _later(reference, days)
        return later if strategy is DateBaseStrategy.NEXT_MONDAY else self.calendar(business=True).roll(later)

    def dates(self, text: str, reference: date, *, kept: date | None = None) -> PlannedDates:
        """Return the start and the end of something that takes as long as a text says.

        Args:
            text: the duration.
            reference: the day from which the start is reckoned.
            kept: the start, where it is known already.

        Raises:
            DurationError: the text says no duration.
            BeyondCalendar: the end lies beyond the calendar.
        """
        length, business = self.length(text)
        wanted = kept if kept is not None else self._wanted(reference)
        try:
            return self.span(wanted, length, business=business, since=self._moved_since(reference, kept))
        except InvalidData as error:
            raise BeyondCalendar(text, error) from error

    def _moved_since(self, reference: date, kept: date | None) -> date | None:
        """Return the day after which holidays can have moved the start.

        There is one only under the strategy that counts days from the reference.
        """
        counted = kept is None and self.settings.strategy is DateBaseStrategy.NEXT_WORKDAY
        return reference if counted else None

    def span(self, start: date, days: float, *, business: bool, since: date | None = None) -> PlannedDates:
        """Return the start and the end of something that takes so many days that count.

        Args:
            start: the start, which is rolled forward to a day that counts.
            days: the length; parts of a day round up.
            business: whether working days are counted.
            since: the day from which working days were counted to the start, for the holidays that moved it.

        Raises:
            InvalidData: the end lies beyond what the calendar knows.
        """
        calendar = self.calendar(business=business)
        first = calendar.roll(start)
        whole = math.ceil(Fraction(days).limit_denominator(10**6))
        if self._ends is not None:
            end = self._ends(first, days)
            if not isinstance(end, date) or end < first:
                raise InvalidData(f"the duration calculator's end date {end!r} is no day on or after {first}")
        else:
            end = calendar.add(first, whole)
        looked = _later(since, 1) if since is not None and start > since else start
        return PlannedDates(
            first,
            end,
            days,
            business_days_used=whole if business else 0,
            holidays_skipped=calendar.skipped(min(looked, first), end),
            holidays_version=calendar.country.version if calendar.country is not None else None,
            unit=BUSINESS_DAYS if business else DAYS,
        )


def _later(day: date, days: int) -> date:
    try:
        return day + timedelta(days=days)
    except OverflowError as error:
        raise InvalidData("the date lies beyond the year 9999", hint="correct the date") from error
