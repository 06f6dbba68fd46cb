"""Updates that wait until a unique value is free: rows exchange values, or hand them over in another order.

Rows are written one by one, so a state that is valid in the end may not be valid on the way. An update that meets a
value which another row still has waits for that row. Where rows wait for each other in a circle, one of them takes for
a moment a value that nobody has. That costs one more write; the row itself and all its other columns stay.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final, TypeAlias

from msgspec import Struct

from epicvc.database.backend import Writer
from epicvc.database.documents.layout import Columns
from epicvc.database.query import Query, Select, Update, table_named
from epicvc.database.quoting import quote_identifier as quote
from epicvc.database.rowcodec import SQLValue
from epicvc.errors import ConstraintBroken, NotUnique
from epicvc.model.labels import Label

_MARKS: Final = ("~", "~1", "~2", "~3")
"""Endings that make a text unique for a moment."""

_LARGEST: Final = 2**63 - 1

Place: TypeAlias = tuple[str, SQLValue]
"""A table and the surrogate key of a row in it."""

Refusal: TypeAlias = Callable[["Waiting", ConstraintBroken], ConstraintBroken]
"""Makes the error that names the places of an update that cannot be written."""


class Waiting(Struct):
    """An update that waits.

    Attributes:
        columns: the table of the row.
        surrogate: the row's surrogate key.
        values: the values to write.
        label: the place of the row.
    """

    columns: Columns
    surrogate: SQLValue
    values: dict[str, SQLValue]
    label: Label


class WaitingUpdates:
    """The waiting updates of one transaction.

    Args:
        writer: the transaction.
        refusal: makes the error for an update that cannot be written.
    """

    def __init__(self, writer: Writer, refusal: Refusal) -> None:
        self._writer = writer
        self._refusal = refusal
        self._waiting: dict[Place, Waiting] = {}
        self._aside: set[Place] = set()
        self._end: Place | None = None  # the last place of a chain of waiting rows: the whole chain waits for it

    def holds(self, columns: Columns, surrogate: SQLValue) -> bool:
        """Return whether an update of this row waits."""
        return bool(self._waiting) and (columns.map.table, surrogate) in self._waiting

    def add(self, update: Waiting) -> None:
        """Let an update wait. A further update of the same row is merged into it."""
        place = update.columns.map.table, update.surrogate
        known = self._waiting.setdefault(place, update)
        if known is not update:
            known.values |= update.values

    def forget(self, columns: Columns, surrogate: SQLValue) -> None:
        """Drop the waiting update of a row that is gone."""
        self._waiting.pop((columns.map.table, surrogate), None)

    def settle(self, columns: Columns, *, last: bool = True) -> None:
        """Write the waiting updates of a table.

        Args:
            columns: the table.
            last: nothing will become free any more. Otherwise an update that waits for a row without a waiting update
                goes on waiting.

        Raises:
            ConstraintBroken: an update is refused; the error names the place in its way.
        """
        while todo := [place for place in self._waiting if place[0] == columns.map.table]:
            stuck = [place for place in todo if place in self._waiting and not self._write(place)]
            if len(stuck) < len(todo):
                continue
            if not last:
                return
            if not any(map(self._give_way, stuck)):
                self._refuse(self._waiting[self._end or stuck[0]])

    def _refuse(self, update: Waiting) -> None:
        if (error := self._attempt(update)) is not None:
            raise self._refusal(update, error) from error

    def _write(self, start: Place) -> bool:
        """Write an update after those that it waits for, and return whether it could be written."""
        way: dict[Place, NotUnique] = {start: NotUnique("", "", "", ())}
        while way:
            place = next(reversed(way))
            update = self._waiting[place]
            error = self._attempt(update)
            if error is None:
                way.popitem()
                del self._waiting[place]
                continue
            other = self._in_the_way(update, error)
            if other is None:
                self._end = place
                return False
            way[place] = error
            if other in way:
                self._break_circle({one: way[one] for one in [*way][[*way].index(other) :]})
            else:
                way[other] = error
        return True

    def _attempt(self, update: Waiting) -> NotUnique | None:
        """Write an update, and return the refusal where another row has a unique value of it."""
        try:
            self._run(update.columns, update.surrogate, update.values)
        except NotUnique as error:
            return error
        except ConstraintBroken as error:
            raise self._refusal(update, error) from error
        return None

    def _run(self, columns: Columns, surrogate: SQLValue, values: dict[str, SQLValue]) -> None:
        statement = Update(target=table_named(columns.map.table)).set(values)
        query = statement.where(quote(columns.map.id), "=", surrogate).build()
        list(self._writer.execute(query.sql, query.params))

    def _in_the_way(self, update: Waiting, error: NotUnique) -> Place | None:
        """Find a waiting row that has the values which an update is to write."""
        table = update.columns.map.table
        if not error.columns or error.table.casefold() != table.casefold():
            return None
        stored = self._stored(update, error.columns)
        wanted = [(name, update.values.get(name, stored[name])) for name in error.columns]
        for collation in ("", " COLLATE NOCASE"):  # an index may have another collation than its columns
            same = " AND ".join(f"{quote(name)}{collation} IS ?" for name, _ in wanted)
            query = f"SELECT {quote(update.columns.map.id)} FROM {quote(table)} WHERE {same}"
            for (found,) in list(self._writer.execute(query, [value for _, value in wanted])):
                if found != update.surrogate and (table, found) in self._waiting:
                    return table, found
        return None

    def _stored(self, update: Waiting, names: Sequence[str]) -> dict[str, SQLValue]:
        query = Select(columns=tuple(map(quote, names))).from_table(quote(update.columns.map.table))
        (row,) = self._writer.execute(*query.where(quote(update.columns.map.id), "=", update.surrogate).build())
        return dict(zip(names, row, strict=True))

    # Circles

    def _break_circle(self, circle: dict[Place, NotUnique]) -> None:
        """Let one row of a circle stand aside.

        Args:
            circle: the rows in order, each with the refusal that it met at the next one, the last at the first.

        Raises:
            ConstraintBroken: none of the rows can stand aside.
        """
        rows = [*circle]
        for before, place in zip([rows[-1], *rows], rows, strict=False):
            if self._stand_aside(self._waiting[place], circle[before].columns):
                return
        update, error = self._waiting[rows[-1]], circle[rows[-1]]
        words = f"{error.constraint}; the rows exchange this value, and none of them can take another one meanwhile"
        raise self._refusal(update, ConstraintBroken(str(update.label), words))

    def _give_way(self, place: Place) -> bool:
        """Let a row stand aside whose opponent is unknown, because the unique thing is an expression.

        Returns:
            Whether the row stands aside now and did not before.
        """
        update = self._waiting[place]
        error = None if place in self._aside else self._attempt(update)
        if error is None or error.columns:
            return False
        self._aside.add(place)
        aside = [name for name in [*update.values] if self._stand_aside(update, [name])]
        return bool(aside)

    def _stand_aside(self, update: Waiting, names: Sequence[str]) -> bool:
        """Give a row a value that nobody has, in one of the columns that are unique together."""
        stored = self._stored(update, names)
        table = update.columns.map
        # changed last: others may refer to them, or they say whom the row belongs to
        pointers = (table.id, table.parent, table.key)
        for name in sorted(names, key=lambda name: (name in pointers, name not in update.values)):
            for value in free_values(self._writer, update.columns, name, stored[name]):
                try:
                    self._run(update.columns, update.surrogate, {name: value})
                except ConstraintBroken:
                    continue
                update.values.setdefault(name, stored[name])
                return True
        return False


def free_values(writer: Writer, columns: Columns, name: str, value: SQLValue) -> Iterator[SQLValue]:
    """Yield values of a column's own kind that no row is likely to have; the database may still refuse each of them.

    Args:
        writer: the transaction.
        columns: the table.
        name: the column.
        value: the value that the column is to have, or had.
    """
    # NULL never clashes with another NULL. Where the column does not allow it, the caller tries the next value.
    yield None
    if isinstance(value, str):
        yield from (value + mark for mark in _MARKS)
        yield from _MARKS
    elif isinstance(value, int | float):
        ends = Query(f"SELECT max({quote(name)}), min({quote(name)}) FROM {quote(columns.map.table)}", [])
        ((highest, lowest),) = writer.execute(ends.sql, ends.params)
        if isinstance(highest, int | float) and highest < _LARGEST:
            yield highest + 1
        if isinstance(lowest, int | float) and lowest > -_LARGEST:
            yield lowest - 1
