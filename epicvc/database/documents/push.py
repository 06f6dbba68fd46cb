"""Writes changed epics into the database as an application would, and as little as possible.

Only changed columns of changed rows are written. Rows are never replaced, so that surrogate ids and columns that no
field maps to survive. Deleting marks the row where the schema has marks, adding it again revives it, and a task that
moves to another epic keeps its row. The changes have been worked out before (:mod:`epicvc.database.documents.changes`).
"""

from __future__ import annotations

from collections.abc import Mapping as MappingABC
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias, cast

from msgspec import Struct

from epicvc.database.backend import Writer
from epicvc.database.batches import batches
from epicvc.database.documents.changes import ChangedTask, EpicRowsChange, NewTask
from epicvc.database.documents.layout import Columns, Layout
from epicvc.database.documents.links import LinkWrites
from epicvc.database.documents.rowwrites import Assignments, RowWrites, revival
from epicvc.database.documents.values import key_text
from epicvc.database.query import Select, constant
from epicvc.database.quoting import quote_identifier as quote
from epicvc.database.rowcodec import SQLValue
from epicvc.errors import ConstraintBroken, LossyField, NotUnique
from epicvc.model.labels import Label
from epicvc.model.mapping import Mapping

if TYPE_CHECKING:
    from epicvc.database.documents.parcels import Unpacking


class _Row(Struct):
    """A task's row as the push finds it."""

    surrogate: SQLValue
    parent: SQLValue
    alive: bool


class _Insertion(NamedTuple):
    """A task that gets a row of its own."""

    parent: SQLValue
    key: str
    columns: tuple[str, ...]
    values: tuple[SQLValue, ...]
    links: Sequence[str]
    at: tuple[str, ...]


TaskAt: TypeAlias = tuple[str, str]
"""An epic's id and the id of a task in it."""

_NO_MOVES: Final[MappingABC[TaskAt, TaskAt]] = {}


