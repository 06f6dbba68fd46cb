"""Documents of a working copy by epic: what the file, the database and the base say, loaded when asked for."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from collections.abc import Mapping as MappingABC
from typing import cast

from msgspec import Struct, field
from msgspec.structs import replace

from epicvc.database.backend import Reader
from epicvc.database.documents import EpicRows, decode_calculated, decode_epic, read_epics, read_rows
from epicvc.database.epicvalues import read_task_states
from epicvc.database.layout import Layout, read_layout
from epicvc.jsonio import JSON, equal
from epicvc.model.document import CALCULATED, Core, FileEpic, RowEpic, settle, sharing, tasks_of
from epicvc.planning.progress import progress_fields
from epicvc.repo.base import Base, BaseEntry, core_id, get_core
from epicvc.repo.dbcache import DatabaseCache
from epicvc.repo.dbside import row_changes
from epicvc.repo.filesside import TrackedFile, read_epic
from epicvc.repo.objects import DatabaseState
from epicvc.repo.repository import Repo, Working
from epicvc.repo.rows import CapturedRows, mapped_tables
from epicvc.store.objects import ObjectId, ObjectSink


class Three(Struct, frozen=True):
    """What the three say of one epic; ``None`` where it does not exist.

    Attributes:
        epic: its id.
        base: the agreed core.
        file: the core that the files have.
        db: the core that the database has.
        db_id: the id of that core.
        file_id: the id of the core that the files have.
        base_id: the id of the agreed core.
        calculated: the calculated fields that the database has.
        states: the states of its tasks in the database, where they have a place in the file.
        beside: what belongs beside the file's epic: ``calculated``, and how far the tasks are.
        written: the calculated fields beside the file's epic, where files have them; else ``None``.
        inline: the file is a place for calculated fields.
        stray: calculated fields that somebody wrote into the epic itself.
        task_defaults: the fields of each task that have the column's default in the database; nothing where all three
            have the same tasks.
        whole: the parsed file.
        rows: the rows that ``db`` was read from.
    """

    epic: str
    base: Core | None
    file: Core | None
    db: Core | None
    db_id: ObjectId | None
    file_id: ObjectId | None = None
    base_id: ObjectId | None = None
    calculated: Core = field(default_factory=dict)
    states: MappingABC[str, str] = field(default_factory=dict)
    beside: Core = field(default_factory=dict)
    written: JSON = None
    inline: bool = False
    stray: Core = field(default_factory=dict)
    task_defaults: MappingABC[str, frozenset[str]] = field(default_factory=dict)
    whole: dict[str, JSON] | None = None
    rows: EpicRows | None = None

    def cores(self) -> dict[str, Core | None]:
        """The three cores, as the plan takes them."""
        return {"base": self.base, "files": self.file, "db": self.db}

    def id_of(self, core: Core) -> ObjectId:
        """The id of a core, without computing it where it is one of these three."""
        if core is self.file and self.file_id:
            return self.file_id
        if core is self.db and self.db_id:
            return self.db_id
        if core is self.base and self.base_id:
            return self.base_id
        return core_id(self.epic, core)

    @property
    def stale_calculated(self) -> bool:
        """Whether the file's calculated fields are not the database's."""
        if self.stray:
            return True
        there = self.db is not None or bool(self.beside)
        return self.inline and there and not equal(self.written, cast("JSON", self.beside or None))


class Documents:
    """The documents of one moment.

    Args:
        repo: the repo.
        working: both sides as captured.
        sink: holds the captured objects.
        reader: the transaction in which the database was captured; ``None`` where there is no database.
    """

    def __init__(self, repo: Repo, working: Working, sink: ObjectSink, reader: Reader | None) -> None:
        self.repo = repo
        self.working = working
        self.sink = sink
        self.reader = reader
        self.base = Base(sink, working.base_root, repo.config.mapping)
        self.entries: dict[str, BaseEntry] = dict(self.base.entries())
        self.layout: Layout | None = None
        if reader is not None and repo.config.database is not None:
            self.layout = read_layout(reader, repo.config.mapping, repo.config.database.display)
        self._db_ids: dict[str, ObjectId] | None = None
        self._cached_ids: dict[str, tuple[str, str]] = {}

    # Ids

    def file_id(self, epic: str) -> ObjectId | None:
        """The id of the core that the files have."""
        tracked = self.working.files.by_epic.get(epic)
        return tracked.core if tracked else None

    def db_ids(self) -> dict[str, ObjectId]:
        """The id of every core that the database has, settled against the base (else the file)."""
        if self._db_ids is None:
            self._db_ids = self._load_db_ids()
        return self._db_ids

    def _reference_id(self, epic: str) -> str:
        entry = self.entries.get(epic)
        oid = entry.core if entry else self.file_id(epic)
        return oid.hex() if oid else ""

    def _load_db_ids(self) -> dict[str, ObjectId]:
        state, reader, layout = self.working.database, self.reader, self.layout
        if state is None or reader is None or layout is None:
            return {}
        directory = self.repo.config.private
        cache = DatabaseCache.load(directory)
        known = cache.ids if cache.mapping == self.working.mapping else {}
        stale = self._stale(cache, state) if known else None
        ids: dict[str, tuple[str, str]] = {}
        keys: Collection[str] | None = None
        if stale is not None:
            for epic, (oid, reference) in known.items():
                if epic not in stale and reference == self._reference_id(epic):
                    ids[epic] = (oid, reference)
                else:
                    stale.add(epic)
            keys = stale
        if keys is None or keys:
            for rows in read_epics(reader, layout, keys):
                ids[rows.id] = (core_id(rows.id, self.settled(rows)).hex(), self._reference_id(rows.id))
        if ids != cache.ids or cache.documents != state or cache.mapping != self.working.mapping:
            fresh = DatabaseCache.load(directory)
            replace(fresh, documents=state, mapping=self.working.mapping, ids=ids).save(directory)
        self._cached_ids = ids
        return {epic: bytes.fromhex(oid) for epic, (oid, _) in ids.items()}

    def remember(self, state: DatabaseState | None, changes: MappingABC[str, tuple[str, str] | None]) -> None:
        """Refresh the cache after an operation, so that the next command need not read what this one wrote.

        Args:
            state: the database as the operation left it.
            changes: by epic, the ids of its core and of its new reference; ``None`` where they are not known.
        """
        merged = {**self._cached_ids, **changes}
        ids = {epic: pair for epic, pair in merged.items() if pair is not None}
        directory = self.repo.config.private
        fresh = DatabaseCache.load(directory)
        replace(fresh, documents=state, mapping=self.working.mapping, ids=ids).save(directory)

    def _stale(self, cache: DatabaseCache, state: DatabaseState) -> set[str] | None:
        """The epics whose rows changed since the cached ids were made; ``None`` when all must be read again."""
        before = cache.documents
        if before is None or before.schema != state.schema or not self.sink.has(before.tables):
            return None
        if not CapturedRows(self.sink, state).finds_owners(self.repo.config.mapping):
            return None
        return affected_epics(self.sink, self.repo, before, state)

    # Cores

    @property
    def state_of_new_tasks(self) -> str:
        """The state that the database gives a task that is added."""
        return str(self.layout.tasks.status_default or "") if self.layout is not None else ""

    def reference(self, epic: str) -> Core | None:
        """What rows are settled against: the base; before there is one, the file."""
        entry = self.entries.get(epic)
        return self.base_core(epic) if entry else self.file_core(epic)

    def settled(self, rows: RowEpic) -> Core:
        """The core that rows stand for."""
        if _says_all(rows):
            return rows.core
        reference = self.reference(rows.id)
        known = {task["id"] for task in tasks_of(reference or {})}
        new = any(defaults and key not in known for key, defaults in rows.task_defaults.items())
        return settle(rows, reference, self.file_core(rows.id) if new and reference is not None else None)

    def _settled(self, rows: RowEpic, base: Core | None, file: Core | None) -> Core:
        """The same, where base and file have been read."""
        if _says_all(rows):
            return rows.core
        return settle(rows, file if base is None else base, file)

    def base_core(self, epic: str) -> Core | None:
        """The agreed core of an epic."""
        return self.base.core(epic) if epic in self.entries else None

    def file_core(self, epic: str) -> Core | None:
        """The core that the files have."""
        tracked = self.working.files.by_epic.get(epic)
        return read_epic(self.sink, tracked, self.repo.config).core if tracked else None

    def load(self, epics: Collection[str]) -> Iterator[Three]:
        """Load epics, in bounded batches; those that the database does not have come last."""
        remaining = dict.fromkeys(sorted(epics))
        if self.reader is not None and self.layout is not None and remaining:
            inline = self.repo.config.calculated == "inline"
            states = read_task_states(self.reader, self.layout, list(remaining)) if inline else {}
            for rows in read_rows(self.reader, self.layout, list(remaining)):
                remaining.pop(rows.key, None)
                yield self._three(rows.key, rows, states.get(rows.key))
        for epic in remaining:
            yield self._three(epic, None)

    def _three(self, epic: str, rows: EpicRows | None, states: MappingABC[str, str] | None = None) -> Three:
        tracked, entry = self.working.files.by_epic.get(epic), self.entries.get(epic)
        file = read_epic(self.sink, tracked, self.repo.config) if tracked else None
        base = self._agreed(epic, entry, tracked, file)
        core = sharing(file.core, base) if file else None
        db, db_id, defaults = self._read(epic, rows, entry, base, core) if rows else (None, None, {})
        calculated = decode_calculated(self._tables, rows) if rows else {}
        inline = self.repo.config.calculated == "inline" and file is not None and file.body is not file.whole
        return Three(
            epic,
            base,
            core,
            db,
            db_id,
            tracked.core if tracked else None,
            entry.core if entry else None,
            calculated,
            states or {},
            {**calculated, **progress_fields((states or {}).values())} if rows else {},
            file.whole.get(CALCULATED) if file and inline else None,
            inline,
            self._stray(file) if file else {},
            defaults,
            file.whole if file else None,
            rows,
        )

    @property
    def _tables(self) -> Layout:
        assert self.layout is not None  # there are rows
        return self.layout

    def _agreed(
        self, epic: str, entry: BaseEntry | None, tracked: TrackedFile | None, file: FileEpic | None
    ) -> Core | None:
        """The agreed core, which is the file's where the base refers to the very bytes that were just read."""
        if entry is None:
            return None
        if file is not None and tracked is not None and (entry.file, entry.core) == (tracked.blob, tracked.core):
            return file.core
        return get_core(self.sink, epic, entry, self.base.mapping)

    def _read(
        self, epic: str, rows: EpicRows, entry: BaseEntry | None, base: Core | None, file: Core | None
    ) -> tuple[Core, ObjectId, MappingABC[str, frozenset[str]]]:
        """The core that rows stand for, its id, and what in its tasks is a default."""
        known = None if self._db_ids is None else self._db_ids.get(epic)
        agreed = known is not None and entry is not None and known == entry.core
        if agreed and base is not None and file is not None and _task_ids(file) == _task_ids(base):
            return base, cast("ObjectId", known), {}  # who gave them this id has read what they say
        epic_rows = decode_epic(self._tables, rows)
        core = sharing(sharing(self._settled(epic_rows, base, file), base), file)
        return core, core_id(epic, core), epic_rows.task_defaults

    def _stray(self, file: FileEpic) -> Core:
        """Calculated fields in an author's epic; with ``calculated = "off"`` the names have no meaning."""
        if self.repo.config.calculated == "off":
            return {}
        names = (spec.name for spec in self.repo.config.mapping.epics.calculated)
        return {name: file.body[name] for name in names if name in file.body}

    # Which epics a synchronisation is about

    def is_new_in_files(self, epic: str) -> bool:
        """Whether the files alone have the epic, with nothing in it that belongs to the database, now or soon."""
        if self.repo.config.calculated == "inline":
            return False
        tracked = self.working.files.by_epic.get(epic)
        return tracked is not None and not tracked.calculated and epic not in self.entries and epic not in self.db_ids()

    def candidates(self) -> list[str]:
        """The epics for which files, database and base do not all agree."""
        db = self.db_ids()
        epics = dict.fromkeys([*self.working.files.by_epic, *db, *self.entries])
        result = []
        for epic in epics:
            entry = self.entries.get(epic)
            base, file, rows = entry.core if entry else None, self.file_id(epic), db.get(epic)
            if self.reader is None:
                rows = base  # without a database there is nothing to agree with
            # Calculated fields are no part of the core: where files have them, each has to be looked at.
            tracked = self.working.files.by_epic.get(epic)
            mode = self.repo.config.calculated
            inline = tracked is not None and rows is not None and mode == "inline"
            stray = tracked is not None and tracked.calculated and mode != "off"
            if inline or stray or not (base == file == rows):
                result.append(epic)
        return sorted(result)


def _says_all(rows: RowEpic) -> bool:
    """Whether rows need no reference to be understood."""
    return not rows.defaults and not rows.unordered and not any(rows.task_defaults.values())


def _task_ids(core: Core) -> set[JSON]:
    return {task["id"] for task in tasks_of(core)}


def affected_epics(
    source: ObjectSink, repo: Repo, before: DatabaseState | None, after: DatabaseState | None
) -> set[str]:
    """The epics that own a row which differs between two captured databases."""
    mapping = repo.config.mapping
    tables = frozenset(mapped_tables(mapping))
    views = [CapturedRows(source, state) if state else None for state in (before, after)]
    epics: set[str] = set()
    for table, rows in row_changes(source, before, after):
        if table not in tables:
            continue
        for _, old, new in rows:
            for view, row in zip(views, (old, new), strict=True):
                if view is not None and row is not None:
                    owner = view.owner(mapping, table, view.named(table, row))
                    if owner:
                        epics.add(owner.epic)
    return epics
