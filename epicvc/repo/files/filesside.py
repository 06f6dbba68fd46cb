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
_NO_DIRECTORY: Final = "bring it back with `epicvc rollback HEAD`, or correct [files] dir in epicvc.toml"
"""How often the files are read again because somebody saved or moved one while they were read."""


class _Look(Struct):
    """What a look at the files found, before any is read.

    Attributes:
        before: the index as it was.
        found: the files that look tracked, by name.
        edits: where they are others than the index knows.
        skipped: files that were left out.
        unreadable: files that no epic can be read from.
        fault: why the side as a whole cannot be used.
        answers: what processes say of the files to read, ``None`` where nobody was asked.
        early: the files were looked at before they were asked for.
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
        ahead: processes read many files in the meantime, so that there is time for something else.
        go_on: does what can be done without waiting for them.
        finish: does the rest; see :meth:`FilesSide.scan` for what it raises.
    """

    ahead: bool
    go_on: Callable[[], None]
    finish: Callable[[], FilesState]


class FilesSide:
    """Reads the files side of a repo.

    Args:
        config: where the files are.
        mapping_id: the mapping under which cached core ids were made.
        progress: told how many of how many files are read.
        early: a look at the files that was begun before; the first scan takes it.
        former: tells which epic the history has in a path of which HEAD cannot tell.
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
        """Read what changed, stat the rest.

        Args:
            sink: where the bytes of new files go.
            known: a files tree whose blobs are certainly stored (HEAD's); bytes of files beyond it are put.

        Raises:
            UnsafeName: a tracked name is refused.
            FileUnavailable: a file or directory cannot be read, or files change all the time.
        """
        with self.scanning(sink, known) as begun:
            return begun.finish()

    @contextmanager
    def scanning(self, sink: ObjectSink, known: ObjectId | None, *, beside: bool = False) -> Iterator[Scanning]:
        """Begin a :meth:`scan`: where many files have to be read, processes do that from now on.

        Args:
            sink: see there.
            known: see there.
            beside: the caller is as busy meanwhile.

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
        state = FilesState(working, index, kept, unreadable, skipped, look.fault)
        self._ensure_stored(sink, known, state)
        if index != before:
            save_index(self._cache_path, index)
        if index != before or not look.early:
            earlylook.remember(self._config, look.found)
        return state

    @contextmanager
    def _looking(self, *, beside: bool = False) -> Iterator[_Look]:
        """Look where the files are others than the index knows, and have processes read them where they are many."""
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
        self,
        sink: ObjectSink,
        known: ObjectId,
        root: ObjectId,
        reasons: dict[str, str],
        look: _Look,
        *,
        first: bool,
    ) -> Iterator[tuple[str, TrackedFile]]:
        """Files that were epics, are there, and are left out now: that must not look like deleting their epics.

        They stay in the state as files that are no valid epics, so that a rollback can replace them. What is no file
        any more has no bytes to be committed, so that nothing can be done before it is gone.

        Raises:
            Moved: at the first look, one is left out for no known reason. While a file is saved its name may be
                free for a moment, or pass by the reading of the directory.
        """
        for path, old, new in changed_files(sink, known, root):
            target = self._config.files / path
            if old is None or new is not None or not (target.is_symlink() or target.exists()):
                continue
            epic: str | None = epic_id_of(sink, old, path)
            if epic == path and (epic := self._former(path)) is None:
                continue  # it never was one
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
        """Find the files that look tracked, by name; a files directory that is not there is a problem, and empty.

        Returns:
            Whether they were looked at before.
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
        """What the early look found; once, since a second scan is for what has changed since."""
        early, self._early = self._early, None
        if early is None:
            return None
        config = self._config
        return early.take((os.fspath(config.files), config.include, config.exclude))

    @staticmethod
    def _check_names(found: FoundFiles, edits: Iterable[Edit]) -> None:
        """Refuse unsafe names. What the index knows has passed before, all of it together."""
        strangers = [found.paths[edit.found] for edit in edits if edit.low == edit.high and edit.found is not None]
        if not strangers:
            return
        from epicvc.files.names import check_collisions, check_name

        for path in strangers:
            check_name(path)
        check_collisions(found.paths)

    def _reading(self, look: _Look, sink: ObjectSink) -> Reading:
        return Reading(self._config, sink, look.found, look.edits, look.answers, self._progress)

    def _claimed(
        self,
        before: FileIndex,
        index: FileIndex,
        rows: Sequence[tuple[Edit, IndexRow | None]],
        unreadable: list[Unreadable],
    ) -> FileIndex:
        """The index with a flag at each file whose epic is in an earlier one, which is a problem.

        Where no file was such, only an epic that came to a file can make it one.
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
        """Put the bytes of every file that the known tree has not: the cache may know ids that no store has."""
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
    """The tree of the files in an index: that of the index before with what changed, where that one is stored."""
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
