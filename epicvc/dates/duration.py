"""Reads a duration out of a Portuguese or English sentence.

The grammar, over the words of :mod:`epicvc.dates.words`::

    duration = sum [ TO sum ]                        a range takes its upper end
    sum      = term { [ PLUS | "," ] term }          1 week and 2 days; 1h30; 2d 4h
    term     = amounts unit [ AND HALF ]             2 semanas e meia
             | HALF [ ARTICLE ] unit                 meia hora, half an hour
             | unit AND HALF                         dia e meio
    amounts  = amount [ TO amount ]                  3-5 dias, de 3 a 5 dias, two or three weeks
    amount   = NUMBER | number word | TENS [ AND | "-" ] number word | amount AND HALF | ARTICLE

The rules for a text that can be read in more than one way:

- "About", "at least", "no máximo", "até" do not change the number: it is what the author plans with.
- ``1.500`` and ``1,500`` are a thousand and a half or one and a half; ``1/2`` is a half or 1 to 2; ``2 e 3 dias``
  are five or up to three; ``m`` is months or minutes. All are refused, but for ``1h 30m`` and ``1h30``, which can
  only be minutes.
- "a" is the number one before an English unit, and "to" between two Portuguese numbers. "A semana" is "the week".
- "sem" is a week where no word follows it, else "without".
- ``meio dia`` is half a day; ``meio-dia`` is noon, and no duration.
- A number is read whole or not at all. ``1 500``, ``1'500`` and ``1_500`` are fifteen hundred, ``.5`` is a half. A
  text is refused where a number, a factor or a stray point stands directly before or behind what would be read
  (``2 3 dias``, ``2 x 3 dias``, ``1..5 dias``, ``2 dias e 4``), unless the number behind counts something else
  (``2 weeks and 4 people``) or can only be minutes (``1 hora e 30``). See :mod:`epicvc.dates.surroundings`.
- Two lengths that are not joined ("2 weeks of work, then 3 days") are refused, unless the second one says the first
  again, as in "2 weeks (10 working days)". So are rates ("3 days per week"), vague numbers ("a few days") and a
  range whose second end is the smaller one.
- A year is 365 days, though twelve months are 360: each is what people mean by it.

Knows no clock and no calendar: :mod:`epicvc.dates.strategy` decides which days count.
"""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache
from typing import Final
from unicodedata import normalize

from msgspec import Struct
from msgspec.structs import replace

from epicvc.dates.surroundings import UnreadableDuration, require_nothing_left
from epicvc.dates.terms import Term, Terms
from epicvc.dates.tokens import TokenKind, tokens
from epicvc.dates.words import (
    ABBREVIATIONS,
    AMBIGUOUS,
    AND,
    BETWEEN,
    COUNTING,
    FILLERS,
    HOUR,
    OF,
    OR,
    PLUS,
    RATES,
    TO,
    VAGUE,
    Counting,
    Unit,
)
from epicvc.errors import DurationError

MAX_TEXT: Final = 10_000
"""The characters of the longest text that is read. A longer one is no description of a duration."""


class Duration(Struct, frozen=True):
    """A length of time.

    Attributes:
        days: the length in days, where every day counts (a week has 7, a month 30).
        working: the length in working days (a week has 5, a month 21, a day eight hours).
        counting: which days the text itself says that it counts; ``None`` where it does not say.
        text: the part of the text that says the length.
    """

    days: Fraction
    working: Fraction
    counting: Counting | None = None
    text: str = ""

    def says(self, other: Duration) -> bool:
        """Return whether another duration is of the same length, in one way of counting or the other."""
        return self.days == other.days or self.working == other.working


@lru_cache(maxsize=4096)
def parse_duration(text: str) -> Duration:
    """Read the one duration in a text.

    Args:
        text: a sentence, a phrase or just the duration.

    Raises:
        DurationError: the text says none, more than one, or one that can be read in two ways.
    """
    if len(text) > MAX_TEXT:
        raise DurationError(text, f"the text is longer than {MAX_TEXT:,} characters")
    return _Parser(text).only()


