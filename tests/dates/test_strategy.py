"""Starts by strategy, ends by duration."""

from __future__ import annotations

from datetime import date, timedelta

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.guard import ROOT

from epicvc.dates.country import country
from epicvc.dates.settings import DateBaseStrategy, Settings
from epicvc.dates.strategy import Planner
from epicvc.errors import BeyondCalendar, DurationError, UsageError

DAYS = st.dates(date(2021, 1, 1), date(2030, 12, 31))
IMMEDIATE, NEXT_MONDAY, NEXT_WORKDAY, CUSTOM = DateBaseStrategy


def planner(strategy: DateBaseStrategy = IMMEDIATE, **settings: object) -> Planner:
    return Planner(Settings(strategy, **settings))  # type: ignore[arg-type]


@given(DAYS)
def test_next_monday_is_the_first_one_after(day: date) -> None:
    start = planner(NEXT_MONDAY).start(day)
    assert start.weekday() == 0
    assert timedelta(1) <= start - day <= timedelta(7)


@given(DAYS)
def test_next_workday_is_strictly_after(day: date) -> None:
    expected = numpy.busday_offset(day + timedelta(1), 0, roll="forward").astype(date)
    assert planner(NEXT_WORKDAY).start(day) == expected


@given(DAYS)
def test_immediate_is_the_day_itself_unless_it_is_a_day_off(day: date) -> None:
    assert planner().start(day) == day
    rolled = numpy.busday_offset(day, 0, roll="forward").astype(date)
    assert planner(business_days=True).start(day) == rolled


def test_custom_date() -> None:
    start = date(2026, 1, 7)
    assert planner(CUSTOM, custom_date=start).start(date(2025, 1, 1)) == start
    with pytest.raises(UsageError, match="needs a date"):
        planner(CUSTOM).start(date(2025, 1, 1))


@given(DAYS, st.integers(0, 4000), st.sampled_from(["", ".25", ".5"]))
def test_parts_of_a_day_round_up(day: date, number: int, part: str) -> None:
    dates = planner().dates(f"{number}{part} dias", day)
    assert dates.end_date == day + timedelta(number + bool(part))
    assert dates.duration_days == float(f"{number}{part}")


@pytest.mark.parametrize(
    ("text", "business", "days", "end"),
    [
        ("1 semana", False, 7.0, date(2025, 8, 25)),
        ("1 semana", True, 5.0, date(2025, 8, 25)),
        ("1 mês", True, 21.0, date(2025, 9, 16)),
        ("5 dias úteis", False, 5.0, date(2025, 8, 25)),
        ("7 dias corridos", True, 7.0, date(2025, 8, 25)),
    ],
)
def test_what_is_counted(text: str, business: bool, days: float, end: date) -> None:
    dates = planner(business_days=business).dates(text, date(2025, 8, 18))
    assert (dates.duration_days, dates.end_date) == (days, end)


def test_holidays_that_decide_are_recorded() -> None:
    dates = planner(NEXT_WORKDAY, business_days=True, holidays=True).dates("3 dias", date(2025, 11, 19))
    assert dates.start_date == date(2025, 11, 21)
    assert dates.end_date == date(2025, 11, 26)
    assert list(dates.holidays_skipped) == [date(2025, 11, 20)]
    assert dates.holidays_version


def test_holidays_that_moved_nothing_are_not_named() -> None:
    custom = planner(CUSTOM, business_days=True, holidays=True, custom_date=date(2025, 11, 24))
    assert dict(custom.dates("3 dias", date(2025, 8, 1)).holidays_skipped) == {}
    monday = planner(NEXT_MONDAY, business_days=True, holidays=True)
    assert dict(monday.dates("2 dias", date(2025, 11, 19)).holidays_skipped) == {}
    rolled = planner(CUSTOM, business_days=True, holidays=True, custom_date=date(2025, 11, 20))
    assert list(rolled.dates("1 dia", date(2025, 8, 1)).holidays_skipped) == [date(2025, 11, 20)]


def test_a_year_without_known_holidays_is_said_as_what_it_is() -> None:
    with pytest.raises(
        BeyondCalendar, match=r"^no dates for '90000 dias': the holidays of BR are known from"
    ) as caught:
        planner(business_days=True, holidays=True).dates("90000 dias", date(2025, 8, 18))
    assert caught.value.hint == "correct the duration or the date, or plan without holidays"


BRAZIL = """
    2025-03-03 Carnival; 2025-03-04 Carnival; 2025-03-05 Ash Wednesday; 2025-06-19 Corpus Christi
    2025-10-28 Public Servant's Day; 2025-12-24 Christmas Eve; 2025-12-31 New Year's Eve
"""


def test_what_optional_brings_in_brazil_is_in_the_documentation() -> None:
    wanted = {tuple(entry.split(maxsplit=1)) for entry in BRAZIL.replace("\n", ";").split(";") if entry.strip()}
    public, all_days = (country("BR", None, kinds).year(2025).holidays for kinds in ((), ("optional",)))
    assert {(day.isoformat(), name) for day, name in all_days.items() if day not in public} == wanted
    page = (ROOT / "docs" / "planning.md").read_text(encoding="utf-8")
    for _, name in wanted:
        assert f"| {name}" in page


def test_holidays_without_weekends() -> None:
    dates = planner(holidays=True).dates("2 dias", date(2025, 12, 24))
    assert dates.end_date == date(2025, 12, 27)
    assert dates.business_days_used == 0


def test_an_end_beyond_the_calendar_names_the_text() -> None:
    with pytest.raises(DurationError, match="9999"):
        planner().dates("900000 semanas", date(2025, 8, 18))


class Parses:
    def __init__(self, result: object) -> None:
        self.result = result

    def parse_and_convert_to_days(self, text: str) -> float:
        if isinstance(self.result, Exception):
            raise self.result
        return self.result  # type: ignore[return-value]


@pytest.mark.parametrize("result", [None, -1, float("nan"), "3", True, ValueError("what?")])
def test_a_calculator_that_gives_no_length(result: object) -> None:
    given = Planner(Settings(IMMEDIATE), Parses(result))  # type: ignore[arg-type]
    with pytest.raises(DurationError):
        given.dates("2 dias", date(2025, 8, 18))


def test_no_calculator() -> None:
    with pytest.raises(UsageError, match="object"):
        Planner(Settings(), object())  # type: ignore[arg-type]
