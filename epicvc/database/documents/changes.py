"""Works out the changes to the rows of one epic, before the transaction that writes them. Pure.

A change holds column values and nothing that has to be decoded. So it can be kept outside of memory or come from
another process, and little is left to do while the database is locked. The surrogate keys of new rows, and the dead row
that a task takes over, are known only in the transaction (:mod:`epicvc.database.documents.push`).
"""

from __future__ import annotations

from collections.abc import Mapping as MappingABC
from collections.abc import Sequence
from typing import Any, Final, NamedTuple, cast

from epicvc.database.documents.documents import FIRST_FIELD, EpicRows, TaskRow
from epicvc.database.documents.fingerprint import Fingerprint, TaskCells, cells_of, fingerprint, row_said, rows_seen
from epicvc.database.documents.layout import Columns, Layout
from epicvc.database.documents.ordering import numbered, says_order
from epicvc.database.documents.rowwrites import Assignments, changed_values, inserted_values
from epicvc.database.documents.values import key_text
from epicvc.database.rowcodec import SQLValue
from epicvc.model.document import Core, tasks_of
from epicvc.model.labels import Label
from epicvc.model.mapping import Mapping, TableMap


class ChangedTask(NamedTuple):
    """A task that the epic has already.

    Attributes:
        key: the task's id.
        surrogate: the surrogate key of its row.
        values: the columns that change, with their new values.
        links: the keys that it is linked to from now on.
        links_before: the keys that it was linked to until now.
        was: the digest of the row before (:func:`epicvc.database.documents.fingerprint.row_said`).
        becomes: the digest that the row is to have.
    """

    key: str
    surrogate: SQLValue
    values: Assignments
    links: Sequence[str]
    links_before: Sequence[str]
    was: Fingerprint
    becomes: Fingerprint


class NewTask(NamedTuple):
    """A task that the epic gets.

    Attributes:
        shape: the number of the shape, among the change's, that names the columns of ``values``.
        values: its key, its sequence number if it gets one, and every core field that it has.
        links: the keys that it is linked to.
    """

    shape: int
    values: Sequence[SQLValue]
    links: Sequence[str]

    @property
    def key(self) -> str:
        """The task's id."""
        return cast("str", self.values[0])


class EpicRowsChange(NamedTuple):
    """The change of one epic's rows.

    Attributes:
        epic: the epic's id.
        surrogate: the surrogate key of its row; ``None`` where it has no living row.
        seen: the digest of its rows when this was worked out
        (:func:`epicvc.database.documents.fingerprint.rows_seen`); ``None``
            where there were none.
        stays: the epic exists from now on; otherwise it is removed.
        values: columns of its own row: those that change, or for a new row every field that it has.
        changed: tasks that change.
        new: tasks that it gets.
        left: ids and surrogate keys of the tasks that leave it.
        shapes: lists of columns that new tasks refer to.
        proof: the digest that its rows are to have; ``None`` where cells alone cannot tell.
        was: the digest of its own row before, if there was one
        (:func:`epicvc.database.documents.fingerprint.row_said`).
        becomes: the digest that its own row is to have.
    """

    epic: str
    surrogate: SQLValue
    seen: Fingerprint | None
    stays: bool
    values: Assignments
    changed: Sequence[ChangedTask] = ()
    new: Sequence[NewTask] = ()
    left: Sequence[tuple[str, SQLValue]] = ()
    shapes: Sequence[Sequence[str]] = ()
    proof: Fingerprint | None = None
    was: Fingerprint | None = None
    becomes: Fingerprint | None = None

    @property
    def rows(self) -> int:
        """The number of rows that the change is about."""
        return 1 + len(self.changed) + len(self.new) + len(self.left)

    @property
    def inserted(self) -> int:
        """The number of rows that are inserted, links included, where all of the epic is new."""
        return 1 + sum(1 + len(task.links) for task in self.new)


_NO_TASKS: Final[Core] = {}


