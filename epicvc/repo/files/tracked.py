"""The tracked files at one moment, by path and by epic, on top of an index with a few bytes for each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Final, NamedTuple

from msgspec import Struct

from epicvc.errors import EpicvcError
from epicvc.files.scan.index import FileIndex
from epicvc.store.objects import ObjectId

CALCULATED: Final = 1
"""The flag of a file whose epic has a field that the database calculates."""

TEMPLATE: Final = 2
"""The flag of a file that is no epic yet, and not tracked."""

CLAIMED: Final = 4
"""The flag of a file whose epic is in another file already."""


class TrackedFile(Struct, frozen=True):
    """A tracked file.

    Attributes:
        path: relative to the files directory.
        blob: the id of its bytes.
        epic: its epic's id; ``None`` for a file that is no valid epic.
        core: the id of its epic's core.
        calculated: whether its epic has a field that the database calculates.
    """

    path: str
    blob: ObjectId
    epic: str | None = None
    core: ObjectId | None = None
    calculated: bool = False


class Skipped(NamedTuple):
    """A file that looks tracked and is not, with the reason."""

    path: str
    reason: str


class Unreadable(Struct, frozen=True):
    """A file or a row from which no epic can be read.

    Attributes:
        error: the reason.
        epic: the epic that it claims to be, or that it was; ``None`` where that is not known.
        path: the path of a file, relative to the files directory; ``None`` for a row.
    """

    error: EpicvcError
    epic: str | None = None
    path: str | None = None


class Held(Struct, frozen=True):
    """The files and rows of a moment that cannot be read, and so the epics that are held back until they can.

    Attributes:
        files: the files from which no epic can be read, each with its epic where that is known.
        rows: the rows from which no epic can be read.
    """

    files: tuple[Unreadable, ...] = ()
    rows: tuple[Unreadable, ...] = ()

    @property
    def unreadable(self) -> tuple[Unreadable, ...]:
        """All that cannot be read, files first."""
        return (*self.files, *self.rows)

    @property
    def epics(self) -> frozenset[str]:
        """The epics that are held back as a whole."""
        return frozenset(found.epic for found in self.unreadable if found.epic is not None)

    def require_readable(self, epic: str) -> None:
        """Raise the error of an epic that is held.

        Raises:
            EpicvcError: a file or row of the epic cannot be read.
        """
        found = next((found for found in self.unreadable if found.epic == epic), None)
        if found is not None:
            raise found.error


class _View(Mapping[str, TrackedFile]):
    """Some rows of an index as files, each made when it is looked up."""

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
        index: the files that a scan found, templates included.
        kept: further files, which are tracked though the scan left them out; none is a valid epic.
        unreadable: files that are no valid epics, each with the reason; of two that claim one epic, the later one.
        skipped: files that look tracked and are not.
        fault: the reason why the side as a whole cannot be used.
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
        """The files by epic; of several that claim the same epic, the first."""
        flags = self._index.flags
        epics = enumerate(self._index.epics)
        return _View(self._index, {epic: row for row, epic in epics if epic and not flags[row] & CLAIMED})

    def with_root(self, root: ObjectId) -> FilesState:
        """Return the same state with another tree of bytes, for a caller that sets some files apart."""
        return FilesState(
            root, self._index, self._kept, unreadable=self.unreadable, skipped=self.skipped, fault=self.fault
        )

    @property
    def problems(self) -> list[EpicvcError]:
        """All errors: the fault of the side as a whole first, then those of files."""
        whole = [self.fault] if self.fault is not None else []
        return [*whole, *(found.error for found in self.unreadable)]

    def require_usable(self) -> None:
        """Raise the fault of the side as a whole, if there is one: no epic must be taken for a deleted one.

        Raises:
            EpicvcError: the side cannot be used.
        """
        if self.fault is not None:
            raise self.fault
