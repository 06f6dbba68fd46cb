"""Reads epics with their tasks and dependencies from rows, as a stream of bounded batches.

A field that a row has no value for is not decided here: that depends on a reference
(:func:`epicvc.model.document.settle`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from collections.abc import Mapping as MappingABC
from operator import lt
from typing import Final, NamedTuple, TypeAlias, cast

from epicvc.base.jsonio import JSON
from epicvc.database.backend import Reader
from epicvc.database.batches import batches
from epicvc.database.documents.layout import Columns, Layout
from epicvc.database.documents.values import decode, is_default, key_text, no_key, require_key
from epicvc.database.query import Select, constant
from epicvc.database.quoting import quote_identifier as quote
from epicvc.database.rowcodec import SQLValue
from epicvc.errors import InvalidRow
from epicvc.model.document import Core, RowEpic, Tasks
from epicvc.model.mapping import Layer, Mapping

TaskRow: TypeAlias = "Sequence[SQLValue]"
"""A task's row: sequence, epic's surrogate key, own surrogate key, key, then the mapped columns."""

FIRST_FIELD: Final = 4
"""The position of the first mapped column in a :data:`TaskRow`."""


NamedValues: TypeAlias = MappingABC[str, SQLValue]
"""A row as its values by column."""


class EpicRows(NamedTuple):
    """The rows of one living epic.

    Attributes:
        surrogate: the epic's surrogate key.
        key: its key.
        values: its mapped columns.
        tasks: the rows of its living tasks, in the order of the tasks.
        links: the keys that tasks are linked to, by the task's surrogate key; tasks of other epics may be among them.
    """

    surrogate: SQLValue
    key: str
    values: Sequence[SQLValue]
    tasks: Sequence[TaskRow]
    links: MappingABC[SQLValue, Sequence[str]]

    def links_of(self, task: TaskRow) -> list[str]:
        """Return the keys that a task is linked to, each once, sorted."""
        found = self.links.get(task[2])
        if found is None or len(found) == 1:
            return list(found or ())
        return sorted(set(found))


BadRow: TypeAlias = "Callable[[InvalidRow, str | None], None]"
"""Called with a row that no epic can be read from, and with the epic that the row belongs to, if it belongs to one."""


def read_epics(
    reader: Reader, layout: Layout, keys: Collection[str] | None = None, bad: BadRow | None = None
) -> Iterator[RowEpic]:
    """Read the living epics, all of them or those with these keys.

    Args:
        reader: the transaction.
        layout: the mapped tables.
        keys: the epics to read; ``None`` for all.
        bad: called with each row that cannot be read; the row's epic is then left out. Of two rows with one key, the
            epic of the first may have been yielded already.

    Raises:
        InvalidRow: a value cannot be a field's value, or two living rows have one key; never where ``bad`` is given.
    """
    for rows in read_rows(reader, layout, keys, bad):
        if bad is None:
            yield decode_epic(layout, rows)
            continue
        try:
            epic = decode_epic(layout, rows)
        except InvalidRow as error:
            bad(error, rows.key)
        else:
            yield epic


def epic_of_rows(
    layout: Layout, key: str, epic: NamedValues, tasks: Iterable[NamedValues], links: MappingABC[SQLValue, list[str]]
) -> RowEpic:
    """Build the epic that living rows stand for, wherever the rows come from.

    Args:
        layout: the mapped tables.
        key: the epic's key.
        epic: its row, by column.
        tasks: the rows of its tasks, by column.
        links: the linked keys of each task, by surrogate key.

    Raises:
        InvalidRow: a value cannot be a field's value, or two tasks have one key.
    """
    table = layout.tasks.map
    rows: list[TaskRow] = [
        [
            *(row.get(column or "") for column in (table.sequence, table.parent, table.id, table.key)),
            *(row.get(field.column) for field in layout.tasks.fields),
        ]
        for row in tasks
    ]
    values = [epic.get(field.column) for field in layout.epics.fields]
    return decode_epic(layout, EpicRows(epic.get(table.id), key, values, _in_order(rows), links))


def epic_keys(reader: Reader, layout: Layout) -> list[str]:
    """Return the keys of all living epics."""
    table = layout.epics
    keys = Select(columns=(f"e.{quote(table.map.key)}",)).from_table(quote(table.map.table), "e")
    found = reader.execute(*keys.where_condition(table.alive("e")).build())
    return [key for (value,) in found if (key := key_text(value)) is not None]


def living_tasks(reader: Reader, layout: Layout, keys: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Find the epics that the living tasks with these keys belong to, as ``(task, epic)``."""
    epics, tasks = layout.epics, layout.tasks
    owned = (
        Select(columns=(f"t.{quote(tasks.map.key)}", f"e.{quote(epics.map.key)}"))
        .from_table(quote(tasks.map.table), "t")
        .join(quote(epics.map.table), belongs(layout), alias="e")
        .where_condition(tasks.alive("t"))
        .where_condition(epics.alive("e"))
    )
    for chunk in batches(keys):
        for task, epic in reader.execute(*owned.where_condition(tasks.keyed("t", chunk)).build()):
            found, owner = key_text(task), key_text(epic)
            if found is not None and owner is not None and found in chunk:
                yield found, owner


