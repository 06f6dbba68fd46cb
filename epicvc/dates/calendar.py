"""Calendars of days that count, and arithmetic over them that looks at years instead of days.

A year is known by the number of its days that count up to any day of it: whole weeks by division, holidays by
bisection. To find a day 10,000 working days ahead takes some forty years' totals and one search within the last.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from datetime import date
from typing import Final

from msgspec import Struct, field

from epicvc.dates.country import Country
from epicvc.errors import InvalidData

EVERY_DAY: Final[frozenset[int]] = frozenset()
SATURDAY_AND_SUNDAY: Final = frozenset({5, 6})


class Span(Struct, frozen=True):
    """Days in a row, most of which count or not by their weekday.

    Attributes:
        first: the first day, as an ordinal (``date.toordinal``).
        last: the last day.
        rest: weekdays that do not count; Monday is 0.
        off: days that do not count although their weekday does, sorted.
        on: days that count although their weekday does not, sorted.
    """

    first: int
    last: int
    rest: frozenset[int]
    off: tuple[int, ...] = ()
    on: tuple[int, ...] = ()

    def upto(self, day: int) -> int:
        """Return how many days count from the first through ``day``, which lies in the span or right before it."""
        weeks, more = divmod(day - self.first + 1, 7)
        start = (self.first - 1) % 7  # ordinal 1 is a Monday
        plain = weeks * (7 - len(self.rest)) + sum((start + n) % 7 not in self.rest for n in range(more))
        return plain - bisect_right(self.off, day) + bisect_right(self.on, day)

    def nth(self, number: int) -> int:
        """Return the ``number``-th day that counts; the first is number 1."""
        low, high = self.first, self.last
        while low < high:
            middle = (low + high) // 2
            if self.upto(middle) < number:
                low = middle + 1
            else:
                high = middle
        return low


class Calendar(Struct):
    """A calendar, which tells the days that count.

    Args:
        country: the country whose weekends and holidays apply; without one weekends are Saturday and Sunday.
        business: weekends do not count.
        holidays: holidays do not count.
    """

    country: Country | None = None
    business: bool = False
    holidays: bool = False
    _spans: dict[int, Span] = field(default_factory=dict)
    _totals: dict[int, int] = field(default_factory=dict)

    def counts(self, day: date) -> bool:
        """Return whether a day counts."""
        span, ordinal = self._span(day.year), day.toordinal()
        return span.upto(ordinal) > span.upto(ordinal - 1)

    def roll(self, day: date) -> date:
        """Return the day itself if it counts, else the next one that does.

        Raises:
            InvalidData: there is none before the year 10000, or the country's holidays are not known that far ahead.
        """
        return day if self.counts(day) else self._ahead(day, 1)

    def add(self, start: date, number: int) -> date:
        """Return the day that is ``number`` days that count after ``start``.

        A start that does not count is first rolled forward.

        Raises:
            InvalidData: as :meth:`roll`.
            ValueError: ``number`` is negative.
        """
        if number < 0:
            raise ValueError(f"{number} days ahead")
        first = self.roll(start)
        return self._ahead(first, number) if number else first

    def between(self, start: date, end: date) -> int:
        """Return how many days count from ``start`` up to the day before ``end``."""
        if end <= start:
            return 0
        total = -self._span(start.year).upto(start.toordinal() - 1)
        for year in range(start.year, end.year):
            total += self._total(year)
        return total + self._span(end.year).upto(end.toordinal() - 1)

    def skipped(self, start: date, end: date) -> Mapping[date, str]:
        """Return the holidays from ``start`` through ``end`` that keep a day from counting, with their names."""
        if not self.holidays or self.country is None:
            return {}
        found: dict[date, str] = {}
        for year in range(start.year, end.year + 1):
            off = set(self._span(year).off)
            known = self.country.year(year).holidays
            found |= {day: name for day, name in known.items() if start <= day <= end and day.toordinal() in off}
        return found

    def _ahead(self, day: date, number: int) -> date:
        """Return the ``number``-th day that counts after a day."""
        year = day.year
        wanted = number + self._span(year).upto(day.toordinal())
        while wanted > (total := self._total(year)):
            wanted -= total
            year += 1
        return date.fromordinal(self._span(year).nth(wanted))

    def _total(self, year: int) -> int:
        total = self._totals.get(year)
        if total is None:
            span = self._span(year)
            total = self._totals[year] = span.upto(span.last)
        return total

    def _span(self, year: int) -> Span:
        span = self._spans.get(year)
        if span is None:
            if year > date.max.year:
                raise InvalidData("the date lies beyond the year 9999", hint="correct the duration")
            span = self._spans[year] = self._make(year)
        return span

    def _make(self, year: int) -> Span:
        first, last = date(year, 1, 1).toordinal(), date(year, 12, 31).toordinal()
        rest, reform = self._rest(year)
        if self.country is None:
            return Span(first, last, rest)
        holidays: set[int] = set()
        workdays: set[int] = set()
        if self.holidays:
            known = self.country.year(year)
            holidays = {day.toordinal() for day in known.holidays}
            workdays = {day.toordinal() for day in known.workdays} if self.business else set()
        if reform:
            # The weekend moved within this year. Only such a year is looked at day by day.
            resting = self._resting(year)
            days = range(first, last + 1)
            off = {day for day in days if (day in resting or day in holidays) and day not in workdays}
            return Span(first, last, EVERY_DAY, tuple(sorted(off)))
        off = {day for day in holidays if (day - 1) % 7 not in rest}
        on = {day for day in workdays if (day - 1) % 7 in rest}
        return Span(first, last, rest, tuple(sorted(off)), tuple(sorted(on)))

    def _rest(self, year: int) -> tuple[frozenset[int], bool]:
        """Return the weekdays that do not count, and whether they change within the year."""
        if not self.business:
            return EVERY_DAY, False
        if self.country is None:
            return SATURDAY_AND_SUNDAY, False
        before = self.country.weekend(date(year, 1, 1))
        return before, before != self.country.weekend(date(year, 12, 25))

    def _resting(self, year: int) -> set[int]:
        """Return all weekend days of a year."""
        assert self.country is not None  # only a country has weekends
        first, last = date(year, 1, 1).toordinal(), date(year, 12, 31).toordinal()
        return {day for day in range(first, last + 1) if self.country.rests(date.fromordinal(day))}
