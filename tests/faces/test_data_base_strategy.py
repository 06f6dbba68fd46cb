"""``DataBaseCalculator`` as its users call it."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

import pytest

from epicvc.data_base_strategy import DataBaseCalculator, DateBaseStrategy, DurationError
from epicvc.errors import EpicvcError, UsageError

MONDAY = "2025-08-18"


def test_the_examples_of_the_description() -> None:
    calculator = DataBaseCalculator(strategy=DateBaseStrategy.NEXT_MONDAY, today="2025-08-13")
    assert calculator.parse_duration_from_text("The whole thing needs some 2 weeks of work") == 14.0
    planned = calculator.calculate_planned_dates("1.5 semanas", start_strategy=DateBaseStrategy.NEXT_MONDAY)
    assert (planned.start_date, planned.end_date) == (date(2025, 8, 18), date(2025, 8, 29))
    assert planned.duration_days == 10.5
    business = DataBaseCalculator(
        strategy=DateBaseStrategy.NEXT_WORKDAY, business_days_only=True, exclude_holidays=True, country_code="BR"
    )
    dates = business.calculate_business_dates(start_date=MONDAY, duration_days=5)
    assert (dates.start_date, dates.end_date) == (date(2025, 8, 18), date(2025, 8, 25))
    assert (dates.business_days_used, dict(dates.holidays_skipped)) == (5, {})
    assert business.parse_duration_from_text("1 mês") == 30.0


def test_the_example_of_the_enriched_file() -> None:
    planned = DataBaseCalculator(today="2025-08-17").calculate_planned_dates("2 dias")
    assert (planned.start_date, planned.end_date, planned.duration_days) == (date(2025, 8, 18), date(2025, 8, 20), 2.0)


def test_days_off_are_left_out_whatever_the_calculator_counts() -> None:
    dates = DataBaseCalculator(exclude_holidays=True).calculate_business_dates(date(2025, 11, 20), 1.5)
    assert (dates.start_date, dates.end_date) == (date(2025, 11, 21), date(2025, 11, 25))
    assert list(dates.holidays_skipped) == [date(2025, 11, 20)]


def test_carnival_is_a_matter_of_taste() -> None:
    arguments: dict[str, Any] = {"business_days_only": True, "exclude_holidays": True}
    friday = "2025-02-28"
    assert DataBaseCalculator(**arguments).calculate_business_dates(friday, 1).end_date == date(2025, 3, 3)
    with_optional = DataBaseCalculator(**arguments, holiday_categories=("optional",))
    assert with_optional.calculate_business_dates(friday, 1).end_date == date(2025, 3, 6)


def test_a_subdivision_has_days_of_its_own() -> None:
    arguments: dict[str, Any] = {"exclude_holidays": True, "country_code": "BR"}
    assert DataBaseCalculator(**arguments).calculate_business_dates("2025-07-08", 1).end_date == date(2025, 7, 9)
    paulo = DataBaseCalculator(**arguments, subdivision="SP")
    assert paulo.calculate_business_dates("2025-07-08", 1).end_date == date(2025, 7, 10)


def test_today_and_reference() -> None:
    calculator = DataBaseCalculator("immediate", today=date(2030, 1, 2))
    assert calculator.calculate_planned_dates("1 dia").start_date == date(2030, 1, 2)
    at = datetime(2031, 5, 6, 7, 8)  # noqa: DTZ001
    assert calculator.calculate_planned_dates("1 dia", reference_date=at).start_date == date(2031, 5, 6)
    custom = calculator.calculate_planned_dates
    with pytest.raises(UsageError, match="custom_date"):
        custom("1 dia", start_strategy="custom_date")


class Team:
    """An application's own calculator."""

    def parse_and_convert_to_days(self, text: str) -> float:
        return 3.0 if text == "a sprint" else 1.0

    def calculate_end_date(self, start: date, days: float) -> date:
        return date(2040, 1, int(days))


class OnlyParses:
    def parse_and_convert_to_days(self, text: str) -> float:
        return 2.0


class OnlyEnds:
    def calculate_end_date(self, start: date, days: float) -> date:
        return date(2040, 1, int(days))


@pytest.mark.parametrize(
    ("given", "days", "end"),
    [(Team(), 3.0, date(2040, 1, 3)), (OnlyParses(), 2.0, date(2025, 8, 20)), (OnlyEnds(), 5.0, date(2040, 1, 5))],
)
def test_an_applications_own_calculator(given: Any, days: float, end: date) -> None:
    calculator = DataBaseCalculator("immediate", duration_calculator=given, today=MONDAY)
    text = "5 days" if isinstance(given, OnlyEnds) else "a sprint"
    assert calculator.parse_duration_from_text(text) == days
    planned = calculator.calculate_planned_dates(text)
    assert (planned.duration_days, planned.end_date) == (days, end)


@pytest.mark.parametrize(
    "call",
    [
        lambda: DataBaseCalculator("someday"),
        lambda: DataBaseCalculator(today="18/08/2025"),
        lambda: DataBaseCalculator(duration_calculator=object()),
        lambda: DataBaseCalculator().calculate_business_dates(MONDAY, -1),
        lambda: DataBaseCalculator().calculate_business_dates(MONDAY, float("nan")),
        lambda: DataBaseCalculator().calculate_business_dates(None, 1),  # type: ignore[arg-type]
        lambda: DataBaseCalculator(country_code="Brazil").calculate_business_dates(MONDAY, 1),
        lambda: DataBaseCalculator(exclude_holidays=True).calculate_business_dates(MONDAY, 500_000),
        lambda: DataBaseCalculator().parse_duration_from_text(None),  # type: ignore[arg-type]
        lambda: DataBaseCalculator().parse_duration_from_text(""),
    ],
)
def test_bad_input(call: Any) -> None:
    with pytest.raises(EpicvcError):
        call()


def test_a_placeholder_is_no_duration() -> None:
    with pytest.raises(DurationError) as caught:
        DataBaseCalculator().parse_duration_from_text("[X dias]")
    assert (caught.value.text, caught.value.understood) == ("[X dias]", ("dias",))
