"""Finds the newest state of the history in which a side still had an epic or a task that it lacks now."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from functools import cached_property
from typing import Final, TypeAlias, cast

from epicvc.actions.restore.formerrows import FormerRows
from epicvc.database.rowcodec import SQLValue
from epicvc.errors import EpicvcError
from epicvc.model.document import tasks_of
from epicvc.model.mapping import TableMap
from epicvc.repo.documents import Documents
from epicvc.repo.files.filestree import changed_files, epic_id_of, parse_file
from epicvc.repo.history.objects import Snapshot
from epicvc.repo.rows.dbside import row_changes, table_root, unpack_row
from epicvc.repo.rows.rows import CapturedRows, NamedRow, is_alive
from epicvc.store.objects import ObjectId, ObjectType
from epicvc.store.tree import tree

Place: TypeAlias = "tuple[str, str | None]"
"""An epic, or a task of it."""

Names: TypeAlias = "tuple[str, ...]"
"""The keys of an epic: its present one, and the one that it had before a side gave it another."""

_PlacesIn: TypeAlias = Callable[[str, ObjectId], frozenset[Place]]

FILES: Final = 0
DB: Final = 1

_PARSED: Final = 64
"""The number of files whose epics and tasks are kept. Most files of a state are those of the state before too."""


class LastSeen:
    """Goes back along the branch as far as needed, and reads no commit twice.

    Args:
        documents: the documents of one moment.
    """

    def __init__(self, documents: Documents) -> None:
        self._documents = documents
        self._known: list[HistoryStep] = []
        self._going = self._back()
        self._parsed: dict[tuple[str, ObjectId], frozenset[Place]] = {}

    def _back(self) -> Iterator[HistoryStep]:
        repo = self._documents.repo
        after = self._documents.working.snapshot()
        head = repo.revisions.head()
        while head is not None:
            commit = repo.revisions.commit(head.hex())
            state = repo.snapshot_of(head)
            yield HistoryStep(self._documents, self.places_in, state, after)
            after, head = state, commit.parents[0] if commit.parents else None

    def step(self, side: int, epic: Names, task: str | None = None) -> HistoryStep | None:
        """Return the newest state in which a side had an epic or a task that it lacks now, or ``None``."""
        places = [(name, task) for name in epic]
        for step in self._known:
            if step.lost(side, places):
                return step
        for step in self._going:
            self._known.append(step)
            if step.lost(side, places):
                return step
        return None

    def file(self, step: HistoryStep, epic: Names, path: str) -> tuple[str, ObjectId] | None:
        """Return the path and blob of an epic's file in a state, or ``None`` if it had none.

        Args:
            step: the state.
            epic: its keys.
            path: the present path of the file.
        """
        source = self._documents.sink
        blob = tree.get(source, step.state.files, path.encode())
        if blob is not None and epic_id_of(source, blob, path) in epic:
            return path, blob
        known = self._known[: self._known.index(step) + 1]
        return next((place for later in reversed(known) if (place := later.file_before(epic))), None)

    def places_in(self, path: str, blob: ObjectId) -> frozenset[Place]:
        """Return the epic in a file, and its tasks. A file that is no epic has none."""
        if (path, blob) not in self._parsed:
            if len(self._parsed) >= _PARSED:
                self._parsed.clear()
            self._parsed[path, blob] = self._parse(path, blob)
        return self._parsed[path, blob]

    def _parse(self, path: str, blob: ObjectId) -> frozenset[Place]:
        documents = self._documents
        try:
            file = parse_file(documents.sink.get(blob, ObjectType.BLOB), path, documents.repo.config)
        except EpicvcError:
            return frozenset()
        return frozenset({(file.id, None), *((file.id, cast("str", task["id"])) for task in tasks_of(file.core))})


class HistoryStep:
    """A state of the history, with the places that each side lost after it.

    Args:
        documents: the documents of one moment.
        places_in: reads the epic and the tasks of a file.
        state: the state.
        after: the state after it.
    """

    def __init__(self, documents: Documents, places_in: _PlacesIn, state: Snapshot, after: Snapshot) -> None:
        self.state = state
        self._documents = documents
        self._source = documents.sink
        self._mapping = documents.repo.config.mapping
        self._places_in = places_in
        self._after = after

    def lost(self, side: int, places: Collection[Place]) -> bool:
        """Return whether a side has one of these places in this state and lacks it in the next one."""
        if side == FILES:
            return not self._lost_in_files.isdisjoint(places)
        if not self._lost_rows.isdisjoint(places):
            return True
        # An application that marks an epic as deleted need not mark its tasks: its living tasks are lost with it.
        return any(
            task is not None and (epic, None) in self._lost_rows and self._lives((epic, task)) for epic, task in places
        )

    # Files

    @cached_property
    def _lost_in_files(self) -> frozenset[Place]:
        had, has = set[Place](), set[Place]()
        for path, old, new in changed_files(self._source, self.state.files, self._after.files):
            had |= self._places_in(path, old) if old is not None else set()
            has |= self._places_in(path, new) if new is not None else set()
        return frozenset(had - has)

    def file_before(self, epic: Names) -> tuple[str, ObjectId] | None:
        """Return the path and blob of an epic's file if the file changed after this state."""
        return next((self._changed[name] for name in epic if name in self._changed), None)

    @cached_property
    def _changed(self) -> dict[str, tuple[str, ObjectId]]:
        changes = changed_files(self._source, self.state.files, self._after.files)
        return {epic_id_of(self._source, old, path): (path, old) for path, old, _ in changes if old is not None}

    # Rows

    @cached_property
    def _lost_rows(self) -> frozenset[Place]:
        before, after = self.state.database, self._after.database
        if before is None or after is None or before == after:
            return frozenset()
        had, has = set[Place](), set[Place]()
        views = CapturedRows(self._source, before), CapturedRows(self._source, after)
        tables = {table.table: table for table in (self._mapping.epics, self._mapping.tasks)}
        for name, rows in row_changes(self._source, before, after):
            for _, *versions in rows if name in tables else ():
                for view, row, places in zip(views, versions, (had, has), strict=True):
                    place = self._living(view, tables[name], view.named(name, row)) if row is not None else None
                    if place is not None:
                        places.add(place)
        return frozenset(had - has)

    def _living(self, view: CapturedRows, table: TableMap, row: NamedRow) -> Place | None:
        """Return the epic or task of a row if it is alive. A task is alive only in a living epic."""
        epics = self._mapping.epics
        owner = view.owner(self._mapping, table.table, row) if is_alive(row, table) else None
        if owner is None:
            return None
        epic = view.by_surrogate(epics, row.get(table.parent or "")) if table is not epics else row
        return (owner.epic, owner.task) if epic is not None and is_alive(epic, epics) else None

    def row(self, table: TableMap, places: Collection[Place], surrogate: SQLValue) -> NamedRow:
        """Return the row of a place in this state, in the present columns; an empty one if it had none.

        Args:
            table: its table.
            places: the epic, or the task, by each of the epic's keys.
            surrogate: the surrogate key of the present row.
        """
        captured = self._captured
        if captured is None:
            return {}
        found = captured.by_surrogate(table, surrogate)
        if found is None or self._place(table, found) not in places:
            others = (self._elsewhere(table, place) for place in places)
            found = next((row for row in others if row is not None), None)
        return self._former.whole(table.table, found) if found is not None else {}

    @cached_property
    def _captured(self) -> CapturedRows | None:
        return CapturedRows(self._source, self.state.database) if self.state.database is not None else None

    @cached_property
    def _former(self) -> FormerRows:
        now = self._documents.working.snapshot()
        return FormerRows(self._source, self._documents.reader, self.state, now)

    def _place(self, table: TableMap, row: NamedRow) -> Place | None:
        assert self._captured is not None  # the caller has rows of it
        owner = self._captured.owner(self._mapping, table.table, row)
        return None if owner is None else (owner.epic, owner.task)

    def _lives(self, task: Place) -> bool:
        """Return whether a task that the database lacks now is alive in this state, in a living epic."""
        row, view = self._elsewhere(self._mapping.tasks, task), self._captured
        return row is not None and view is not None and self._living(view, self._mapping.tasks, row) == task

    def _elsewhere(self, table: TableMap, place: Place) -> NamedRow | None:
        """Return the row that a place had under another surrogate key.

        An application that replaces rows gives them new keys.
        """
        key, database = self._replaced.get((table.table, place)), self.state.database
        root = table_root(self._source, database, table.table) if database is not None else None
        row = tree.get(self._source, root, key) if root is not None and key is not None else None
        if row is None or self._captured is None:
            return None
        return self._captured.named(table.table, unpack_row(self._source, row))

    @cached_property
    def _replaced(self) -> dict[tuple[str, Place], bytes]:
        """The captured keys of the rows that differ from the present ones, by table and place."""
        now = self._documents.working.database
        found: dict[tuple[str, Place], bytes] = {}
        tables = {table.table: table for table in (self._mapping.epics, self._mapping.tasks)}
        for name, rows in row_changes(self._source, self.state.database, now):
            for key, old, _ in rows if name in tables else ():
                if old is not None and self._captured is not None:
                    row = self._captured.named(name, old)
                    place = self._place(tables[name], row)
                    if place is not None and (is_alive(row, tables[name]) or (name, place) not in found):
                        found[name, place] = key
        return found
