"""The epics that there are once a synchronisation is done, told in the transaction in which it is planned.

What has been done is done: results that had to be read afterwards could fail, and tell a program that something which
happened did not. Only the names of epics that are new in the database are read from it then, since nothing else reads
their files; where that fails they are left out.
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
    """Notes what there will be.

    Args:
        only: the epics that matter; ``None``: all.

    Attributes:
        names: these epics, in their natural order where they are all, with their names.
        files: the epics that have a file.
    """

    def __init__(self, only: Sequence[str] | None) -> None:
        self.names: dict[str, str | None] = {}
        self.files: frozenset[str] = frozenset()
        self._only = only
        self._new: frozenset[str] = frozenset()

    def note(self, documents: Documents, report: SyncReport) -> None:
        """Note it; called again where everything is planned once more.

        Args:
            documents: both sides before.
            report: what will be done.
        """
        keys = {old.root: new.root for old, new in report.tasks_moved if not old.path}
        self.files = _after(documents.working.files.by_epic, report.to_files, keys)
        epics = self._only
        if epics is None:
            rows = _after(documents.db_ids(), report.to_db, keys)
            epics = sorted(self.files | rows | documents.held.epics, key=natural_order)
        self._new = _roots(report.to_db, Op.ADD).intersection(epics)
        known = names_of(documents, self._only, epics, but=self._new | report.names.keys()) | report.names
        self.names = {epic: known.get(epic) for epic in epics}

    def complete(self, repo: Repo) -> None:
        """Read what could not be read before, now that it is done."""
        if not self._new:
            return
        with suppress(Unavailable), closing(repo.require_backend()) as backend, backend.read() as reader:
            self.names |= read_texts(reader, read_layout(reader, repo.config.mapping, ""), NAME, self._new)


def _roots(moves: Iterable[SyncChange], op: Op) -> frozenset[str]:
    return frozenset(moved.label.root for moved in moves if moved.op is op and not moved.label.path)


def _after(epics: Iterable[str], moves: Sequence[SyncChange], keys: Mapping[str, str]) -> frozenset[str]:
    """The epics that a side will have; some get another key."""
    kept = (frozenset(epics) - _roots(moves, Op.REMOVE)) | _roots(moves, Op.ADD)
    return frozenset(keys.get(epic, epic) for epic in kept)
