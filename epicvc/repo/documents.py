"""The documents of a working copy by epic, from the file, the database and the base, loaded when they are asked for."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from collections.abc import Mapping as MappingABC
from functools import cached_property
from typing import TYPE_CHECKING, cast

from msgspec import Struct, field

from epicvc.base.jsonio import JSON, equal
from epicvc.database.backend import Reader
from epicvc.database.documents.documents import EpicRows, decode_calculated, decode_epic, read_epics, read_rows
from epicvc.database.documents.epicvalues import read_task_states
from epicvc.database.documents.layout import Layout, read_layout
from epicvc.dates.progress import progress_fields
from epicvc.errors import InvalidRow
from epicvc.model.document import CALCULATED, Core, FileEpic, RowEpic, settle, sharing, tasks_of
from epicvc.repo.agreed import Agreement, basis, save_agreement
from epicvc.repo.agreement import recall
from epicvc.repo.files.filestree import read_epic
from epicvc.repo.files.tracked import Held, TrackedFile, Unreadable
from epicvc.repo.history.base import Base, BaseEntry, core_id, get_core
from epicvc.repo.history.objects import DatabaseState, Snapshot
from epicvc.repo.repository import Repo, Working
from epicvc.repo.rows.dbside import table_root
from epicvc.store.objects import ObjectId, ObjectSink

if TYPE_CHECKING:
    from epicvc.repo.held import Sight

_FEW = 64
"""The number of single look-ups in the base that take as long as reading all of a large one."""


class Renamed(Struct, frozen=True):
    """An epic to which one side gave another key.

    Attributes:
        old: the key that the base and the other side have.
        in_database: whether the database gave the new key; else the files did.
    """

    old: str
    in_database: bool


class Three(Struct, frozen=True):
    """The three copies of one epic, from files, database and base; ``None`` where a copy does not exist.

    Attributes:
        epic: its id.
        base: the agreed core.
        file: the core that the files have.
        db: the core that the database has.
        db_id: the id of the core that the database has.
        file_id: the id of the core that the files have.
        base_id: the id of the agreed core.
        calculated: the calculated fields that the database has.
        states: the states of its tasks in the database, where they have a place in the file.
        beside: the fields that belong beside the file's epic: ``calculated``, and the progress of the tasks.
        written: the calculated fields beside the file's epic, where files have them; else ``None``.
        inline: whether calculated fields have a place in the file.
        stray: calculated fields that somebody wrote into the epic itself.
        task_defaults: by task, the fields that have the column's default in the database; empty where all three copies
            have the same tasks.
        whole: the parsed file.
        rows: the rows that ``db`` was read from.
        renamed: the change of its key, where one side gave it another.
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
    renamed: Renamed | None = None

    def cores(self) -> dict[str, Core | None]:
        """Return the three cores, as the plan takes them."""
        return {"base": self.base, "files": self.file, "db": self.db}

    def id_of(self, core: Core) -> ObjectId:
        """Return the id of a core. It is not computed for one of these three cores."""
        if core is self.file and self.file_id:
            return self.file_id
        if core is self.db and self.db_id:
            return self.db_id
        if core is self.base and self.base_id:
            return self.base_id
        return core_id(self.epic, core)

    @property
    def stale_calculated(self) -> bool:
        """Tell whether the calculated fields in the file differ from those of the database."""
        if self.stray:
            return True
        there = self.db is not None or bool(self.beside)
        return self.inline and there and not equal(self.written, cast("JSON", self.beside or None))


