"""Finds edits that a side made for itself in an epic or a task that the other side deleted since.

An edit "for itself" is one of keys without a column, those beside ``epic`` included, or of columns without a field. A
plan over cores does not see such edits, so that a deletion on the other side would remove them in silence. The present
values are compared with those in the newest state of the history in which the other side still had the epic or the
task. An edit before that state was there at the time of the deletion. A later edit, committed or not, was not.
"""

from __future__ import annotations

from typing import cast

from epicvc.actions.merge.snapshots.whole import system_columns
from epicvc.actions.restore.lastseen import DB, FILES, HistoryStep, LastSeen, Names
from epicvc.base.jsonio import JSON, equal
from epicvc.database.rowcodec import SQLValue, plain
from epicvc.errors import InvalidData
from epicvc.model.document import UNAGREED, Core, same_core, tasks_of
from epicvc.model.labels import SIBLINGS
from epicvc.model.mapping import Mapping, TableMap
from epicvc.plan.file.wholefile import of_file
from epicvc.plan.owned import BeforeAndNow, Owned
from epicvc.repo.documents import Documents, Three
from epicvc.repo.files.filestree import parse_file
from epicvc.repo.rows.rows import CapturedRows, NamedRow
from epicvc.store.objects import ObjectId, ObjectType


class OwnEdits:
    """Finds the edits that a side made for itself.

    Args:
        documents: the documents of one moment.
    """

    def __init__(self, documents: Documents) -> None:
        self._documents = documents
        self._source = documents.sink
        self._mapping = documents.repo.config.mapping
        self._seen = LastSeen(documents)

    def edits(self, three: Three) -> tuple[Owned | None, Owned | None]:
        """Return the edits that the files and the database made for themselves where the other side deleted.

        Raises:
            EpicvcError: a state of the history cannot be read.
        """
        if three.base is None or (three.file is None and three.db is None):
            return None, None
        return self._in_files(three), self._in_database(three)

    # Files

    def _in_files(self, three: Three) -> Owned | None:
        """Return the edits of the author where the database deleted."""
        tracked, names = self._documents.tracked(three.epic), _names(three)
        if three.file is None or three.base is None or tracked is None:
            return None
        now: Core | None = None
        epic: BeforeAndNow = ({}, {})
        tasks: dict[str, BeforeAndNow] = {}
        for key in _missing(three.base, three.file, three.db):
            step = self._seen.step(DB, names, key)
            if step is None:
                continue
            then = self._seen.file(step, names, tracked.path)
            if then is not None and then[1] == tracked.blob:
                continue
            if now is None:
                now = self._own_of_file(tracked.path, tracked.blob)
            before = self._own_before(*then) if then is not None else {}
            if key is None:
                epic = _compared(before, now)
            old, new = _by_id(before), _by_id(now)
            for task in _by_id(three.base) if key is None else [key]:
                if task in new:
                    tasks[task] = _compared(old.get(task, {}), new[task])
        return _owned(epic, tasks)

    def _own_before(self, path: str, blob: ObjectId) -> Core:
        """Return the own members of a file of the history.

        A file that is no valid epic has none, so that all present members count as edited.
        """
        try:
            return self._own_of_file(path, blob)
        except InvalidData:
            return {}

    def _own_of_file(self, path: str, blob: ObjectId) -> Core:
        """Return the members of an epic's file beside its core and its calculated fields. Tasks are found by id."""
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
        """Return the edits of the application where the files deleted."""
        state = self._documents.working.database
        if three.rows is None or three.db is None or three.base is None or state is None:
            return None
        now, names = CapturedRows(self._source, state), _names(three)
        epic: BeforeAndNow = ({}, {})
        tasks: dict[str, BeforeAndNow] = {}
        surrogates = {str(row[3]): row[2] for row in three.rows.tasks}
        for key in _missing(three.base, three.db, three.file):
            step = self._seen.step(FILES, names, key)
            if step is None or step.state.database is None or step.state.database.tables == state.tables:
                continue
            if key is None:
                epic = self._row_edits(
                    self._mapping.epics, names, None, step=step, now=now, surrogate=three.rows.surrogate
                )
            for task in _by_id(three.base) if key is None else [key]:
                if task in surrogates:
                    tasks[task] = self._row_edits(
                        self._mapping.tasks, names, task, step=step, now=now, surrogate=surrogates[task]
                    )
        return _owned(epic, tasks)

    def _row_edits(
        self, table: TableMap, epic: Names, task: str | None, step: HistoryStep, now: CapturedRows, surrogate: SQLValue
    ) -> BeforeAndNow:
        new = now.by_surrogate(table, surrogate)
        if new is None:  # a table that is not captured by its surrogate key, such as a view
            return {}, {}
        old = step.row(table, [(name, task) for name in epic], surrogate)
        columns = system_columns(table, new)
        fields = {spec.name for spec in table.fields} | {"id", Mapping.TASKS, SIBLINGS}
        return _compared(_columns(old, columns, fields), _columns(new, columns, fields))


def _names(three: Three) -> Names:
    return (three.epic,) if three.renamed is None else (three.epic, three.renamed.old)


def _columns(row: NamedRow, columns: list[str], fields: set[str]) -> Core:
    return {(f"@{name}" if name in fields else name): plain(row.get(name)) for name in columns}


def _missing(base: Core, present: Core, other: Core | None) -> list[str | None]:
    """Return what the base and one side have unchanged and the other side lacks: the epic, or some of its tasks."""
    if other is None:
        return [None] if same_core(_without_note(base), present) else []
    known, there = _by_id(base), _by_id(present)
    gone = known.keys() & there.keys() - _by_id(other).keys()
    return [key for key in known if key in gone and equal(cast("JSON", known[key]), cast("JSON", there[key]))]


def _without_note(base: Core) -> Core:
    return {name: value for name, value in base.items() if name != UNAGREED}


def _compared(before: Core, now: Core) -> BeforeAndNow:
    """Return the members that differ, without tasks. Null counts as absent."""
    names = [name for name in dict.fromkeys([*before, *now]) if name not in (Mapping.TASKS, "id")]
    differing = [name for name in names if not equal(before.get(name), now.get(name))]
    old, new = ({name: side[name] for name in differing if side.get(name) is not None} for side in (before, now))
    return old, new


def _by_id(core: Core) -> dict[str, Core]:
    return {cast("str", task["id"]): task for task in tasks_of(core)}


def _owned(epic: BeforeAndNow, tasks: dict[str, BeforeAndNow]) -> Owned | None:
    edited = {key: versions for key, versions in tasks.items() if any(versions)}
    return Owned(epic, edited) if any(epic) or edited else None