def count_tasks(reader: Reader, layout: Layout) -> int:
    """Count the living tasks of the living epics."""
    epics, tasks = layout.epics, layout.tasks
    owned = (
        Select(columns=("count(*)",))
        .from_table(quote(tasks.map.table), "t")
        .join(quote(epics.map.table), belongs(layout), alias="e")
        .where_condition(tasks.alive("t"))
        .where_condition(epics.alive("e"))
    )
    return sum(cast("int", count) for (count,) in reader.execute(*owned.build()))


def linked_epics(reader: Reader, layout: Layout, keys: Sequence[str]) -> Iterator[str]:
    """Find the epics whose living tasks depend on one of these task ids."""
    links, epics, tasks = layout.links, layout.epics, layout.tasks
    if links is None:
        return
    linked = (
        Select(columns=(f"e.{quote(epics.map.key)}",))
        .distinct()
        .from_table(quote(links.table), "l")
        .join(quote(tasks.map.table), f"t.{quote(tasks.map.id)} = l.{quote(links.parent)}", alias="t")
        .join(quote(epics.map.table), belongs(layout), alias="e")
        .where_condition(tasks.alive("t"))
        .where_condition(epics.alive("e"))
    )
    for chunk in batches(keys):
        for (value,) in reader.execute(*linked.where(f"l.{quote(links.column)}", "IN", chunk).build()):
            key = key_text(value)
            if key is not None:
                yield key


def belongs(layout: Layout) -> str:
    """Return the SQL condition that joins a task ``t`` with its epic ``e``."""
    return f"e.{quote(layout.epics.map.id)} = t.{quote(cast('str', layout.tasks.map.parent))}"


_Head: TypeAlias = "tuple[SQLValue, str, Sequence[SQLValue]]"
"""An epic's own row: surrogate key, key, mapped columns."""


def epic_heads(
    reader: Reader, layout: Layout, keys: Collection[str] | None, bad: BadRow | None = None
) -> Iterator[_Head]:
    """Read the own rows of the living epics, all of them or those with these keys.

    Args:
        reader: the transaction.
        layout: the mapped tables.
        keys: the epics to read; ``None`` for all.
        bad: called with each row that has no key, or a key that another row has too; such a row is then left out.

    Raises:
        InvalidRow: a row has no key, or two living epics have one; never where ``bad`` is given.
    """
    table = layout.epics
    columns = [table.map.id, table.map.key, *(field.column for field in table.fields)]
    heads = living_heads(table, tuple(f"e.{quote(column)}" for column in columns))
    if keys is None:
        yield from _heads(reader.execute(*heads.build()), table, None, bad)
        return
    for chunk in batches(sorted(keys)):
        rows = reader.execute(*heads.where_condition(table.keyed("e", chunk)).build())
        yield from _heads(rows, table, frozenset(chunk), bad)


