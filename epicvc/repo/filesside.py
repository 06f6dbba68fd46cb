"""The files side as it is now: tracked files, their bytes as blobs, their epics, and the tree of all of them."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Final, NamedTuple, TypeAlias

from msgspec import Struct, field

from epicvc.errors import EpicvcError, FileUnavailable, InvalidData, InvalidFile, InvalidJSON
from epicvc.fileio import read_file
from epicvc.files.cache import CacheEntry, StatCache, clock_ns
from epicvc.files.names import check_collisions, check_name
from epicvc.files.scan import FoundFile, StatKey, scan
from epicvc.jsonio import JSON, parse
from epicvc.model.document import FileEpic, epic_body, natural_key, read_file_epic
from epicvc.model.mapping import Mapping
from epicvc.repo.base import core_id
from epicvc.repo.config import Config
from epicvc.repo.workers import Workers, worth_it
from epicvc.store import tree
from epicvc.store.objects import ObjectId, ObjectSink, ObjectSource, ObjectType, object_id

CACHE: Final = "files.cache"
TELL_EVERY: Final = 64
"""Files between two reports of progress."""

_ATTEMPTS: Final = 8
"""How often the files are read again because somebody saved or moved one while they were read."""

_PLACEHOLDER: Final = re.compile(r"\[[^\[\]]+\]|<[^<>]+>|\{\{?[^{}]+\}?\}")
_ROOT: Final = "root"
_MAPPING: Final = "mapping"
_COUNT: Final = "count"
_CALCULATED: Final = 1
"""Flag of a cached file whose epic has a calculated field."""


class TrackedFile(Struct, frozen=True):
    """A tracked file.

    Attributes:
        path: relative to the files directory.
        blob: the id of its bytes.
        epic: its epic's id; ``None`` for a file that is no valid epic.
        core: the id of its epic's core.
        stat: what the file system said when it was read.
        calculated: its epic has a field that the database calculates.
    """

    path: str
    blob: ObjectId
    epic: str | None
    core: ObjectId | None
    stat: StatKey
    calculated: bool = False


class _Moved(Exception):  # not an error: the files are read again
    """Somebody saved, moved or removed a file while it was read."""


class Skipped(NamedTuple):
    """A file that looks tracked and is not, and why."""

    path: str
    reason: str


class FilesState(Struct):
    """All tracked files at one moment."""

    root: ObjectId
    files: dict[str, TrackedFile]
    problems: list[EpicvcError] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    by_epic: dict[str, TrackedFile] = field(default_factory=dict)

    def require_valid(self) -> None:
        """Stop where a file is no valid epic: it must never be taken for a deleted one.

        Raises:
            EpicvcError: the first problem found, by path.
        """
        if self.problems:
            raise self.problems[0]


_Identity: TypeAlias = tuple[ObjectId, str, ObjectId, bool]
"""What a worker says of a file: the ids of blob, epic and core, and whether it has calculated fields."""


class FilesSide:
    """Reads the files side of a repo.

    Args:
        config: where the files are.
        mapping_id: the mapping under which cached core ids were made.
        progress: told how many of how many files are read.
    """

    def __init__(
        self, config: Config, mapping_id: ObjectId, progress: Callable[[str, int, int | None], None] | None = None
    ) -> None:
        self._config = config
        self._progress = progress
        self._mapping_id = mapping_id.hex()
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
        for attempt in range(_ATTEMPTS):
            try:
                return self._scan(sink, known, first=not attempt)
            except _Moved as moved:
                path = str(moved)
        raise FileUnavailable(path, "it changes whenever it is read", hint="try again when the files are quieter")

    def _scan(self, sink: ObjectSink, known: ObjectId | None, *, first: bool) -> FilesState:
        cache = StatCache.load(self._cache_path)
        if cache.header.get(_MAPPING) != self._mapping_id:
            cache = StatCache()
        skipped: list[Skipped] = []
        problems: list[EpicvcError] = []
        observed = clock_ns(self._config.private)
        found = self._find(cache, skipped, problems)
        files: dict[str, TrackedFile] = {}
        for number, (item, identity) in enumerate(self._identified(found, cache)):
            tracked = self._track(item, identity, cache, sink, problems)
            if tracked is not None:
                files[item.path] = tracked
            else:
                skipped.append(Skipped(item.path, "a template"))
            if self._progress and number % TELL_EVERY == 0:
                self._progress("files", number, len(found))
        # Most scans find what the cache knows, to the last file: then there is nothing to work out anew.
        unchanged = len(files) == len(cache.entries) and all(
            cache.lookup(path, file.stat) is not None for path, file in files.items()
        )
        root = self._root(sink, cache, files, unchanged)
        if known is not None and known != root:
            kept = dict(self._still_there(sink, known, root, dict(skipped), problems, first=first))
            files |= kept
            root = update_files(sink, root, ((path, file.blob) for path, file in kept.items()))
        state = FilesState(root, files, problems, skipped)
        for tracked in files.values():
            if tracked.epic is not None:
                self._claim(state, tracked)
        self._ensure_stored(sink, known, state)
        self._remember(cache, state, observed, unchanged)
        return state

    def _still_there(
        self,
        sink: ObjectSink,
        known: ObjectId,
        root: ObjectId,
        reasons: dict[str, str],
        problems: list[EpicvcError],
        *,
        first: bool,
    ) -> Iterator[tuple[str, TrackedFile]]:
        """Files that were epics, are there, and are left out now: that must not look like deleting their epics.

        They stay in the state as files that are no valid epics, so that a rollback can replace them.

        Raises:
            _Moved: at the first look, one is left out for no known reason. While a file is saved its name may be
                free for a moment, or pass by the reading of the directory.
        """
        for path, _, new in changed_files(sink, known, root):
            target = self._config.files / path
            if new is not None or not (target.is_symlink() or target.exists()):
                continue
            if first and path not in reasons:
                raise _Moved(path)
            reason = reasons.get(path, "left out by [files] include and exclude; move it away to delete the epic")
            problems.append(InvalidFile(self._config.shown(path), f"was an epic and is now {reason}"))
            if target.is_file() and not target.is_symlink():
                data = read_file(target, root=self._config.files)
                blob = sink.put(ObjectType.BLOB, data)
                yield path, TrackedFile(path, blob, None, None, StatKey.of(target.lstat()))

    def _find(self, cache: StatCache, skipped: list[Skipped], problems: list[EpicvcError]) -> list[FoundFile]:
        """The files that look tracked, by name; a files directory that is not there is a problem, and empty."""
        config = self._config
        if not config.files.exists():
            problems.append(FileUnavailable(config.shown(""), "the files directory does not exist"))
            return []

        def skip(path: str, reason: str) -> None:
            skipped.append(Skipped(path, reason))

        found = list(scan(config.files, config.include, config.exclude, skipped=skip))
        # What the cache knows has passed these before, all of it together.
        strangers = [item.path for item in found if item.path not in cache.entries]
        for path in strangers:
            check_name(path)
        if strangers:
            check_collisions(item.path for item in found)
        return found

    def _identified(self, found: list[FoundFile], cache: StatCache) -> Iterator[tuple[FoundFile, _Identity | None]]:
        """The files, with what worker processes say of those that have to be read, where these are many."""
        unknown = [item.path for item in found if cache.lookup(item.path, item.stat) is None]
        if not worth_it(unknown):
            yield from ((item, None) for item in found)
            return
        setup = {"root": os.fspath(self._config.files), "mapping": self._config.mapping.to_json()}
        with Workers("identify", setup) as workers:
            pending, answers = frozenset(unknown), workers.map(unknown)
            for item in found:
                yield item, next(answers) if item.path in pending else None

    def _track(
        self,
        item: FoundFile,
        identity: _Identity | None,
        cache: StatCache,
        sink: ObjectSink,
        problems: list[EpicvcError],
    ) -> TrackedFile | None:
        """Read a file, or take what is known of it; ``None`` for a template, which is no epic yet."""
        entry = cache.lookup(item.path, item.stat)
        if entry is not None and entry.epic_id is not None:
            flag = bool(entry.flags & _CALCULATED)
            return TrackedFile(item.path, entry.blob_id, entry.epic_id, entry.core_id, item.stat, flag)
        data = self._read(item.path)
        if identity is not None and sink.put(ObjectType.BLOB, data) == identity[0]:
            return TrackedFile(item.path, *identity[:3], item.stat, identity[3])
        shown = self._config.shown(item.path)
        try:
            value = parse(data, source=shown)
            epic = None if is_template(value) else read_file_epic(value, self._config.mapping, shown)
        except InvalidData as error:
            problems.append(error)
            return TrackedFile(item.path, sink.put(ObjectType.BLOB, data), None, None, item.stat)
        if epic is None:
            return None
        blob = sink.put(ObjectType.BLOB, data)
        calculated = has_calculated(epic, self._config.mapping)
        return TrackedFile(item.path, blob, epic.id, core_id(epic.id, epic.core), item.stat, calculated)

    def _read(self, path: str) -> bytes:
        target = self._config.files / path
        try:
            return read_file(target, root=self._config.files)
        except FileUnavailable:
            if os.path.lexists(target):
                raise
            raise _Moved(path) from None

    def _claim(self, state: FilesState, tracked: TrackedFile) -> None:
        assert tracked.epic is not None  # the caller asked
        other = state.by_epic.setdefault(tracked.epic, tracked)
        if other is not tracked:
            reason = f"epic {tracked.epic} is already in {self._config.shown(other.path)}; an epic lives in one file"
            state.problems.append(InvalidFile(self._config.shown(tracked.path), reason))

    @staticmethod
    def _root(sink: ObjectSink, cache: StatCache, files: dict[str, TrackedFile], unchanged: bool) -> ObjectId:
        """The tree of all files: the remembered one with what changed, where that one is stored."""
        recorded = cache.header.get(_ROOT)
        root = bytes.fromhex(recorded) if recorded else None
        if root is None or not sink.has(root):
            return tree.build(sink, sorted((path.encode(), file.blob) for path, file in files.items()))
        # The cache leaves out files that were too new to be remembered; its tree does not.
        if unchanged and cache.header.get(_COUNT) == str(len(cache.entries)):
            return root
        known = {key.decode(): blob for key, blob in tree.items(sink, root)}
        changes: list[tuple[bytes, bytes | None]] = [
            (path.encode(), file.blob) for path, file in files.items() if known.get(path) != file.blob
        ]
        changes += [(path.encode(), None) for path in known if path not in files]
        return tree.update(sink, root, sorted(changes)) if changes else root

    def _ensure_stored(self, sink: ObjectSink, known: ObjectId | None, state: FilesState) -> None:
        """Put the bytes of every file that the known tree has not: the cache may know ids that no store has."""
        if known == state.root:
            return
        start = known if known is not None else tree.empty(sink)
        for key, _, blob in tree.diff(sink, start, state.root):
            if blob is not None and not sink.has(blob):
                path = key.decode()
                if sink.put(ObjectType.BLOB, self._read(path)) != blob:
                    raise _Moved(path)

    def _remember(self, cache: StatCache, state: FilesState, observed: int, unchanged: bool) -> None:
        """Refresh the stat cache where it has become another; failing to is no failure, it is only a cache."""
        header = {_ROOT: state.root.hex(), _MAPPING: self._mapping_id, _COUNT: str(len(state.files))}
        if unchanged and header == cache.header:
            return
        fresh = StatCache(header)
        for path, file in state.files.items():
            if file.epic is not None:
                entry = CacheEntry(file.stat, file.blob, file.epic, file.core, _CALCULATED if file.calculated else 0)
                fresh.record(path, entry, observed_ns=observed)
        if fresh.entries == cache.entries and fresh.header == cache.header:
            return
        try:
            fresh.save(self._cache_path)
        except FileUnavailable:
            return


def is_template(value: JSON) -> bool:
    """Whether a file's epic has a placeholder such as ``[EPIC-ID]`` or ``{{id}}`` for an id."""
    key = epic_body(value).get("id") if isinstance(value, dict) else None
    return isinstance(key, str) and bool(_PLACEHOLDER.fullmatch(key))


