"""Numbers are read whole or not at all: what stands before and behind a length may be part of it."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from epicvc.dates.duration import parse_duration
from epicvc.errors import DurationError

MINUTES = Fraction(1, 480)
SECONDS = MINUTES / 60

READ = {
    # grouped digits
    "1 500 dias": 1500,
    "1\u202f500 dias": 1500,
    "1\u2009500 days": 1500,
    "1\u00a0500,5 dias": Fraction("1500.5"),
    "1'500 dias": 1500,
    "1’500.25 days": Fraction("1500.25"),
    "1_500 dias": 1500,
    "12 000 horas": 1500,
    "1 500 000 minutes": 3125,
    "2 ½ dias": Fraction(5, 2),
    # a leading point
    ".5 dia": Fraction(1, 2),
    ",5 dia": Fraction(1, 2),
    "about .25 day": Fraction(1, 4),
    "cerca de ,5 dia": Fraction(1, 2),
    "(.5 day)": Fraction(1, 2),
    "aprox.5 dias": 5,
    "maybe...5 days": 5,
    "2 dias,5 horas": Fraction(21, 8),
    # hyphens, and halves behind words
    "vinte-e-um dias": 21,
    "trinta-e-dois dias": 32,
    "two and one half days": Fraction(5, 2),
    "two-and-a-half weeks": Fraction(35, 2),
    "a one-and-a-half-day task": Fraction(3, 2),
    "one day and one half": Fraction(3, 2),
    "one half day": Fraction(1, 2),
    # behind the unit
    "1h 30": 90 * MINUTES,
    "1 hora e 30": 90 * MINUTES,
    "one hour and thirty": 90 * MINUTES,
    "uma hora e vinte e cinco": 85 * MINUTES,
    "1h 30 de reunião": 90 * MINUTES,
    "1h30 + 15min": 105 * MINUTES,
    "uma semana e 1/2": Fraction(21, 2),
    "um dia e 1/4": Fraction(5, 4),
    "2 days and ½": Fraction(5, 2),
    "1 hora e 30 pessoas": 60 * MINUTES,
    "2 weeks and 3 people": 14,
    "2 dias, 4 pessoas": 2,
    "2 days, a 3-person team": 2,
    "2 days a 3-person team": 2,
    "2 dias, 2025-08-18": 2,
    "3 dias\n4": 3,
    "Epic 5\n3 dias": 3,
    "- 2 dias\n- 3 tarefas": 2,
    # seconds
    "2h20m30s": 140 * MINUTES + 30 * SECONDS,
    "2h20min30s": 140 * MINUTES + 30 * SECONDS,
    "1h30m 15s": 90 * MINUTES + 15 * SECONDS,
    # what is no calculation
    "* 3 dias": 3,
    "Epic 5\n* 3 dias": 3,
    "Epic (5):2 weeks": 14,
}

REFUSED = {
    "2 3 dias": "'2 3' is not one number",
    "1 50 dias": "'1 50' is not one number",
    "12345 678 dias": "not one number",
    "1 500'000 dias": "not one number",
    "0 500 dias": "more than one way",
    "1`500 dias": "not one number",
    "two 3 days": "'two 3' is not one number",
    "um dois dias": "not one number",
    "2 half days": "not one number",
    "1e3 dias": "has no number",
    "10%5 dias": "not one number",
    "v1-2 days": "not one number",
    "1..5 dias": "'1..5' is not one number",
    "..5 dias": "'..5' is not one number",
    ".5.3 dias": "not one number",
    "1 .5 dias": "not one number",
    "-.5 dia": "negative",
    "vinte-e-zero dias": "a sum or a range",
    "cento-e-vinte dias": "'cento' is a number higher",
    "2 dias e 4": "'4' behind it has no unit",
    "2 weeks 3": "'3' behind it has no unit",
    "2 dias ou 4": "has no unit",
    "2 days to 4": "has no unit",
    "2 dias - 4": "has no unit",
    "um dia e um": "has no unit",
    "um dia e um quarto": "has no unit",
    "2 dias e 10%": "has no unit",
    "1 semana e 1/3": "has no unit",
    "1h 75": "has no unit",
    "1.5h 30": "has no unit",
    "1 hora, 30": "has no unit",
    "2h20m30": "has no unit",
    "uma semana e 1/2 dia": "more than one way",
    "20m30s": "months or minutes",
    "2 x 3 dias": "'2 x 3' is not one number",
    "2x3 dias": "has no number",
    "2 × 3 days": "not one number",
    "2 vezes 3 dias": "not one number",
    "two times 3 days": "not one number",
    "6 / 2 dias": "not one number",
    "2 + 3 dias": "a sum or a range",
    "2 plus 3 days": "a sum or a range",
    "3 dias x 2": "'x 2' behind it is a factor",
    "3 dias (x2)": "is a factor",
    "3 dias 2x": "is a factor",
    "3 days times two": "is a factor",
    "50% de 2 dias": "'% de 2' is a part",
    "half of 2 days": "is a part",
    "1/2 of a day": "is a part",
}


@pytest.mark.parametrize("text", READ)
def test_read(text: str) -> None:
    assert parse_duration(text).days == READ[text]


@pytest.mark.parametrize("text", REFUSED)
def test_refused(text: str) -> None:
    with pytest.raises(DurationError) as caught:
        parse_duration(text)
    assert REFUSED[text] in caught.value.reason


@given(st.integers(1, 10**9), st.sampled_from(" \u00a0\u2009\u202f'’_"), st.sampled_from(["dias", "hours"]))
def test_digits_in_groups_are_the_number(value: int, gap: str, unit: str) -> None:
    plain = parse_duration(f"{value} {unit}").days
    assert parse_duration(f"{value:,} {unit}".replace(",", gap)).days == plain


@given(
    st.integers(1, 9999), st.integers(0, 9999), st.sampled_from([" ", ".", "..", " x ", "*", " / ", " + ", " e ", "'"])
)
def test_of_two_numbers_the_last_one_is_never_all(first: int, second: int, between: str) -> None:
    try:
        found = parse_duration(f"{first}{between}{second} dias").days
    except DurationError:
        return
    assert found in {Fraction(f"{first}.{second}"), int(f"{first}{second}")}
