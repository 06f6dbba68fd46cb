"""Splits SQL text into statements, by SQLite's lexical rules.

A ``;`` inside a string, a quoted name, a comment or the body of a trigger ends nothing. Nothing is checked beyond that:
the database decides whether a statement makes sense.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from msgspec import Struct

_TOKEN: Final = re.compile(
    r"""
      (?P<space>[ \t\n\f\r]+)
    | (?P<comment>--[^\n]*|/\*(?s:.*?)\*/)
    | (?P<quoted>'[^']*'|"[^"]*"|`[^`]*`|\[[^\]]*\])   # a doubled quote reads as two of them, side by side
    | (?P<open>'|"|`|\[|/\*)                           # none of the above: it never ends
    | (?P<parameter>\?[0-9]*|[:@$][A-Za-z0-9_\u0080-\U0010ffff]+)
    | (?P<word>[A-Za-z0-9_\u0080-\U0010ffff][A-Za-z0-9_$\u0080-\U0010ffff]*)
    | (?P<end>;)
    | (?P<sign>(?s:.))
    """,
    re.VERBOSE,
)
# The rules look at no more than so many words of a statement.
_WORDS: Final = 6
_NAMES: Final = {"'": "string", '"': "quoted name", "`": "quoted name", "[": "quoted name", "/*": "comment"}


class UnreadableSQL(Exception):
    """SQL text that cannot be split.

    Args:
        reason: the fault.
        line: the line, from 1.
    """

    def __init__(self, reason: str, line: int) -> None:
        super().__init__(f"line {line}: {reason}")
        self.reason, self.line = reason, line


class SQLToken(Struct, frozen=True):
    """A piece of SQL that means something: neither white space nor a comment.

    Attributes:
        kind: ``quoted``, ``parameter``, ``word``, ``end`` or ``sign``.
        text: the piece as it is written.
        start: its position in the text.
    """

    kind: str
    text: str
    start: int


class SQLStatement(Struct, frozen=True):
    """One statement.

    Attributes:
        sql: its text, with the ``;`` where there is one, without comments in front.
        line: the line on which it begins, from 1.
        words: its first words and signs in upper case, quoted names as they are.
        binds: its first placeholder for a bound value; ``None`` where it has none.
    """

    sql: str
    line: int
    words: tuple[str, ...]
    binds: str | None = None


def tokens(sql: str) -> Iterator[SQLToken]:
    """Yield the tokens of a text.

    Raises:
        UnreadableSQL: a string, a quoted name or a comment never ends.
    """
    for match in _TOKEN.finditer(sql):
        kind = str(match.lastgroup)
        if kind == "open":
            raise UnreadableSQL(f"a {_NAMES[match[0]]} begins here and never ends", _line(sql, match.start()))
        if kind not in ("space", "comment"):
            yield SQLToken(kind, match[0], match.start())


def split(sql: str) -> list[SQLStatement]:
    """Split a text into statements; the last one need not end in ``;``.

    Raises:
        UnreadableSQL: a string, a quoted name, a comment or a trigger's body never ends.
    """
    found: list[SQLStatement] = []
    pending: list[SQLToken] = []
    at, line = 0, 1

    def finish() -> None:
        nonlocal at, line
        start, stop = pending[0].start, pending[-1].start + len(pending[-1].text)
        line += sql.count("\n", at, start)  # counted from the last statement on, so that a long text is read only once
        at = start
        words = tuple(token.text.upper() if token.kind == "word" else token.text for token in pending[:_WORDS])
        binds = next((token.text for token in pending if token.kind == "parameter"), None)
        found.append(SQLStatement(sql[start:stop], line, words, binds))
        pending.clear()

    for token in tokens(sql):
        if token.kind == "end" and not pending:
            continue
        pending.append(token)
        if token.kind == "end" and (not _is_trigger(pending) or _ends_trigger(pending)):
            finish()
    if pending:
        if _is_trigger(pending) and not _ends_trigger([*pending, SQLToken("end", ";", len(sql))]):
            raise UnreadableSQL("the trigger that begins here has no END;", _line(sql, pending[0].start))
        finish()
    return found


def normalised(sql: str) -> str:
    """Return SQL without comments and with one blank between tokens."""
    return " ".join(token.text for token in tokens(sql))


def _is_trigger(pending: list[SQLToken]) -> bool:
    words = [token.text.upper() for token in pending[:4]]
    if words[:1] == ["EXPLAIN"]:
        words = words[1:]
    if words[:1] != ["CREATE"]:
        return False
    return words[1:2] == ["TRIGGER"] or (words[1:2] in (["TEMP"], ["TEMPORARY"]) and words[2:3] == ["TRIGGER"])


def _ends_trigger(pending: list[SQLToken]) -> bool:
    """Return whether the last tokens are ``; END ;``. The ``END`` of a CASE has no ``;`` before it."""
    last = [token.text.upper() for token in pending[-3:]]
    return last == [";", "END", ";"]


def _line(sql: str, position: int) -> int:
    return sql.count("\n", 0, position) + 1
