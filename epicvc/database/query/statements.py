"""Statements as immutable values: each method returns a new one, and :meth:`Statement.build` the SQL and its values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import Any, ClassVar, Final, NamedTuple, Self

from msgspec import Struct
from msgspec.structs import replace

from epicvc.database.query.conditions import (
    MARK,
    NONE,
    Condition,
    Conditions,
    Param,
    all_of,
    any_of,
    bound,
    compare,
    owned,
)
from epicvc.database.query.terms import (
    Dialect,
    Table,
    column,
    expression,
    identifier,
    is_plain,
    join_condition,
    selected,
)
from epicvc.database.query.terms import table as table_reference
from epicvc.errors import InvalidQuery

Values = Mapping[str, Any]
NOWHERE: Final = Table("", "")
"""The table of a statement before one is named."""


class Query(NamedTuple):
    """A statement that is ready to run.

    Attributes:
        sql: the text, with a mark for each value.
        params: the values, in order.
    """

    sql: str
    params: list[Param]


class Statement(Struct, frozen=True):
    """The parts that all statements share.

    Attributes:
        dialect: the dialect in which the SQL is written.
    """

    dialect: Dialect = Dialect.SQLITE
    returns_rows: ClassVar[bool] = False

    def parts(self) -> Condition:
        """Return the text, with :data:`MARK` for each value, and the values.

        Raises:
            InvalidQuery: something is missing.
        """
        raise NotImplementedError

    def build(self) -> Query:
        """Return the SQL and its values.

        Raises:
            InvalidQuery: something is missing.
        """
        found = self.parts()
        text = found.text if self.dialect is Dialect.SQLITE else found.text.replace("%", "%%")
        return Query(text.replace(MARK, self.dialect.value), list(found.params))


class Filtered(Statement, frozen=True):
    """A statement with a ``WHERE``."""

    conditions: Conditions = NONE

    def where(self, column: str, operator: str, value: Any) -> Self:
        """Keep only rows for which this holds as well; see :func:`epicvc.database.query.conditions.compare`."""
        return replace(self, conditions=self.conditions.also(compare(column, operator, value)))

    def or_where(self, column: str, operator: str, value: Any) -> Self:
        """Add rows for which this holds, as an alternative to all conditions before it.

        A following ``where`` belongs to the alternative.
        """
        return replace(self, conditions=self.conditions.instead(compare(column, operator, value)))

    def where_any(self, *alternatives: tuple[str, str, Any]) -> Self:
        """Keep only rows for which one of these holds, given as ``(column, operator, value)``."""
        return self.where_condition(any_of(*(compare(*each) for each in alternatives)))

    def where_condition(self, condition: Condition) -> Self:
        """Keep only rows for which a condition holds that was composed elsewhere."""
        return replace(self, conditions=self.conditions.also(condition))


class Select(Filtered, frozen=True):
    """``SELECT``.

    Attributes:
        columns: texts, or composed conditions and constants.
    """

    returns_rows: ClassVar[bool] = True
    columns: tuple[str | Condition, ...] = ()
    source: Table | None = None
    joins: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    kept: Conditions = NONE
    orders: tuple[str, ...] = ()
    most: int | None = None
    skipped: int | None = None
    unique: bool = False

    def from_table(self, name: str, alias: str | None = None) -> Self:
        """Name the table, ``"framework_epics e"`` or ``("any name", "e")``."""
        return replace(self, source=table_reference(name, alias))

    def distinct(self) -> Self:
        """Return equal rows only once."""
        return replace(self, unique=True)

    def join(self, name: str, on: str, alias: str | None = None) -> Self:
        """Keep only rows with a partner in another table: ``join("framework_tasks t", "t.epic_id = e.id")``."""
        return self._joined("JOIN", name, on, alias)

    def left_join(self, name: str, on: str, alias: str | None = None) -> Self:
        """Add the partners in another table to each row that has any; rows without a partner stay."""
        return self._joined("LEFT JOIN", name, on, alias)

    def _joined(self, word: str, name: str, on: str, alias: str | None) -> Self:
        joined = f"{word} {table_reference(name, alias).sql} ON {join_condition(on)}"
        return replace(self, joins=(*self.joins, joined))

    def group_by(self, *columns: str) -> Self:
        """Return one row for each value of these columns."""
        return replace(self, groups=(*self.groups, *map(column, columns)))

    def having(self, expression: str, operator: str, value: Any) -> Self:
        """Keep only groups for which this holds, such as ``having("COUNT(*)", ">", 1)``."""
        return replace(self, kept=self.kept.also(compare(expression, operator, value, calls=True)))

    def order_by(self, column: str, direction: str = "ASC") -> Self:
        """Sort the rows; a further call sorts those that are equal so far.

        Raises:
            InvalidQuery: the direction is neither ``ASC`` nor ``DESC``.
        """
        word = direction.upper()
        if word not in ("ASC", "DESC"):
            raise InvalidQuery(f"{direction!r} is no direction", hint="ASC or DESC")
        return replace(self, orders=(*self.orders, f"{expression(column)} {word}"))

    def limit(self, count: int) -> Self:
        """Return at most ``count`` rows."""
        return replace(self, most=_count(count))

    def offset(self, count: int) -> Self:
        """Skip the first ``count`` rows."""
        return replace(self, skipped=_count(count))

    def parts(self) -> Condition:
        """See :meth:`Statement.parts`."""
        columns, source = self.columns, self.source
        if source is None:
            lone = columns[0] if len(columns) == 1 else ""
            if not isinstance(lone, str) or not is_plain(lone):
                raise InvalidQuery("a SELECT names no table", hint="name it with from_table")
            columns, source = (), table_reference(lone)
        owner = None if self.joins else source.owner
        names: list[str] = []
        params: list[Param] = []
        for each in columns:
            if isinstance(each, Condition):
                names.append(owned(each.text, owner))
                params += each.params
            else:
                names += selected(each)
        names = names or ["*"]
        where, having = self.conditions.clause("WHERE", owner), self.kept.clause("HAVING", owner)
        text = (
            f"SELECT {'DISTINCT ' if self.unique else ''}{', '.join(names)} FROM {' '.join([source.sql, *self.joins])}"
        )
        text += where.text + (f" GROUP BY {', '.join(self.groups)}" if self.groups else "") + having.text
        text += f" ORDER BY {', '.join(self.orders)}" if self.orders else ""
        params += [*where.params, *having.params]
        if self.most is not None or (self.skipped is not None and self.dialect is Dialect.SQLITE):
            text += f" LIMIT {MARK}"  # SQLite has no OFFSET without a LIMIT
            params.append(-1 if self.most is None else self.most)
        if self.skipped is not None:
            text += f" OFFSET {MARK}"
            params.append(self.skipped)
        return Condition(text, tuple(params))


class Insert(Statement, frozen=True):
    """``INSERT``."""

    target: Table = NOWHERE
    names: tuple[str, ...] = ()
    rows: tuple[tuple[Param, ...], ...] = ()
    origin: Select | None = None
    clash: str = ""
    back: tuple[str, ...] = ()

    @property
    def returns_rows(self) -> bool:  # type: ignore[override]
        """Tell whether ``returning`` has asked for columns."""
        return bool(self.back)

    def values(self, rows: Values | Sequence[Values]) -> Self:
        """Give the row to insert, or several with the same columns.

        Raises:
            InvalidQuery: there is no row, or the columns differ.
        """
        given = [rows] if isinstance(rows, Mapping) else list(rows)
        if not given:
            raise InvalidQuery("an INSERT has no rows")
        names = tuple(given[0])
        if any(row.keys() != given[0].keys() for row in given):
            raise InvalidQuery("the rows of an INSERT have different columns")
        if not names and len(given) > 1:
            raise InvalidQuery("rows without a value are inserted one by one")
        rows_bound = tuple(tuple(bound(row[name]) for name in names) for row in given)
        return replace(self, names=names, rows=rows_bound, origin=None)

    def from_select(self, columns: Iterable[str], origin: Select) -> Self:
        """Insert the rows that a ``SELECT`` returns, into these columns.

        Raises:
            InvalidQuery: no column is named.
        """
        names = tuple(columns)
        if not names:
            raise InvalidQuery("an INSERT of selected rows names no columns")
        return replace(self, names=names, rows=(), origin=origin)

    def on_conflict(self, *columns: str, update: Iterable[str] | Values | None = None) -> Self:
        """Skip or update a row whose key exists already.

        Args:
            columns: the key.
            update: columns that take the new row's values; without them the row is skipped.
        """
        key = f" ({', '.join(map(identifier, columns))})" if columns else ""
        names = [identifier(name) for name in update or ()]
        if names and not columns:
            raise InvalidQuery("an update on conflict names the key's columns")
        action = f"UPDATE SET {', '.join(f'{name} = excluded.{name}' for name in names)}" if names else "NOTHING"
        return replace(self, clash=f" ON CONFLICT{key} DO {action}")

    def returning(self, *columns: str) -> Self:
        """Return these columns of the inserted rows."""
        return replace(self, back=(*self.back, *map(column, columns)))

    def parts(self) -> Condition:
        """See :meth:`Statement.parts`."""
        if self.origin is not None:
            return self._copying(self.origin)
        if not self.rows:
            raise InvalidQuery("an INSERT has no rows", hint="give them with values")
        text = f"INSERT INTO {self.target.sql}"
        if self.names:
            marks = f"({', '.join([MARK] * len(self.names))})"
            text += f" ({', '.join(map(identifier, self.names))}) VALUES {', '.join([marks] * len(self.rows))}"
        else:
            text += " DEFAULT VALUES"
        text += self.clash + (f" RETURNING {', '.join(self.back)}" if self.back else "")
        return Condition(text, tuple(chain.from_iterable(self.rows)))

    def _copying(self, origin: Select) -> Condition:
        if self.clash and not origin.conditions.parts:
            origin = origin.where_condition(all_of())  # without a WHERE, SQLite takes ON CONFLICT for the ON of a join
        inner = origin.parts()
        text = f"INSERT INTO {self.target.sql} ({', '.join(map(identifier, self.names))}) {inner.text}{self.clash}"
        return Condition(text + (f" RETURNING {', '.join(self.back)}" if self.back else ""), inner.params)


class Changing(Filtered, frozen=True):
    """A statement that changes rows. It changes all of them only where :meth:`all_rows` is called."""

    target: Table = NOWHERE
    everything: bool = False

    def all_rows(self) -> Self:
        """Allow the statement to change every row of the table."""
        return replace(self, everything=True)

    def _where(self, what: str) -> Condition:
        if not self.conditions.parts and not self.everything:
            raise InvalidQuery(f"{what} without a condition would change every row", hint="mean it with all_rows()")
        return self.conditions.clause("WHERE", self.target.owner)


class Update(Changing, frozen=True):
    """``UPDATE``."""

    assignments: tuple[tuple[str, Param], ...] = ()

    def set(self, values: Values) -> Self:
        """Set columns to new values."""
        added = tuple((identifier(name), bound(value)) for name, value in values.items())
        return replace(self, assignments=(*self.assignments, *added))

    def parts(self) -> Condition:
        """See :meth:`Statement.parts`."""
        if not self.assignments:
            raise InvalidQuery("an UPDATE sets nothing", hint="say what with set")
        where = self._where("an UPDATE")
        changes = ", ".join(f"{name} = {MARK}" for name, _ in self.assignments)
        params = (*(value for _, value in self.assignments), *where.params)
        return Condition(f"UPDATE {self.target.sql} SET {changes}{where.text}", params)


class Delete(Changing, frozen=True):
    """``DELETE``."""

    def parts(self) -> Condition:
        """See :meth:`Statement.parts`."""
        where = self._where("a DELETE")
        return Condition(f"DELETE FROM {self.target.sql}{where.text}", where.params)


def _count(value: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise InvalidQuery(f"{value!r} is no number of rows")
    return value
