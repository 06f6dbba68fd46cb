"""Matches the columns of a table before and after a migration: by name, unless values say otherwise. Pure.

Definitions do not tell a renamed column from a dropped one beside a new one, nor two columns that swapped names from
two that swapped places. Rows do: a migration leaves every value in its column.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from msgspec import Struct

from epicvc.actions.merge.snapshots.whole import is_touch_time
from epicvc.database.rowcodec import SQLValue

Values = Sequence[SQLValue]
Pairs = Callable[[], Iterable[tuple[Values, Values]]]
"""Returns the rows that are there both before and after, matched by key. Each call reads them again."""


class Column(Struct, frozen=True):
    """A column, with the facts that matching needs.

    Attributes:
        name: its name.
        type: its declared type.
        defaults: the values of rows in which nothing was written there.
    """

    name: str
    type: str = ""
    defaults: tuple[SQLValue, ...] = (None,)


class _Votes(Struct):
    """Counts the rows in which two columns have equal and different values.

    Defaults carry no weight and are not counted.
    """

    same: int = 0
    other: int = 0
    broken: bool = False

    def count(self, one: SQLValue, other: SQLValue, *, telling: bool) -> None:
        alike = same_value(one, other)
        self.broken |= not alike
        if telling:
            self.same += alike
            self.other += not alike


Matches = dict[str, str]
"""The columns after the migration that were there before: the name after, and the name before."""


def same_value(one: SQLValue, other: SQLValue) -> bool:
    """Return whether two values are the same, type included."""
    return type(one) is type(other) and one == other


def match_columns(before: Sequence[Column], after: Sequence[Column], pairs: Pairs) -> Matches:
    """Match the columns that are the same before and after.

    A column counts as renamed if the old and the new one have the same type, the same place among the columns that
    stay, and the same value in every row whose other columns did not change; at least one of these values must be
    neither NULL nor a default. Columns with one name are the same, unless their values differ and the values of another
    column are there.

    Args:
        before: the columns before.
        after: the columns after.
        pairs: returns the rows that are in both.
    """
    return _Matching(before, after, pairs).run()


class _Matching:
    def __init__(self, before: Sequence[Column], after: Sequence[Column], pairs: Pairs) -> None:
        self._before, self._after, self._pairs = before, after, pairs
        self._old = {column.name: place for place, column in enumerate(before)}
        self._new = {column.name: place for place, column in enumerate(after)}
        folded = {name.casefold(): name for name in self._old}
        self._named = {name: folded[name.casefold()] for name in self._new if name.casefold() in folded}

    def run(self) -> Matches:
        """Return the matches."""
        if [self._named.get(column.name) for column in self._after[: len(self._before)]] == [*self._old]:
            return self._named  # columns were added behind the others, or none at all
        doubtful = self._doubtful()
        while True:
            matches, still = self._without(doubtful)
            if still == doubtful:
                return {name: matches[name] for name in self._new if name in matches}
            doubtful = still

    def _without(self, doubtful: set[str]) -> tuple[Matches, set[str]]:
        """Match the columns without taking some of them by name.

        Returns the matches, and those of these columns that turned out to be another one.
        """
        stay = {name: own for name, own in self._named.items() if name not in doubtful}
        gone = [name for name in self._old if name not in stay.values()]
        came = [name for name in self._new if name not in stay]
        votes = self._votes(stay, list(self._candidates(stay, gone, came)))
        moved = _unambiguous([pair for pair, found in votes.items() if found.same and not found.broken], gone, came)
        likely = [pair for pair, found in votes.items() if found.same > found.other] + [*map(_reversed, moved.items())]
        lost, taken = {own for own, _ in likely}, {name for _, name in likely}
        still = {name for name in doubtful if name in taken or self._named[name] in lost}
        by_name = {name: own for name, own in self._named.items() if name not in still}
        return {**by_name, **moved}, still

    def _doubtful(self) -> set[str]:
        """Return the columns whose name is there before and after, and whose values differ in most rows."""
        places = {name: (self._old[own], self._new[name]) for name, own in self._named.items()}
        votes = {name: _Votes() for name in places}
        for one, other in self._pairs():
            for name, (was, now) in places.items():
                votes[name].count(one[was], other[now], telling=self._telling(was, now, one[was]))
        return {name for name, found in votes.items() if found.other > found.same}

    def _candidates(self, stay: Matches, gone: list[str], came: list[str]) -> Iterator[tuple[str, str]]:
        """Yield columns that may be the same under two names: of one type, and in one place among those that stay."""
        olds = [self._old[own] for own in stay.values()]
        news = [self._new[name] for name in stay]
        in_order = olds == sorted(olds)
        for own in gone:
            for name in came:
                was, now = self._old[own], self._new[name]
                if in_order:
                    was, now = sum(place < was for place in olds), sum(place < now for place in news)
                kinds = (self._before[self._old[own]].type, self._after[self._new[name]].type)
                if was == now and kinds[0].casefold() == kinds[1].casefold() and self._named.get(name) != own:
                    yield own, name

    def _votes(self, stay: Matches, candidates: list[tuple[str, str]]) -> Mapping[tuple[str, str], _Votes]:
        """Count the votes of the rows whose other columns did not change."""
        votes = {pair: _Votes() for pair in candidates}
        common = [(self._old[own], self._new[name]) for name, own in stay.items() if not is_touch_time(name)]
        for one, other in self._pairs() if candidates else ():
            if all(same_value(one[was], other[now]) for was, now in common):
                for (own, name), found in votes.items():
                    was, now = self._old[own], self._new[name]
                    found.count(one[was], other[now], telling=self._telling(was, now, one[was]))
        return votes

    def _telling(self, was: int, now: int, value: SQLValue) -> bool:
        return value not in self._before[was].defaults and value not in self._after[now].defaults


def _reversed(pair: tuple[str, str]) -> tuple[str, str]:
    return pair[1], pair[0]


def _unambiguous(pairs: list[tuple[str, str]], gone: list[str], came: list[str]) -> Matches:
    """Return the pairs that contradict no other pair. Of columns that are alike, those in the same order are paired."""
    if len(gone) == len(came):
        order = dict(zip(gone, came, strict=True))
        ordered = [pair for pair in pairs if order[pair[0]] == pair[1]]
        taken = {name for pair in ordered for name in pair}
        pairs = [*ordered, *(pair for pair in pairs if not taken & {*pair})] if len(ordered) > 1 else pairs
    return {
        now: was
        for was, now in pairs
        if sum(was == other for other, _ in pairs) == 1 and sum(now == other for _, other in pairs) == 1
    }
