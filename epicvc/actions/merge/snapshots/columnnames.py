"""Which column of a table before a migration is which one after it: by name, unless values say otherwise. Pure.

Definitions do not tell a renamed column from one that was dropped beside a new one, nor two that changed names from two
that changed places. Rows tell: what a migration alone did to them leaves every value where it was.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from msgspec import Struct

from epicvc.actions.merge.snapshots.whole import is_touch_time
from epicvc.database.rowcodec import SQLValue

Values = Sequence[SQLValue]
Pairs = Callable[[], Iterable[tuple[Values, Values]]]
"""The rows that are there both before and after, by key; can be asked for again."""


class Column(Struct, frozen=True):
    """A column, as far as it matters here.

    Attributes:
        name: its name.
        type: its declared type.
        defaults: what rows have there that nothing was written into.
    """

    name: str
    type: str = ""
    defaults: tuple[SQLValue, ...] = (None,)


class _Votes(Struct):
    """How many values of their own two columns have in common, and how many not; those of no weight are left out."""

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
"""The columns after that were there before: the name after, and the name before."""


def same_value(one: SQLValue, other: SQLValue) -> bool:
    """Whether two values are the same, type included."""
    return type(one) is type(other) and one == other


def match_columns(before: Sequence[Column], after: Sequence[Column], pairs: Pairs) -> Matches:
    """Tell which columns are the same.

    A column is another one's continuation where both have one type and one place among the columns that stay, and the
    same value in every row whose other columns nobody touched; one of these values, at least, is neither NULL nor a
    default. Columns of one name are the same, unless their values differ and those of another column are there.

    Args:
        before: the columns before.
        after: the columns after.
        pairs: the rows that are in both.
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
        """Tell."""
        if [self._named.get(column.name) for column in self._after[: len(self._before)]] == [*self._old]:
            return self._named  # columns were added behind the others, or none at all
        doubtful = self._doubtful()
        while True:
            matches, still = self._without(doubtful)
            if still == doubtful:
                return {name: matches[name] for name in self._new if name in matches}
            doubtful = still

    def _without(self, doubtful: set[str]) -> tuple[Matches, set[str]]:
        """The matches where some columns need not be what their name says; and which of these are something else."""
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
        """The columns whose name is there before and after, and whose values are others in most rows."""
        places = {name: (self._old[own], self._new[name]) for name, own in self._named.items()}
        votes = {name: _Votes() for name in places}
        for one, other in self._pairs():
            for name, (was, now) in places.items():
                votes[name].count(one[was], other[now], telling=self._telling(was, now, one[was]))
        return {name for name, found in votes.items() if found.other > found.same}

    def _candidates(self, stay: Matches, gone: list[str], came: list[str]) -> Iterator[tuple[str, str]]:
        """Columns that may be the same under two names: of one type, and in one place among those that stay."""
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
        """What the rows say whose other columns nobody touched."""
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
    """The pairs that contradict no other one; of columns that are alike, those that are in the same order."""
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
