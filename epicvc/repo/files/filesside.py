"""The files side as it is now: tracked files, their bytes as blobs, their epics, and the tree of all of them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from msgspec import Struct, field
from msgspec.structs import replace

from epicvc.base.fileio import read_below
from epicvc.errors import EpicvcError, FileUnavailable, InvalidFile
from epicvc.files.scan.cache import load_index, save_index
from epicvc.files.scan.index import Edit, FileIndex, IndexRow
from epicvc.files.scan.scan import FoundFiles, scan
from epicvc.repo.config.config import Config
from epicvc.repo.files import earlylook
from epicvc.repo.files.filereading import FileMoved, Reading, read_tracked
from epicvc.repo.files.filestree import changed_files, epic_id_of, update_files
from epicvc.repo.files.tracked import CLAIMED, TEMPLATE, FilesState, Skipped, TrackedFile, Unreadable
from epicvc.store.objects import ObjectId, ObjectSink, ObjectType
from epicvc.store.tree import tree

if TYPE_CHECKING:
    from epicvc.files.scan.early import EarlyLook
    from epicvc.files.scan.looking import Answer
    from epicvc.repo.files.workers import WorkerAnswers

CACHE: Final = "files.cache"
_ATTEMPTS: Final = 8
"""The number of times that the files are read, since somebody may save or move one while they are read."""
_NO_DIRECTORY: Final = "bring it back with `epicvc rollback HEAD`, or correct [files] dir in epicvc.toml"


class _Look(Struct):
    """The result of a look at the files, before any of them is read.

    Attributes:
        before: the index of the last scan.
        found: the files that look tracked by their names.
        edits: the places in which they differ from the index.
        skipped: files that were left out.
        unreadable: files from which no epic can be read.
        fault: the reason why the side as a whole cannot be used.
        answers: the answers of workers for the files to read; ``None`` where no worker was asked.
        early: whether the files were looked at before they were asked for.
    """

    before: FileIndex
    found: FoundFiles = field(default_factory=FoundFiles)
    edits: Sequence[Edit] = ()
    skipped: list[Skipped] = field(default_factory=list)
    unreadable: list[Unreadable] = field(default_factory=list)
    fault: EpicvcError | None = None
    answers: WorkerAnswers | None = None
    early: bool = False


class Scanning(Struct, frozen=True):
    """A scan that has begun.

    Attributes:
        ahead: whether workers read many files meanwhile, so that the caller has time for something else.
        go_on: does the work that need not wait for the workers.
        finish: does the rest; raises as :meth:`FilesSide.scan` does.
    """

    ahead: bool
    go_on: Callable[[], None]
    finish: Callable[[], FilesState]


class FilesSide:
    """Reads the files side of a repo.

    Args:
        config: names the files.
        mapping_id: the mapping under which cached core ids were made.
        progress: called with the number of files that have been read, and of all.
        early: a look at the files that was begun before; the first scan uses it.
        former: returns the epic that history has in a path, for a path in which HEAD has no epic.
    """

    def __init__(
        self,
        config: Config,
        mapping_id: ObjectId,
        progress: Callable[[str, int, int | None], None] | None = None,
        early: EarlyLook | None = None,
        former: Callable[[str], str | None] = lambda _: None,
    ) -> None:
        self._config = config
        self._former = former
        self._early = early
        self._progress = progress
        self._basis = mapping_id.hex()
        self._cache_path = config.private / CACHE

    def scan(self, sink: ObjectSink, known: ObjectId | None) -> FilesState:
        """Read the files that changed, and stat the others.

        Args:
            sink: takes the bytes of new files.
            known: a files tree whose blobs are certainly stored (HEAD's). The bytes of all other files go to ``sink``.

        Raises:
            UnsafeName: a tracked name is refused.
            FileUnavailable: a file or directory cannot be read, or files change all the time.
        """
        with self.scanning(sink, known) as begun:
            return begun.finish()

    @contextmanager
    def scanning(self, sink: ObjectSink, known: ObjectId | None, *, beside: bool = False) -> Iterator[Scanning]:
        """Begin a :meth:`scan`. Where many files have to be read, worker processes read them from now on.

        Args:
            sink: as for :meth:`scan`.
            known: as for :meth:`scan`.
            beside: whether the caller is busy meanwhile too.

        Raises:
            UnsafeName: a tracked name is refused.
            FileUnavailable: a directory cannot be read.
        """
        with self._looking(beside=beside) as look:
            reading = self._reading(look, sink)

            def finish() -> FilesState:
                try:
                    return self._scan(look, reading, sink, known, first=True)
                except FileMoved as moved:
                    return self._scan_again(sink, known, str(moved))

            yield Scanning(look.answers is not None, reading.go_on, finish)

    def _scan_again(self, sink: ObjectSink, known: ObjectId | None, path: str) -> FilesState:
        for _ in range(1, _ATTEMPTS):
            with self._looking() as look:
                try:
                    return self._scan(look, self._reading(look, sink), sink, known, first=False)
                except FileMoved as moved:
                    path = str(moved)
        raise FileUnavailable(path, "it changes whenever it is read", hint="try again when the files are quieter")

    def _scan(
        self, look: _Look, reading: Reading, sink: ObjectSink, known: ObjectId | None, *, first: bool
    ) -> FilesState:
        before, skipped, unreadable = look.before, look.skipped, look.unreadable
        read = reading.finish()
        unreadable += (each.problem for each in read if each.problem is not None)
        rows = [(edit, each.row) for edit, each in zip(look.edits, read, strict=True)]
        index = before.edited(rows)
        root = _root(sink, before, index, rows)
        skipped += (Skipped(index.paths[row], "a template") for row in index.flagged(TEMPLATE))
        kept = {}
        if known is not None and known != root:
            kept = dict(self._still_there(sink, known, root, dict(skipped), look, first=first))
        index = self._claimed(before, index if index.root == root else replace(index, root=root), rows, unreadable)
        working = update_files(sink, root, ((path, file.blob) for path, file in kept.items()))
        state = FilesState(working, index, kept, unreadable=unreadable, skipped=skipped, fault=look.fault)
        self._ensure_stored(sink, known, state)
        if index != before:
            save_index(self._cache_path, index)
        if index != before or not look.early:
            earlylook.remember(self._config, look.found)
        return state

    @contextmanager
    def _looking(self, *, beside: bool = False) -> Iterator[_Look]:
        """Look for files that differ from the index, and let worker processes read them where they are many."""
        look = _Look(load_index(self._cache_path, self._basis))
        look.early = self._find(look)
        look.edits = look.before.edits(look.found)
        self._check_names(look.found, look.edits)
        unknown = [look.found.paths[edit.found] for edit in look.edits if edit.found is not None]
        if not unknown:
            yield look
            return
        from epicvc.repo.files.workers import Workers, worth_it

        if not worth_it(unknown):
            yield look
            return
        config = self._config
        setup = {"root": os.fspath(config.files), "mapping": config.mapping.to_json(), "file_size": config.file_size}
        with Workers("identify", setup, beside=beside) as workers:
            look.answers = workers.all(unknown)
            yield look

    def _still_there(
        self, sink: ObjectSink, known: ObjectId, root: ObjectId, reasons: dict[str, str], look: _Look, *, first: bool
    ) -> Iterator[tuple[str, TrackedFile]]:
        """Yield files that were epics, are still there, and are left out now.

        This must not look like the deletion of their epics. So they stay in the state as files that are no valid epics,
        and a rollback can replace them. A directory or link in the place of a file has no bytes to commit: the side
        cannot be used before it is gone.

        Raises:
            FileMoved: at the first look, a file is left out for no known reason. While a file is saved, its name may be
                free for a moment, or the reading of the directory may miss it.
        """
        for path, old, new in changed_files(sink, known, root):
            target = self._config.files / path
            if old is None or new is not None or not (target.is_symlink() or target.exists()):
                continue
            epic: str | None = epic_id_of(sink, old, path)
            if epic == path and (epic := self._former(path)) is None:
                continue  # the file never was an epic
            if first and path not in reasons:
                raise FileMoved(path)
            reason = reasons.get(path, "left out by [files] include and exclude; move it away to delete the epic")
            error = InvalidFile(self._config.shown(path), f"was an epic and is now {reason}")
            if target.is_symlink() or not target.is_file():
                look.fault = look.fault or error
                continue
            look.unreadable.append(Unreadable(error, epic, path))
            data = read_below(self._config.files, path, self._config.file_size)
            blob = sink.put(ObjectType.BLOB, data)
            yield path, TrackedFile(path, blob)

    def _find(self, look: _Look) -> bool:
        """Find the files that look tracked by their names. A missing files directory is a fault, and has no files.

        Returns:
            Whether the early look found them.
        """
        config, skipped = self._config, look.skipped
        if not config.files.exists():
            look.fault = FileUnavailable(config.shown(""), "the files directory does not exist", hint=_NO_DIRECTORY)
            return False
        answer = self._taken()
        if answer is not None:
            look.found = answer.found
            skipped += (Skipped(*what) for what in answer.skipped)
            return True
        look.found = scan(
            config.files, config.include, config.exclude, skipped=lambda *what: skipped.append(Skipped(*what))
        )
        return False

    def _taken(self) -> Answer | None:
        """Return the result of the early look, once: a second scan has to see later changes."""
        early, self._early = self._early, None
        if early is None:
            return None
        config = self._config
        return early.take((os.fspath(config.files), config.include, config.exclude))

    @staticmethod
    def _check_names(found: FoundFiles, edits: Iterable[Edit]) -> None:
        """Refuse unsafe names. The names in the index have passed this check before, all together."""
        strangers = [found.paths[edit.found] for edit in edits if edit.low == edit.high and edit.found is not None]
        if not strangers:
            return
        from epicvc.files.names import check_collisions, check_name

        for path in strangers:
            check_name(path)
        check_collisions(found.paths)

    def _reading(self, look: _Look, sink: ObjectSink) -> Reading:
        return Reading(self._config, sink, look.found, edits=look.edits, answers=look.answers, progress=self._progress)

    def _claimed(
        self,
        before: FileIndex,
        index: FileIndex,
        rows: Sequence[tuple[Edit, IndexRow | None]],
        unreadable: list[Unreadable],
    ) -> FileIndex:
        """Return the index with a flag at each file whose epic an earlier file has, and note each as unreadable.

        Where no file had the flag before, only an epic that is new to a file can cause one.
        """
        came = any(row and row.epic and (e.low == e.high or row.epic != before.epics[e.low]) for e, row in rows)
        if not came and not any(flag & CLAIMED for flag in set(before.flags)):
            return index
        flags, first = bytearray(index.flags), dict[str, int]()
        for row, epic in enumerate(index.epics):
            flags[row] &= ~CLAIMED
            if epic and (owner := first.setdefault(epic, row)) != row:
                flags[row] |= CLAIMED
                other, path = (self._config.shown(index.paths[at]) for at in (owner, row))
                error = InvalidFile(path, f"epic {epic} is already in {other}; an epic lives in one file")
                unreadable.append(Unreadable(error, epic, index.paths[row]))
        return replace(index, flags=bytes(flags))

    def _ensure_stored(self, sink: ObjectSink, known: ObjectId | None, state: FilesState) -> None:
        """Put the bytes of every file that the known tree lacks: the index may have ids that no store has."""
        if known == state.root:
            return
        start = known if known is not None else tree.empty(sink)
        for key, _, blob in tree.diff(sink, start, state.root):
            if blob is not None and not sink.has(blob):
                path = key.decode()
                if sink.put(ObjectType.BLOB, read_tracked(self._config, path)) != blob:
                    raise FileMoved(path)


def _root(
    sink: ObjectSink, before: FileIndex, index: FileIndex, rows: Sequence[tuple[Edit, IndexRow | None]]
) -> ObjectId:
    """Return the tree of the files in an index.

    Where the tree of the former index is stored, only the changes are written into it.
    """
    if not before.root or not sink.has(before.root):
        tracked = (row for row in range(len(index)) if index.flags[row] != TEMPLATE)
        return tree.build(sink, ((index.paths[row].encode(), index.blob(row)) for row in tracked))
    changes: list[tuple[bytes, bytes | None]] = []
    for edit, row in rows:
        known = edit.high > edit.low and before.flags[edit.low] != TEMPLATE
        old = before.blob(edit.low) if known else None
        new = row.blob if row is not None and row.flags != TEMPLATE else None
        if old != new:
            path = row.path if row is not None else before.paths[edit.low]
            changes.append((path.encode(), new))
    return tree.update(sink, before.root, changes)
