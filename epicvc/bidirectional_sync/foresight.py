"""Tells which epics there will be after a synchronisation, from within the transaction in which it is planned.

A result that is read afterwards could fail, and tell a program that a synchronisation failed which had happened. Only
the names of epics that are new in the database are read afterwards, since nothing else reads their files; if that
fails, they are left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing, suppress

from epicvc.actions.sync.survey import NAME, SyncChange, SyncReport
from epicvc.bidirectional_sync.reading import names_of
from epicvc.database.documents.epicvalues import read_texts
from epicvc.database.documents.layout import read_layout
from epicvc.errors import Unavailable
from epicvc.model.diff import Op
from epicvc.model.labels import natural_order
from epicvc.repo.documents import Documents
from epicvc.repo.repository import Repo


class Foresight:
    """The epics that there will be, with their names.

    Args:
        only: the epics that matter; ``None`` for all.

    Attributes:
        names: the names of these epics; where all epics matter, in their natural order.
        files: the epics that will have a file.
    """

    def __init__(self, only: Sequence[str] | None) -> None:
        self.names: dict[str, str | None] = {}
        self.files: frozenset[str] = frozenset()
        self._only = only
        self._new: frozenset[str] = frozenset()

    def note(self, documents: Documents, report: SyncReport) -> None:
        """Note the epics that there will be. It is called again where everything is planned once more.

        Args:
            documents: both sides before the synchronisation.
            report: the changes that the synchronisation will make.
        """
        keys = {old.root: new.root for old, new in report.tasks_moved if not old.path}
        self.files = _after(documents.working.files.by_epic, report.to_files, keys)
        epics = self._only
        if epics is None:
            rows = _after(documents.db_ids(), report.to_db, keys)
            epics = sorted(self.files | rows | documents.held.epics, key=natural_order)
        self._new = _roots(report.to_db, Op.ADD).intersection(epics)
        known = names_of(documents, self._only, epics, but=self._new | report.names.keys()) | dict(report.names)
        self.names = {epic: known.get(epic) for epic in epics}

    def complete(self, repo: Repo) -> None:
        """Read the names that could not be read before the synchronisation was done."""
        if not self._new:
            return
        with suppress(Unavailable), closing(repo.require_backend()) as backend, backend.read() as reader:
            self.names |= read_texts(reader, read_layout(reader, repo.config.mapping, ""), NAME, self._new)


def _roots(moves: Iterable[SyncChange], op: Op) -> frozenset[str]:
    return frozenset(moved.label.root for moved in moves if moved.op is op and not moved.label.path)


def _after(epics: Iterable[str], moves: Sequence[SyncChange], keys: Mapping[str, str]) -> frozenset[str]:
    """Return the epics that a side will have. Some get another key."""
    kept = (frozenset(epics) - _roots(moves, Op.REMOVE)) | _roots(moves, Op.ADD)
    return frozenset(keys.get(epic, epic) for epic in kept)
