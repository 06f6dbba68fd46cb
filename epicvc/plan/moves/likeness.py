"""Tasks that are one by what they say, found among many: what two of them share is looked up, not tried out.

Two tasks are alike if they share a title or a description, and half of their fields. So those that could be like one
have one of its rarer values, and only these are compared. The answer is the one that comparing all with all has, but
for a limit: a task that has too many candidates is in doubt, as one that is like several is.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from functools import partial
from typing import Final, TypeAlias

from epicvc.base.jsonio import dumps_canonical, equal
from epicvc.model.document import Core

Token: TypeAlias = tuple[str, bytes]
"""A field with its value."""

AreAlike: TypeAlias = Callable[[str, str], bool]
"""Tells whether an old and a new task, given by their ids, are alike."""

TELLING: Final = ("title", "description")
FEW: Final = 20_000
PER_TASK: Final = 64
"""The most comparisons for each task; where few tasks are compared, a share of ``FEW`` if that is more."""


def alike(one: Core, other: Core, links: str | None) -> bool:
    """Tell whether two tasks say the same: they share a title or a description, and half of their fields."""
    names = {*one, *other} - {"id", links}
    same = {name for name in names if name in one and name in other and equal(one[name], other[name])}
    telling = any(one[name] for name in TELLING if name in same)
    return telling and len(same) * 2 >= len(names)


def pairs(
    old: Mapping[str, Core],
    new: Mapping[str, Core],
    are_alike: AreAlike,
    links: str | None,
    unsaid: Callable[[str], Collection[str]] = lambda _: (),
) -> dict[str, str]:
    """Which old task is which new one: those that are alike, where neither is like another as well.

    Args:
        old: tasks that are gone, by id.
        new: tasks that came, by id.
        are_alike: the verdict on two of them; never true where :func:`alike` denies it of what both say.
        links: the field that says nothing of what a task is.
        unsaid: fields of a new task that may not count where an old one lacks them.
    """
    if not old or not new:
        return {}
    before, after = _Index(old, links), _Index(new, links)
    limit = max(PER_TASK, FEW // max(len(old), len(new)))
    result = {}
    for key in old:
        found = after.only(before.tokens[key], 0, partial(are_alike, key), limit)
        if found is not None:
            spare = len(set(unsaid(found)) & new[found].keys())
            if before.only(after.tokens[found], spare, _backwards(are_alike, found), limit) == key:
                result[key] = found
    return result


def _backwards(are_alike: AreAlike, new: str) -> Callable[[str], bool]:
    return lambda old: are_alike(old, new)


class _Index:
    """Tasks by what they say."""

    def __init__(self, tasks: Mapping[str, Core], links: str | None) -> None:
        self.tokens = {key: _tokens(task, links) for key, task in tasks.items()}
        self._having: dict[Token, list[str]] = {}
        for key, tokens in self.tokens.items():
            for token in tokens:
                self._having.setdefault(token, []).append(key)

    def only(self, tokens: Mapping[Token, bool], spare: int, is_alike: Callable[[str], bool], limit: int) -> str | None:
        """The one task that is like another; ``None`` where there is none, are several, or are too many to tell."""
        found: str | None = None
        seen: set[str] = set()
        for token in self._promising(tokens, spare):
            for key in self._having.get(token, ()):
                if key in seen:
                    continue
                if len(seen) == limit:
                    return None
                seen.add(key)
                if is_alike(key):
                    if found is not None:
                        return None
                    found = key
        return found

    def _promising(self, tokens: Mapping[Token, bool], spare: int) -> list[Token]:
        """Values of which every task that is alike has one; the rare ones first.

        It shares at least ``needed`` of them, so that it cannot lack all but ``needed - 1``.
        """
        by_rarity = sorted(tokens, key=self._count)
        needed = max((len(tokens) - spare + 1) // 2, 1)
        rare = by_rarity[: len(tokens) - needed + 1]
        telling = [token for token in by_rarity if tokens[token]]
        return min(rare, telling, key=lambda chosen: sum(map(self._count, chosen)))

    def _count(self, token: Token) -> int:
        return len(self._having.get(token, ()))


def _tokens(task: Core, links: str | None) -> dict[Token, bool]:
    """Yield a task's values, each with whether it is telling. An object without a value may equal one with nulls."""
    return {
        (name, dumps_canonical(value)): name in TELLING and (bool(value) or value == {})
        for name, value in task.items()
        if name not in ("id", links)
    }
