"""The words in which durations are written, Portuguese and English, and the meaning of each.

They are a table, so that a new word is one more entry. Words are lower case and without accents, as
:mod:`epicvc.dates.tokens` gives them. How they go together is in :mod:`epicvc.dates.duration`.
"""

from __future__ import annotations

from enum import Enum
from fractions import Fraction
from typing import Final

from msgspec import Struct


class Counting(Enum):
    """The days that a text says it counts."""

    BUSINESS = "business"
    CALENDAR = "calendar"


class Unit(Struct, frozen=True):
    """A unit of time.

    Attributes:
        name: the name in English.
        days: the length in days, where every day counts.
        working: the length in working days of eight hours, five a week and 21 a month.
        words: the unit spelled out.
        short: usual abbreviations; a full stop may follow them.
        english: those of ``words`` before which ``a``, ``an`` is the number one. In Portuguese ``a`` is an article or
            "to".
    """

    name: str
    days: Fraction
    working: Fraction
    words: tuple[str, ...]
    short: tuple[str, ...] = ()
    english: tuple[str, ...] = ()


def _unit(
    name: str,
    days: Fraction | int,
    working: Fraction | int,
    portuguese: tuple[str, ...],
    english: tuple[str, ...],
    short: tuple[str, ...] = (),
) -> Unit:
    return Unit(name, Fraction(days), Fraction(working), words=portuguese + english, short=short, english=english)


HOUR: Final = _unit(
    "hour",
    Fraction(1, 8),
    Fraction(1, 8),
    portuguese=("hora", "horas"),
    english=("hour", "hours"),
    short=("h", "hs", "hr", "hrs"),
)
MINUTE: Final = _unit(
    "minute",
    Fraction(1, 480),
    Fraction(1, 480),
    portuguese=("minuto", "minutos"),
    english=("minute", "minutes"),
    short=("min", "mins"),
)
MONTH: Final = _unit(
    "month", 30, 21, portuguese=("mes", "meses"), english=("month", "months"), short=("mo", "mos", "mth", "mths")
)

UNITS: Final = (
    _unit(
        "second",
        Fraction(1, 28_800),
        Fraction(1, 28_800),
        portuguese=("segundos",),  # the singular is also "second" as in "second week", "segundo mês"
        english=("seconds",),
        short=("s", "seg", "segs", "sec", "secs"),
    ),
    MINUTE,
    HOUR,
    _unit("day", 1, 1, portuguese=("dia", "dias"), english=("day", "days"), short=("d", "ds")),
    _unit("week", 7, 5, portuguese=("semana", "semanas"), english=("week", "weeks"), short=("w", "wk", "wks", "sems")),
    _unit("fortnight", 14, 10, (), ("fortnight", "fortnights")),
    _unit("half month", 15, Fraction(21, 2), ("quinzena", "quinzenas"), ()),
    MONTH,
    _unit("two months", 60, 42, ("bimestre", "bimestres"), ()),
    _unit("three months", 90, 63, ("trimestre", "trimestres"), ()),
    _unit("half year", 180, 126, ("semestre", "semestres"), ()),
    _unit("year", 365, 252, portuguese=("ano", "anos"), english=("year", "years"), short=("y", "yr", "yrs")),
)
"""The units, shortest first. An hour is 1/8 day, since a working day has eight; a year is the calendar's 365 days."""

UNIT_OF: Final = {word: unit for unit in UNITS for word in (*unit.words, *unit.short)}
ABBREVIATIONS: Final = frozenset(word for unit in UNITS for word in unit.short)
ENGLISH: Final = frozenset(word for unit in UNITS for word in unit.english)

WORK_UNITS: Final = {
    "workday": "day",
    "workdays": "day",
    "weekday": "day",
    "weekdays": "day",
    "workweek": "week",
    "workweeks": "week",
}
"""English compounds that are a unit and say which days count."""

AMBIGUOUS: Final = {"m": "months or minutes"}
"""Abbreviations that can be more than one unit; behind hours (``1h 30m``) this one is minutes."""

WEEK_OR_WITHOUT: Final = "sem"
"""Portuguese: short for ``semana``, and the word for "without". The unit where no other word follows it."""

