"""The tracked files at one moment, by path and by epic, on top of an index that holds a few bytes of each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Final, NamedTuple

from msgspec import Struct

from epicvc.errors import EpicvcError
from epicvc.files.scan.index import FileIndex
from epicvc.store.objects import ObjectId

CALCULATED: Final = 1
"""Flag of a file whose epic has a field that the database calculates."""

TEMPLATE: Final = 2
"""Flag of a file that is no epic yet, and not tracked."""

CLAIMED: Final = 4
"""Flag of a file whose epic is in another file already."""


class TrackedFile(Struct, frozen=True):
    """A tracked file.

    Attributes:
        path: relative to the files directory.
        blob: the id of its bytes.
        epic: its epic's id; ``None`` for a file that is no valid epic.
        core: the id of its epic's core.
        calculated: its epic has a field that the database calculates.
    """

    path: str
    blob: ObjectId
    epic: str | None = None
    core: ObjectId | None = None
    calculated: bool = False


class Skipped(NamedTuple):
    """A file that looks tracked and is not, and why."""

    path: str
    reason: str


class Unreadable(Struct, frozen=True):
    """A file or a row that no epic can be read from.

    Attributes:
        error: what is wrong with it.
        epic: the epic that it says it is, or was; ``None`` where nothing tells.
        path: of a file, relative to the files directory.
    """

    error: EpicvcError
    epic: str | None = None
    path: str | None = None


class Held(Struct, frozen=True):
    """What cannot be read of a moment, and the epics that wait for it.

    Attributes:
        files: the files that no epic can be read from, with whose they are where that is known.
        rows: the rows.
    """

    files: tuple[Unreadable, ...] = ()
    rows: tuple[Unreadable, ...] = ()

    @property
    def unreadable(self) -> tuple[Unreadable, ...]:
        """All of it, files first."""
        return (*self.files, *self.rows)

    @property
    def epics(self) -> frozenset[str]:
        """The epics that wait whole."""
        return frozenset(found.epic for found in self.unreadable if found.epic is not None)

    def require_readable(self, epic: str) -> None:
        """Stop where an epic waits.

        Raises:
            EpicvcError: what cannot be read of it.
        """
        found = next((found for found in self.unreadable if found.epic == epic), None)
        if found is not None:
            raise found.error


class _View(Mapping[str, TrackedFile]):
    """Some rows of an index as files, each made when it is asked for."""

    def __init__(self, index: FileIndex, rows: dict[str, int]) -> None:
        self._index, self._rows = index, rows

    def __getitem__(self, key: str) -> TrackedFile:
        index, row = self._index, self._rows[key]
        if not index.epics[row]:
            return TrackedFile(index.paths[row], index.blob(row))
        calculated = bool(index.flags[row] & CALCULATED)
        return TrackedFile(index.paths[row], index.blob(row), index.epics[row], index.core(row), calculated)

    def __contains__(self, key: object) -> bool:
        return key in self._rows

    def __iter__(self) -> Iterator[str]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)


class FilesState:
    """All tracked files at one moment.

    Args:
        root: the tree of their bytes.
        index: what a scan found, templates included.
        kept: files beside these that are tracked though the scan left them out; none is a valid epic.
        unreadable: files that are no valid epics, and why; of two that claim one epic the later one.
        skipped: files that look tracked and are not.
        fault: why the side as a whole cannot be used.
    """

    def __init__(
        self,
        root: ObjectId,
        index: FileIndex,
        kept: dict[str, TrackedFile],
        unreadable: list[Unreadable],
        skipped: list[Skipped],
        fault: EpicvcError | None = None,
    ) -> None:
        self.root, self.unreadable, self.skipped, self.fault = root, unreadable, skipped, fault
        self._index, self._kept = index, kept

    @cached_property
    def files(self) -> Mapping[str, TrackedFile]:
        """The files by path."""
        index = self._index
        view = _View(index, {path: row for row, path in enumerate(index.paths) if index.flags[row] != TEMPLATE})
        return {**view, **self._kept} if self._kept else view

    @cached_property
    def by_epic(self) -> Mapping[str, TrackedFile]:
        """The files by epic; of those that claim the same one, the first."""
        flags = self._index.flags
        epics = enumerate(self._index.epics)
        return _View(self._index, {epic: row for row, epic in epics if epic and not flags[row] & CLAIMED})

    def with_root(self, root: ObjectId) -> FilesState:
        """The same with another tree of bytes, for who sets some files apart."""
        return FilesState(root, self._index, self._kept, self.unreadable, self.skipped, self.fault)

    @property
    def problems(self) -> list[EpicvcError]:
        """Everything that is wrong, that of the side as a whole first, then by path."""
        whole = [self.fault] if self.fault is not None else []
        return [*whole, *(found.error for found in self.unreadable)]

    def require_usable(self) -> None:
        """Stop where the side as a whole cannot be used: no epic must be taken for a deleted one.

        Raises:
            EpicvcError: why.
        """
        if self.fault is not None:
            raise self.fault

    def require_valid(self) -> None:
        """Stop where any file is no valid epic, for what is about all epics at once.

        Raises:
            EpicvcError: the first problem found.
        """
        if self.problems:
            raise self.problems[0]
