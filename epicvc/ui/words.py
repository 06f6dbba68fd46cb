"""Marks the changes inside a text, word by word, readable without colour: ``[-old-]{+new+}`` as git does it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import StrEnum
from typing import TypeAlias

from epicvc.model.subsequence import codes, common

_Run: TypeAlias = "tuple[list[str], list[str]]"
"""A run of text: its tokens before and after."""

_TOKENS = re.compile(r"\s+|\w+|[^\w\s]")
_CONTEXT = 6
"""The number of unchanged tokens that stay beside a change. Longer runs are shortened."""


class WordMark(StrEnum):
    """The kind of a run of text: unchanged, removed, added, or left out."""

    SAME = "same"
    OLD = "old"
    NEW = "new"
    GAP = "gap"


def word_marks(old: str, new: str, *, whole: bool = False) -> Iterator[tuple[WordMark, str]]:
    """Yield runs of text with their marks. Long unchanged runs are shortened to ``…`` unless ``whole`` is true."""
    runs = _runs(old, new)
    for number, (before, after) in enumerate(runs):
        if before == after and whole:
            yield WordMark.SAME, "".join(before)
        elif before == after:
            yield from _same(before, first=number == 0, last=number == len(runs) - 1)
        else:
            if before:
                yield WordMark.OLD, "".join(before)
            if after:
                yield WordMark.NEW, "".join(after)


def _runs(old: str, new: str) -> list[_Run]:
    """Return runs of equal and of differing tokens, in turn."""
    found: list[_Run] = []
    for before, after in _by_lines(old, new):
        if found and (before == after) == (found[-1][0] == found[-1][1]):
            found[-1] = (found[-1][0] + before, found[-1][1] + after)
        else:
            found.append((before, after))
    return found


def _by_lines(old: str, new: str) -> Iterator[_Run]:
    """Compare lines first: a word in a line that stays is not taken for one that moved from another line."""
    before, after = old.splitlines(keepends=True), new.splitlines(keepends=True)
    for tag, i1, i2, j1, j2 in codes(before, after):
        one, other = (_TOKENS.findall("".join(lines)) for lines in (before[i1:i2], after[j1:j2]))
        yield from [(one, other)] if tag == "equal" else _by_words(one, other)


def _by_words(before: list[str], after: list[str]) -> Iterator[_Run]:
    """Compare words next, then the blanks and punctuation between them, which occur everywhere and locate nothing."""
    places = [[k for k, token in enumerate(side) if _is_word(token)] for side in (before, after)]
    words = ([side[k] for k in at] for side, at in zip((before, after), places, strict=True))
    i = j = 0
    for m, n in [*common(*words), (len(places[0]), len(places[1]))]:
        stop = [
            at[k] if k < len(at) else len(side) for at, k, side in zip(places, (m, n), (before, after), strict=True)
        ]
        one, other = before[i : stop[0]], after[j : stop[1]]
        yield from ((one[a:b], other[c:d]) for _, a, b, c, d in codes(one, other))
        if stop[0] < len(before):
            yield [before[stop[0]]], [after[stop[1]]]
        i, j = stop[0] + 1, stop[1] + 1


def _is_word(token: str) -> bool:
    return token[0].isalnum() or token[0] == "_"


def _same(tokens: list[str], *, first: bool, last: bool) -> Iterator[tuple[WordMark, str]]:
    head = 0 if first else _CONTEXT
    tail = 0 if last else _CONTEXT
    if len(tokens) <= head + tail + 4:
        yield WordMark.SAME, "".join(tokens)
        return
    if head:
        yield WordMark.SAME, "".join(tokens[:head])
    yield WordMark.GAP, "…"
    if tail:
        yield WordMark.SAME, "".join(tokens[-tail:])


def is_similar(old: str, new: str) -> bool:
    """Return whether two texts share enough words for marks to be easier to read than both texts."""
    before, after = set(re.findall(r"\w+", old)), set(re.findall(r"\w+", new))
    return bool(before & after) and len(before & after) * 3 >= min(len(before), len(after))