def has_calculated(epic: FileEpic, mapping: Mapping) -> bool:
    """Whether an author's epic has a field that the database calculates."""
    return any(field.name in epic.body for field in mapping.epics.calculated)


def parse_file(data: bytes, path: str, config: Config) -> FileEpic:
    """The epic in a file's bytes.

    Raises:
        InvalidJSON: the bytes are no strict JSON.
        InvalidFile: they are no epic.
        InvalidField: a core field's value does not fit its column.
    """
    return read_file_epic(parse(data, source=path), config.mapping, path)


def read_epic(source: ObjectSource, tracked: TrackedFile, config: Config) -> FileEpic:
    """The epic of a tracked file, from its captured bytes."""
    return parse_file(source.get(tracked.blob, ObjectType.BLOB), tracked.path, config)


def epic_id_of(source: ObjectSource, blob: ObjectId, path: str) -> str:
    """The epic of any stored file; a file that is no epic goes by its path."""
    try:
        value = parse(source.get(blob, ObjectType.BLOB))
    except InvalidJSON:
        return path
    key = natural_key(epic_body(value).get("id")) if isinstance(value, dict) else None
    return path if key is None else key


def epic_paths(source: ObjectSource, root: ObjectId, epics: Collection[str]) -> dict[str, tuple[str, ObjectId]]:
    """Where some epics are in a files tree: path and blob by epic."""
    found: dict[str, tuple[str, ObjectId]] = {}
    for key, blob in tree.items(source, root):
        path = key.decode()
        epic = epic_id_of(source, blob, path)
        if epic in epics:
            found.setdefault(epic, (path, blob))
            if len(found) == len(epics):
                break
    return found


def blob_id(data: bytes) -> ObjectId:
    """The id that these bytes have as a file."""
    return object_id(ObjectType.BLOB, data)


def changed_files(
    source: ObjectSource, before: ObjectId, after: ObjectId
) -> Iterator[tuple[str, ObjectId | None, ObjectId | None]]:
    """Paths whose bytes differ between two files trees, with both blobs."""
    for key, old, new in tree.diff(source, before, after):
        yield key.decode(), old, new


def update_files(sink: ObjectSink, root: ObjectId, changes: Iterable[tuple[str, ObjectId | None]]) -> ObjectId:
    """The files tree with some paths set or removed."""
    packed: list[tuple[bytes, bytes | None]] = sorted((path.encode(), blob) for path, blob in changes)
    return tree.update(sink, root, packed) if packed else root
