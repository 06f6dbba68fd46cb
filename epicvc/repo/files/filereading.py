"""Reading the files that are others than an index knows: in the end, or before as far as processes have answered."""

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
"""Files between two reports of progress."""

_Identity: TypeAlias = tuple[ObjectId, str, ObjectId, bool]
"""What a worker says of a file: the ids of blob, epic and core, and whether it has calculated fields."""


class FileMoved(Exception):  # not an error: the files are read again
    """Somebody saved, moved or removed a file while it was read."""


class Read(Struct, frozen=True):
    """What stands in a place.

    Attributes:
        row: what is known of the file that is there; ``None`` where there is none any more.
        problem: what is wrong with it.
    """

    row: IndexRow | None
    problem: Unreadable | None = None


class Reading:
    """Reads files one by one.

    Args:
        config: where the files are.
        sink: where their bytes go.
        found: what a scan found.
        edits: where that is something else than an index knows.
        answers: what processes say of the files in these places, in order; ``None`` where nobody was asked.
        progress: told how many of how many are read.
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
        self._ahead: list[Read | None] = []  # nothing for what could not be read

    def go_on(self) -> None:
        """Read what processes have answered already."""
        while self._answers is not None and len(self._ahead) < len(self._edits) and not self._answers.awaited:
            try:
                self._ahead.append(self._next(len(self._ahead)))
            except (EpicvcError, FileMoved):  # if it is so in the end, it is raised then
                self._ahead.append(None)

    def finish(self) -> list[Read]:
        """Read the rest, and again what has changed since it was read: what counts is what is there now.

        Raises:
            Moved: a file is not there any more.
            FileUnavailable: one cannot be read.
        """
        whole = [
            self._at(number, None) if read is None or self._has_changed(number) else read
            for number, read in enumerate(self._ahead)
        ]
        whole.extend(self._next(number) for number in range(len(whole), len(self._edits)))
        return whole

    def _next(self, number: int) -> Read:
        """Read a place, with what a process says of it; each in its turn."""
        if self._progress and number % TELL_EVERY == 0:
            self._progress("files", number, len(self._edits))
        answers, asked = self._answers, self._edits[number].found is not None
        return self._at(number, next(answers, None) if answers is not None and asked else None)

    def _at(self, number: int, identity: _Identity | None) -> Read:
        """Read a place."""
        place = self._edits[number].found
        if place is None:
            return Read(None)
        path, stat = self._found.paths[place], self._found.stat(place)
        row, problem = self._file(path, identity)
        # What is not valid is looked at, and reported, each time.
        settled = (row.epic or row.flags == TEMPLATE) and is_settled(stat, self._observed)
        return Read(replace(row, stat=stat) if settled else row, problem)

    def _has_changed(self, number: int) -> bool:
        """Whether a place is another than it was when the scan found it, so that it may be another than was read."""
        place = self._edits[number].found
        if place is None:
            return False
        try:
            now = os.lstat(f"{self._root}/{self._found.paths[place]}")
        except OSError:
            return True
        return stat_key(now) != self._found.stat(place)

    def _file(self, path: str, identity: _Identity | None) -> tuple[IndexRow, Unreadable | None]:
        """What is known of a file once it is read, and what is wrong with it."""
        data = read_tracked(self._config, path)
        if identity is not None and self._sink.put(ObjectType.BLOB, data) == identity[0]:
            blob, key, core, calculated = identity
            return IndexRow(path, NEVER, blob, key, core, CALCULATED if calculated else 0), None
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
        return IndexRow(path, NEVER, blob, epic.id, core_id(epic.id, epic.core), flags), None


def read_tracked(config: Config, path: str) -> bytes:
    """The bytes of a file that was found.

    Raises:
        Moved: it is not there any more.
        FileUnavailable: it cannot be read.
    """
    try:
        return read_below(config.files, path, config.file_size)
    except FileUnavailable:
        if os.path.lexists(config.files / path):
            raise
        raise FileMoved(path) from None