def living_heads(table: Columns, columns: tuple[str, ...]) -> Select:
    """Select columns of the rows of living epics. A row without a key is no epic."""
    return (
        Select(columns=columns)
        .from_table(quote(table.map.table), "e")
        .where_condition(table.alive("e"))
        .where(f"e.{quote(table.map.key)}", "!=", None)
        .order_by(f"e.{quote(table.map.id)}")
    )


def _heads(
    rows: Iterator[Sequence[SQLValue]], table: Columns, wanted: Collection[str] | None, bad: BadRow | None
) -> Iterator[_Head]:
    # Keys are compared by value in Python: a case-insensitive collation in the database must not join two epics.
    seen: set[str] = set()
    for row in rows:
        if bad is not None and key_text(row[1]) is None:
            bad(no_key(row[1], table.map.table, table.map.key), None)
            continue
        surrogate, key, *values = row
        text = require_key(key, table.map.table, table.map.key)
        if wanted is not None and text not in wanted:
            continue  # only the database takes it for a wanted key, as 'ABC' and 'abc' under NOCASE
        if text in seen:
            error = InvalidRow(table.map.table, text, None, "two living rows have this key")
            if bad is None:
                raise error
            bad(error, text)
            continue
        seen.add(text)
        yield surrogate, text, values


def read_rows(
    reader: Reader, layout: Layout, keys: Collection[str] | None = None, bad: BadRow | None = None
) -> Iterator[EpicRows]:
    """Read the rows of the living epics, all of them or those with these keys, in bounded batches.

    Args:
        reader: the transaction.
        layout: the mapped tables.
        keys: the epics to read; ``None`` for all.
        bad: called with each row that cannot be read, as in :func:`read_epics`.

    Raises:
        InvalidRow: a row has no key, or two living epics have one; never where ``bad`` is given.
    """
    for batch in batches(epic_heads(reader, layout, keys, bad)):
        parents = [surrogate for surrogate, _, _ in batch if surrogate is not None]  # nothing belongs to NULL
        tasks = _read_tasks(reader, layout, parents)
        faults: dict[SQLValue, InvalidRow] = {}
        links = _read_links(reader, layout, parents, faults)
        for surrogate, key, values in batch:
            own = tasks.get(surrogate, [])
            fault = next((faults[row[2]] for row in own if row[2] in faults), None) if faults else None
            if fault is None:
                yield EpicRows(surrogate, key, values, _in_order(own), links)
            elif bad is None:
                raise fault
            else:
                bad(fault, key)


def _read_tasks(
    reader: Reader, layout: Layout, parents: Sequence[SQLValue]
) -> dict[SQLValue, list[Sequence[SQLValue]]]:
    table = layout.tasks
    columns = [table.map.parent, table.map.id, table.map.key, *(field.column for field in table.fields)]
    selected = (f"t.{quote(cast('str', column))}" for column in columns)
    sequence = f"t.{quote(table.map.sequence)}" if table.map.sequence else constant(None)
    query = of_epics(layout, Select(columns=(sequence, *selected)), parents).where_condition(table.alive("t"))
    result: dict[SQLValue, list[Sequence[SQLValue]]] = {}
    for row in reader.execute(*query.build()):
        if row[3] is None:
            continue  # a row without a key is no task
        parent = row[1]
        # not setdefault, which would make an empty list for each row
        if parent in result:
            result[parent].append(row)
        else:
            result[parent] = [row]
    return result


def of_epics(layout: Layout, columns: Select, parents: Sequence[SQLValue]) -> Select:
    """Select columns of the tasks ``t`` that belong to these epics, dead tasks included."""
    table = layout.tasks.map
    owner = f"t.{quote(cast('str', table.parent))}"
    return columns.from_table(quote(table.table), "t").where(owner, "IN", parents)


