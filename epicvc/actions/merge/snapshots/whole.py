"""Whole documents: a core together with the extra keys of the file and the system columns of the rows. Pure.

The engine that merges cores merges them too, so that an extra key or a system column counts like a field: a task that
one side deleted and whose status the other side changed is a conflict, not a loss.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Iterator
from typing import Final, cast

from msgspec import Struct, field

from epicvc.base.jsonio import JSON, equal
from epicvc.database.rowcodec import plain
from epicvc.model.document import UNAGREED, Core, FileEpic, tasks_of
from epicvc.model.mapping import Mapping, TableMap
from epicvc.plan.file.wholefile import without_null
from epicvc.repo.rows.rows import NamedRow, is_alive

_TOUCHED: Final = re.compile(r"(^|_)(updated|modified|changed)(_|$)", re.IGNORECASE)
"""Columns with the time of the last write. Writing a row again is no change that a person made."""

_BORN: Final = re.compile(r"(^|_)((created|inserted)(_(at|on|time|date))?|applied_(at|on|time|date))$", re.IGNORECASE)
"""Columns with the time of creation. If both sides add the same row, a person made no difference there."""

_MAKER: Final = re.compile(r"(^|_)(created|inserted|applied)_by$", re.IGNORECASE)
"""Columns with the creator of a row. If two made the same row, the first one counts."""

_FORCED: Final = "@"


def is_touch_time(column: str) -> bool:
    """Return whether a column, by its name, holds the time of its row's last write."""
    return bool(_TOUCHED.search(column))


def is_birth_time(column: str) -> bool:
    """Return whether a column, by its name, holds the time of its row's creation."""
    return bool(_BORN.search(column))


def is_maker(column: str) -> bool:
    """Return whether a column, by its name, holds the creator of its row."""
    return bool(_MAKER.search(column))


class NaturalRows(Struct):
    """The rows of one epic by natural key, each with the key under which it is captured.

    Attributes:
        epic: its own row.
        tasks: the rows of its tasks, by task id.
        links: the rows of the child table, by task id and linked id.
    """

    epic: tuple[bytes, NamedRow] | None = None
    tasks: dict[str, tuple[bytes, NamedRow]] = field(default_factory=dict)
    links: dict[tuple[str, str], tuple[bytes, NamedRow]] = field(default_factory=dict)

    def keys(self) -> Iterator[bytes]:
        """Yield the captured keys of the rows of the epic and its tasks."""
        if self.epic:
            yield self.epic[0]
        yield from (key for key, _ in self.tasks.values())


class Names(Struct, frozen=True):
    """The members of a whole document that are system columns, each with its column, for epics and for tasks."""

    epic: dict[str, str]
    task: dict[str, str]


def system_names(mapping: Mapping, rows: Iterable[NaturalRows], files: Iterable[FileEpic | None]) -> Names:
    """Name the system columns that some of these rows have. A column whose name the files use gets a mark.

    Args:
        mapping: the columns that are fields.
        rows: the rows of an epic in all states.
        files: its file in all states.
    """
    bodies = [file.body for file in files if file is not None]
    extra = {name for body in bodies for name in body} | {*mapping.epic_fields, "id", UNAGREED}
    inner = {name for body in bodies for task in tasks_of(body) for name in task} | {*mapping.task_fields, "id"}
    columns: dict[str, None] = {}
    of_tasks: dict[str, None] = {}
    for found in rows:
        columns.update(dict.fromkeys(system_columns(mapping.epics, found.epic[1]) if found.epic else ()))
        for _, row in found.tasks.values():
            of_tasks.update(dict.fromkeys(system_columns(mapping.tasks, row)))
            break
    return Names(
        {(_FORCED + column if column in extra else column): column for column in columns},
        {(_FORCED + column if column in inner else column): column for column in of_tasks},
    )


def system_columns(table: TableMap, row: NamedRow) -> list[str]:
    """Return the columns of a mapped table that are neither fields nor structure nor times of writing."""
    fields = {spec.column for spec in table.fields}
    structure = {table.id, table.key, table.parent, table.sequence, table.deleted_at}
    own = (name for name in row if name not in fields and name not in structure)
    return [name for name in own if not is_touch_time(name) and not is_birth_time(name)]


def of_rows(core: Core, rows: NaturalRows, names: Names, still: Container[str] = ()) -> Core:
    """Return the core of living rows with their system columns, except those of unchanged tasks."""
    assert rows.epic is not None  # an epic without a row has no core
    whole = {**core, **_columns(rows.epic[1], names.epic)}
    tasks = [
        {**task, **_columns(rows.tasks[key][1], names.task)}
        if (key := cast("str", task["id"])) in rows.tasks and key not in still
        else task
        for task in tasks_of(core)
    ]
    if tasks:
        whole[Mapping.TASKS] = cast("JSON", tasks)
    return without_null(whole)


def _columns(row: NamedRow, names: dict[str, str]) -> Core:
    return {name: plain(row.get(column)) for name, column in names.items()}


def joined(file: Core | None, rows: Core | None) -> Core | None:
    """Return one document of file and rows, which have the same core."""
    if file is None or rows is None:
        return rows if file is None else file
    by_id = {cast("str", task["id"]): task for task in tasks_of(rows)}
    whole = {**rows, **file}
    tasks = [{**by_id.get(cast("str", task["id"]), {}), **task} for task in tasks_of(file)]
    if tasks:
        whole[Mapping.TASKS] = cast("JSON", tasks)
    return whole


def shared(wholes: Iterable[Core | None]) -> list[Core | None]:
    """Return the documents with equal tasks as the same objects as in the first one: the engine skips these."""
    first, *others = wholes
    known = {cast("str", task["id"]): task for task in tasks_of(first or {})}

    def task(found: Core) -> Core:
        same = known.get(cast("str", found["id"]))
        return same if same is not None and equal(cast("JSON", same), cast("JSON", found)) else found

    result = [first]
    for other in others:
        if other is not None and tasks_of(other):
            other = {**other, Mapping.TASKS: cast("JSON", [task(found) for found in tasks_of(other)])}
        result.append(other)
    return result


def file_part(whole: Core | None, names: Names) -> Core | None:
    """Return the part of a whole document that belongs to the file."""
    if whole is None:
        return None
    part = {name: value for name, value in whole.items() if name not in names.epic}
    tasks = [{name: value for name, value in task.items() if name not in names.task} for task in tasks_of(whole)]
    if tasks:
        part[Mapping.TASKS] = cast("JSON", tasks)
    return part


def living(rows: NaturalRows, mapping: Mapping) -> NaturalRows | None:
    """Return the living rows of an epic, or ``None`` if the epic's own row is not alive."""
    if rows.epic is None or not is_alive(rows.epic[1], mapping.epics):
        return None
    tasks = {key: found for key, found in rows.tasks.items() if is_alive(found[1], mapping.tasks)}
    links = {place: found for place, found in rows.links.items() if place[0] in tasks}
    return NaturalRows(rows.epic, tasks, links)