def new_epic(mapping: Mapping, epic: str, core: Core) -> EpicRowsChange:
    """Make the change that adds an epic of which the database knows nothing; :func:`proof_of_new` gives its proof.

    Args:
        mapping: how documents lie in tables.
        epic: the epic's id.
        core: the epic's core.

    Raises:
        InvalidField: a value cannot be stored in its column.
    """
    label = Label(epic)
    values = inserted_values(mapping.epics, core, label)
    shapes = _Shapes(mapping.tasks)
    numbers = (
        numbered([cast("str", task["id"]) for task in tasks_of(core)], _Nothing()) if mapping.tasks.sequence else {}
    )
    new = []
    links = mapping.links.field if mapping.links else ""
    for task in tasks_of(core):
        key = cast("str", task["id"])
        own = inserted_values(mapping.tasks, task, label.child(Mapping.TASKS).child(key))
        linked = cast("list[str]", task.get(links) or [])
        new.append(shapes.task(key, numbers.get(key), own, linked))
    return EpicRowsChange(
        epic, None, None, stays=True, values=values, changed=(), new=new, left=(), shapes=shapes.known
    )


def proof_of_new(layout: Layout, change: EpicRowsChange) -> Fingerprint:
    """Return the digest that the rows of a new epic are to have."""
    cells = cells_of(layout.epics.default_cells, change.values)
    return fingerprint(cells, [_cells_of_new(layout, change.shapes, task) for task in change.new])


def _cells_of_new(layout: Layout, shapes: Sequence[Sequence[str]], task: NewTask) -> TaskCells:
    values = dict(zip(shapes[task.shape], task.values, strict=True))
    return TaskCells(task.key, cells_of(layout.tasks.default_cells, values), task.links)


class _Nothing(dict[str, SQLValue]):
    """A mapping that has no sequence number for any key."""

    def __missing__(self, key: str) -> SQLValue:
        return None


class _Shapes:
    """The lists of columns that new tasks have values for, each once."""

    def __init__(self, table: TableMap) -> None:
        self.known: list[list[str]] = []
        self._table = table
        self._numbers: dict[tuple[str, ...], int] = {}

    def task(self, key: str, number: int | None, values: Assignments, links: Sequence[str]) -> NewTask:
        """Make a new task with these core columns."""
        first: Assignments = {self._table.key: key}
        if number is not None:
            first[cast("str", self._table.sequence)] = number
        columns = (*first, *values)
        shape = self._numbers.setdefault(columns, len(self.known))
        if shape == len(self.known):
            self.known.append(list(columns))
        return NewTask(shape, [*first.values(), *values.values()], links)


def epic_change(
    layout: Layout, epic: str, rows: EpicRows | None, before: Core | None, after: Core | None
) -> EpicRowsChange:
    """Make the change that turns one state of an epic into another.

    Args:
        layout: the mapped tables.
        epic: the epic's id.
        rows: the epic's rows; ``None`` where none is alive.
        before: the core that the rows stand for.
        after: the core that the rows are to stand for; ``None`` where the epic goes.

    Raises:
        InvalidField: a value cannot be stored in its column.
    """
    if rows is None or before is None:
        core = after if after is not None else _NO_TASKS
        change = new_epic(layout.mapping, epic, core)
        return change._replace(proof=proof_of_new(layout, change), stays=after is not None)
    seen = rows_seen(layout, rows)
    if after is None:
        left = [(_key_of(row), row[2]) for row in rows.tasks]
        return EpicRowsChange(epic, rows.surrogate, seen, False, {}, left=left)
    return _Difference(layout, epic, rows, before, after).change(seen)


def _key_of(row: TaskRow) -> str:
    """Return a task's id as text; the column may hold a number."""
    return cast("str", key_text(row[3]))


