"""Finds the last file of an epic or a task that was deleted in the files, for when it comes back.

A core holds only the fields that both sides own. The keys that files alone have, their order and the author's
formatting are in the newest state of the history that has the file, or in the file that was agreed on.
"""

from __future__ import annotations

from functools import cached_property

from msgspec import Struct

from epicvc.actions.restore.lastseen import FILES, LastSeen
from epicvc.errors import EpicvcError
from epicvc.model.document import FileEpic
from epicvc.repo.documents import Documents, Three
from epicvc.repo.files.filestree import parse_file
from epicvc.store.objects import ObjectType


class FormerFile(Struct, frozen=True):
    """A file of an earlier state.

    Attributes:
        path: its path; empty if it is not known.
        raw: its bytes.
        epic: the epic in it.
    """

    path: str
    raw: bytes
    epic: FileEpic


class FormerFiles:
    """Finds former files.

    Args:
        documents: the documents of one moment.
    """

    def __init__(self, documents: Documents) -> None:
        self._documents = documents

    @cached_property
    def _seen(self) -> LastSeen:
        return LastSeen(self._documents)

    def of(self, three: Three, task: str | None = None) -> FormerFile | None:
        """Return the file of an epic in the newest state with the epic, or a task of it, that the files lack now.

        Returns ``None`` if the files never had it, or if the file cannot be read.
        """
        if three.base is None:
            return None
        names = (three.epic,) if three.renamed is None else (three.epic, three.renamed.old)
        tracked, entry = self._documents.tracked(three.epic), self._documents.entries.get(names[-1])
        step = self._seen.step(FILES, names, task)
        found = self._seen.file(step, names, tracked.path if tracked else "") if step is not None else None
        if found is None and entry is not None and entry.file is not None:
            found = "", entry.file
        if found is None:
            return None
        path, blob = found
        raw = self._documents.sink.get(blob, ObjectType.BLOB)
        try:
            return FormerFile(path, raw, parse_file(raw, path, self._documents.repo.config))
        except EpicvcError:  # the file was valid under an earlier mapping only
            return None
