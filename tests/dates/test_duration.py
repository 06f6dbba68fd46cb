"""Durations in sentences: what is read, and what is refused rather than guessed."""

from __future__ import annotations

import re
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from epicvc.dates.duration import Duration, parse_duration
from epicvc.dates.words import NUMBERS, TENS, UNITS, Counting
from epicvc.errors import DurationError

READ = {
    # units, plurals, accents, numbers
    "2 dias": 2,
    "1 mês": 30,
    "1 MES": 30,
    "3 weeks": 21,
    "2.5 months": 75,
    "2,5 meses": 75,
    "1 ano": 365,
    "a fortnight": 14,
    "1 quinzena": 15,
    "8h": 1,
    "120 min": Fraction(1, 4),
    "½ dia": Fraction(1, 2),
    "1½ weeks": Fraction(21, 2),
    "1.234,5 dias": Fraction("1234.5"),
    "0.125 dia": Fraction(1, 8),
    "0 dias": 0,
    "2 sem.": 14,
    "3 wks": 21,
    # words
    "duas semanas": 14,
    "a week": 7,
    "an hour": Fraction(1, 8),
    "quinze dias": 15,
    "vinte e um dias": 21,
    "twenty-one days": 21,
    "2 full weeks": 14,
    "3 more days": 3,
    # halves
    "meia hora": Fraction(1, 16),
    "half an hour": Fraction(1, 16),
    "half a day": Fraction(1, 2),
    "meio dia": Fraction(1, 2),
    "um dia e meio": Fraction(3, 2),
    "a week and a half": Fraction(21, 2),
    "two and a half weeks": Fraction(35, 2),
    "dia e meio": Fraction(3, 2),
    "um dia e meia hora": Fraction(17, 16),
    "a day and half an hour": Fraction(17, 16),
    "2 months and half the team": 60,
    # sums
    "2 weeks and 3 days": 17,
    "1 mês, 2 semanas e 3 dias": 47,
    "1 month, 2 weeks, and 3 days": 47,
    "1 semana + 2 dias": 9,
    "1h30": Fraction(3, 16),
    "1h30min": Fraction(3, 16),
    "1h 30m": Fraction(3, 16),
    "1 hr. 30 min.": Fraction(3, 16),
    "2d 4h": Fraction(5, 2),
    "1w2d": 9,
    # ranges
    "3-5 dias": 5,
    "3 – 5 dias": 5,
    "de 3 a 5 dias": 5,
    "entre 3 e 5 dias": 5,
    "between one week and ten days": 10,
    "two to three weeks": 21,
    "1 dia a 1 semana": 7,
    "a day or two": 2,
    "um dia ou dois": 2,
    # sentences
    "This takes about 2 weeks, I think": 14,
    "Epic 5 (of 9): 2 weeks.": 14,
    "a two-week sprint": 14,
    "- 3 dias": 3,
    "até 5 dias": 5,
    "at least 3 days": 3,
    "desde 2025-08-18, 3 dias": 3,
    "2 weeks (10 working days)": 14,
}

REFUSED = {
    "": "no number",
    "[X dias]": "has no number",
    "TBD": "no number",
    "2": "no number",
    "12 de agosto": "no number",
    "next week": "has no number",
    "a semana": "has no number",
    "meio-dia": "has no number",
    "v2 days": "has no number",
    "2+ weeks": "has no number",
    "Fase 2 sem testes": "no number",
    "alguns dias": "'alguns' is no number",
    "a few days": "'few' is no number",
    "a couple of weeks": "'couple' is no number",
    "2 weeks and a few days": "'few' is no number",
    "a hundred days": "'hundred' is no number",
    "2 mil dias": "'mil' is no number",
    "cento e vinte dias": "'cento' is a number higher",
    "-3 dias": "negative",
    "1.500 dias": "more than one way",
    "1,500 days": "more than one way",
    "1/2 dia": "more than one way",
    "10:30 horas": "more than one way",
    "9999999999999 dias": "more than one way",
    "3m": "months or minutes",
    "2 e 3 dias": "a sum or a range",
    "5-3 dias": "smaller one",
    "2 weeks to 10 days": "smaller one",
    "3 days per week": "a rate",
    "2 hours/day": "a rate",
    "3 days a week": "more than one length",
    "3 dias, 2 semanas": "more than one length",
    "2 weeks of work, then 3 days of tests": "more than one length",
    "5 dias úteis e 2 dias corridos": "working days and calendar days",
}


@pytest.mark.parametrize("text", READ)
def test_read(text: str) -> None:
    assert parse_duration(text).days == READ[text]