class _Difference:
    """The difference between the current state of an epic and the state to come."""

    def __init__(self, layout: Layout, epic: str, rows: EpicRows, before: Core, after: Core) -> None:
        self._layout = layout
        self._label = Label(epic)
        self._rows = rows
        self._before = before
        self._after = after
        self._old = {cast("str", task["id"]): task for task in tasks_of(before)}
        self._found = {_key_of(row): row for row in rows.tasks}
        self._shapes = _Shapes(layout.mapping.tasks)
        links = layout.links
        self._links = links.field if links else ""

    def change(self, seen: Fingerprint) -> EpicRowsChange:
        """Make the change.

        Args:
            seen: the digest of the rows that were read.
        """
        columns = self._layout.epics
        values = changed_values(columns, self._before, self._after, self._label)
        renamed = self._rows.key != self._label.root
        if renamed:
            values[columns.map.key] = self._label.root
        tasks = tasks_of(self._after)
        numbers = self._numbers([cast("str", task["id"]) for task in tasks])
        changed: list[ChangedTask] = []
        new: list[NewTask] = []
        for task in tasks:
            key = cast("str", task["id"])
            old = self._old.get(key)
            if old is None:
                new.append(self._new(key, task, numbers.get(key)))
            elif old is not task or key in numbers:
                found = self._changed(key, old, task, numbers.get(key))
                if found.values or found.links != found.links_before:
                    changed.append(found)
        stay = {task["id"] for task in tasks}
        left = [(key, self._found[key][2]) for key in self._old if key not in stay]
        # a renamed epic has no proof: the digest of a row includes its key
        proof = None if renamed else self._proof(values, changed, new)
        row, own = self._rows.surrogate, self._own(values)
        parts = (changed, new, left, self._shapes.known)
        return EpicRowsChange(self._label.root, row, seen, True, values, *parts, proof, *own)

    def _own(self, values: Assignments) -> tuple[Fingerprint, Fingerprint]:
        """Return the digests of the epic's own row, now and after the change."""
        columns, key = self._layout.epics, self._rows.key
        cells = columns.core_cells(self._rows.values)
        return row_said(None, key, cells), row_said(None, key, _written(columns, cells, values))

    def _place(self, key: str) -> Label:
        return Label(self._label.root, (Mapping.TASKS, key))

    def _linked(self, task: Core) -> list[str]:
        return cast("list[str]", task.get(self._links) or [])

    def _new(self, key: str, task: Core, number: int | None) -> NewTask:
        values = inserted_values(self._layout.mapping.tasks, task, self._place(key))
        return self._shapes.task(key, number, values, self._linked(task))

    def _changed(self, key: str, old: Core, task: Core, number: int | None) -> ChangedTask:
        columns = self._layout.tasks
        values = changed_values(columns, old, task, self._place(key))
        if number is not None:
            values[cast("str", columns.map.sequence)] = number
        row = self._found[key]
        cells = columns.core_cells(row[FIRST_FIELD:])
        was = row_said(row[0], key, cells)
        becomes = row_said(row[0] if number is None else number, key, _written(columns, cells, values))
        return ChangedTask(
            key, row[2], values, links=self._linked(task), links_before=self._linked(old), was=was, becomes=becomes
        )

    def _numbers(self, order: list[str]) -> MappingABC[str, int]:
        """Return the sequence numbers to write: none while the rows have this order already, else the fewest."""
        kept = set(order)
        if self._layout.tasks.map.sequence is None or [key for key in self._old if key in kept] == order:
            return {}
        current: dict[str, SQLValue] = dict.fromkeys(order)
        for key in self._old:
            if key in current:
                current[key] = self._found[key][0]
        return {} if self._old and says_order(order, current) else numbered(order, current)

    def _proof(self, values: Assignments, changed: Sequence[ChangedTask], new: Sequence[NewTask]) -> Fingerprint:
        """Return the digest of the cells that were read, with the cells to be written in their places."""
        layout = self._layout
        others = {task.key: task for task in changed}
        added = {task.key: task for task in new}
        tasks: list[TaskCells] = []
        for task in tasks_of(self._after):
            key = cast("str", task["id"])
            if key in added:
                tasks.append(_cells_of_new(layout, self._shapes.known, added[key]))
                continue
            row, other = self._found[key], others.get(key)
            cells = layout.tasks.core_cells(row[FIRST_FIELD:])
            if other is None:
                tasks.append(TaskCells(row[3], cells, self._rows.links_of(row)))
            else:
                tasks.append(TaskCells(row[3], _written(layout.tasks, cells, other.values), other.links))
        return fingerprint(_written(layout.epics, layout.epics.core_cells(self._rows.values), values), tasks)


def _written(columns: Columns, cells: Sequence[SQLValue], values: Assignments) -> Sequence[SQLValue]:
    """Return the core cells of a row after some of its columns were written."""
    if not values:
        return cells
    places = [(column, cell) for (column, _), cell in zip(columns.default_cells, cells, strict=True)]
    return cells_of(places, values)


def revived(parts: Sequence[Any]) -> EpicRowsChange:
    """Rebuild a change from the plain lists that MessagePack makes of it."""
    epic, surrogate, seen, stays, values, changed, new, *rest = parts
    return EpicRowsChange(
        epic,
        surrogate,
        seen,
        stays,
        values,
        [ChangedTask(*task) for task in changed],
        [NewTask(*task) for task in new],
        *rest,
    )
