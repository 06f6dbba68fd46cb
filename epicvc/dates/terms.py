"""Reads the terms of a duration: an amount with its unit, at a place in a text.

The grammar as a whole is in :mod:`epicvc.dates.duration`. Every method takes a place among the tokens and returns what
it read with the place behind it, or ``None``.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Final

from msgspec import Struct

from epicvc.dates.surroundings import UnreadableDuration, require_not_counted, require_whole
from epicvc.dates.tokens import Token, TokenKind
from epicvc.dates.words import (
    ABBREVIATIONS,
    AMBIGUOUS,
    AND,
    ARTICLES,
    BETWEEN,
    COUNTING,
    ENGLISH,
    FILLERS,
    GLYPHS,
    HALVES,
    HOUR,
    MINUTE,
    NUMBERS,
    OF,
    PLUS,
    PREPOSITIONS,
    TENS,
    TO,
    UNIT_OF,
    WEEK_OR_WITHOUT,
    WORK_UNITS,
    Counting,
    Unit,
)

HALF: Final = Fraction(1, 2)
_FRACTIONS: Final = {"1/2": HALF, "1/4": HALF / 2, "3/4": 3 * HALF / 2} | GLYPHS
_ONE: Final = ARTICLES | {"one", "um"}
_BEHIND_MINUTES: Final = frozenset('.,;!?()[]"') | PREPOSITIONS | OF | AND


class Term(Struct):
    """A number of units, the place in the text where it ends, and the days that it says it counts."""

    unit: Unit
    amount: Fraction
    end: int
    counting: Counting | None = None


class Terms:
    """Reads terms.

    Args:
        tokens: the tokens of the text.
    """

    def __init__(self, tokens: Sequence[Token]) -> None:
        self.tokens = tokens

    def at(self, at: int) -> Token | None:
        """Return the token at a place; ``None`` outside the text."""
        return self.tokens[at] if 0 <= at < len(self.tokens) else None

    def word(self, at: int) -> str:
        """Return the word or mark at a place; an empty text outside the text and for numbers."""
        token = self.at(at)
        return token.text if token is not None and token.kind in (TokenKind.WORD, TokenKind.MARK) else ""

    def unit(self, at: int) -> tuple[Unit, Counting | None] | None:
        """Return the unit that the word at a place is, and the days that the word says it counts."""
        word = self.word(at)
        if word == WEEK_OR_WITHOUT:
            following = self.at(at + 1)
            alone = following is None or following.kind is not TokenKind.WORD or following.text in PLUS | TO
            return (UNIT_OF["semana"], None) if alone else None
        if word in WORK_UNITS:
            return UNIT_OF[WORK_UNITS[word]], Counting.BUSINESS
        unit = UNIT_OF.get(word)
        return (unit, None) if unit else None

    def term(self, at: int, after: Unit | None = None) -> Term | None:
        """Read the term that begins at a place, behind one of the unit ``after``."""
        return self._half_unit(at) or self._counted(at, after) or self._unit_and_half(at)

    def bare_minutes(self, at: int, *, joined: bool) -> Term | None:
        """Read the minutes of ``1h30``, ``1h 30`` and ``1 hora e 30``."""
        token = self.at(at)
        if token is None or token.fresh:
            return None
        if token.kind is TokenKind.NUMBER and token.glued and not joined:
            fits = not self.unit(at + 1) and self.word(at + 1) not in AMBIGUOUS
            return Term(MINUTE, token.value, at + 1) if fits and token.value < 60 else None
        read = (token.value, at + 1) if token.kind is TokenKind.NUMBER else self.number_word(at)
        if read is None or read[0] >= 60 or read[0].denominator != 1:
            return None
        following = self.at(read[1])
        if following is None or following.fresh or following.text in _BEHIND_MINUTES:
            return Term(MINUTE, *read)
        return None

    def number(self, at: int) -> int | None:
        """Return the place behind the number at a place; ``None`` where there is none.

        A number that can be read in two ways is one too.
        """
        token = self.at(at)
        if token is not None and token.kind in (TokenKind.NUMBER, TokenKind.ODD):
            return at + 1
        read = self.number_word(at)
        return read[1] if read else None

    def _half_unit(self, at: int) -> Term | None:
        """Read half a unit, as in ``meia hora``."""
        if self.word(at) not in HALVES:
            return None
        start = at + 1 + (self.word(at + 1) in ARTICLES)
        found = self._counted_unit(start)
        if found:
            require_not_counted(self, at)
        return Term(found[0], HALF, found[1], found[2]) if found else None

    def _unit_and_half(self, at: int) -> Term | None:
        """Read a unit and a half, as in ``dia e meio``."""
        found = self.unit(at)
        if found is None or self.word(at) in ABBREVIATIONS or self.word(at) == WEEK_OR_WITHOUT:
            return None
        half = self._and_half(at + 1)
        return Term(found[0], 1 + half[0], half[1], found[1]) if half else None

    def _counted(self, at: int, after: Unit | None) -> Term | None:
        """Read an amount, or a range of amounts, with its unit."""
        opened = self.word(at) in BETWEEN
        read = self._amount(at + opened)
        if read is None:
            return None
        amount, end = read
        if self.word(end) in (AND if opened else TO) and (upper := self._amount(end + 1)) is not None:
            if self._unit_behind(upper[1], after) is None:
                return None
            if upper[0] < amount:
                raise UnreadableDuration("the second end of the range is the smaller one")
            amount, end = upper
        found = self._unit_behind(end, after)
        if found is None:
            return None
        if after is None:  # else the term before stands there
            require_whole(self, at + opened)
        unit, end, counting = found
        half = self._and_half(end)
        return Term(unit, amount + half[0], half[1], counting) if half else Term(unit, amount, end, counting)

    def _unit_behind(self, at: int, after: Unit | None) -> tuple[Unit, int, Counting | None] | None:
        """Read the unit of an amount that ends at a place."""
        if self.word(at) == "-" and self.tokens[at].glued:  # a 2-week sprint
            at += 1
        if after is HOUR and self.word(at) in AMBIGUOUS:
            return MINUTE, at + 1, None
        return self._counted_unit(at)

    def _counted_unit(self, at: int) -> tuple[Unit, int, Counting | None] | None:
        """Read a unit with the words that say which days count."""
        counting: Counting | None = None
        while self.word(at) in FILLERS or self.word(at) in COUNTING:
            counting = COUNTING.get(self.word(at), counting)
            at += 1
        found = self.unit(at)
        if found is None:
            return None
        unit, own = found
        counting = own or counting
        end = at + 1
        if self.word(end) in COUNTING and self.word(end) not in ("work", "working"):
            return unit, end + 1, COUNTING[self.word(end)]
        if self.word(end) == "de" and self.word(end + 1) == "trabalho" and unit is UNIT_OF["dia"]:
            return unit, end + 2, Counting.BUSINESS
        return unit, end, counting

    def _and_half(self, at: int) -> tuple[Fraction, int] | None:
        """Read an "and a half" or "e 1/4" that belongs to what stands before.

        Returns ``None`` where it belongs to the unit behind it.
        """
        if self.word(at) not in AND:
            return None
        token = self.at(at + 1)
        if token is not None and token.text in _FRACTIONS:
            free = self._counted_unit(at + 2) is None and self.word(at + 2) not in AMBIGUOUS
            return (_FRACTIONS[token.text], at + 2) if free and self.number(at + 2) is None else None
        at += 1 + (self.word(at + 1) in _ONE)
        if self.word(at) not in HALVES or self.unit(at + 1):
            return None
        if self.word(at + 1) in ARTICLES and self.unit(at + 2):
            return None
        if self.word(at + 1) in ("the", "of"):  # "2 months and half the team"
            return None
        return HALF, at + 1

    def _amount(self, at: int) -> tuple[Fraction, int] | None:
        token = self.at(at)
        if token is None:
            return None
        if token.kind is TokenKind.NUMBER:
            before = self.at(at - 1)
            if token.glued and before is not None and before.kind is TokenKind.WORD and before.text not in UNIT_OF:
                earlier = self.at(at - 2)
                if before.text not in AMBIGUOUS or earlier is None or earlier.kind is not TokenKind.NUMBER:  # 20m30s
                    return None  # part of a name: "v2 days"
            return self._with_half(token.value, at + 1)
        if token.text in ARTICLES:
            english = self.word(at + 1) in ENGLISH or self.word(at + 1) in WORK_UNITS
            counted = self.word(at + 1) in FILLERS | COUNTING.keys() and self.word(at + 2) in ENGLISH
            return (Fraction(1), at + 1) if english or counted else None
        read = self.number_word(at)
        return self._with_half(*read) if read else None

    def _with_half(self, value: Fraction, at: int) -> tuple[Fraction, int]:
        """Add the half that stands before a unit, as in ``two and a half weeks`` and ``two-and-a-half weeks``."""
        first = self._past_hyphen(at)
        if self.word(first) in AND:
            end = self._past_hyphen(first + 1)
            if self.word(end) in _ONE:
                end = self._past_hyphen(end + 1)
            if self.word(end) in HALVES and self.unit(self._past_hyphen(end + 1)) and value.denominator == 1:
                return value + HALF, end + 1
        return value, at

    def number_word(self, at: int) -> tuple[Fraction, int] | None:
        """Read a number that is written out."""
        word = self.word(at)
        if word in NUMBERS:
            return Fraction(NUMBERS[word]), at + 1
        if word not in TENS:
            return None
        end = self._past_hyphen(at + 1)
        if self.word(end) in AND:
            end = self._past_hyphen(end + 1)
        ones = NUMBERS.get(self.word(end), 0)
        if 1 <= ones <= 9:
            return Fraction(TENS[word] + ones), end + 1
        return Fraction(TENS[word]), at + 1

    def _past_hyphen(self, at: int) -> int:
        """Return the place behind a hyphen that is glued to the word before; without one the place itself."""
        return at + (self.word(at) == "-" and self.tokens[at].glued)
