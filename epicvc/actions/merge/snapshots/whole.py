"""Whole documents: a core together with what the files alone and the database alone know, as one value to merge.

The same engine that merges cores merges them, so that an extra key or a system column counts wherever a field does: a
task that is deleted here and has its status changed there is a conflict, not a loss. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Iterator
from typing import Final, cast

from msgspec import Struct, field

from epicvc.base.jsonio import JSON, equal
from epicvc.database.rowcodec import SQLValue
from epicvc.model.document import UNAGREED, Core, FileEpic, tasks_of
from epicvc.model.mapping import Mapping, TableMap
from epicvc.plan.file.wholefile import without_null
from epicvc.repo.rows.rows import NamedRow, is_alive

_TOUCHED: Final = re.compile(r"(^|_)(updated|modified|changed)(_|$)", re.IGNORECASE)
"""Columns that say when a row was last written; writing it again is no change that a person made."""

_BORN: Final = re.compile(r"(^|_)((created|inserted)(_(at|on|time|date))?|applied_(at|on|time|date))$", re.IGNORECASE)
"""Columns that say when a row was made: where both sides add one thing, that is no difference which a person made."""

_MAKER: Final = re.compile(r"(^|_)(created|inserted|applied)_by$", re.IGNORECASE)
"""Columns that say who made a row: of two who made one thing it was the first."""

_FORCED: Final = "@"


def is_touch_time(column: str) -> bool:
    """Whether a column says, by its name, when its row was last written."""
    return bool(_TOUCHED.search(column))


def is_birth_time(column: str) -> bool:
    """Whether a column says, by its name, when its row was made."""
    return bool(_BORN.search(column))


def is_maker(column: str) -> bool:
    """Whether a column says, by its name, who made its row."""
    return bool(_MAKER.search(column))


class NaturalRows(Struct):
    """The rows of one epic, by natural key; each with the key that it is captured by.

    Attributes:
        epic: its own row.
        tasks: its tasks' rows, by task.
        links: the rows of the child table, by task and linked key.
    """

    epic: tuple[bytes, NamedRow] | None = None
    tasks: dict[str, tuple[bytes, NamedRow]] = field(default_factory=dict)
    links: dict[tuple[str, str], tuple[bytes, NamedRow]] = field(default_factory=dict)

    def keys(self) -> Iterator[bytes]:
        """The captured keys of the epic's and its tasks' rows."""
        if self.epic:
            yield self.epic[0]
        yield from (key for key, _ in self.tasks.values())


class Names(Struct, frozen=True):
    """Which members of a whole document are system columns: the column of each, for epics and for tasks."""

    epic: dict[str, str]
    task: dict[str, str]


def system_names(mapping: Mapping, rows: Iterable[NaturalRows], files: Iterable[FileEpic | None]) -> Names:
    """Name the system columns that some of these rows have; where files use the name, the column gets a mark.

    Args:
        mapping: says which columns are fields.
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
    """The columns of a mapped table that are neither fields nor structure nor times of writing."""
    fields = {spec.column for spec in table.fields}
    structure = {table.id, table.key, table.parent, table.sequence, table.deleted_at}
    own = (name for name in row if name not in fields and name not in structure)
    return [name for name in own if not is_touch_time(name) and not is_birth_time(name)]


def of_rows(core: Core, rows: NaturalRows, names: Names, still: Container[str] = ()) -> Core:
    """A core that living rows stand for, with their system columns; without those of tasks that nobody touched."""
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
    """One document of both, where they have the same core."""
    if file is None or rows is None:
        return rows if file is None else file
    by_id = {cast("str", task["id"]): task for task in tasks_of(rows)}
    whole = {**rows, **file}
    tasks = [{**by_id.get(cast("str", task["id"]), {}), **task} for task in tasks_of(file)]
    if tasks:
        whole[Mapping.TASKS] = cast("JSON", tasks)
    return whole


def shared(wholes: Iterable[Core | None]) -> list[Core | None]:
    """The documents with tasks that are equal to those of the first one as the same objects: the engine skips them."""
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
    """What the files know of a whole document."""
    if whole is None:
        return None
    part = {name: value for name, value in whole.items() if name not in names.epic}
    tasks = [{name: value for name, value in task.items() if name not in names.task} for task in tasks_of(whole)]
    if tasks:
        part[Mapping.TASKS] = cast("JSON", tasks)
    return part


def living(rows: NaturalRows, mapping: Mapping) -> NaturalRows | None:
    """The rows of an epic that are alive; ``None`` where the epic's own is not."""
    if rows.epic is None or not is_alive(rows.epic[1], mapping.epics):
        return None
    tasks = {key: found for key, found in rows.tasks.items() if is_alive(found[1], mapping.tasks)}
    links = {place: found for place, found in rows.links.items() if place[0] in tasks}
    return NaturalRows(rows.epic, tasks, links)


def plain(value: SQLValue) -> JSON:
    """A column value as JSON can say it: bytes in hexadecimal."""
    if isinstance(value, bytes):
        return f"x'{value.hex()}'"
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        return str(value)
    return value if isinstance(value, bool | int | float | str) or value is None else repr(value)
