"""Working days against numpy, and against looking at each day."""

from __future__ import annotations

from datetime import date, timedelta

import holidays
import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from epicvc.dates.calendar import Calendar, Span
from epicvc.dates.country import Country, country
from epicvc.errors import InvalidData, UsageError

PLACES = [
    ("BR", None),
    ("BR", "SP"),
    ("US", "CA"),
    ("DE", "BY"),
    ("PT", None),
    ("IN", None),
    ("IL", None),
    ("SA", None),
]
YEARS = range(2020, 2034)
WEEKENDS = {"IL": "1111001", "SA": "1111001"}  # from Monday; 1 is a working day

DAYS = st.dates(date(2021, 1, 1), date(2030, 12, 31))


def oracle(place: tuple[str, str | None]) -> numpy.busdaycalendar:
    code, subdivision = place
    known = holidays.country_holidays(code, subdiv=subdivision, years=YEARS)
    return numpy.busdaycalendar(WEEKENDS.get(code, "1111100"), sorted(known))


ORACLES = {place: oracle(place) for place in PLACES}


def calendar(place: tuple[str, str | None]) -> Calendar:
    return Calendar(country(*place, ()), business=True, holidays=True)


@given(st.sampled_from(PLACES), DAYS, st.integers(0, 500))
def test_adding_is_numpys(place: tuple[str, str | None], start: date, number: int) -> None:
    expected = numpy.busday_offset(start, number, roll="forward", busdaycal=ORACLES[place])
    assert calendar(place).add(start, number) == expected.astype(date)


@given(st.sampled_from(PLACES), DAYS, DAYS)
def test_counting_is_numpys(place: tuple[str, str | None], start: date, end: date) -> None:
    expected = int(numpy.busday_count(start, end, busdaycal=ORACLES[place])) if start < end else 0
    assert calendar(place).between(start, end) == expected


@given(DAYS, st.integers(0, 20_000))
def test_weekends_alone_are_numpys(start: date, number: int) -> None:
    expected = numpy.busday_offset(start, number, roll="forward")
    assert Calendar(business=True).add(start, number) == expected.astype(date)
    assert Calendar(country("BR", None, ()), business=True).add(start, number) == expected.astype(date)


@settings(max_examples=30)
@given(
    st.sampled_from([("CN", None), ("HU", None), ("AE", None), ("BR", "SP")]), DAYS, st.integers(0, 300), st.booleans()
)
def test_adding_is_looking_at_each_day(
    place: tuple[str, str | None], start: date, number: int, with_weekends: bool
) -> None:
    """Also where a weekend moved from one year to the next, and where people work on some Saturdays."""
    known = holidays.country_holidays(place[0], subdiv=place[1])

    def counts(day: date) -> bool:
        return known.is_working_day(day) if with_weekends else day not in known

    day = start
    while not counts(day):
        day += timedelta(1)
    for _ in range(number):
        day += timedelta(1)
        while not counts(day):
            day += timedelta(1)
    assert Calendar(country(*place, ()), business=with_weekends, holidays=True).add(start, number) == day


@pytest.mark.parametrize(("code", "year"), [("SA", 2013), ("AE", 2022), ("DZ", 2009), ("JO", 2000)])
def test_the_year_of_a_reform(code: str, year: int) -> None:
    known = holidays.country_holidays(code)
    mine = Calendar(country(code, None, ()), business=True)
    day = date(year - 1, 12, 1)
    while day < date(year + 1, 2, 1):
        assert mine.counts(day) is not known.is_weekend(day), day
        day += timedelta(1)


def test_far_ahead_asks_no_more_of_each_year_than_its_total(monkeypatch: pytest.MonkeyPatch) -> None:
    """10,000 days are some forty years; each is counted once, and the last is searched by halving."""
    asked: list[int] = []
    upto = Span.upto
    monkeypatch.setattr(Span, "upto", lambda span, day: asked.append(day) or upto(span, day))  # type: ignore[func-returns-value]
    mine = Calendar(business=True)
    assert mine.add(date(2025, 8, 18), 10_000) == date(2063, 12, 17)
    first = len(asked)
    mine.add(date(2025, 8, 18), 10_000)
    assert first < 70
    assert len(asked) - first < 16


def test_categories_bring_optional_days() -> None:
    carnival = date(2025, 3, 4)
    assert calendar(("BR", None)).counts(carnival)
    optional = Calendar(country("BR", None, ("optional",)), business=True, holidays=True)
    assert not optional.counts(carnival)
    assert not optional.counts(date(2025, 6, 19))
    assert optional.skipped(date(2025, 3, 4), date(2025, 3, 4)) == {carnival: "Carnival"}


def test_skipped_holidays_are_those_on_days_that_would_count() -> None:
    found = calendar(("BR", None)).skipped(date(2025, 9, 1), date(2025, 12, 31))
    assert list(found) == [date(2025, 11, 20), date(2025, 12, 25)]  # the others fall on weekends
    assert Calendar(business=True).skipped(date(2025, 1, 1), date(2025, 12, 31)) == {}


def test_beyond_what_is_known() -> None:
    with pytest.raises(InvalidData, match="known from"):
        calendar(("BR", None)).add(date(2099, 12, 1), 300)
    with pytest.raises(InvalidData, match="9999"):
        Calendar().add(date(9999, 12, 30), 5)
    with pytest.raises(ValueError, match="-1"):
        Calendar().add(date(2025, 1, 1), -1)


def test_codes_in_small_letters() -> None:
    assert country("br", None, ()).code == "BR"


@pytest.mark.parametrize(
    ("arguments", "word"),
    [(("XX",), "country 'XX'"), (("BR", "ZZ"), "subdivision 'ZZ'"), (("BR", None, ("bank",)), "category 'bank'")],
)
def test_unknown_places(arguments: tuple[object, ...], word: str) -> None:
    with pytest.raises(UsageError, match=word):
        Country(*arguments)  # type: ignore[arg-type]
