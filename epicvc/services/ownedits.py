"""Edits that a side made for itself in an epic or a task that the other side deleted since.

"For itself" are keys that have no column, those beside ``epic`` included, and columns that have no field. A plan over
cores does not see them, so that a deletion on the other side would take them along without a word. They are
compared with the newest state of the history that still had the epic, or the task, on the side that lacks it now: what
was edited before that state was there when it was deleted; what was edited after it, committed or not, was not.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, TypeAlias, cast

from msgspec import Struct, field

from epicvc.database.rowcodec import SQLValue
from epicvc.database.values import key_text
from epicvc.errors import EpicvcError
from epicvc.jsonio import JSON, equal
from epicvc.model.document import UNAGREED, Core, same_core, task_in, tasks_of
from epicvc.model.labels import SIBLINGS
from epicvc.model.mapping import Mapping, TableMap
from epicvc.plan.owned import Owned, Versions
from epicvc.plan.wholefile import of_file
from epicvc.repo.dbside import row_changes
from epicvc.repo.documents import Documents, Three
from epicvc.repo.filestree import changed_files, epic_id_of, parse_file
from epicvc.repo.objects import DatabaseState, Snapshot
from epicvc.repo.rows import CapturedRows, NamedRow, is_alive
from epicvc.services.threeway.whole import plain, system_columns
from epicvc.store import tree
from epicvc.store.objects import ObjectId, ObjectType

_Place: TypeAlias = "tuple[str, str | None]"
"""An epic, or a task of it."""

_FILES: Final = 0
_DB: Final = 1


class _Step(Struct, frozen=True):
    """A state of the history, and what each side lost after it.

    Attributes:
        state: the state.
        lost: by side, the epics and tasks that it had and that the state after it has not.
        paths: by epic, the path and the blob of files that became others after it.
    """

    state: Snapshot
    lost: tuple[frozenset[_Place], frozenset[_Place]]
    paths: dict[str, tuple[str, ObjectId]] = field(default_factory=dict)


class OwnEdits:
    """Finds the edits.

    Args:
        documents: the documents of one moment.
    """

    def __init__(self, documents: Documents) -> None:
        self._documents = documents
        self._source = documents.sink
        self._mapping = documents.repo.config.mapping
        self._steps: list[_Step] = []
        self._going: Iterator[_Step] = self._back()

    def edits(self, three: Three) -> tuple[Owned | None, Owned | None]:
        """What the files, and what the database, edited for themselves of what the other side lacks.

        Raises:
            EpicvcError: a state of the history cannot be read.
        """
        if three.base is None or (three.file is None and three.db is None):
            return None, None
        return self._in_files(three), self._in_database(three)

    # The history

    def _back(self) -> Iterator[_Step]:
        """The states from HEAD back along the branch, each with what was lost after it."""
        repo = self._documents.repo
        after = self._documents.working.snapshot()
        head = repo.revisions.head()
        while head is not None:
            commit = repo.revisions.commit(head.hex())
            state = repo.snapshot_of(head)
            yield self._step(state, after)
            after, head = state, commit.parents[0] if commit.parents else None

    def _step(self, state: Snapshot, after: Snapshot) -> _Step:
        paths: dict[str, tuple[str, ObjectId]] = {}
        had: set[_Place] = set()
        has: set[_Place] = set()
        for path, old, new in changed_files(self._source, state.files, after.files):
            if old is not None:
                had |= self._places(path, old)
                paths[epic_id_of(self._source, old, path)] = (path, old)
            if new is not None:
                has |= self._places(path, new)
        return _Step(state, (frozenset(had - has), self._lost_rows(state.database, after.database)), paths)

    def _places(self, path: str, blob: ObjectId) -> set[_Place]:
        try:
            file = parse_file(self._source.get(blob, ObjectType.BLOB), path, self._documents.repo.config)
        except EpicvcError:
            return set()  # a file that is no epic has none
        return {(file.id, None), *((file.id, cast("str", task["id"])) for task in tasks_of(file.core))}

    def _lost_rows(self, before: DatabaseState | None, after: DatabaseState | None) -> frozenset[_Place]:
        if before is None or after is None or before == after:
            return frozenset()
        had, has = set[_Place](), set[_Place]()
        views = CapturedRows(self._source, before), CapturedRows(self._source, after)
        tables = {self._mapping.epics.table: self._mapping.epics, self._mapping.tasks.table: self._mapping.tasks}
        for name, rows in row_changes(self._source, before, after):
            table = tables.get(name)
            if table is None:
                continue
            for _, *versions in rows:
                for view, row, places in zip(views, versions, (had, has), strict=True):
                    named = view.named(name, row) if row is not None else {}
                    owner = view.owner(self._mapping, name, named) if named and is_alive(named, table) else None
                    if owner is not None:
                        places.add((owner.epic, owner.task))
        return frozenset(had - has)

    def _last_with(self, side: int, place: _Place) -> _Step | None:
        """The newest state in which a side had a place that it lacks now; ``None`` where none is known."""
        wanted = {place, (place[0], None)}  # who deletes an epic deletes its tasks
        for step in self._steps:
            if wanted & step.lost[side]:
                return step
        for step in self._going:
            self._steps.append(step)
            if wanted & step.lost[side]:
                return step
        return None

    # Files

    def _in_files(self, three: Three) -> Owned | None:
        """What the author edited of what the database lacks."""
        tracked = self._documents.working.files.by_epic.get(three.epic)
        if three.file is None or three.base is None or tracked is None:
            return None
        places = _missing(three.base, three.file, three.db)
        now: Core | None = None
        epic: Versions = ({}, {})
        tasks: dict[str, Versions] = {}
        for key in places:
            step = self._last_with(_DB, (three.epic, key))
            then = self._file_then(three.epic, tracked.path, step) if step is not None else None
            if then is None or then[1] == tracked.blob:
                continue
            if now is None:
                now = self._own_of_file(tracked.path, tracked.blob)
            before = self._own_of_file(*then)
            if key is None:
                epic, tasks = _compared(before, now), _compared_tasks(before, now)
                break
            tasks[key] = _compared(task_in(before, key) or {}, task_in(now, key) or {})
        return _owned(epic, tasks)

    def _file_then(self, epic: str, path: str, step: _Step) -> tuple[str, ObjectId] | None:
        """Path and blob of an epic's file in a state of the history."""
        blob = tree.get(self._source, step.state.files, path.encode())
        if blob is not None and epic_id_of(self._source, blob, path) == epic:
            return path, blob
        known = self._steps[: self._steps.index(step) + 1]
        return next((found.paths[epic] for found in reversed(known) if epic in found.paths), None)

    def _own_of_file(self, path: str, blob: ObjectId) -> Core:
        """What an epic's file has besides its core and what is calculated; tasks by their ids."""
        config = self._documents.repo.config
        file = parse_file(self._source.get(blob, ObjectType.BLOB), path, config)
        calculated = {spec.name for spec in self._mapping.epics.calculated} if config.calculated != "off" else set()
        whole, fields = of_file(file, self._mapping), {*self._mapping.epic_fields, *calculated}
        own = {name: value for name, value in whole.items() if name not in fields}
        inner = {*self._mapping.task_fields}
        tasks = [{name: value for name, value in task.items() if name not in inner} for task in tasks_of(whole)]
        own[Mapping.TASKS] = cast("JSON", tasks)
        return own

    # Rows

    def _in_database(self, three: Three) -> Owned | None:
        """What the application edited of what the files lack."""
        state = self._documents.working.database
        if three.rows is None or three.db is None or three.base is None or state is None:
            return None
        now = CapturedRows(self._source, state)
        epic: Versions = ({}, {})
        tasks: dict[str, Versions] = {}
        surrogates = {str(row[3]): row[2] for row in three.rows.tasks}
        for key in _missing(three.base, three.db, three.file):
            step = self._last_with(_FILES, (three.epic, key))
            if step is None or step.state.database is None or step.state.database.tables == state.tables:
                continue
            then = CapturedRows(self._source, step.state.database)
            if key is not None:
                tasks[key] = self._row_edits(self._mapping.tasks, key, then, now, surrogates.get(key))
                continue
            epic = self._row_edits(self._mapping.epics, three.epic, then, now, three.rows.surrogate)
            known = {cast("str", task["id"]) for task in tasks_of(three.base)}
            for task, surrogate in surrogates.items():
                if task in known:
                    tasks[task] = self._row_edits(self._mapping.tasks, task, then, now, surrogate)
            break
        return _owned(epic, tasks)

    def _row_edits(
        self, table: TableMap, key: str, then: CapturedRows, now: CapturedRows, surrogate: SQLValue
    ) -> Versions:
        new, old = now.by_surrogate(table, surrogate), then.by_surrogate(table, surrogate)
        if new is None:  # the table is not captured by its surrogate key, as a view is not
            return {}, {}
        if old is None or key_text(old.get(table.key)) != key:
            old = {}
        columns = system_columns(self._mapping.epics if table is self._mapping.epics else table, {**old, **new})
        fields = {spec.name for spec in table.fields} | {"id", Mapping.TASKS, SIBLINGS}
        return _compared(_columns(old, columns, fields), _columns(new, columns, fields))


