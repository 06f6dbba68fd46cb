"""What changed between two states of a merge, by epic: trees are compared, and only what differs is read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from epicvc.model.mapping import Mapping
from epicvc.repo.filesside import changed_files
from epicvc.repo.rows import mapped_tables
from epicvc.services.threeway.contents import Contents
from epicvc.services.threeway.states import State
from epicvc.store import tree
from epicvc.store.objects import ObjectId, ObjectSink

Place = tuple[str, ObjectId]
"""Where an epic's file is: path and blob."""


@dataclass(frozen=True)
class RowChange:
    """A row that differs, as the trees have it."""

    old: bytes | None
    new: bytes | None


@dataclass
class Changes:
    """What differs between two states, by epic where it belongs to one.

    Attributes:
        old_files: where the files of the epics that changed were.
        new_files: where they are.
        rows: changed rows of every table, by key.
        old_rows: the keys of changed rows that belonged to an epic, by epic and table.
        new_rows: the same for those that belong to one now.
        epics: every epic that differs in its file, its rows or its base.
        moved: tasks that left one epic for another, ``(old epic, task) -> new epic``.
        tasks: the epics that have a task of an id before or after, where either changed.
    """

    old_files: dict[str, Place] = field(default_factory=dict)
    new_files: dict[str, Place] = field(default_factory=dict)
    rows: dict[str, dict[bytes, RowChange]] = field(default_factory=dict)
    old_rows: dict[str, dict[str, set[bytes]]] = field(default_factory=dict)
    new_rows: dict[str, dict[str, set[bytes]]] = field(default_factory=dict)
    epics: set[str] = field(default_factory=set)
    moved: dict[tuple[str, str], str] = field(default_factory=dict)
    tasks: dict[str, set[str]] = field(default_factory=dict)


def find_changes(
    sink: ObjectSink,
    contents: Contents,
    mapping: Mapping,
    old: State,
    new: State,
    *,
    owned: bool,
) -> Changes:
    """What differs between two states.

    Args:
        sink: holds them.
        contents: reads changed files.
        mapping: the mapping in force.
        old: the earlier state.
        new: the later one.
        owned: whether the epics that rows belong to can be told; else all are rows like any other.

    Raises:
        InvalidJSON: a changed file is no JSON.
    """
    return _Comparison(sink, contents, mapping, old, new, owned=owned).run()


class _Comparison:
    """The comparison of two states."""

    def __init__(
        self, sink: ObjectSink, contents: Contents, mapping: Mapping, old: State, new: State, *, owned: bool
    ) -> None:
        self._sink = sink
        self._contents = contents
        self._mapping = mapping
        self._old, self._new = old, new
        self._tables = frozenset(mapped_tables(mapping)) if owned else frozenset()
        self._changes = Changes()
        self._lost: dict[str, set[str]] = {}
        self._gained: dict[str, set[str]] = {}

    def run(self) -> Changes:
        """Compare files, rows and bases."""
        self._find_files()
        self._find_rows()
        for key, _, _ in tree.diff(self._sink, self._old.snapshot.base, self._new.snapshot.base):
            self._changes.epics.add(key.decode())
        self._find_moves()
        return self._changes

    def _find_files(self) -> None:
        changes = self._changes
        for path, was, now in changed_files(self._sink, self._old.snapshot.files, self._new.snapshot.files):
            for blob, places, tasks in ((was, changes.old_files, self._lost), (now, changes.new_files, self._gained)):
                if blob is not None:
                    epic, found = self._contents.epic(blob, path)
                    places[epic] = (path, blob)
                    for task in found:
                        tasks.setdefault(task, set()).add(epic)
                    changes.epics.add(epic)

    def _find_rows(self) -> None:
        changed = dict(self._changed_tables())
        if self._tables:
            self._new.follow(self._old, changed.get(self._mapping.epics.table, {}))
        for table, rows in changed.items():
            self._changes.rows[table] = rows
            if table in self._tables:
                self._find_owners(table, rows)

    def _changed_tables(self) -> Iterator[tuple[str, dict[bytes, RowChange]]]:
        before, after = (
            state.snapshot.database.tables if state.snapshot.database else tree.EMPTY
            for state in (self._old, self._new)
        )
        for key, was, now in tree.diff(self._sink, before, after):
            rows = tree.diff(self._sink, was or tree.EMPTY, now or tree.EMPTY)
            yield key.decode(), {key: RowChange(old, new) for key, old, new in rows}

    def _find_owners(self, table: str, rows: dict[bytes, RowChange]) -> None:
        changes, of_tasks = self._changes, table == self._mapping.tasks.table
        for state, index, owned, tasks in (
            (self._old, "old", changes.old_rows, self._lost),
            (self._new, "new", changes.new_rows, self._gained),
        ):
            named = {key: row for key, change in rows.items() if (row := state.named(table, getattr(change, index)))}
            for key, owner in state.owners(table, named):
                owned.setdefault(owner.epic, {}).setdefault(table, set()).add(key)
                changes.epics.add(owner.epic)
                if of_tasks and owner.task is not None:
                    tasks.setdefault(owner.task, set()).add(owner.epic)

    def _find_moves(self) -> None:
        changes = self._changes
        for tasks in (self._lost, self._gained):
            for task, owners in tasks.items():
                changes.tasks.setdefault(task, set()).update(owners)
        for task, givers in self._lost.items():
            getters = self._gained.get(task, set())
            for giver in givers - getters:
                for getter in sorted(getters - givers)[:1]:
                    changes.moved[giver, task] = getter
