"""Cuts a text into numbers, words and marks, each with its place. Words lose their case and accents."""

from __future__ import annotations

import re
import unicodedata
from enum import Enum
from fractions import Fraction
from typing import Final

from msgspec import Struct

from epicvc.dates.words import GLYPHS

MAX_DIGITS: Final = 12

_NO_MORE: Final = r"(?![.,:/]?\d)"
_TOKEN: Final = re.compile(
    rf"""
      (?P<digits>
          \d{{1,3}}(?P<gap>[ \u00a0\u2007\u2009\u202f'’_])\d{{3}}(?:(?P=gap)\d{{3}})*(?:[.,]\d+)?{_NO_MORE}  # 1 500,5
        | (?<![^\s(\[{{~≈<>=:+\-‐‑‒–—−])[.,]\d+{_NO_MORE}                                                # .5
        | \d+(?:[.,:/]\d+)*
      )
      (?:[ \u00a0\u2009\u202f]?(?P<glyph>[½¼¾]))?
    | (?P<fraction>[½¼¾])
    | [^\W\d_]+
    | \S
    """,
    re.VERBOSE,
)
_DASHES: Final = str.maketrans(dict.fromkeys("‐‑‒–—−", "-"))


class TokenKind(Enum):
    """The kind of a token."""

    NUMBER = "number"
    ODD = "odd number"  # digits that can be read in more than one way, or in none: 1.500, 1/2, 10:30, 18.08.2025
    WORD = "word"
    MARK = "mark"


class Token(Struct, frozen=True):
    """One piece of a text.

    Attributes:
        kind: the kind of the token.
        text: the word or mark, plain; a number as it is written.
        start: where it begins in the text.
        end: where it ends.
        value: the value of a number.
        glued: nothing stands between it and the token before.
        fresh: it begins a line.
    """

    kind: TokenKind
    text: str
    start: int
    end: int
    value: Fraction = Fraction(0)
    glued: bool = False
    fresh: bool = False


def plain(word: str) -> str:
    """Return a word in lower case and without accents."""
    decomposed = unicodedata.normalize("NFKD", word.casefold())
    return "".join(char for char in decomposed if not unicodedata.combining(char))


def tokens(text: str) -> list[Token]:
    """Cut a text, composed as NFC, into tokens."""
    result: list[Token] = []
    position = 0
    fresh = True
    while position < len(text):
        if text[position].isspace():
            fresh = fresh or text[position] in "\n\r"
            position += 1
            continue
        match = _TOKEN.match(text, position)
        assert match is not None  # every character but white space is at least a mark
        glued = bool(result) and result[-1].end == position
        result.append(_token(match, glued=glued, fresh=fresh))
        position = match.end()
        fresh = False
    return result


def _token(match: re.Match[str], *, glued: bool, fresh: bool) -> Token:
    text, (start, end) = match.group(), match.span()
    digits, glyph = match["digits"], match["glyph"] or match["fraction"]
    if digits is None and glyph is None:
        if text[0].isalpha():
            return Token(TokenKind.WORD, plain(text), start, end, glued=glued, fresh=fresh)
        return Token(TokenKind.MARK, text.translate(_DASHES), start, end, glued=glued, fresh=fresh)
    value = number(digits or "0", match["gap"])
    if value is None or (glyph and value.denominator != 1):
        return Token(TokenKind.ODD, text, start, end, glued=glued, fresh=fresh)
    return Token(
        TokenKind.NUMBER, text, start, end, value + GLYPHS.get(glyph or "", Fraction(0)), glued=glued, fresh=fresh
    )


def number(text: str, gap: str | None = None) -> Fraction | None:
    """Return the value of digits with commas and points; ``None`` where they do not say one number.

    Args:
        text: the digits.
        gap: the character between groups of three digits, as in ``1 500``; a comma or point is then the decimal one.

    One separator with exactly three digits behind it can be the decimal one and that of thousands (``1.500``). Only a
    zero before it settles that (``0.125``).
    """
    if gap is not None:
        plain_text = text.replace(gap, "").replace(",", ".")
        return None if text.startswith("0") or len(plain_text) > MAX_DIGITS else Fraction(plain_text)
    if len(text) > MAX_DIGITS or ":" in text or "/" in text:
        return None
    pieces = re.split("[.,]", text)
    if len(pieces) == 1:
        return Fraction(int(text))
    marks = re.sub(r"\d", "", text)
    whole, last = pieces[:-1], pieces[-1]
    if len(marks) == 1:
        if len(last) == 3 and 1 <= len(whole[0]) <= 3 and not whole[0].startswith("0"):
            return None
        return Fraction(f"{whole[0]}.{last}")
    grouped = all(len(piece) == 3 for piece in whole[1:]) and 1 <= len(whole[0]) <= 3
    if not grouped or len(set(marks[:-1])) != 1:
        return None
    if marks[-1] != marks[0]:
        return Fraction(f"{''.join(whole)}.{last}")
    return Fraction(int("".join(pieces))) if len(last) == 3 else None