class Documents:
    """The documents of one moment, with their ids and the epics on which the copies disagree.

    Args:
        repo: the repo.
        working: both sides as captured.
        sink: holds the captured objects.
        reader: the transaction in which the database was captured; ``None`` where there is no database.

    Attributes:
        renamed: the epics to which one side gave another key, by the new key. They are loaded with the copies that the
            others have under the old key.
    """

    def __init__(self, repo: Repo, working: Working, sink: ObjectSink, reader: Reader | None) -> None:
        self.repo = repo
        self.working = working
        self.sink = sink
        self.reader = reader
        self.base = Base(sink, working.base_root, repo.config.mapping)
        self.layout: Layout | None = None
        if reader is not None and repo.config.database is not None:
            self.layout = read_layout(reader, repo.config.mapping, repo.config.database.display)
        self.renamed: dict[str, Renamed] = {}
        self._entries: dict[str, BaseEntry] | None = None
        self._known: Agreement | None = None
        self._bad_rows: list[Unreadable] = []

    @property
    def entries(self) -> dict[str, BaseEntry]:
        """The entries of the base by epic, read when all of them are asked for."""
        if self._entries is None:
            self._entries = dict(self.base.entries())
        return self._entries

    def _entry(self, epic: str) -> BaseEntry | None:
        return self.base.entry(epic) if self._entries is None else self._entries.get(epic)

    def _expect(self, epics: Collection[str]) -> None:
        """Read the whole base, where that is quicker than looking up each of these epics."""
        if len(epics) > _FEW:
            self._entries = self.entries

    # Ids

    def file_id(self, epic: str) -> ObjectId | None:
        """Return the id of the core that the files have."""
        tracked = self.working.files.by_epic.get(epic)
        return tracked.core if tracked else None

    def db_ids(self) -> MappingABC[str, ObjectId]:
        """Return the id of every core that the database has, settled against the base (else the file)."""
        return self._agreement.ids if self._agreement is not None else {}

    @property
    def _basis(self) -> str:
        return basis(self.repo, self.working)

    def bad_rows(self) -> list[Unreadable]:
        """Return the rows from which no epic can be read."""
        return self._bad_rows if self._agreement is not None else []

    @cached_property
    def held(self) -> Held:
        """The files and rows that cannot be read, and the epics that wait for them."""
        if not self.working.files.unreadable and not self.bad_rows():
            return Held()
        from epicvc.repo.held import find_held  # imported here since something is held only rarely

        return find_held(self)

    @cached_property
    def sight(self) -> Sight:
        """The view of both sides for the case that parts of them cannot be read."""
        from epicvc.repo.held import Sight

        return Sight(self)

    @cached_property
    def _agreement(self) -> Agreement | None:
        """The remembered agreement, brought up to date; ``None`` where there is no database."""
        state, reader, layout = self.working.snapshot(), self.reader, self.layout
        if state.database is None or reader is None or layout is None:
            return None
        recalled = recall(self.sink, self.repo, self._basis, state)
        if recalled is None:
            known, ids = None, self._read_ids(reader, layout, None)
            epics: Collection[str] = {*self.working.files.by_epic, *ids, *self.entries}
        else:
            known, touched = recalled
            if known.unkeyed or self._other_heads(known, state.database):
                from epicvc.database.documents.unread import unkeyed_rows

                self._bad_rows += map(Unreadable, unkeyed_rows(reader, layout))
            epics = touched.union(known.open)
            if not epics:
                return self._remembered(known.moved_to(state, unkeyed=bool(self._bad_rows)), known)
            self._expect(epics)
            # Open epics without a known core are read again too: their rows could not be read, or were written since.
            again = touched.union(epic for epic in known.open if epic not in known.ids)
            ids = {epic: oid for epic, oid in known.ids.items() if epic not in again}
            ids |= self._read_ids(reader, layout, again)
        still_open = [epic for epic in epics if self._disagrees(epic, ids)]
        unread = {bad.epic for bad in self._bad_rows if bad.epic is not None}
        unkeyed = any(bad.epic is None for bad in self._bad_rows)
        return self._remembered(Agreement.of(self._basis, state, ids, still_open, unread, unkeyed=unkeyed), known)

    def _other_heads(self, known: Agreement, now: DatabaseState) -> bool:
        """Return whether the rows of epics differ from those that the known agreement was made of."""
        table = self.repo.config.mapping.epics.table
        before = DatabaseState(known.schema, known.tables)
        return before != now and table_root(self.sink, before, table) != table_root(self.sink, now, table)

    def _read_ids(self, reader: Reader, layout: Layout, epics: Collection[str] | None) -> dict[str, ObjectId]:
        if epics is not None and not epics:
            return {}
        bad: set[str] = set()

        def note(error: InvalidRow, epic: str | None) -> None:
            self._bad_rows.append(Unreadable(error, epic))
            if epic is not None:
                bad.add(epic)

        read = read_epics(reader, layout, epics, note)
        ids = {rows.id: core_id(rows.id, self.settled(rows)) for rows in read}
        return {epic: oid for epic, oid in ids.items() if epic not in bad} if bad else ids

    def _remembered(self, agreement: Agreement, known: Agreement | None) -> Agreement:
        # An agreement for trees that the store does not have would be useless later: nothing tells what differs from
        # them.
        if known is None or (agreement != known and agreement.is_kept(self.repo.store.has)):
            save_agreement(self.repo.config.private, agreement)
        self._known = agreement
        return agreement

    def remember(self, state: Snapshot, changes: MappingABC[str, ObjectId | None]) -> None:
        """Keep the result of an operation, so that the next command need not read the rows that this one wrote.

        Args:
            state: both sides as the operation left them.
            changes: by epic, the id of the core that the database has now; ``None`` where it is not known.
        """
        if state.database is None or self._agreement is None:
            return
        ids = {epic: oid for epic, oid in {**self._agreement.ids, **changes}.items() if oid is not None}
        known = self._agreement
        found = Agreement.of(self._basis, state, ids, {*known.open, *changes}, known.unread, unkeyed=known.unkeyed)
        save_agreement(self.repo.config.private, found)

    # Cores

    @property
    def state_of_new_tasks(self) -> str:
        """The state that the database gives to an added task."""
        return str(self.layout.tasks.status_default or "") if self.layout is not None else ""

    def reference(self, epic: str) -> Core | None:
        """Return the core that rows are settled against: the base or, before there is one, the file."""
        base = self.base_core(epic)
        return self.file_core(epic) if base is None else base

    def settled(self, rows: RowEpic) -> Core:
        """Return the core that rows stand for."""
        if _says_all(rows):
            return rows.core
        reference = self.reference(rows.id)
        known = {task["id"] for task in tasks_of(reference or {})}
        new = any(defaults and key not in known for key, defaults in rows.task_defaults.items())
        return settle(rows, reference, self.file_core(rows.id) if new and reference is not None else None)

    def _settled(self, rows: RowEpic, base: Core | None, file: Core | None) -> Core:
        """Return the core that rows stand for, where base and file have been read already."""
        if _says_all(rows):
            return rows.core
        return settle(rows, file if base is None else base, file)

    def base_core(self, epic: str) -> Core | None:
        """Return the agreed core of an epic."""
        key = self.renamed[epic].old if epic in self.renamed and self._entry(epic) is None else epic
        entry = self._entry(key)
        return get_core(self.sink, key, entry, self.base.mapping) if entry else None

    def file_core(self, epic: str) -> Core | None:
        """Return the core that the files have."""
        tracked = self.tracked(epic)
        return read_epic(self.sink, tracked, self.repo.config).core if tracked else None

    def load(self, epics: Collection[str]) -> Iterator[Three]:
        """Load epics that are not held, in bounded batches. Epics that the database does not have come last."""
        held = self.held.epics
        remaining = {self._key_in(epic, database=True): epic for epic in sorted(epics) if epic not in held}
        self._expect(remaining)
        if self.reader is not None and self.layout is not None and remaining:
            inline = self.repo.config.calculated == "inline"
            states = read_task_states(self.reader, self.layout, list(remaining)) if inline else {}
            for rows in read_rows(self.reader, self.layout, list(remaining)):
                yield self._three(remaining.pop(rows.key), rows, states.get(rows.key))
        for epic in remaining.values():
            yield self._three(epic, None)

    def _key_in(self, epic: str, *, database: bool) -> str:
        """Return the key under which a side has an epic; one side may have given it another."""
        renamed = self.renamed.get(epic)
        return epic if renamed is None or renamed.in_database == database else renamed.old

    def tracked(self, epic: str) -> TrackedFile | None:
        """Return the file of an epic, whichever key it has in the files."""
        return self.working.files.by_epic.get(self._key_in(epic, database=False))

    def _three(self, epic: str, rows: EpicRows | None, states: MappingABC[str, str] | None = None) -> Three:
        renamed = self.renamed.get(epic)
        agreed_as = renamed.old if renamed else epic
        tracked, entry = self.tracked(epic), self._entry(agreed_as)
        file = read_epic(self.sink, tracked, self.repo.config) if tracked else None
        base = self._agreed(agreed_as, entry, tracked, file)
        core = sharing(file.core, base) if file else None
        db, db_id, defaults = self._read(epic, rows, entry, base, core) if rows else (None, None, {})
        calculated = decode_calculated(self._tables, rows) if rows else {}
        inline = self.repo.config.calculated == "inline" and file is not None and file.body is not file.whole
        return Three(
            epic,
            base,
            core,
            db=db,
            # the id of a core depends on the epic's key, so another key has another id
            db_id=db_id if renamed is None else None,
            file_id=tracked.core if tracked and renamed is None else None,
            base_id=entry.core if entry and renamed is None else None,
            calculated=calculated,
            states=states or {},
            beside={**calculated, **progress_fields((states or {}).values())} if rows else {},
            written=file.whole.get(CALCULATED) if file and inline else None,
            inline=inline,
            stray=self.stray(file) if file else {},
            task_defaults=defaults,
            whole=file.whole if file else None,
            rows=rows,
            renamed=renamed,
        )

    @property
    def _tables(self) -> Layout:
        assert self.layout is not None  # there are rows
        return self.layout

    def _agreed(
        self, epic: str, entry: BaseEntry | None, tracked: TrackedFile | None, file: FileEpic | None
    ) -> Core | None:
        """Return the agreed core. It is the file's where the base refers to the very bytes that were just read."""
        if entry is None:
            return None
        if file is not None and tracked is not None and (entry.file, entry.core) == (tracked.blob, tracked.core):
            return file.core
        return get_core(self.sink, epic, entry, self.base.mapping)

    def _read(
        self, epic: str, rows: EpicRows, entry: BaseEntry | None, base: Core | None, file: Core | None
    ) -> tuple[Core, ObjectId, MappingABC[str, frozenset[str]]]:
        """Return the core that rows stand for, its id, and the fields of its tasks that are defaults."""
        known = None if self._known is None else self._known.ids.get(epic)
        agreed = known is not None and entry is not None and known == entry.core
        if agreed and base is not None and file is not None and _task_ids(file) == _task_ids(base):
            # rows of a known id need not be decoded: their core is the agreed one
            return base, cast("ObjectId", known), {}
        epic_rows = decode_epic(self._tables, rows)
        core = sharing(sharing(self._settled(epic_rows, base, file), base), file)
        return core, core_id(epic, core), epic_rows.task_defaults

    def stray(self, file: FileEpic) -> Core:
        """Return the calculated fields in an author's epic. With ``calculated = "off"`` their names have no meaning."""
        if self.repo.config.calculated == "off":
            return {}
        names = (spec.name for spec in self.repo.config.mapping.epics.calculated)
        return {name: file.body[name] for name in names if name in file.body}

    # Which epics a synchronisation is about

    def is_new_in_files(self, epic: str) -> bool:
        """Return whether the files alone have the epic, with nothing in it that belongs to the database now or soon."""
        if self.repo.config.calculated == "inline" or epic in self.renamed:
            return False
        tracked = self.working.files.by_epic.get(epic)
        return tracked is not None and not tracked.calculated and epic not in self.entries and epic not in self.db_ids()

    def candidates(self) -> list[str]:
        """Return the epics on which files, database and base disagree, without those that are held."""
        gone = {*self.held.epics, *(renamed.old for renamed in self.renamed.values())}
        if self._agreement is not None and self.repo.config.calculated != "inline":
            return [epic for epic in self._agreement.open if epic not in gone] if gone else self._agreement.open
        ids = self.db_ids()
        epics = {*self.working.files.by_epic, *ids, *self.entries} - gone
        return sorted(epic for epic in epics if self._disagrees(epic, ids))

    def _disagrees(self, epic: str, ids: MappingABC[str, ObjectId]) -> bool:
        """Return whether files, database and base disagree on an epic.

        Args:
            epic: its id.
            ids: the ids of the cores that the database has.
        """
        tracked, entry = self.working.files.by_epic.get(epic), self._entry(epic)
        base, file, rows = entry.core if entry else None, tracked.core if tracked else None, ids.get(epic)
        if self.reader is None:
            rows = base  # without a database there is nothing to agree with
        # Calculated fields are no part of the core: where files have them, each has to be looked at.
        mode = self.repo.config.calculated
        inline = tracked is not None and rows is not None and mode == "inline"
        stray = tracked is not None and tracked.calculated and mode != "off"
        return inline or stray or not (base == file == rows)


def _says_all(rows: RowEpic) -> bool:
    """Return whether rows can be understood without a reference."""
    return not rows.defaults and not rows.unordered and not any(rows.task_defaults.values())


def _task_ids(core: Core) -> set[JSON]:
    return {task["id"] for task in tasks_of(core)}
