"""What changed inside a text, word by word, readable without colour: ``[-old-]{+new+}`` as git marks it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import StrEnum

_TOKENS = re.compile(r"\s+|\w+|[^\w\s]")
_CONTEXT = 6
"""How many unchanged tokens stay beside a change; longer runs are shortened."""


class Mark(StrEnum):
    """What became of a run of text."""

    SAME = "same"
    OLD = "old"
    NEW = "new"
    GAP = "gap"


def word_marks(old: str, new: str, *, whole: bool = False) -> Iterator[tuple[Mark, str]]:
    """Runs of text with what became of them; long unchanged ones shortened to ``…`` unless ``whole`` is wanted."""
    from difflib import SequenceMatcher  # needed where something changed

    before, after = _TOKENS.findall(old), _TOKENS.findall(new)
    matcher = SequenceMatcher(None, before, after, autojunk=False)
    codes = [code for code in matcher.get_opcodes() if code[0] != "equal" or code[1] != code[2]]
    for number, (tag, i1, i2, j1, j2) in enumerate(codes):
        if tag == "equal" and whole:
            yield Mark.SAME, "".join(before[i1:i2])
            continue
        if tag == "equal":
            yield from _same(before[i1:i2], first=number == 0, last=number == len(codes) - 1)
            continue
        if i1 != i2:
            yield Mark.OLD, "".join(before[i1:i2])
        if j1 != j2:
            yield Mark.NEW, "".join(after[j1:j2])


def _same(tokens: list[str], *, first: bool, last: bool) -> Iterator[tuple[Mark, str]]:
    head = 0 if first else _CONTEXT
    tail = 0 if last else _CONTEXT
    if len(tokens) <= head + tail + 4:
        yield Mark.SAME, "".join(tokens)
        return
    if head:
        yield Mark.SAME, "".join(tokens[:head])
    yield Mark.GAP, "…"
    if tail:
        yield Mark.SAME, "".join(tokens[-tail:])


def is_similar(old: str, new: str) -> bool:
    """Whether two texts share enough words for marks to be easier to read than both texts."""
    before, after = set(re.findall(r"\w+", old)), set(re.findall(r"\w+", new))
    return bool(before & after) and len(before & after) * 3 >= min(len(before), len(after))
