"""Documents to rows: writes changed epics into the database as an application would, and as little as it can.

Only changed columns of changed rows are written; rows are never replaced, so that surrogate ids and columns that no
field maps to survive. Deleting marks the row where the schema has marks, re-adding revives it, and a task that moves
to another epic keeps its row.
"""

from __future__ import annotations

from collections.abc import Mapping as MappingABC
from collections.abc import Sequence
from functools import cached_property
from itertools import islice, repeat
from typing import Final, NamedTuple, TypeAlias, cast

from msgspec import Struct

from epicvc.database.backend import Writer
from epicvc.database.documents import BATCH
from epicvc.database.fingerprint import Fingerprint, expected_fingerprint
from epicvc.database.layout import Columns, Layout
from epicvc.database.links import LinkWrites
from epicvc.database.ordering import numbered, says_order
from epicvc.database.query import Select, constant
from epicvc.database.quoting import quote_identifier as quote
from epicvc.database.rowcodec import SQLValue
from epicvc.database.rowwrites import Assignments, RowWrites, all_values, changed_values, inserted_values, revival
from epicvc.database.values import key_text
from epicvc.errors import LossyField
from epicvc.model.document import Core, tasks_of
from epicvc.model.labels import Label
from epicvc.model.mapping import Mapping


class NewRows(NamedTuple):
    """What new rows for an epic and for each of its tasks say of their core fields, and what must be read back."""

    epic: Assignments
    tasks: Sequence[Assignments]
    fingerprint: Fingerprint


class DocumentChange(Struct, frozen=True):
    """What becomes of one epic in the database; ``None`` is an epic that is not there.

    Attributes:
        epic: its id.
        before: its core until now.
        after: its core from now on.
        rows: the values of new rows for it, where somebody has already worked them out.
    """

    epic: str
    before: Core | None
    after: Core | None
    rows: NewRows | None = None


class _Row(Struct):
    """A task's row as the push finds it."""

    surrogate: SQLValue
    parent: SQLValue
    alive: bool
    sequence: SQLValue


class _Insertion(Struct, frozen=True):
    """A task that gets a row of its own."""

    parent: SQLValue
    key: str
    values: Assignments
    links: list[str]
    label: Label


TaskAt: TypeAlias = tuple[str, str]
"""An epic's id and a task's id within it."""

_EMPTY: Final[Core] = {}
_NO_MOVES: Final[MappingABC[TaskAt, TaskAt]] = {}