class _Parser:
    """A parser by recursive descent.

    Every method of the grammar takes a place and returns what it read with the place behind it, or ``None``.
    """

    def __init__(self, text: str) -> None:
        self.original = text
        self.text = normalize("NFC", text)
        self.tokens = tokens(self.text)
        self.terms = Terms(self.tokens)
        self.found: list[Duration] = []
        self.bare: list[str] = []

    def only(self) -> Duration:
        try:
            self._scan()
        except UnreadableDuration as error:
            raise DurationError(self.original, error.reason, self._understood()) from None
        if not self.found:
            reason = (
                f"the unit {self.bare[0]!r} has no number" if self.bare else "there is no number with a unit of time"
            )
            raise DurationError(self.original, reason, self._understood())
        first, *rest = self.found
        if not all(first.says(other) for other in rest):
            raise DurationError(self.original, "it says more than one length", self._understood())
        return first

    def _understood(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys([found.text for found in self.found] or self.bare))

    def _scan(self) -> None:
        at = 0
        while at < len(self.tokens):
            read = self._duration(at)
            if read is None:
                self._look_at(at)
                at += 1
                continue
            duration, end = read
            self.found.append(replace(duration, text=self._slice(at, end)))
            self._require_no_rate(end)
            require_nothing_left(self.terms, end)
            at = end

    def _slice(self, start: int, end: int) -> str:
        return self.text[self.tokens[start].start : self.tokens[end - 1].end]

    def _look_at(self, at: int) -> None:
        """Look at a word that begins no duration.

        A unit without a number is remembered, or makes the text unreadable.
        """
        if self.terms.unit(at) is None and self.terms.word(at) not in AMBIGUOUS:
            return
        before = at - 1
        while self.terms.word(before) in OF | FILLERS | COUNTING.keys():
            before -= 1
        token = self.terms.at(before)
        if token is None:
            self.bare.append(self.tokens[at].text)
            return
        if token.text in VAGUE:
            self.bare.append(f"{token.text} {self.tokens[at].text}")
            raise UnreadableDuration(f"{token.text!r} is no number that can be counted on")
        if token.kind is TokenKind.ODD:
            self.bare.append(f"{token.text} {self.tokens[at].text}")
            raise UnreadableDuration(f"{token.text!r} can be read in more than one way")
        if token.kind is TokenKind.NUMBER and self.terms.word(at) in AMBIGUOUS and before == at - 1:
            self.bare.append(f"{token.text} {self.tokens[at].text}")
            raise UnreadableDuration(f"{self.terms.word(at)!r} can be {AMBIGUOUS[self.terms.word(at)]}")
        if self.terms.word(at) not in ABBREVIATIONS and self.terms.word(at) not in AMBIGUOUS:
            self.bare.append(self.tokens[at].text)

    def _require_no_rate(self, at: int) -> None:
        """Refuse a length that stands before "per week" or the like: it is a rate."""
        if self.terms.word(at) in RATES and (self.terms.unit(at + 1) or self.terms.unit(at + 2)):
            raise UnreadableDuration("it is a rate, not a length")

    # The grammar

    def _duration(self, at: int) -> tuple[Duration, int] | None:
        """Read one length, a range included."""
        opened = self.terms.word(at) in BETWEEN
        left = self._sum(at + opened, between=opened)
        if left is None:
            return None
        duration, end, last = left
        if self.terms.word(end) in (AND if opened else TO):
            right = self._sum(end + 1)
            if right is not None:
                upper, after, _ = right
                if upper.days < duration.days:
                    raise UnreadableDuration("the second end of the range is the smaller one")
                return replace(upper, counting=_joined(duration.counting, upper.counting)), after
            alternative = self.terms.number_word(end + 1) if self.terms.word(end) in OR else None
            if alternative is not None and not opened and last.amount <= alternative[0]:  # a day or two
                extra = alternative[0] - last.amount
                return _plus(duration, last.unit, extra), alternative[1]
        if opened and self.terms.word(end) in AND:
            raise UnreadableDuration("the range has one end only")
        return duration, end

    def _sum(self, at: int, *, between: bool = False) -> tuple[Duration, int, Term] | None:
        term = self.terms.term(at)
        if term is None:
            return None
        total = _plus(Duration(Fraction(0), Fraction(0), term.counting), term.unit, term.amount)
        while True:
            following = self._next_term(term, between=between)
            if following is None:
                return total, term.end, term
            term = following
            total = _plus(replace(total, counting=_joined(total.counting, term.counting)), term.unit, term.amount)

    def _next_term(self, last: Term, *, between: bool) -> Term | None:
        """Read the term that a sum goes on with: joined by a word, else of a smaller unit."""
        at = last.end
        if self.terms.word(at) == "." and self.terms.word(at - 1) in ABBREVIATIONS:
            at += 1
        joined = self.terms.word(at) in PLUS and not (between and self.terms.word(at) in AND)
        if last.unit is HOUR and last.amount.denominator == 1:
            minutes = self.terms.bare_minutes(at + joined, joined=joined)
            if minutes is not None:
                return minutes
        comma = self.terms.word(at) == ","
        start = at + (joined or comma)
        start += comma and self.terms.word(start) in AND  # "1 month, 2 weeks, and 3 days"
        term = self.terms.term(start, after=last.unit)
        if term is None:
            return None
        if not joined and self.terms.word(start - 1) not in AND and term.unit.days >= last.unit.days:
            return None
        return term


def _plus(total: Duration, unit: Unit, amount: Fraction) -> Duration:
    return replace(total, days=total.days + amount * unit.days, working=total.working + amount * unit.working)


def _joined(first: Counting | None, second: Counting | None) -> Counting | None:
    """Return the days that a whole counts, from those that its two parts say they count."""
    if first and second and first is not second:
        raise UnreadableDuration("it counts working days and calendar days at once")
    return first or second
