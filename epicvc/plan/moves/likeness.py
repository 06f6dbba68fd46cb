"""Finds tasks that are the same by their content, among many.

Two tasks are alike if they share a title or a description, and half of their fields. So any task that is like another
has one of its rarer values. Tasks with these values are looked up, and only they are compared. The answer is the one of
comparing all with all, but for a limit: a task that has too many candidates is in doubt, as one that is like several
is.
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
"""The most comparisons for each task. Where few tasks are compared, it is a share of ``FEW`` if that is more."""


def alike(one: Core, other: Core, links: str | None) -> bool:
    """Tell whether two tasks have the same content: a title or a description in common, and half of their fields."""
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
    """Return the new task for each old one that is the same.

    Two tasks are the same if they are alike, and neither is like another one as well.

    Args:
        old: tasks that are gone, by id.
        new: tasks that came, by id.
        are_alike: tells whether two of them are alike; never where :func:`alike` denies it for the fields of both.
        links: the field of links, which does not count.
        unsaid: returns the fields of a new task that may not count where an old one lacks them.
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
    """An index of tasks by their values."""

    def __init__(self, tasks: Mapping[str, Core], links: str | None) -> None:
        self.tokens = {key: _tokens(task, links) for key, task in tasks.items()}
        self._having: dict[Token, list[str]] = {}
        for key, tokens in self.tokens.items():
            for token in tokens:
                self._having.setdefault(token, []).append(key)

    def only(self, tokens: Mapping[Token, bool], spare: int, is_alike: Callable[[str], bool], limit: int) -> str | None:
        """Return the one task that is like another.

        Returns ``None`` where there is none, where there are several, or where there are too many candidates to tell.
        """
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
        """Return values of which every task that is alike has one, the rare ones first.

        Such a task shares at least ``needed`` of the values. So it has one of any choice that leaves out fewer than
        ``needed``.
        """
        by_rarity = sorted(tokens, key=self._count)
        needed = max((len(tokens) - spare + 1) // 2, 1)
        rare = by_rarity[: len(tokens) - needed + 1]
        telling = [token for token in by_rarity if tokens[token]]
        return min(rare, telling, key=lambda chosen: sum(map(self._count, chosen)))

    def _count(self, token: Token) -> int:
        return len(self._having.get(token, ()))


def _tokens(task: Core, links: str | None) -> dict[Token, bool]:
    """Return a task's values, each with whether it is telling. An object without a value may equal one with nulls."""
    return {
        (name, dumps_canonical(value)): name in TELLING and (bool(value) or value == {})
        for name, value in task.items()
        if name not in ("id", links)
    }