def _columns(row: NamedRow, columns: list[str], fields: set[str]) -> Core:
    return {(f"@{name}" if name in fields else name): plain(row.get(name)) for name in columns}


def _missing(base: Core, present: Core, other: Core | None) -> list[str | None]:
    """What the base and one side have and the other lacks: the epic, or some of its tasks."""
    if other is None:
        return [None] if same_core(_without_note(base), present) else []
    there = {cast("str", task["id"]): task for task in tasks_of(present)}
    gone = {task["id"] for task in tasks_of(base)} & there.keys() - {task["id"] for task in tasks_of(other)}
    known = {cast("str", task["id"]): task for task in tasks_of(base)}
    return [key for key in known if key in gone and equal(cast("JSON", known[key]), cast("JSON", there[key]))]


def _without_note(base: Core) -> Core:
    return {name: value for name, value in base.items() if name != UNAGREED}


def _compared(before: Core, now: Core) -> Versions:
    """The members that differ, tasks apart; null is absence."""
    names = [name for name in dict.fromkeys([*before, *now]) if name not in (Mapping.TASKS, "id")]
    differing = [name for name in names if not equal(before.get(name), now.get(name))]
    old, new = ({name: side[name] for name in differing if side.get(name) is not None} for side in (before, now))
    return old, new


def _compared_tasks(before: Core, now: Core) -> dict[str, Versions]:
    old = {cast("str", task["id"]): task for task in tasks_of(before)}
    return {key: _compared(old[key], task) for task in tasks_of(now) if (key := cast("str", task["id"])) in old}


def _owned(epic: Versions, tasks: dict[str, Versions]) -> Owned | None:
    edited = {key: versions for key, versions in tasks.items() if any(versions)}
    return Owned(epic, edited) if any(epic) or edited else None