class Push:
    """One push inside one write transaction, in which every living row is as the changes saw it.

    Changes come in any number of batches; :meth:`finish` ends the push.

    Args:
        writer: the open transaction; the caller commits it.
        layout: the mapped tables.
        now: the time of deletion, as the database's ``CURRENT_TIMESTAMP`` would say it.
        moves: tasks that this push moves to another epic or gives another id: the place that gets the task, with the
            place that gives it. Their rows stay the same rows.
        formerly: the keys that epics' rows have until this push writes new ones, by the new keys.
        orphans: the :attr:`orphans` of a push that only added epics, where nobody else has written since.
    """

    def __init__(
        self,
        writer: Writer,
        layout: Layout,
        now: str,
        moves: MappingABC[TaskAt, TaskAt] = _NO_MOVES,
        orphans: frozenset[SQLValue] | None = None,
        formerly: MappingABC[str, str] | None = None,
    ) -> None:
        self._writer = writer
        self._layout = layout
        self._moves = moves
        self._leaving = frozenset(moves.values())
        self._formerly = formerly or {}
        self._epics: dict[str, tuple[SQLValue, bool]] = {}
        self._tasks: dict[SQLValue, dict[str, _Row]] = {}
        self._removed: list[EpicRowsChange] = []
        self._revived: set[str] = set()
        self._new: list[_Insertion] = []
        self._rows = RowWrites(writer, layout, now, patient=True)
        self._late_epics: list[EpicRowsChange] = []
        self._late_tasks: list[_Insertion] = []
        self._last = False  # true in finish(): from then on nothing is put off
        self._links = LinkWrites(writer, layout, self._rows, orphans)

    @property
    def orphans(self) -> frozenset[SQLValue] | None:
        """Tasks that did not exist before this push though links of them did; ``None`` where nobody has looked."""
        return self._links.orphans

    def apply(self, changes: Sequence[EpicRowsChange]) -> None:
        """Write the changes.

        Raises:
            ConstraintBroken: the database refuses a value, a key or a reference.
        """
        unknown = [change.epic for change in changes if change.new or change.surrogate is None]
        givers = [self._moves[at][0] for change in changes for at in self._arrivals(change)]
        self._find_rows(list(dict.fromkeys([*unknown, *givers])))
        # existing epics come first, since a new one may take a value that one of them gives up
        for change in sorted((change for change in changes if change.stays), key=lambda found: found.surrogate is None):
            self._write_epic(change)
        for change in changes:
            self._remove_tasks(change)
        for change in changes:
            if not change.stays:
                self._removed.append(change)
            elif change.epic in self._epics or change.surrogate is not None:
                self._write_tasks(change, self._surrogate_of(change))
        self._insert_tasks()
        self._links.flush()
        self._tasks.clear()

    def unpack(self, epics: Sequence[str], parcel: Unpacking) -> None:
        """Insert the tasks and links of new epics whose own rows have been written.

        Args:
            epics: the epics of the parcel, in its order.
            parcel: the parcel that lies beside the transaction.

        Raises:
            NotInParcels: existing rows could stand in the way or be taken over.
        """
        from epicvc.database.documents.parcels import NotInParcels  # a push without parcels never imports it

        if self._revived or self._moves or self._may_have_dead_namesakes or self._links.orphaned:
            raise NotInParcels
        parcel.insert([self._epics[epic][0] for epic in epics])

    def finish(self) -> None:
        """Write the updates that waited, then remove the epics that go.

        Epics are removed last, so that every task that moves out has left.

        Raises:
            ConstraintBroken: a unique value is still another row's, or a row still refers to an epic that goes.
        """
        epics, tasks = self._layout.epics, self._layout.tasks
        self._rows.settle(epics, last=False)
        self._last = True
        if late := self._late_epics:
            self._late_epics = []
            self.apply(late)
        self._rows.settle(tasks)
        if self._late_tasks:
            self._new, self._late_tasks = self._late_tasks, []
            self._insert_tasks()
            self._links.flush()
        for change in self._removed:
            if change.surrogate is not None:
                self._remove_row(epics, change.surrogate, Label(change.epic))
        self._rows.settle(epics)
        self._rows.settle(tasks)

    def _surrogate_of(self, change: EpicRowsChange) -> SQLValue:
        return self._epics[change.epic][0] if change.surrogate is None else change.surrogate

    def _arrivals(self, change: EpicRowsChange) -> list[TaskAt]:
        if not self._moves:
            return []
        return [at for task in change.new if (at := (change.epic, task.key)) in self._moves]

    # Finding rows

    def _find_rows(self, keys: Sequence[str]) -> None:
        epics, tasks = self._layout.epics, self._layout.tasks
        columns = (f"e.{quote(epics.map.id)}", f"e.{quote(epics.map.key)}", epics.alive("e"))
        query = Select(columns=columns).from_table(quote(epics.map.table), "e")
        now = {old: new for new, old in self._formerly.items()}  # a row has the old key until it is written
        for chunk in batches([*keys, *(self._formerly[key] for key in keys if key in self._formerly)]):
            found: dict[SQLValue, str] = {}
            for surrogate, key, alive in self._writer.execute(*query.where_condition(epics.keyed("e", chunk)).build()):
                # Only exact keys count: under its collation the database may return others. A dead row never hides a
                # living one.
                text = key_text(key)
                if (
                    text is not None
                    and text in chunk
                    and (alive or not self._epics.get(now.get(text, text), (None, False))[1])
                ):
                    self._epics[now.get(text, text)] = (surrogate, bool(alive))
                    found[surrogate] = text
            self._find_tasks(list(found), tasks)

    def _find_tasks(self, parents: list[SQLValue], tasks: Columns) -> None:
        known = [parent for parent in parents if parent is not None]  # nothing belongs to NULL
        if not known:
            return
        parent = f"t.{quote(cast('str', tasks.map.parent))}"
        columns = (f"t.{quote(tasks.map.id)}", parent, tasks.alive("t"), f"t.{quote(tasks.map.key)}")
        query = Select(columns=columns).from_table(quote(tasks.map.table), "t").where(parent, "IN", known)
        for surrogate, owner, alive, key in self._writer.execute(*query.build()):
            rows = self._tasks.setdefault(owner, {})
            text = key if type(key) is str and key else key_text(key)
            # a dead row never hides a living one with the same key
            if text is not None and (alive or text not in rows):
                rows[text] = _Row(surrogate, owner, bool(alive))

    def _row(self, epic: str, key: str) -> _Row | None:
        surrogate, _ = self._epics.get(epic, (None, False))
        return self._tasks.get(surrogate, {}).get(key)

    # Epics

    def _write_epic(self, change: EpicRowsChange) -> None:
        """Write an epic's own row, or put the epic off."""
        columns, label = self._layout.epics, Label(change.epic)
        if change.surrogate is not None:
            self._rows.update(columns, change.surrogate, change.values, label)
            return
        surrogate, _ = self._epics.get(change.epic, (None, False))
        if surrogate is None:
            surrogate = self._insert_epic(change, change.values | {columns.map.key: change.epic}, label)
            if surrogate is None:
                return
        else:
            self._rows.update(columns, surrogate, revival(columns) | dict(columns.default_cells) | change.values, label)
            self._revived.add(change.epic)
        self._epics[change.epic] = (surrogate, True)

    def _insert_epic(self, change: EpicRowsChange, values: Assignments, label: Label) -> SQLValue:
        """Insert an epic's row; return ``None`` where the epic is put off.

        An epic is put off while another row has a unique value of it.
        """
        try:
            return self._rows.insert(self._layout.epics, values, label)
        except ConstraintBroken as error:
            taken = error.__cause__
            if not isinstance(taken, NotUnique):
                raise
            if self._last:
                return self._rows.insert_early(self._layout.epics, values, label, taken)
        self._late_epics.append(change)
        return None

    # Tasks

    def _write_tasks(self, change: EpicRowsChange, parent: SQLValue) -> None:
        label = Label(change.epic, (Mapping.TASKS,))
        for task in change.changed:
            self._write_task(task, label.child(task.key))
        if not change.new:
            return
        own = cast("str", self._layout.tasks.map.parent)
        shapes = [(own, *columns) for columns in change.shapes]
        rows = self._tasks.get(parent, {})
        strangers = bool(rows or self._moves) or self._may_have_dead_namesakes
        for added in change.new:
            number, values, links = added
            key = cast("str", values[0])
            row = self._take_over(label.child(key), key, rows.get(key)) if strangers else None
            if row is None:
                place = (change.epic, Mapping.TASKS, key)
                self._new.append(
                    _Insertion(parent, key, shapes[number], values=(parent, *values), links=links, at=place)
                )
            else:
                self._revive(row, parent, added, shapes[number], label.child(key))

    def _write_task(self, task: ChangedTask, label: Label) -> None:
        self._rows.update(self._layout.tasks, task.surrogate, task.values, label)
        self._links.write(task.surrogate, task.links_before, task.links, label)

    def _revive(self, row: _Row, parent: SQLValue, task: NewTask, shape: tuple[str, ...], label: Label) -> None:
        """Write a task into the row that it takes over."""
        columns = self._layout.tasks
        values: Assignments = dict(columns.default_cells) | dict(zip(shape, (parent, *task.values), strict=True))
        if not row.alive:
            values |= revival(columns)
        if row.parent == parent:
            del values[shape[0]]
        if self._moves.get((label.root, task.key), (None, task.key))[1] == task.key:
            del values[columns.map.key]
        self._rows.update(columns, row.surrogate, values, label)
        stored = self._links.stored(row.surrogate)
        row.parent, row.alive = parent, True
        self._tasks.setdefault(parent, {})[task.key] = row
        self._links.write(row.surrogate, stored, task.links, label)

    def _insert_tasks(self) -> None:
        """Insert the tasks that need a row of their own, find the rows, and write their links."""
        new, self._new = self._new, []
        if not new:
            return
        # read first: inserting gives some of them an owner
        columns, orphaned = self._layout.tasks, self._links.orphaned
        rows = ((task.columns, task.values, task.at) for task in new)
        late: set[tuple[str, ...]] = set()
        self._rows.insert_all(columns.map.table, rows, columns, None if self._last else lambda row: late.add(row[2]))
        if late:
            self._late_tasks += [task for task in new if task.at in late]
            new = [task for task in new if task.at not in late]
        for chunk in batches(dict.fromkeys(task.parent for task in new)):
            self._find_tasks(chunk, columns)
        for task in new:
            row = self._tasks.get(task.parent, {}).get(task.key)
            if row is None:
                raise LossyField(str(_label(task.at)), "a new row", "none with this key")
            if row.surrogate in orphaned:
                label = _label(task.at)
                self._links.write(row.surrogate, self._links.stored(row.surrogate), task.links, label)
            else:
                self._links.add(row.surrogate, task.links, task.at)

    def _take_over(self, label: Label, key: str, row: _Row | None) -> _Row | None:
        """Find the row that an added task takes over, if any.

        The task's own dead row comes first, then a row that leaves another place now, then any dead one. A dead row of
        another epic is taken only where the key is unique by itself, since no second row may have the key there.
        """
        giver = self._moves.get((label.root, key))
        moving = self._row(*giver) if giver is not None else None
        if moving is not None and row is None:
            return moving
        if moving is not None and moving.alive:  # a dead row has this key in the epic, and no second row may have it
            self._remove_row(self._layout.tasks, moving.surrogate, label)
        if row is not None:
            return row
        columns = self._layout.tasks
        if not self._may_have_dead_namesakes:
            return None
        query = (
            Select(columns=(f"t.{quote(columns.map.id)}", f"t.{quote(cast('str', columns.map.parent))}"))
            .from_table(quote(columns.map.table), "t")
            .where_condition(columns.keyed("t", [key]))
            .where_condition(columns.alive("t").negated())
        )
        for surrogate, owner in self._writer.execute(*query.build()):
            return _Row(surrogate, owner, False)
        return None

    def _remove_tasks(self, change: EpicRowsChange) -> None:
        left = [*change.left]
        if change.epic in self._revived:  # tasks of an epic that was marked as deleted need no mark of their own
            rows, stay = self._tasks.get(self._epics[change.epic][0], {}), {task.key for task in change.new}
            left += [(key, row.surrogate) for key, row in rows.items() if row.alive and key not in stay]
        for key, surrogate in left:
            if (change.epic, key) not in self._leaving:
                self._remove_row(self._layout.tasks, surrogate, Label(change.epic, (Mapping.TASKS, key)))

    @cached_property
    def _may_have_dead_namesakes(self) -> bool:
        """Tell whether a dead task can stand in the way of a new one.

        It can where keys are unique by themselves and there are dead tasks.
        """
        columns = self._layout.tasks
        if (columns.map.key,) not in self._writer.unique_keys(columns.map.table):
            return False
        dead = Select(columns=(constant(1),)).from_table(quote(columns.map.table), "t").limit(1)
        return bool(list(self._writer.execute(*dead.where_condition(columns.alive("t").negated()).build())))

    def _remove_row(self, columns: Columns, surrogate: SQLValue, label: Label) -> None:
        if self._rows.mark_deleted(columns, surrogate, label):
            return
        if columns is self._layout.tasks:
            self._links.write(surrogate, self._links.stored(surrogate), (), label)
        self._rows.delete(columns, surrogate, label)


def _label(at: tuple[str, ...]) -> Label:
    return Label(at[0], at[1:])
