"""Finds the changes between two states of a merge, by epic. Trees are compared, and only different parts are read."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct, field

from epicvc.actions.merge.snapshots.contents import Contents
from epicvc.actions.merge.snapshots.owners import Owners
from epicvc.actions.merge.snapshots.states import SnapshotState
from epicvc.database.documents.values import key_text
from epicvc.model.mapping import Mapping
from epicvc.repo.files.filestree import changed_files
from epicvc.repo.rows.rows import mapped_tables
from epicvc.store.objects import ObjectId, ObjectSource
from epicvc.store.tree import tree

Place = tuple[str, ObjectId]
"""The place of an epic's file: its path and blob."""


class RowChange(Struct, frozen=True):
    """A row that differs, as the trees store it; ``None`` where it does not exist."""

    old: bytes | None
    new: bytes | None


class Changes(Struct):
    """The differences between two states. Those that belong to an epic are found by epic.

    Attributes:
        old_files: the places of changed files in the earlier state, by epic.
        new_files: the places of changed files in the later state, by epic.
        rows: the changed rows of every table, by key.
        old_rows: the keys of changed rows that belong to an epic in the earlier state, by epic and table.
        new_rows: the keys of changed rows that belong to an epic in the later state, by epic and table.
        epics: all epics that differ in their file, their rows or their agreed core.
        moved: the epics between which a task moved in files or in rows, as pairs of the old and the new epic.
        tasks: the changed epics that have a task of an id before or after, by task id.
        added: the changed epics that have a task of an id now, by task id; without the ids that a changed epic had
            before.
        renamed: the natural keys, before and after, of epics whose row got another one.
    """

    old_files: dict[str, Place] = field(default_factory=dict)
    new_files: dict[str, Place] = field(default_factory=dict)
    rows: dict[str, dict[bytes, RowChange]] = field(default_factory=dict)
    old_rows: dict[str, dict[str, set[bytes]]] = field(default_factory=dict)
    new_rows: dict[str, dict[str, set[bytes]]] = field(default_factory=dict)
    epics: set[str] = field(default_factory=set)
    moved: set[tuple[str, str]] = field(default_factory=set)
    tasks: dict[str, set[str]] = field(default_factory=dict)
    added: dict[str, set[str]] = field(default_factory=dict)
    renamed: set[tuple[str, str]] = field(default_factory=set)


Rows = dict[str, dict[bytes, RowChange]]
"""The changed rows of every table, by key."""


def changed_rows(source: ObjectSource, old: SnapshotState, new: SnapshotState) -> Rows:
    """Return the rows that differ between two states."""
    before, after = (state.snapshot.database.tables if state.snapshot.database else tree.EMPTY for state in (old, new))
    found: Rows = {}
    for key, was, now in tree.diff(source, before, after):
        rows = tree.diff(source, was or tree.EMPTY, now or tree.EMPTY)
        found[key.decode()] = {key: RowChange(one, other) for key, one, other in rows}
    return found


class TreeComparison:
    """Compares two states.

    Args:
        source: the store of their objects.
        contents: reads the changed files.
        mapping: the mapping in force.
        old: the earlier state.
        new: the later state.
        owners: find the epics of rows in the earlier and in the later state; ``None`` to assign no row to an epic.
    """

    def __init__(
        self,
        source: ObjectSource,
        contents: Contents,
        mapping: Mapping,
        old: SnapshotState,
        new: SnapshotState,
        owners: tuple[Owners, Owners] | None,
    ) -> None:
        self._source = source
        self._contents = contents
        self._mapping = mapping
        self._old, self._new = old, new
        self._owners = owners
        self._changes = Changes()
        self._files, self._rows = _Tasks(), _Tasks()

    def run(self, rows: Rows) -> Changes:
        """Compare the states, whose rows were compared before.

        Raises:
            InvalidJSON: a changed file is no JSON.
        """
        self._changes.rows = rows
        self._find_files()
        if self._owners is not None:
            for table in mapped_tables(self._mapping):
                self._find_owners(*self._owners, table, rows.get(table, {}))
        for key, _, _ in tree.diff(self._source, self._old.snapshot.base, self._new.snapshot.base):
            self._changes.epics.add(key.decode())
        self._find_moves()
        return self._changes

    def _find_files(self) -> None:
        changes = self._changes
        for path, was, now in changed_files(self._source, self._old.snapshot.files, self._new.snapshot.files):
            sides = (was, changes.old_files, self._files.before), (now, changes.new_files, self._files.after)
            for blob, places, tasks in sides:
                if blob is not None:
                    epic, found = self._contents.epic(blob, path)
                    places[epic] = (path, blob)
                    for task in found:
                        tasks.setdefault(task, set()).add(epic)
                    changes.epics.add(epic)

    def _find_owners(self, before: Owners, after: Owners, table: str, rows: dict[bytes, RowChange]) -> None:
        changes = self._changes
        old = {key: row for key, change in rows.items() if (row := self._old.named(table, change.old))}
        new = {key: row for key, change in rows.items() if (row := self._new.named(table, change.new))}
        for owners, named, owned, tasks in (
            (before, old, changes.old_rows, self._rows.before),
            (after, new, changes.new_rows, self._rows.after),
        ):
            for key, owner in owners.of(table, named):
                owned.setdefault(owner.epic, {}).setdefault(table, set()).add(key)
                changes.epics.add(owner.epic)
                if owner.task is not None and table == self._mapping.tasks.table:
                    tasks.setdefault(owner.task, set()).add(owner.epic)
        if table == self._mapping.epics.table:
            keys = [
                {key: key_text(row.get(self._mapping.epics.key)) for key, row in named.items()} for named in (old, new)
            ]
            pairs = ((keys[0][key], keys[1][key]) for key in keys[0].keys() & keys[1].keys())
            changes.renamed |= {(one, other) for one, other in pairs if one and other and one != other}

    def _find_moves(self) -> None:
        changes = self._changes
        for found in (self._files, self._rows):
            # A task that moved in the files may have a row that changed where it is, and the other way round.
            changes.moved |= set(found.moves())
            for tasks in (found.before, found.after):
                for task, owners in tasks.items():
                    changes.tasks.setdefault(task, set()).update(owners)
        known = self._files.before.keys() | self._rows.before.keys()
        for found in (self._files, self._rows):
            for task, owners in found.after.items():
                if task not in known:
                    changes.added.setdefault(task, set()).update(owners)


class _Tasks(Struct):
    """The changed epics that have a task of an id, by task id, in one kind of document.

    Attributes:
        before: those of the earlier state.
        after: those of the later state.
    """

    before: dict[str, set[str]] = field(default_factory=dict)
    after: dict[str, set[str]] = field(default_factory=dict)

    def moves(self) -> Iterator[tuple[str, str]]:
        """Yield the old and the new epic of each task that left one for another."""
        for task, givers in self.before.items():
            getters = self.after.get(task, set())
            for giver in givers - getters:
                yield from ((giver, getter) for getter in sorted(getters - givers)[:1])
