"""Reads the files that differ from the index.

While worker processes answer, the files that they have answered are read already; the rest is read in the end.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final, TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from epicvc.base.fileio import read_below
from epicvc.base.jsonio import JSON, parse
from epicvc.errors import EpicvcError, FileUnavailable, InvalidData
from epicvc.files.scan.cache import clock_ns, is_settled
from epicvc.files.scan.index import NEVER, Edit, IndexRow
from epicvc.files.scan.scan import FoundFiles, stat_key
from epicvc.model.document import epic_id, read_file_epic
from epicvc.model.templates import is_template
from epicvc.repo.config.config import Config
from epicvc.repo.files.filestree import blob_id, has_calculated
from epicvc.repo.files.tracked import CALCULATED, TEMPLATE, Unreadable
from epicvc.repo.history.base import core_id
from epicvc.store.objects import ObjectId, ObjectSink, ObjectType

if TYPE_CHECKING:
    from epicvc.repo.files.workers import WorkerAnswers

TELL_EVERY: Final = 64
"""The number of files between two reports of progress."""

_Identity: TypeAlias = tuple[ObjectId, str, ObjectId, bool]
"""The answer of a worker for a file: the ids of blob, epic and core, and whether the epic has calculated fields."""


class FileMoved(Exception):  # not an error: the files are read again
    """Raised where somebody saved, moved or removed a file while it was read."""


class Read(Struct, frozen=True):
    """The result of reading the file in one place.

    Attributes:
        row: the index row of the file that is there; ``None`` where there is no file any more.
        problem: the reason why no epic can be read from the file.
    """

    row: IndexRow | None
    problem: Unreadable | None = None


class Reading:
    """Reads the files that differ from the index, one by one.

    Args:
        config: names the directory of the files.
        sink: takes the bytes of the files.
        found: the files that a scan found.
        edits: the places in which the found files differ from the index.
        answers: the answers of workers for the files in these places, in order; ``None`` where no worker was asked.
        progress: called with the number of files that have been read, and of all.
    """

    def __init__(
        self,
        config: Config,
        sink: ObjectSink,
        found: FoundFiles,
        edits: Sequence[Edit],
        answers: WorkerAnswers | None,
        progress: Callable[[str, int, int | None], None] | None,
    ) -> None:
        self._config, self._sink, self._found, self._edits = config, sink, found, edits
        self._answers, self._progress = answers, progress
        self._root = os.fspath(config.files)
        self._observed = clock_ns(config.private) if edits else 0
        self._ahead: list[Read | None] = []  # ``None`` for a file that could not be read

    def go_on(self) -> None:
        """Read the files for which workers have answered already."""
        while self._answers is not None and len(self._ahead) < len(self._edits) and not self._answers.awaited:
            try:
                self._ahead.append(self._next(len(self._ahead)))
            # the file is read again in the end, which raises if the error is still there
            except (EpicvcError, FileMoved):
                self._ahead.append(None)

    def finish(self) -> list[Read]:
        """Read the rest, and again the files that have changed since they were read: the present content counts.

        Raises:
            FileMoved: a file is not there any more.
            FileUnavailable: a file cannot be read.
        """
        whole = [
            self._at(number, None) if read is None or self._has_changed(number) else read
            for number, read in enumerate(self._ahead)
        ]
        whole.extend(self._next(number) for number in range(len(whole), len(self._edits)))
        return whole

    def _next(self, number: int) -> Read:
        """Read a place with the next answer of a worker. Places have to be read in order."""
        if self._progress and number % TELL_EVERY == 0:
            self._progress("files", number, len(self._edits))
        answers, asked = self._answers, self._edits[number].found is not None
        return self._at(number, next(answers, None) if answers is not None and asked else None)

    def _at(self, number: int, identity: _Identity | None) -> Read:
        """Read the file in a place."""
        place = self._edits[number].found
        if place is None:
            return Read(None)
        path, stat = self._found.paths[place], self._found.stat(place)
        row, problem = self._file(path, identity)
        # A file that is not valid gets no settled row: it is read, and reported, by every command.
        settled = (row.epic or row.flags == TEMPLATE) and is_settled(stat, self._observed)
        return Read(replace(row, stat=stat) if settled else row, problem)

    def _has_changed(self, number: int) -> bool:
        """Return whether the file in a place has changed since the scan, so that the bytes read may be old."""
        place = self._edits[number].found
        if place is None:
            return False
        try:
            now = os.lstat(f"{self._root}/{self._found.paths[place]}")
        except OSError:
            return True
        return stat_key(now) != self._found.stat(place)

    def _file(self, path: str, identity: _Identity | None) -> tuple[IndexRow, Unreadable | None]:
        """Read a file. Return its index row, and the reason why no epic can be read from it."""
        data = read_tracked(self._config, path)
        if identity is not None and self._sink.put(ObjectType.BLOB, data) == identity[0]:
            blob, key, core, calculated = identity
            return IndexRow(path, NEVER, blob, epic=key, core=core, flags=CALCULATED if calculated else 0), None
        shown, mapping = self._config.shown(path), self._config.mapping
        value: JSON = None
        try:
            value = parse(data, source=shown)
            epic = None if is_template(value) else read_file_epic(value, mapping, shown)
        except InvalidData as error:
            return IndexRow(path, NEVER, self._sink.put(ObjectType.BLOB, data)), Unreadable(error, epic_id(value), path)
        if epic is None:
            return IndexRow(path, NEVER, blob_id(data), flags=TEMPLATE), None
        blob = self._sink.put(ObjectType.BLOB, data)
        flags = CALCULATED if has_calculated(epic.whole, mapping) else 0
        return IndexRow(path, NEVER, blob, epic=epic.id, core=core_id(epic.id, epic.core), flags=flags), None


def read_tracked(config: Config, path: str) -> bytes:
    """Return the bytes of a file that was found.

    Raises:
        FileMoved: the file is not there any more.
        FileUnavailable: the file cannot be read.
    """
    try:
        return read_below(config.files, path, config.file_size)
    except FileUnavailable:
        if os.path.lexists(config.files / path):
            raise
        raise FileMoved(path) from None
