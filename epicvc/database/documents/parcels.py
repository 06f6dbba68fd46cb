"""Rows of new epics in parcels: packed where there is time, unpacked by the database itself while it is locked.

Binding the values of a row takes longer than inserting them. So the process that has read the files, mostly one beside
the main one, puts the rows into a SQLite database of their own. A backend lays that database beside the application's
before it locks it. Then two statements copy the rows, and two more check that they arrived.

Parcels are only for epics of which the database knows nothing, and only where nothing is out of the ordinary. Anything
else raises :class:`NotInParcels`, and the epics go in row by row.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import copysign
from typing import Any, Final, cast

from msgspec import Struct

from epicvc.database.backend import Reader, Writer
from epicvc.database.batches import batches
from epicvc.database.documents.changes import EpicRowsChange
from epicvc.database.documents.documents import of_epics
from epicvc.database.documents.layout import DELETED, Layout
from epicvc.database.documents.values import literal_default
from epicvc.database.query import Select
from epicvc.database.quoting import quote_identifier as quote
from epicvc.database.rowcodec import SQLValue
from epicvc.database.sqlite.statements import exactly
from epicvc.errors import ConstraintBroken
from epicvc.model.mapping import Kind, Mapping

_NUMERIC: Final = frozenset({Kind.NUMBER, Kind.BOOL})
_EMPTY: Final = (
    "CREATE TABLE epics (n INTEGER PRIMARY KEY, surrogate)",
    "CREATE TABLE links (task, key)",
    "CREATE TABLE defaults (status, {cells})",
    "CREATE TABLE tasks (n INTEGER PRIMARY KEY, epic, {cells})",
)


class NotInParcels(Exception):  # not an error: the caller inserts the epics row by row
    """Raised where something is out of the ordinary, so that rows cannot go in as a parcel."""


class Parcel(Struct, frozen=True):
    """Some new epics, and their tasks and links as a SQLite database.

    Attributes:
        changes: the changes that add the epics, without their tasks.
        image: the database. Each of its tasks holds the number of its epic among ``changes``.
    """

    changes: Sequence[EpicRowsChange]
    image: bytes


def _columns(mapping: Mapping) -> tuple[str, ...]:
    """Return the columns of a task that can be written, without its epic's. NULL in a parcel means not written."""
    table = mapping.tasks
    return (table.key, *([table.sequence] if table.sequence else []), *(field.column for field in table.core))


# Packing


class Packer:
    """Makes parcels.

    Args:
        mapping: how documents lie in tables.
    """

    def __init__(self, mapping: Mapping) -> None:
        names = _columns(mapping)
        # the first two columns are the numbers of the task and of its epic
        self._places = {column: place for place, column in enumerate(names, 2)}
        self._width = len(names) + 2
        self._cells = ", ".join(f"c{place}" for place in range(len(names)))

    def pack(self, changes: Sequence[EpicRowsChange]) -> Parcel | None:
        """Pack new epics; return ``None`` where a value is out of the ordinary."""
        import sqlite3
        from contextlib import closing

        try:
            with closing(sqlite3.connect(":memory:", isolation_level=None)) as image:
                for statement in _EMPTY:
                    image.execute(statement.format(cells=self._cells))
                image.execute("BEGIN")
                marks = ", ".join("?" * self._width)
                image.executemany(f"INSERT INTO tasks VALUES ({marks})", self._tasks(changes))
                image.executemany("INSERT INTO links VALUES (?, ?)", _links(changes))
                image.execute("COMMIT")
                return Parcel([change._replace(new=(), shapes=()) for change in changes], image.serialize())
        except (NotInParcels, OverflowError, UnicodeEncodeError):
            return None

    def _tasks(self, changes: Sequence[EpicRowsChange]) -> Iterator[list[SQLValue]]:
        number = 0
        for epic, change in enumerate(changes):
            shapes = [[self._places[column] for column in columns] for columns in change.shapes]
            for task in change.new:
                values = task.values
                if float in set(map(type, values)) and any(map(_is_odd, values)):
                    raise NotInParcels
                row: list[SQLValue] = [None] * self._width
                row[0], row[1] = number, epic
                for place, value in zip(shapes[task.shape], values, strict=True):
                    row[place] = value
                yield row
                number += 1