class Push:
    """One push inside one write transaction.

    Changes come in any number of batches; :meth:`finish` ends the push.

    Args:
        writer: the open transaction; committing is the caller's.
        layout: the mapped tables.
        now: the time of deletion, as the database's ``CURRENT_TIMESTAMP`` would say it.
        moves: tasks that this push moves to another epic or gives another id, as the place that gets a task and the
            place that gives it. Their rows stay the same rows.
    """

    def __init__(self, writer: Writer, layout: Layout, now: str, moves: MappingABC[TaskAt, TaskAt] = _NO_MOVES) -> None:
        self._writer = writer
        self._layout = layout
        self._moves = moves
        self._leaving = frozenset(moves.values())
        self._epics: dict[str, tuple[SQLValue, bool]] = {}
        self._tasks: dict[SQLValue, dict[str, _Row]] = {}
        self._removed: list[str] = []
        self._inserted: list[_Insertion] = []
        self._whole: dict[str, Assignments] = {}
        """The rows of epics that are being inserted, until their tasks are known."""
        self.fingerprints: dict[str, Fingerprint] = {}
        """What the rows of each epic must say that was inserted whole."""
        self._rows = RowWrites(writer, now)
        self._links = LinkWrites(writer, layout, self._rows)

    def apply(self, changes: Sequence[DocumentChange]) -> None:
        """Write the changes.

        Raises:
            ConstraintBroken: the database refuses a value, a key or a reference.
            InvalidField: a value cannot be stored in its column.
        """
        givers = [self._moves[at][0] for change in changes for at in self._arrivals(change)]
        self._find_rows(list(dict.fromkeys([*(change.epic for change in changes), *givers])))
        for change in changes:
            if change.after is not None:
                self._write_epic(change, change.after)
        for change in changes:
            self._remove_tasks(change)
        for change in changes:
            if change.after is not None:
                self._write_tasks(change, change.after)
            else:
                self._removed.append(change.epic)
        self._insert_tasks()
        self._links.flush()
        self._tasks.clear()

    def finish(self) -> None:
        """Remove the epics that go; last, so that every task that moves out of them has left.

        Raises:
            ConstraintBroken: something still refers to one of them.
        """
        for epic in self._removed:
            surrogate, alive = self._epics.get(epic, (None, False))
            if surrogate is not None and alive:
                self._remove_row(self._layout.epics, surrogate, Label(epic))

    def _arrivals(self, change: DocumentChange) -> list[TaskAt]:
        if not self._moves:
            return []
        places = ((change.epic, cast("str", task["id"])) for task in tasks_of(change.after or _EMPTY))
        return [at for at in places if at in self._moves]

    # Finding rows

    def _find_rows(self, keys: Sequence[str]) -> None:
        epics, tasks = self._layout.epics, self._layout.tasks
        columns = (f"e.{quote(epics.map.id)}", f"e.{quote(epics.map.key)}", epics.alive("e"))
        query = Select(columns=columns).from_table(quote(epics.map.table), "e")
        remaining = iter(keys)
        while chunk := list(islice(remaining, BATCH)):
            found: dict[SQLValue, str] = {}
            for surrogate, key, alive in self._writer.execute(*query.where(epics.lookup("e"), "IN", chunk).build()):
                text = key_text(key)
                if text is not None and text in chunk and (alive or not self._epics.get(text, (None, False))[1]):
                    self._epics[text] = (surrogate, bool(alive))
                    found[surrogate] = text
            self._find_tasks(list(found), tasks)

    def _find_tasks(self, parents: list[SQLValue], tasks: Columns) -> None:
        known = [parent for parent in parents if parent is not None]  # nothing belongs to NULL
        if not known:
            return
        sequence = f"t.{quote(tasks.map.sequence)}" if tasks.map.sequence else constant(None)
        parent = f"t.{quote(cast('str', tasks.map.parent))}"
        columns = (f"t.{quote(tasks.map.id)}", parent, tasks.alive("t"), sequence, f"t.{quote(tasks.map.key)}")
        query = Select(columns=columns).from_table(quote(tasks.map.table), "t").where(parent, "IN", known)
        for surrogate, owner, alive, order, key in self._writer.execute(*query.build()):
            rows = self._tasks.setdefault(owner, {})
            text = key_text(key)
            if text is not None and (alive or text not in rows):
                rows[text] = _Row(surrogate, owner, bool(alive), order)

    def _row(self, epic: str, key: str) -> _Row | None:
        surrogate, _ = self._epics.get(epic, (None, False))
        return self._tasks.get(surrogate, {}).get(key)

    # Epics

    def _write_epic(self, change: DocumentChange, after: Core) -> None:
        columns, label = self._layout.epics, Label(change.epic)
        surrogate, alive = self._epics.get(change.epic, (None, False))
        if surrogate is None:
            values = change.rows.epic if change.rows else inserted_values(columns.map, after, label)
            values[columns.map.key] = change.epic
            surrogate = self._rows.insert(columns, values, label)
            self._epics[change.epic] = (surrogate, True)
            self._whole[change.epic] = values
        elif not alive:
            values = revival(columns) | all_values(columns, after, label)
            self._rows.update(columns, surrogate, values, label)
            self._epics[change.epic] = (surrogate, True)
        else:
            self._rows.update(columns, surrogate, changed_values(columns, change.before, after, label), label)

    # Tasks

    def _write_tasks(self, change: DocumentChange, after: Core) -> None:
        parent, _ = self._epics[change.epic]
        before = {cast("str", task["id"]): task for task in tasks_of(change.before or _EMPTY)}
        tasks = tasks_of(after)
        sequences = self._sequences(change, [cast("str", task["id"]) for task in tasks], before)
        label = Label(change.epic, (Mapping.TASKS,))
        inserted: list[_Insertion] = []
        known = change.rows.tasks if change.rows else repeat(None, len(tasks))
        for task, values in zip(tasks, known, strict=True):
            key = cast("str", task["id"])
            order: Assignments = {}
            if key in sequences:
                order[cast("str", self._layout.tasks.map.sequence)] = sequences[key]
            added = self._write_task(parent, label.child(key), key, before.get(key), task, order, values)
            if added:
                inserted.append(added)
        self._inserted += inserted
        own = self._whole.pop(change.epic, None)
        if own is not None and len(inserted) == len(tasks):
            self.fingerprints[change.epic] = (
                change.rows.fingerprint if change.rows else self._fingerprint(after, own, inserted)
            )

    def _fingerprint(self, core: Core, values: Assignments, tasks: Sequence[_Insertion]) -> Fingerprint:
        layout = self._layout
        defaults = layout.epics.default_cells, layout.tasks.default_cells
        links = layout.links.field if layout.links else None
        return expected_fingerprint(*defaults, links, core, values, [task.values for task in tasks])

    def _write_task(
        self,
        parent: SQLValue,
        label: Label,
        key: str,
        before: Core | None,
        task: Core,
        order: Assignments,
        new: Assignments | None,
    ) -> _Insertion | None:
        """Write a task into the row that it has or takes over; one that gets a new row is given back for it."""
        columns = self._layout.tasks
        row = self._tasks.get(parent, {}).get(key)
        links_before = self._links.of(before)
        if row is not None and row.alive and before is not None:
            values = changed_values(columns, before, task, label) | order
            self._rows.update(columns, row.surrogate, values, label)
        else:
            row = self._take_over(label, key, row)
            if row is None:
                values = (inserted_values(columns.map, task, label) if new is None else new) | order
                values |= {cast("str", columns.map.parent): parent, columns.map.key: key}
                return _Insertion(parent, key, values, self._links.of(task), label)
            values = all_values(columns, task, label) | order
            if not row.alive:
                values |= revival(columns)
            if row.parent != parent:
                values[cast("str", columns.map.parent)] = parent
            if self._moves.get((label.root, key), (None, key))[1] != key:
                values[columns.map.key] = key
            self._rows.update(columns, row.surrogate, values, label)
            links_before = self._links.stored(row.surrogate)
            row.parent, row.alive = parent, True
            self._tasks.setdefault(parent, {})[key] = row
        self._links.write(row.surrogate, links_before, self._links.of(task), label)
        return None

    def _insert_tasks(self) -> None:
        """Insert the tasks that need a row of their own, find the rows, and write their links."""
        new, self._inserted = self._inserted, []
        if not new:
            return
        columns, orphaned = self._layout.tasks, self._links.orphaned  # read before one of them gets an owner
        self._rows.insert_all(columns.map.table, ((task.values, task.label) for task in new), columns)
        parents = iter(dict.fromkeys(task.parent for task in new))
        while chunk := list(islice(parents, BATCH)):
            self._find_tasks(chunk, columns)
        for task in new:
            row = self._tasks.get(task.parent, {}).get(task.key)
            if row is None:
                raise LossyField(str(task.label), "a new row", "none with this key")
            stored = self._links.stored(row.surrogate) if row.surrogate in orphaned else ()
            self._links.write(row.surrogate, stored, task.links, task.label)

    def _take_over(self, label: Label, key: str, row: _Row | None) -> _Row | None:
        """The row that an added task gets: its own dead one, else one that leaves another place now, else any dead one.

        A dead row of another epic is taken only where the key is unique on its own, since there no second row may
        have it.
        """
        giver = self._moves.get((label.root, key))
        moving = self._row(*giver) if giver is not None else None
        if moving is not None and row is None:
            return moving
        if moving is not None and moving.alive:  # the place is taken by a dead row, and no two may have one key there
            self._remove_row(self._layout.tasks, moving.surrogate, label)
        if row is not None:
            return row
        columns = self._layout.tasks
        if not self._may_have_dead_namesakes:
            return None
        query = (
            Select(columns=(f"t.{quote(columns.map.id)}", f"t.{quote(cast('str', columns.map.parent))}"))
            .from_table(quote(columns.map.table), "t")
            .where(columns.lookup("t"), "=", key)
            .where_condition(columns.alive("t").negated())
        )
        for surrogate, owner in self._writer.execute(*query.build()):
            return _Row(surrogate, owner, False, None)
        return None

    def _remove_tasks(self, change: DocumentChange) -> None:
        stay = {task["id"] for task in tasks_of(change.after or _EMPTY)}
        for task in tasks_of(change.before or _EMPTY):
            key = cast("str", task["id"])
            row = self._row(change.epic, key)
            if key not in stay and row is not None and row.alive and (change.epic, key) not in self._leaving:
                self._remove_row(self._layout.tasks, row.surrogate, Label(change.epic, (Mapping.TASKS, key)))

    def _sequences(self, change: DocumentChange, order: list[str], before: dict[str, Core]) -> dict[str, int]:
        """The sequence numbers to write: none while the rows already say this order, else as few as possible."""
        sequence = self._layout.tasks.map.sequence
        if sequence is None or [key for key in before if key in set(order)] == order:
            return {}
        current: dict[str, SQLValue] = dict.fromkeys(order)
        for key in before:
            row = self._row(change.epic, key)
            if key in current and row is not None:
                current[key] = row.sequence
        return {} if before and says_order(order, current) else numbered(order, current)

    @cached_property
    def _may_have_dead_namesakes(self) -> bool:
        """Whether a dead task can stand in the way of a new one: keys are unique by themselves, and there are dead."""
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
