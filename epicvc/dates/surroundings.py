"""Checks what stands around a length: a number of which only a part was read makes the whole text unreadable.

Sentences have numbers that belong to no length ("2 weeks and 4 people", "since 2025-08-18, 3 days"). So only those
tokens count that stand directly before or behind the length, or are joined to it by a word or sign that adds,
multiplies or goes on counting.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from epicvc.dates.tokens import Token, TokenKind
from epicvc.dates.words import AND, BETWEEN, NUMBERS, OF, PARTS, PLUS, PREPOSITIONS, SCALES, TENS, TIMES, TO

if TYPE_CHECKING:
    from epicvc.dates.terms import Terms

_CALCULATION: Final = TIMES | {"/", "÷", "^"}
_BRACKETS: Final = frozenset(")]}")
_QUOTES: Final = frozenset("\"'”’»")
_ELLIPSIS: Final = 3
_STOPS: Final = PREPOSITIONS | OF | PLUS | TO | TIMES | PARTS
"""Words that a number cannot count."""


class UnreadableDuration(Exception):
    """The reason why a text cannot be read.

    It becomes a ``DurationError`` where all that was understood is known.
    """

    def __init__(self, reason: str) -> None:
        self.reason = reason


def is_number(token: Token | None) -> bool:
    """Return whether a token is a number, in digits or written out."""
    if token is None:
        return False
    return token.kind in (TokenKind.NUMBER, TokenKind.ODD) or token.text in NUMBERS or token.text in TENS


def require_whole(terms: Terms, at: int) -> None:
    """Require that nothing before a number with a unit is part of that number.

    Raises:
        UnreadableDuration: something is.
    """
    token, before = terms.tokens[at], terms.at(at - 1)
    if before is None or token.fresh:
        return
    hyphen = before.text == "-" and token.glued
    if hyphen and not (terms.at(at - 2) and before.glued):
        raise UnreadableDuration("a length cannot be negative")
    last = at - 1 - hyphen
    link = terms.word(last)
    if link in PLUS | _CALCULATION and not before.fresh:  # else the sign is the mark of a list
        last -= 1
        last -= terms.word(last) == "-" and terms.tokens[last].glued
    else:
        link = ""
    earlier = terms.word(last)
    if earlier in SCALES:
        raise UnreadableDuration(f"{earlier!r} is a number higher than this grammar counts")
    if is_number(terms.at(last)) and not (link in AND and terms.word(last - 1) in BETWEEN):
        said = _said(terms.tokens[last : at + 1])
        raise UnreadableDuration(f"{said} can be a sum or a range" if link in PLUS else f"{said} is not one number")
    _require_no_part(terms, at)
    _require_no_marks(terms, at)


def _require_no_part(terms: Terms, at: int) -> None:
    """Refuse a part of a length: ``50% of 2 days`` and ``1/2 of a day`` are not two days and not one."""
    if terms.word(at - 1) in OF and (is_number(terms.at(at - 2)) or terms.word(at - 2) in PARTS):
        raise UnreadableDuration(f"{_said(terms.tokens[at - 2 : at + 1])} is a part, not a length")


def _require_no_marks(terms: Terms, at: int) -> None:
    """Refuse marks between a number and another one, as in ``1..5``, or before a number, as in ``..5``."""
    first = at
    while first and terms.tokens[first].glued and terms.tokens[first - 1].kind is TokenKind.MARK:
        first -= 1
        text = terms.tokens[first].text
        if text in _BRACKETS or (text in _QUOTES and not is_number(terms.at(first - 1))):
            return
    marks = terms.tokens[first:at]
    before = terms.at(first - 1) if terms.tokens[first].glued else None
    points = sum(mark.text in ".," for mark in marks)
    if marks and (is_number(before) or (before is None and 0 < points < _ELLIPSIS)):
        raise UnreadableDuration(f"{_said(terms.tokens[first - (before is not None) : at + 1])} is not one number")


def require_not_counted(terms: Terms, at: int) -> None:
    """Require that a half of a unit has no number before it, as in ``2 half days``.

    Raises:
        UnreadableDuration: it has one.
    """
    before = terms.at(at - 1)
    if is_number(before) and not terms.tokens[at].fresh and NUMBERS.get(terms.word(at - 1)) != 1:
        raise UnreadableDuration(f"{_said(terms.tokens[at - 1 : at + 1])} is not one number")
    _require_no_part(terms, at)


def require_nothing_left(terms: Terms, end: int) -> None:
    """Require that nothing behind a length goes on with it: no number without a unit, and no factor.

    Raises:
        UnreadableDuration: something does.
    """
    following = terms.at(end)
    if following is None or following.fresh:
        return
    _require_no_factor(terms, end + (following.text == "("))
    comma = following.text == ","
    at = end + (comma or following.text in PLUS | TO | _CALCULATION)
    behind = terms.number(at)
    if behind is None or terms.tokens[at].fresh or terms.term(at) is not None:
        return
    named = behind + (terms.word(behind) == "-" and terms.tokens[behind].glued)  # a 3-person team
    if _counts_another(terms.at(named), comma=comma):
        return
    raise UnreadableDuration(f"{_said(terms.tokens[at:behind])} behind it has no unit")


def _require_no_factor(terms: Terms, at: int) -> None:
    """Refuse a factor behind a length: ``x 2`` and ``2x``."""
    behind = terms.number(at)
    times = at if behind is None else behind
    if terms.word(times) in TIMES and (behind is not None or is_number(terms.at(at + 1))):
        raise UnreadableDuration(f"{_said(terms.tokens[at : max(times, at + 1) + 1])} behind it is a factor")


def _counts_another(token: Token | None, *, comma: bool) -> bool:
    """Return whether a number counts the thing that the token behind it names: people, the pages of a book."""
    if token is not None and token.kind is TokenKind.WORD and not token.fresh:
        return token.text not in _STOPS
    return comma and token is not None and token.text not in (".", ")", ";", ",")


def _said(tokens: Sequence[Token]) -> str:
    return repr("".join(token.text if token.glued or not at else f" {token.text}" for at, token in enumerate(tokens)))