def _links(changes: Sequence[EpicRowsChange]) -> Iterator[tuple[int, str]]:
    for number, task in enumerate(task for change in changes for task in change.new):
        for key in task.links:
            yield number, key


def _is_odd(value: SQLValue) -> bool:
    """Return whether a value is a zero with a sign, which a database may take for another zero."""
    return type(value) is float and value == 0 and copysign(1, value) < 0


# Unpacking


class Unpacking:
    """The parcel that lies beside a transaction.

    Args:
        writer: the transaction.
        layout: the mapped tables.

    Raises:
        NotInParcels: a column's default is an expression.
    """

    def __init__(self, writer: Writer, layout: Layout) -> None:
        from epicvc.database.sqlite.connection import BESIDE  # those who only pack do without it

        self._writer = writer
        self._layout = layout
        self._beside = quote(BESIDE)
        self._parents: Sequence[SQLValue] = ()
        self._count = 0, 0
        found = {column.name: column.default for column in writer.columns(layout.tasks.map.table)}
        self._columns = _columns(layout.mapping)
        self._defaults = [_default(found.get(column)) for column in self._columns]

    def insert(self, parents: Sequence[SQLValue]) -> None:
        """Insert the tasks and links.

        Args:
            parents: the surrogate keys of the parcel's epics, in their order.

        Raises:
            NotInParcels: new rows may count as dead, or the database refuses something.
        """
        self._parents = parents
        writer, status = self._writer, self._layout.tasks.status_default
        _require_alive(status)
        writer.execute_many(f"INSERT INTO {self._of('epics')} VALUES (?, ?)", enumerate(parents))
        marks = ", ".join("?" * (len(self._defaults) + 1))
        writer.execute(f"INSERT INTO {self._of('defaults')} VALUES ({marks})", [status, *self._defaults])
        self._count = self._answer(self._counted("tasks")), self._answer(self._counted("links"))
        tasks, links = self._count
        try:  # inserting nothing would leave a counter at 0 where there is none
            if tasks:
                writer.execute(self._insertion_of_tasks())
            if links:
                writer.execute(self._insertion_of_links())
        except ConstraintBroken as error:
            raise NotInParcels from error

    def holds(self) -> bool:
        """Return whether the database holds these epics exactly as the parcel has them."""
        if None in self._parents or self._answer(self._tasks_that_differ()):
            return False
        if self._count[1] and self._answer(self._links_that_differ()):
            return False
        return counted(self._writer, self._layout, self._parents) == self._count

    def _answer(self, query: str) -> Any:
        return next(self._writer.execute(query), (None,))[0]

    def _counted(self, table: str) -> str:
        return f"SELECT count(*) FROM {self._of(table)}"

    def _of(self, table: str) -> str:
        return f"{self._beside}.{table}"

    # The statements. CROSS JOIN fixes the order in which SQLite looks up rows: from a parcel's few to the many.

    @property
    def _cells(self) -> list[str]:
        """The SQL expression for the value of each column."""
        return [
            f"new.c{place}" if default is None else f"ifnull(new.c{place}, defaults.c{place})"
            for place, default in enumerate(self._defaults)
        ]

    @property
    def _new_tasks(self) -> str:
        return (
            f"{self._of('defaults')} CROSS JOIN {self._of('tasks')} AS new "
            f"CROSS JOIN {self._of('epics')} AS epic ON epic.n = new.epic"
        )

    @property
    def _stored_task(self) -> str:
        table = self._layout.tasks.map
        return (
            f"{quote(table.table)} AS task ON task.{quote(cast('str', table.parent))} = epic.surrogate "
            f"AND task.{quote(table.key)} = new.c0"
        )

    @property
    def _new_links(self) -> str:
        return (
            f"{self._of('links')} AS link CROSS JOIN {self._of('tasks')} AS new ON new.n = link.task "
            f"CROSS JOIN {self._of('epics')} AS epic ON epic.n = new.epic CROSS JOIN {self._stored_task}"
        )

    def _insertion_of_tasks(self) -> str:
        table = self._layout.tasks.map
        names = ", ".join(map(quote, (cast("str", table.parent), *self._columns)))
        cells = ", ".join(("epic.surrogate", *self._cells))
        return f"INSERT INTO {quote(table.table)} ({names}) SELECT {cells} FROM {self._new_tasks} ORDER BY new.n"

    def _insertion_of_links(self) -> str:
        links, task = self._layout.links, self._layout.tasks.map
        assert links is not None  # the caller has checked that there are links
        return (
            f"INSERT INTO {quote(links.table)} ({quote(links.parent)}, {quote(links.column)}) "
            f"SELECT task.{quote(task.id)}, link.key FROM {self._new_links} ORDER BY link.rowid"
        )

    def _tasks_that_differ(self) -> str:
        table = self._layout.tasks
        text = {field.column for field in table.map.core if field.kind not in _NUMERIC}
        same = [
            exactly(f"task.{quote(name)}", cell, numbers=name not in text)
            for name, cell in zip(self._columns, self._cells, strict=True)
        ]
        if table.deleted_at:
            same.append(f"task.{quote(table.deleted_at)} IS NULL")
        if table.status:
            same.append(exactly(f"task.{quote(table.status)}", "defaults.status"))
        return f"SELECT 1 FROM {self._new_tasks} LEFT JOIN {self._stored_task} WHERE NOT ({' AND '.join(same)}) LIMIT 1"

    def _links_that_differ(self) -> str:
        links, task = self._layout.links, self._layout.tasks.map
        assert links is not None  # the caller has checked that there are links
        stored = (
            f"{quote(links.table)} AS stored ON stored.{quote(links.parent)} = task.{quote(task.id)} "
            f"AND stored.{quote(links.column)} = link.key"
        )
        same = exactly(f"stored.{quote(links.column)}", "link.key")
        return f"SELECT 1 FROM {self._new_links} LEFT JOIN {stored} WHERE NOT ({same}) LIMIT 1"


