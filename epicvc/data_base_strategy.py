"""Durations and planned dates for Python programs: :class:`DataBaseCalculator`.

It is a face over :mod:`epicvc.dates`, which has the rules.
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
"""The days of about eight thousand years, which is all that a date can express."""


class DataBaseCalculator:
    """Calculates durations and planned dates from texts.

    Args:
        strategy: the rule for the start date, as a :class:`DateBaseStrategy` or its value.
        business_days_only: whether only working days count. Weekends are those of the country.
        exclude_holidays: whether holidays do not count.
        country_code: the ISO 3166-1 code of a country that the ``holidays`` package knows.
        subdivision: its state or province, such as ``SP``.
        holiday_categories: categories of holidays besides the public ones; ``("optional",)`` adds Carnival and Corpus
            Christi in Brazil.
        custom_date: the start under ``CUSTOM_DATE``.
        today: the reference day where a call names none; by default the day of the call.
        duration_calculator: an object with ``parse_and_convert_to_days(text)`` and/or ``calculate_end_date(start,
            days)``, used instead of the built-in rules.

    Raises:
        UsageError: a strategy or a calculator is not valid, or a text is no ISO date.
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
            country=country_code,
            subdivision=subdivision,
            categories=tuple(holiday_categories),
            custom_date=read_day(custom_date) if custom_date is not None else None,
        )
        self.today = read_day(today) if today is not None else None
        self.duration_calculator = duration_calculator
        self.planner = Planner(self.settings, duration_calculator)

    def parse_duration_from_text(self, text: str) -> float:
        """Return the duration that a Portuguese or English text states, in days.

        A day is 1, a week 7, a month 30 and an hour 1/8, whichever days this calculator counts for dates.
        :mod:`epicvc.dates.duration` describes the texts that can be read.

        Args:
            text: a sentence, or just the duration.

        Raises:
            DurationError: the text states no duration, or more than one.
        """
        return self.planner.days(_text(text))

    def calculate_planned_dates(
        self,
        duration_text: str,
        start_strategy: DateBaseStrategy | str | None = None,
        reference_date: Day | None = None,
    ) -> PlannedDates:
        """Return the start and end of something that takes as long as a text states.

        Args:
            duration_text: the duration. Where working days are counted, a week has five and a month 21.
            start_strategy: the rule for the start date; by default the calculator's own.
            reference_date: the day from which the start is reckoned; by default today.

        Raises:
            DurationError: the text states no duration, or (``BeyondCalendar``) the end lies beyond the calendar.
            UsageError: the strategy needs a date that is not given.
        """
        planner = self.planner
        if start_strategy is not None:
            settings = replace(self.settings, strategy=read_strategy(start_strategy))
            planner = Planner(settings, self.duration_calculator)
        return planner.dates(_text(duration_text), self._reference(reference_date))

    def calculate_business_dates(self, start_date: Day, duration_days: float) -> PlannedDates:
        """Return the start and end of something that takes so many working days.

        Args:
            start_date: the first day; if it is a day off, the next working day.
            duration_days: the number of working days; a part of a day counts as one.

        Raises:
            UsageError: the duration is negative or no number, or the start is no date.
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