def _read_links(
    reader: Reader, layout: Layout, parents: Sequence[SQLValue], faults: dict[SQLValue, InvalidRow]
) -> dict[SQLValue, list[str]]:
    """Read the keys that tasks are linked to, by the task's surrogate key; a task's first error goes to ``faults``."""
    links = layout.links
    if links is None:
        return {}
    table = layout.tasks
    query = (
        Select(columns=(f"l.{quote(links.parent)}", f"l.{quote(links.column)}"))
        .from_table(quote(links.table), "l")
        .join(quote(table.map.table), f"t.{quote(table.map.id)} = l.{quote(links.parent)}", alias="t")
        .where(f"t.{quote(cast('str', table.map.parent))}", "IN", parents)
        .where_condition(table.alive("t"))
    )
    result: dict[SQLValue, list[str]] = {}
    for parent, key in reader.execute(*query.build()):
        if type(key) is not str or not key:
            if key is None:
                continue
            try:
                key = require_key(key, links.table, links.column)
            except InvalidRow as error:
                faults.setdefault(parent, error)
                continue
        if parent in result:
            result[parent].append(key)
        else:
            result[parent] = [key]
    return result


def _in_order(rows: list[TaskRow]) -> list[TaskRow]:
    """Sort tasks by sequence, then key. Mostly they come in that order already."""
    numbers = [row[0] for row in rows]
    if set(map(type, numbers)) == {int} and all(map(lt, numbers, numbers[1:])):  # type: ignore[arg-type]
        return rows
    return sorted(rows, key=_sort_key)


def _sort_key(row: Sequence[SQLValue]) -> tuple[bool, float, str]:
    """Return the sort key of a row: sequence, then key.

    A row without a sequence comes first, as SQLite and the application's views order it.
    """
    sequence = row[0]
    known = isinstance(sequence, int | float)
    return (known, float(cast("float", sequence)) if known else 0.0, str(row[3]))


def decode_epic(layout: Layout, rows: EpicRows) -> RowEpic:
    """Build the epic that rows stand for.

    Raises:
        InvalidRow: a value cannot be a field's value, or two tasks have one key.
    """
    core, calculated, defaults = _fields(layout.epics, rows.values, rows.key)
    tasks: Tasks = []
    task_defaults: dict[str, frozenset[str]] = {}
    unordered: set[str] = set()
    for row in rows.tasks:
        sequence, _, _, key, *values = row
        text = require_key(key, layout.tasks.map.table, layout.tasks.map.key)
        if text in task_defaults:
            raise InvalidRow(layout.tasks.map.table, text, None, f"two living rows of epic {rows.key} have this key")
        fields, _, task_defaults[text] = _fields(layout.tasks, values, text)
        task: dict[str, JSON] = {"id": text, **fields}
        if layout.links and (links := rows.links_of(row)):
            task[layout.links.field] = cast("JSON", links)
        tasks.append(task)
        if not isinstance(sequence, int | float):
            unordered.add(text)
    if tasks:
        core[Mapping.TASKS] = cast("JSON", tasks)
    return RowEpic(
        rows.key, core, calculated, defaults=defaults, task_defaults=task_defaults, unordered=frozenset(unordered)
    )


def decode_calculated(layout: Layout, rows: EpicRows) -> Core:
    """Return the calculated fields of an epic that have a value.

    Raises:
        InvalidRow: a value cannot be a field's value.
    """
    table, found = layout.epics.map, zip(layout.epics.fields, rows.values, strict=True)
    decoded = {f.name: decode(v, f, table.table, rows.key) for f, v in found if f.layer is Layer.CALCULATED}
    return {name: value for name, value in decoded.items() if value is not None}


def _fields(columns: Columns, values: Sequence[SQLValue], row: str) -> tuple[Core, Core, frozenset[str]]:
    core: Core = {}
    calculated: Core = {}
    defaults = set()
    names = columns.map.by_name
    for field, value in zip(columns.fields, values, strict=True):
        decoded = None if value is None else decode(value, field, columns.map.table, row)
        if decoded is None:
            continue
        if field.name not in names:
            calculated[field.name] = decoded
            continue
        core[field.name] = decoded
        if is_default(decoded, columns.defaults[field.name]):
            defaults.add(field.name)
    return core, calculated, frozenset(defaults)