NUMBERS: Final[dict[str, int]] = {
    "um": 1,
    "uma": 1,
    "dois": 2,
    "duas": 2,
    "tres": 3,
    "quatro": 4,
    "cinco": 5,
    "seis": 6,
    "sete": 7,
    "oito": 8,
    "nove": 9,
    "dez": 10,
    "onze": 11,
    "doze": 12,
    "treze": 13,
    "quatorze": 14,
    "catorze": 14,
    "quinze": 15,
    "dezesseis": 16,
    "dezasseis": 16,
    "dezessete": 17,
    "dezassete": 17,
    "dezoito": 18,
    "dezenove": 19,
    "dezanove": 19,
    "zero": 0,
    "one": 1,
    "two": 2,
    "three": 3,
    "four": 4,
    "five": 5,
    "six": 6,
    "seven": 7,
    "eight": 8,
    "nine": 9,
    "ten": 10,
    "eleven": 11,
    "twelve": 12,
    "thirteen": 13,
    "fourteen": 14,
    "fifteen": 15,
    "sixteen": 16,
    "seventeen": 17,
    "eighteen": 18,
    "nineteen": 19,
}
TENS: Final[dict[str, int]] = {
    "vinte": 20,
    "trinta": 30,
    "quarenta": 40,
    "cinquenta": 50,
    "sessenta": 60,
    "setenta": 70,
    "oitenta": 80,
    "noventa": 90,
    "twenty": 20,
    "thirty": 30,
    "forty": 40,
    "fifty": 50,
    "sixty": 60,
    "seventy": 70,
    "eighty": 80,
    "ninety": 90,
}
"""Tens, to which a number from one to nine may be added: ``vinte e um``, ``twenty-one``."""

ARTICLES: Final = frozenset({"a", "an"})
HALVES: Final = frozenset({"meio", "meia", "half"})
GLYPHS: Final = {"½": Fraction(1, 2), "¼": Fraction(1, 4), "¾": Fraction(3, 4)}

AND: Final = frozenset({"e", "and"})
PLUS: Final = frozenset({"+", "&", "mais", "plus"}) | AND
TO: Final = frozenset({"-", "a", "ate", "to", "ou", "or"})
OR: Final = frozenset({"ou", "or"})
BETWEEN: Final = frozenset({"entre", "between"})

FILLERS: Final = frozenset(
    {"full", "whole", "entire", "consecutive", "straight", "more", "extra", "additional", "mais", "bons", "boas"}
)
"""Words that may stand between a number and its unit without changing the length."""

COUNTING: Final = {
    "util": Counting.BUSINESS,
    "uteis": Counting.BUSINESS,
    "business": Counting.BUSINESS,
    "working": Counting.BUSINESS,
    "work": Counting.BUSINESS,
    "calendar": Counting.CALENDAR,
    "corrido": Counting.CALENDAR,
    "corridos": Counting.CALENDAR,
    "corridas": Counting.CALENDAR,
}

SCALES: Final = frozenset(
    {
        *(
            "dozen",
            "dozens",
            "hundred",
            "hundreds",
            "thousand",
            "thousands",
            "duzia",
            "duzias",
            "cem",
            "cento",
            "centos",
        ),
        *("centena", "centenas", "mil", "milhar", "milhares"),
    }
)
"""Numbers higher than this grammar counts: beside a number or a unit they make a text unreadable."""

VAGUE: Final = SCALES | {
    *("few", "several", "some", "many", "couple", "algum", "alguns", "alguma", "algumas", "pouco", "poucos", "poucas"),
    *("varios", "varias", "muitos", "muitas", "par"),
}
"""Words for a number that is not certain: before a unit they make a text unreadable."""

OF: Final = frozenset({"de", "of"})
TIMES: Final = frozenset({"x", "×", "*", "·", "vezes", "times"})
PARTS: Final = HALVES | {"%", "metade", "terco", "quarto", "third", "quarter"}
"""Words and signs for a part of the length behind "of": ``50% of 2 days``."""
PREPOSITIONS: Final = frozenset(
    {
        *(
            "do",
            "da",
            "dos",
            "das",
            "para",
            "pra",
            "com",
            "sem",
            "em",
            "no",
            "na",
            "nos",
            "nas",
            "por",
            "antes",
            "depois",
        ),
        *("for", "with", "in", "on", "at", "by", "per", "from", "until", "before", "after", "then", "but", "mas"),
    }
)
"""Words that a number cannot count: a number before them counts nothing."""
RATES: Final = frozenset({"per", "por", "cada", "each", "every", "/"})
"""Words that, before a unit, make a rate of what stands before them, as in ``3 days per week``."""
