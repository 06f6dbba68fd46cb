"""A start that was planned once stays, whatever day it is."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from epicvc.dates.keeping import Planned, Record, plan_again
from epicvc.dates.settings import DateBaseStrategy, Settings
from epicvc.dates.strategy import Planner

FIRST, LATER = date(2025, 8, 13), date(2026, 3, 2)
MONDAYS = Settings()


def planned(text: str, settings: Settings = MONDAYS, today: date = FIRST) -> tuple[Planned, Record]:
    dates = Planned.of(Planner(settings).dates(text, today))
    return dates, Record(text, settings, dates)


@given(st.sampled_from(["2 dias", "1 semana", "1.5 meses"]), st.integers(0, 900), st.booleans(), st.booleans())
def test_today_moves_and_the_plan_does_not(text: str, days: int, business: bool, recorded: bool) -> None:
    settings = Settings(business_days=business)
    before, record = planned(text, settings)
    again = plan_again(Planner(settings), text, FIRST + timedelta(days), before, record if recorded else None)
    assert Planned.of(again) == before


def test_the_same_duration_in_other_words() -> None:
    before, record = planned("1 semana")
    for known in (record, None):
        assert plan_again(Planner(MONDAYS), "7 days", LATER, before, known).start_date == before.start


@pytest.mark.parametrize("recorded", [True, False])
def test_another_duration_gives_a_new_start(recorded: bool) -> None:
    before, record = planned("1 semana")
    again = plan_again(Planner(MONDAYS), "2 semanas", LATER, before, record if recorded else None)
    assert again.start_date == date(2026, 3, 9)


def test_another_strategy_gives_a_new_start_where_the_old_one_is_known() -> None:
    before, record = planned("1 semana")
    tomorrow = Planner(Settings(DateBaseStrategy.NEXT_WORKDAY))
    assert plan_again(tomorrow, "1 semana", LATER, before, record).start_date == date(2026, 3, 3)
    assert plan_again(tomorrow, "1 semana", LATER, before, None).start_date == before.start


def test_a_record_of_something_else_says_nothing() -> None:
    """After a rollback, say: what is planned now is not what the record is of."""
    before, _ = planned("1 semana")
    _, other = planned("1 mês", Settings(DateBaseStrategy.IMMEDIATE), LATER)
    assert plan_again(Planner(MONDAYS), "1 semana", LATER, before, other).start_date == before.start


def test_counting_other_days_keeps_the_start() -> None:
    before, record = planned("1 semana")
    business = Planner(Settings(business_days=True))
    for known in (record, None):
        again = plan_again(business, "1 semana", LATER, before, known)
        assert (again.start_date, again.duration_days, again.unit) == (before.start, 5.0, "business_days")


def test_a_start_that_somebody_else_gave() -> None:
    theirs = Planned(start=date(2025, 10, 1))
    again = plan_again(Planner(MONDAYS), "2 dias", LATER, theirs)
    assert (again.start_date, again.end_date) == (date(2025, 10, 1), date(2025, 10, 3))
