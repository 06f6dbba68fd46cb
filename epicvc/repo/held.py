"""Finds the files and rows of a moment that cannot be read, and the epics that are held back until they can.

A file that is no valid epic, a row from which no epic can be read, and two files or rows that claim one id hold back
their own epics. The part that can still be read tells which epics these are, and so does history, which knows the
former content of a file. Otherwise it is only known of some epics that they may be in there. :mod:`epicvc.plan.waits`
has the rules for the epics that can be read.
"""

from __future__ import annotations

import re
from functools import cached_property
from typing import TYPE_CHECKING, Final

from epicvc.database.documents.unread import task_keys
from epicvc.errors import InvalidField, InvalidFile, InvalidRow
from epicvc.files.names import Namer
from epicvc.model.document import Core, tasks_of
from epicvc.model.labels import Label
from epicvc.plan.waits import Sides, Unseen
from epicvc.repo.files.filestree import read_epic
from epicvc.repo.files.tracked import Held, Unreadable
from epicvc.repo.formerepics import former_epic
from epicvc.store.objects import ObjectType

if TYPE_CHECKING:
    from epicvc.repo.documents import Documents

_IDS: Final = re.compile(rb'"id"\s*:\s*(?:"((?:[^"\\\\]|\\\\.){1,512})"|(-?[0-9]{1,40}))')
"""Matches text that looks like an id, in files that are no JSON."""


def find_held(documents: Documents) -> Held:
    """Return the files and rows of a moment that cannot be read, each with its epic where that is known."""
    files = tuple(_identified(documents, found) for found in documents.working.files.unreadable)
    return Held(files, tuple(documents.bad_rows()))


def _identified(documents: Documents, found: Unreadable) -> Unreadable:
    """Return an unreadable file with its former epic, unless that epic is in another file now."""
    if found.epic is not None or found.path is None:
        return found
    epic = former_epic(documents.repo, documents.sink, found.path)
    if epic is None or epic in documents.working.files.by_epic:
        return found
    return Unreadable(found.error, epic, found.path)


class Sight:
    """The known and the unknown parts of each side, while something of it cannot be read.

    Args:
        documents: the documents of the moment.
    """

    def __init__(self, documents: Documents) -> None:
        self._documents = documents
        self._files, self._rows = documents.held.files, documents.held.rows
        self._epics = documents.held.epics
        self._names: dict[str, str] = {}

    @cached_property
    def unseen(self) -> Sides:
        """The parts of the files, and of the database, that are not known."""
        files, rows = self._tasks_in_files, self._tasks_in_rows
        agreed = self._agreed_tasks
        return (
            Unseen(bool(self._files), files, files - agreed, self._may_be_in_files, self._unique),
            Unseen(bool(self._rows), rows, rows - agreed, lambda _: False, self._unique),
        )

    def contested(self, core: Core | None) -> bool:
        """Return whether an epic that the database lacks has a task which a held epic has there."""
        side = self.unseen[1]
        return side.alone and any(task["id"] in side.tasks for task in tasks_of(core or {}))

    # What may be in files that cannot be read

    def _may_be_in_files(self, epic: str) -> bool:
        """Return whether an unreadable file may be an epic: it contains its id, or has the name that it would get."""
        unknown = [found.path for found in self._files if found.epic is None and found.path is not None]
        return bool(unknown) and (epic in self._ids_in_files or self._name(epic) in unknown)

    def _name(self, epic: str) -> str:
        if epic not in self._names:
            self._names[epic] = self._namer.name(epic)
        return self._names[epic]

    @cached_property
    def _namer(self) -> Namer:
        files = self._documents.working.files.files
        return Namer({path: file.epic for path, file in files.items() if file.epic is not None})

    @cached_property
    def _ids_in_files(self) -> frozenset[str]:
        """All texts that look like an id in files that cannot be read."""
        found: set[str] = set()
        for file in self._files:
            tracked = self._documents.working.files.files.get(file.path or "")
            if tracked is not None and tracked.epic is None:
                data = self._documents.sink.get(tracked.blob, ObjectType.BLOB)
                found.update((text or number).decode(errors="replace") for text, number in _IDS.findall(data))
        return frozenset(found)

    # The tasks of epics that are held

    @cached_property
    def _tasks_in_files(self) -> frozenset[str]:
        documents = self._documents
        second = (documents.working.files.files.get(file.path or "") for file in self._files)
        tracked = [*map(documents.working.files.by_epic.get, self._epics), *second]
        readable = (file for file in tracked if file is not None and file.epic is not None)
        read = (read_epic(documents.sink, file, documents.repo.config) for file in readable)
        return self._ids_in_files.union(*(_ids(file.core) for file in read))

    @cached_property
    def _tasks_in_rows(self) -> frozenset[str]:
        reader, layout = self._documents.reader, self._documents.layout
        if reader is None or layout is None or not self._epics:
            return frozenset()
        return frozenset(task_keys(reader, layout, sorted(self._epics)))

    @cached_property
    def _agreed_tasks(self) -> frozenset[str]:
        return frozenset(key for epic in self._epics for key in _ids(self._documents.base_core(epic)))

    @property
    def _unique(self) -> bool:
        reader, layout = self._documents.reader, self._documents.layout
        if reader is None or layout is None:
            return False
        tasks = layout.tasks.map
        return (tasks.key,) in reader.unique_keys(tasks.table)


def _ids(core: Core | None) -> set[str]:
    return {str(task["id"]) for task in tasks_of(core or {})}


def label_of(found: Unreadable) -> str | None:
    """Return the place that cannot be read as a label; ``None`` for a file whose epic is not known."""
    error = found.error
    if isinstance(error, InvalidFile | InvalidField) and error.label is not None:
        return error.label
    if isinstance(error, InvalidRow):
        column = (error.column,) if error.column is not None else ()
        return str(Label(error.table, (error.row, *column), table=True))
    return None if found.epic is None else str(Label(found.epic))
