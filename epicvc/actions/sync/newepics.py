"""The changes that add epics of the files to the database. They are computed before the database is locked."""

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
"""The number of rows that one transaction inserts if there are more.

They take about half a second of the application's time on a quiet machine, and several seconds on one with ten times
the work that it can do.
"""

FILES: Final = 270
"""The number of files that a worker packs at once. Of ordinary epics they make one parcel."""


def new_epics(documents: Documents, epics: Sequence[str]) -> Generator[EpicRowsChange, None, None]:
    """Yield the changes that add epics, in their order. Several processes read the files if there are many.

    Raises:
        InvalidField: a value cannot be stored in its column.
    """
    layout = documents.layout
    assert layout is not None  # the caller adds epics only to a database
    # For few epics, starting processes takes longer than reading the files here.
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
    assert core is not None  # the survey found it in the files
    return new_epic(layout.mapping, epic, core)


def in_portions(changes: Iterable[EpicRowsChange]) -> Iterator[list[EpicRowsChange]]:
    """Yield new epics in lists of some :data:`PORTION` rows.

    The changes are taken only when their turn comes. The last list may be empty.
    """
    return weighed(changes, lambda change: change.inserted, PORTION)


def parcels(documents: Documents, epics: Sequence[str]) -> Generator[Parcel, None, None]:
    """Yield new epics in parcels of up to some :data:`PORTION` rows, in their order. Other processes pack them.

    Epics that are out of the ordinary are in no parcel.
    """
    with Workers("pack", {**_setup(documents), "rows": PORTION}, beside=True) as workers:
        for _, answer in workers.each(_items(documents, epics[at : at + FILES]) for at in range(0, len(epics), FILES)):
            for changes, image in answer or ():
                yield Parcel(list(map(revived, changes)), image)


def _setup(documents: Documents) -> dict[str, Any]:
    config = documents.repo.config
    return {"root": os.fspath(config.files), "mapping": config.mapping.to_json(), "file_size": config.file_size}


def _items(documents: Documents, epics: Sequence[str]) -> list[tuple[str, bytes]]:
    """Return the files of epics, in the form that a worker gets."""
    files = documents.working.files.by_epic
    return [(files[epic].path, files[epic].blob) for epic in epics]


def bound(documents: Documents) -> bool:
    """Return whether rows of different epics may have to be written in one transaction.

    They must if a foreign key binds them, or if one epic may take a unique value that another gives up.
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