@pytest.mark.parametrize("text", REFUSED)
def test_refused(text: str) -> None:
    with pytest.raises(DurationError) as caught:
        parse_duration(text)
    assert REFUSED[text] in caught.value.reason
    assert repr(text) in caught.value.message
    assert caught.value.text == text


def test_an_error_says_what_is_understood() -> None:
    with pytest.raises(DurationError) as caught:
        parse_duration("2 weeks of work, then 3 days of tests")
    assert caught.value.understood == ("2 weeks", "3 days")
    assert "'2 weeks', '3 days'" in caught.value.message


@pytest.mark.parametrize(
    ("text", "working"),
    [
        ("2 semanas", 10),
        ("1 mês", 21),
        ("3 dias", 3),
        ("4 h", Fraction(1, 2)),
        ("1 semana e 2 dias", 7),
        ("1 ano", 252),
    ],
)
def test_working_days(text: str, working: Fraction) -> None:
    assert parse_duration(text).working == working


@pytest.mark.parametrize(
    ("text", "counting"),
    [
        ("5 dias úteis", Counting.BUSINESS),
        ("5 business days", Counting.BUSINESS),
        ("3 workdays", Counting.BUSINESS),
        ("5 dias de trabalho", Counting.BUSINESS),
        ("10 dias corridos", Counting.CALENDAR),
        ("5 days", None),
        ("5 days working on it", None),
    ],
)
def test_which_days_a_text_says_it_counts(text: str, counting: Counting | None) -> None:
    assert parse_duration(text).counting is counting


AMOUNTS = st.one_of(
    st.integers(0, 999).map(lambda n: (str(n), Fraction(n))),
    st.tuples(st.integers(0, 99), st.integers(0, 99), st.sampled_from(".,")).map(
        lambda t: (f"{t[0]}{t[2]}{t[1]:02}", Fraction(f"{t[0]}.{t[1]:02}"))
    ),
    st.sampled_from(sorted(NUMBERS.items())).map(lambda item: (item[0], Fraction(item[1]))),
    st.sampled_from(sorted(TENS.items())).map(lambda item: (item[0], Fraction(item[1]))),
)
SPELLED = [(word, unit) for unit in UNITS for word in unit.words]
AROUND = st.sampled_from(["", "about ", "cerca de ", "it takes ", "("])


@given(AMOUNTS, st.sampled_from(SPELLED), AROUND, st.booleans())
def test_every_number_with_every_unit(amount: tuple[str, Fraction], spelled: object, around: str, upper: bool) -> None:
    word, unit = spelled  # type: ignore[misc]
    text = f"{around}{amount[0]} {word}"
    found = parse_duration(text.upper() if upper else text)
    assert found.days == amount[1] * unit.days
    assert found.working == amount[1] * unit.working


@given(
    st.lists(st.tuples(st.integers(1, 99), st.sampled_from(UNITS)), min_size=1, max_size=4),
    st.sampled_from([" e ", " and ", " + ", " mais "]),
)
def test_a_sum_is_the_sum(parts: list[tuple[int, object]], joiner: str) -> None:
    text = joiner.join(f"{number} {unit.words[0]}" for number, unit in parts)  # type: ignore[attr-defined]
    assert parse_duration(text).days == sum(number * unit.days for number, unit in parts)  # type: ignore[attr-defined]


@given(st.integers(1, 500), st.integers(1, 500), st.sampled_from(["-", " a ", " to ", "–", " ou ", " até "]))
def test_a_range_is_its_upper_end_or_refused(low: int, high: int, to: str) -> None:
    text = f"{low}{to}{high} dias"
    if high < low:
        with pytest.raises(DurationError):
            parse_duration(text)
    else:
        assert parse_duration(text).days == high


WORDS = ["2", "3,5", "dias", "semana", "e", "and", "a", "-", "meio", "half", "week", "m", "h", "30", ",", ".", "de"]
WORDS += ["few", "entre", "per", "/", "1.500", "úteis", "sem", "um", "vinte", "[", "]", "ou", "the", "\n", "x"]
PHRASES = st.lists(st.sampled_from(WORDS), max_size=12)


@given(st.one_of(st.text(max_size=60), PHRASES.map(" ".join), PHRASES.map("".join)))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        found = parse_duration(text)
    except DurationError as error:
        assert error.text == text
        return
    assert isinstance(found, Duration)
    assert found.days >= 0
    assert re.search(r"\S", found.text)


@pytest.mark.parametrize("text", ["9" * 5000 + " dias", "2 dias " * 5000, "e meio " * 3000, "½" * 3000])
def test_hostile_texts_end(text: str) -> None:
    with pytest.raises(DurationError):
        parse_duration(text)
