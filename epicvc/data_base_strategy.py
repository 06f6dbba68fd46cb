"""Durations and planned dates for Python programs: :class:`DataBaseCalculator`.

A face over :mod:`epicvc.dates`; the rules are there.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable
from typing import Final

from msgspec.structs import replace

from epicvc.dates.inputs import Day, read_day, read_strategy
from epicvc.dates.settings import DateBaseStrategy, Settings
from epicvc.dates.strategy import DurationCalculator, PlannedDates, Planner
from epicvc.errors import DurationError, UsageError
from epicvc.repo.history.objects import in_local_zone

__all__ = ["DataBaseCalculator", "DateBaseStrategy", "DurationError", "PlannedDates"]

MAX_DAYS: Final = 3_000_000
"""Days in about eight thousand years, as many as dates have."""


class DataBaseCalculator:
    """Calculates durations and planned dates from texts.

    Args:
        strategy: where a start date comes from, as :class:`DateBaseStrategy` or its value.
        business_days_only: count working days; weekends are the country's.
        exclude_holidays: holidays do not count.
        country_code: ISO 3166-1 code of a country that the ``holidays`` package knows.
        subdivision: its state or province, as ``SP``.
        holiday_categories: holidays that count besides the public ones; ``("optional",)`` adds Carnival and Corpus
            Christi in Brazil.
        custom_date: the start under ``CUSTOM_DATE``.
        today: the reference day where a call names none; by default the day of the call.
        duration_calculator: an object with ``parse_and_convert_to_days(text)`` and/or
            ``calculate_end_date(start, days)``, used instead of what is here.

    Raises:
        UsageError: a strategy or a calculator that is none, or a text that is no ISO date.
    """

    def __init__(
        self,
        strategy: DateBaseStrategy | str = DateBaseStrategy.NEXT_MONDAY,
        *,
        business_days_only: bool = False,
        exclude_holidays: bool = False,
        country_code: str = "BR",
        subdivision: str | None = None,
        holiday_categories: Iterable[str] = (),
        custom_date: Day | None = None,
        today: Day | None = None,
        duration_calculator: DurationCalculator | None = None,
    ) -> None:
        self.settings = Settings(
            read_strategy(strategy),
            business_days_only,
            exclude_holidays,
            country_code,
            subdivision,
            tuple(holiday_categories),
            read_day(custom_date) if custom_date is not None else None,
        )
        self.today = read_day(today) if today is not None else None
        self.duration_calculator = duration_calculator
        self.planner = Planner(self.settings, duration_calculator)

    def parse_duration_from_text(self, text: str) -> float:
        """The duration that a Portuguese or English text says, in days.

        A day is 1, a week 7, a month 30 and an hour 1/8, whatever days this calculator counts dates in. What is read
        how: :mod:`epicvc.dates.duration`.

        Args:
            text: a sentence or just the duration.

        Raises:
            DurationError: it says none, or not only one.
        """
        return self.planner.days(_text(text))

    def calculate_planned_dates(
        self,
        duration_text: str,
        start_strategy: DateBaseStrategy | str | None = None,
        reference_date: Day | None = None,
    ) -> PlannedDates:
        """Start and end of something that takes as long as a text says.

        Args:
            duration_text: the duration. Where working days are counted, a week has five and a month 21.
            start_strategy: instead of the calculator's own.
            reference_date: the day from which the start is reckoned; by default today.

        Raises:
            DurationError: the text says no duration, or (``BeyondCalendar``) the end lies beyond the calendar.
            UsageError: the strategy wants a date that is not given.
        """
        planner = self.planner
        if start_strategy is not None:
            settings = replace(self.settings, strategy=read_strategy(start_strategy))
            planner = Planner(settings, self.duration_calculator)
        return planner.dates(_text(duration_text), self._reference(reference_date))

    def calculate_business_dates(self, start_date: Day, duration_days: float) -> PlannedDates:
        """Start and end of something that takes so many working days.

        Args:
            start_date: a day off moves to the next working day.
            duration_days: working days; parts of one round up.

        Raises:
            UsageError: the duration is no number from zero up, or the start is no date.
            InvalidData: the end lies beyond the calendar.
        """
        number = isinstance(duration_days, int | float) and not isinstance(duration_days, bool)
        if not number or not 0 <= duration_days <= MAX_DAYS:
            raise UsageError(f"a duration of {duration_days!r} days", hint=f"give a number from 0 to {MAX_DAYS:,}")
        return self.planner.span(read_day(start_date), duration_days, business=True)

    def _reference(self, day: Day | None) -> datetime.date:
        if day is not None:
            return read_day(day)
        return self.today if self.today is not None else in_local_zone(datetime.datetime.now(datetime.UTC)).date()


def _text(text: object) -> str:
    if not isinstance(text, str):
        raise DurationError(str(text), "it is no text")
    return text