def _default(text: str | None) -> SQLValue:
    """Return the literal value that a row gets in a column which is not written.

    Args:
        text: the column's default, an SQL expression.

    Raises:
        NotInParcels: the default is no literal.
    """
    value = literal_default(text)
    if value is None and text is not None and text.strip().upper() != "NULL":
        raise NotInParcels
    return value


def _require_alive(status: SQLValue) -> None:
    """Refuse a status that a dead row might have, under whatever collation."""
    if status is not None and (type(status) is not str or status.strip().casefold() == DELETED):
        raise NotInParcels


def counted(reader: Reader, layout: Layout, epics: Sequence[SQLValue]) -> tuple[int, int]:
    """Count the tasks of these epics in the database, the dead ones too, and the links of those tasks.

    Args:
        reader: a transaction.
        layout: the mapped tables.
        epics: the epics' surrogate keys.
    """
    links, tasks = layout.links, layout.tasks.map
    counts = [0, 0]
    for batch in batches(epics):
        queries = [of_epics(layout, Select(columns=("count(*)",)), batch)]
        if links is not None:
            on = f"l.{quote(links.parent)} = t.{quote(tasks.id)}"
            queries.append(queries[0].join(quote(links.table), on, alias="l"))
        for number, query in enumerate(queries):
            counts[number] += cast("int", next(reader.execute(*query.build()))[0])
    return counts[0], counts[1]
