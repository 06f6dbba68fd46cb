"""Epics that only the files have, as the rows that add them to the database: worked out before it is locked."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterable, Iterator, Sequence
from typing import Any, Final

from epicvc.database.batches import weighed
from epicvc.database.documents.changes import EpicRowsChange, new_epic, revived
from epicvc.database.documents.layout import Layout
from epicvc.database.documents.parcels import Parcel
from epicvc.repo.documents import Documents
from epicvc.repo.files.workers import Workers, worth_it

PORTION = 15_000
"""Rows that one transaction inserts where there are more: about half a second of the application's time on a quiet
machine, and several on one that has ten times the work that it can do."""

FILES: Final = 270
"""Files that a worker packs at once: ordinary epics that are one parcel."""


def new_epics(documents: Documents, epics: Sequence[str]) -> Generator[EpicRowsChange, None, None]:
    """The changes that add epics, in their order; several processes read the files where these are many.

    Raises:
        InvalidField: a value cannot be stored in its column.
    """
    layout = documents.layout
    assert layout is not None  # who adds epics has a database
    if not worth_it(epics):
        for epic in epics:
            yield _new_epic(documents, layout, epic)
        return
    with Workers("encode", _setup(documents), beside=True) as workers:
        answers = workers.map(_items(documents, epics))
        for epic, answer in zip(epics, answers, strict=True):
            yield revived(answer) if answer else _new_epic(documents, layout, epic)


def _new_epic(documents: Documents, layout: Layout, epic: str) -> EpicRowsChange:
    core = documents.file_core(epic)
    assert core is not None  # the survey found it there
    return new_epic(layout.mapping, epic, core)


def in_portions(changes: Iterable[EpicRowsChange]) -> Iterator[list[EpicRowsChange]]:
    """New epics in lists of some :data:`PORTION` rows, taken only when their turn comes; the last may be empty."""
    return weighed(changes, lambda change: change.inserted, PORTION)


def parcels(documents: Documents, epics: Sequence[str]) -> Generator[Parcel, None, None]:
    """The same in parcels of up to some :data:`PORTION` rows, which other processes pack, in the order of the epics.

    Epics that are out of the ordinary are in none.
    """
    with Workers("pack", {**_setup(documents), "rows": PORTION}, beside=True) as workers:
        for _, answer in workers.each(_items(documents, epics[at : at + FILES]) for at in range(0, len(epics), FILES)):
            for changes, image in answer or ():
                yield Parcel(list(map(revived, changes)), image)


def _setup(documents: Documents) -> dict[str, Any]:
    config = documents.repo.config
    return {"root": os.fspath(config.files), "mapping": config.mapping.to_json(), "file_size": config.file_size}


def _items(documents: Documents, epics: Sequence[str]) -> list[tuple[str, bytes]]:
    """What a worker is told of epics: their files."""
    files = documents.working.files.by_epic
    return [(files[epic].path, files[epic].blob) for epic in epics]


def bound(documents: Documents) -> bool:
    """Whether rows of different epics may have to come in one transaction.

    A foreign key binds them, or a unique value that one epic gives up and another takes.
    """
    reader, layout = documents.reader, documents.layout
    if reader is None or layout is None:
        return False
    epics, tasks, links = layout.epics.map, layout.tasks.map, layout.links
    mapped = {table.lower() for table in (epics.table, tasks.table, *([links.table] if links else []))}
    own = {(tasks.table, (tasks.parent,), epics.table)}
    if links is not None:
        own.add((links.table, (links.parent,), tasks.table))
    owns = {(table.lower(), columns, parent.lower()) for table, columns, parent in own}
    keys: list[set[str | None]] = [{table.id} for table in (epics, tasks)]
    keys += [{epics.key}, {tasks.key}, {tasks.parent, tasks.key}]
    for table in (epics.table, tasks.table):
        if any({*unique} not in keys for unique in (*reader.unique_keys(table), *reader.unique_in_part(table))):
            return True
    return any(
        found.parent.lower() in mapped and (table, found.columns, found.parent.lower()) not in owns
        for table in mapped
        for found in reader.references(table)
    )
