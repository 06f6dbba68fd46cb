"""The three-way merge of whole snapshots.

What one side alone changed is taken as it is: bytes of files, rows, agreed cores. Only epics that both changed are
read, and merged as whole documents by the one engine; other rows that both changed are merged cell by cell. The cost is
that of the changes, whatever the snapshots hold beside them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import cast

from msgspec import Struct
from msgspec.structs import replace

from epicvc.database.backend import Writer
from epicvc.database.values import decode
from epicvc.errors import InvalidRow
from epicvc.jsonio import JSON
from epicvc.merge.document import DocumentMerge
from epicvc.merge.graph import Fault
from epicvc.merge.threeway import ABSENT, Chosen, Conflict, Context, Decide, same
from epicvc.model.document import UNAGREED, Core, same_core
from epicvc.model.labels import Label
from epicvc.model.mapping import Mapping
from epicvc.plan.wholefile import core_part, merged_bytes
from epicvc.repo.base import BaseEntry, core_id, get_core, put_entry, update_base
from epicvc.repo.filesside import parse_file
from epicvc.repo.objects import DatabaseState, Snapshot
from epicvc.services.session import Session
from epicvc.services.targets import reachable
from epicvc.services.threeway.files import MergedFiles, merged_path
from epicvc.services.threeway.graph import check_links
from epicvc.services.threeway.loading import Epic, Loader, Three
from epicvc.services.threeway.moves import relocate
from epicvc.services.threeway.references import reference_check
from epicvc.services.threeway.rows import DocumentRows, Documents, Emit, Surrogates
from epicvc.services.threeway.schema import merged_schema
from epicvc.services.threeway.states import Contents, Links, State, find_changes, links_of
from epicvc.services.threeway.tables import Place, TableMerge
from epicvc.services.threeway.whole import file_part, joined, shared
from epicvc.store import tree
from epicvc.store.objects import ObjectId, ObjectType


class Merged(Struct, frozen=True):
    """The outcome of a merge.

    Attributes:
        snapshot: the merged state; where something conflicts and nobody decided, ours.
        conflicts: what is undecided, in the order of labels.
        epics: the epics that theirs brought changes to.
        moves: tasks that one side moved to another epic, as labels before and after.
        known: faults of the task graph that one side had already.
        check: to be made of the rows once they are written; raises ``ConstraintBroken``.
    """

    snapshot: Snapshot
    conflicts: tuple[Conflict, ...]
    epics: tuple[str, ...]
    moves: tuple[tuple[Label, Label], ...] = ()
    known: tuple[Fault, ...] = ()
    check: Callable[[Writer], None] | None = None


def merge_snapshots(session: Session, base: Snapshot, ours: Snapshot, theirs: Snapshot, decide: Decide) -> Merged:
    """Merge two states.

    Args:
        session: the running command. Its sides need not be ours, but the nearer they are, the less is read.
        base: the state that both come from.
        ours: one state.
        theirs: the other.
        decide: settles conflicts.

    Raises:
        Refused: the schema changed on both sides, or a table that one dropped has changes of the other.
        BrokenGraph: nothing conflicts, and tasks would depend on each other in a circle, or on one that is gone.
        EpicvcError: a file or row of some state cannot be read as a document.
    """
    ours, theirs = reachable(session, ours), reachable(session, theirs)
    if base.database is None and ours.database is not None:
        nothing = DatabaseState(ours.database.schema, tree.empty(session.staging))
        base = replace(base, database=nothing)
    else:
        base = reachable(session, base)
    return _Merge(session, _three(session, base, ours, theirs), decide).run()


def _three(session: Session, base: Snapshot, ours: Snapshot, theirs: Snapshot) -> Three:
    sink, mapping = session.staging, session.repo.config.mapping
    now, *states = (State(sink, found, mapping) for found in (session.working.snapshot(), base, ours, theirs))
    views = [state.captured for state in (now, *states)]
    owned = session.reader is not None and all(view is not None and view.finds_owners(mapping) for view in views)
    contents = Contents(sink, mapping.links.field if mapping.links else "")
    here, there, working = (
        find_changes(sink, contents, mapping, old, new, owned=owned)
        for old, new in ((states[0], states[1]), (states[0], states[2]), (now, states[1]))
    )
    return Three(states[0], states[1], states[2], here, there, working, owned, contents)


class _Decisions:
    """Asks for each conflict, and remembers what was said."""

    def __init__(self, decide: Decide) -> None:
        self._decide = decide
        self.undecided: dict[Label, Conflict] = {}
        self._asked: dict[Label, tuple[Conflict, Chosen | None]] = {}

    def ask(self, conflict: Conflict) -> Chosen | None:
        """What is decided for a conflict."""
        chosen = self.ask_place(conflict)
        self._asked.setdefault(conflict.label, (conflict, chosen))
        return chosen

    def ask_place(self, conflict: Conflict) -> Chosen | None:
        """Where a task goes; about its content that says nothing."""
        chosen = self._decide(conflict)
        if chosen is None:
            self.undecided.setdefault(conflict.label, conflict)
        return chosen

    def context(self) -> Context:
        """A merge that asks here."""
        return Context(decide=self.ask)

    def kept(self, epic: str) -> dict[tuple[str, ...], str]:
        """Where the epic or a task of it was settled as a whole, and by whose value."""
        return {
            label.path: _whose(conflict, chosen)
            for label, (conflict, chosen) in self._asked.items()
            if label.root == epic and not label.table and (not label.path or _is_task(label))
        }


def _is_task(label: Label) -> bool:
    return len(label.path) == 2 and label.path[0] == Mapping.TASKS


def _whose(conflict: Conflict, chosen: Chosen | None) -> str:
    if chosen is None or same(chosen.value, conflict.ours):
        return "ours"
    if same(chosen.value, conflict.theirs):
        return "theirs"
    return "base" if same(chosen.value, conflict.base) else "set"


class _Merge:
    def __init__(self, session: Session, three: Three, decide: Decide) -> None:
        self._session = session
        self._sink = session.staging
        self._config = session.repo.config
        self._mapping: Mapping = session.repo.config.mapping
        self._three = three
        self._decisions = _Decisions(decide)
        self._engine = DocumentMerge(self._mapping)
        self._emit: Emit = {}
        self._files = MergedFiles(self._sink, three.ours.snapshot.files)
        self._entries: dict[str, BaseEntry | None] = {}
        self._touched: set[str] = set()
        self._links: dict[str, Links] = {}

    def run(self) -> Merged:
        """Merge."""
        schema = self._schema()
        both = self._both_changed()
        loader = Loader(self._session, self._three)
        epics = {epic.id: epic for epic in loader.load(sorted(both))}
        moves = relocate(epics, self._three.here.moved, self._three.there.moved, self._decisions.ask_place)
        documents = [self._merge_epic(epic) for epic in epics.values()]
        known: tuple[Fault, ...] = ()
        if self._mapping.links and not self._decisions.undecided:
            known = check_links(self._session, self._three, loader, self._links)
        database = self._three.ours.snapshot.database
        if schema is not None:
            database = self._database(schema, both, documents)
        self._take_files(both)
        self._take_entries(both)
        ours = self._three.ours.snapshot
        return Merged(
            Snapshot(
                self._files.root(),
                database,
                update_base(self._sink, ours.base, list(self._entries.items())),
                ours.mapping,
            ),
            tuple(sorted(self._decisions.undecided.values(), key=lambda conflict: conflict.label)),
            tuple(sorted(self._touched)),
            moves,
            known,
            reference_check(self._session, self._three),
        )

    def _schema(self) -> ObjectId | None:
        base, ours, theirs = (state.snapshot.database for state in self._three.states)
        if base is None or ours is None or theirs is None:
            return None
        return merged_schema(self._sink, base, ours, theirs)

    def _both_changed(self) -> frozenset[str]:
        """The epics to merge as documents: both sides changed them, or a task moved between one and another."""
        here, there = self._three.here, self._three.there
        found = here.epics & there.epics
        for moved, other in ((here.moved, there.epics), (there.moved, here.epics)):
            for (giver, _), getter in moved.items():
                if giver in other or getter in other:
                    found |= {giver, getter}
        return frozenset(found)

    # Documents

    def _merge_epic(self, epic: Epic) -> Documents:
        if epic.in_sync:
            rows = self._merged(epic.id, [joined(*pair) for pair in zip(epic.of_files, epic.of_rows, strict=True)])
            file = file_part(rows, epic.names)
        else:
            file, rows = self._merged(epic.id, epic.of_files), self._merged(epic.id, epic.of_rows)
        if self._mapping.links:
            whole = rows if file is None else file
            self._links[epic.id] = links_of(whole or {}, self._mapping.links.field)
        tracked = self._write_file(epic, file, rows)
        self._agree(epic, file, rows, tracked)
        self._touched.add(epic.id)
        base, ours, theirs = epic.rows
        return Documents(epic.id, base, ours, theirs, rows, epic.names, self._decisions.kept(epic.id))

    def _merged(self, epic: str, wholes: Iterable[Core | None]) -> Core | None:
        base, ours, theirs = shared(wholes)
        value = self._engine.merge(self._decisions.context(), epic, base, ours, theirs).ours
        return None if value is ABSENT else cast("Core", value)

    def _write_file(self, epic: Epic, merged: Core | None, rows: Core | None) -> tuple[ObjectId, ObjectId] | None:
        base, ours, theirs = epic.files
        data = path = None
        if merged is not None:
            calculated = self._calculated(epic) if rows is not None else None
            texts = (version.text if version else None for version in epic.files)
            data = merged_bytes(self._mapping, merged, *texts, calculated=calculated)
            path = merged_path(base, ours, theirs)
        if data is None or path is None:
            if ours is not None:
                self._files.remove(ours.place[0])
            return None
        blob = self._sink.put(ObjectType.BLOB, data)
        path = self._files.put(epic.id, path, blob, ours.place[0] if ours else None)
        return blob, core_id(epic.id, parse_file(data, path, self._config).core)

    def _calculated(self, epic: Epic) -> Core | None:
        """The calculated fields for a file that has a place for them: those of the row on our side."""
        found = epic.rows[1].epic or epic.rows[2].epic
        if self._config.calculated != "inline" or found is None:
            return None
        result: Core = {}
        for spec in self._mapping.epics.calculated:
            try:
                value = decode(found[1].get(spec.column), spec, self._mapping.epics.table, epic.id)
            except InvalidRow:
                continue  # the next synchronisation names it
            if value is not None:
                result[spec.name] = value
        return result

    def _agree(
        self, epic: Epic, file: Core | None, rows: Core | None, tracked: tuple[ObjectId, ObjectId] | None
    ) -> None:
        """The agreed core: what both sides say, where they say the same; else the agreed ones, merged themselves."""
        agreed, other = core_part(file, self._mapping), core_part(rows, self._mapping)
        if not self._three.owned or not same_core(agreed, other):
            agreed = self._merged_base(epic)
        self._entries[epic.id] = None if agreed is None else put_entry(self._sink, epic.id, agreed, tracked)

    def _merged_base(self, epic: Epic) -> Core | None:
        base, ours, theirs = epic.agreed
        if same_core(ours, theirs) or same_core(theirs, base):
            return ours
        if same_core(ours, base):
            return theirs
        plain = [None if core is None else {n: v for n, v in core.items() if n != UNAGREED} for core in epic.agreed]
        value = self._engine.merge(Context(), epic.id, *plain).ours
        if value is ABSENT:
            return None
        marks = {path for core in (ours, theirs) for path in cast("list[str]", (core or {}).get(UNAGREED) or ())}
        merged = cast("Core", value)
        return {**merged, UNAGREED: cast("JSON", sorted(marks))} if marks else merged

    # What one side alone changed

    def _take_files(self, both: frozenset[str]) -> None:
        there = self._three.there
        for epic in {*there.old_files, *there.new_files} - both:
            old, new = there.old_files.get(epic), there.new_files.get(epic)
            if new is not None:
                self._files.put(epic, *new, old[0] if old else None)
            elif old is not None:
                self._files.remove(old[0])
            self._touched.add(epic)

    def _take_entries(self, both: frozenset[str]) -> None:
        theirs, ours = self._three.theirs, self._three.ours
        for key, _, new in tree.diff(self._sink, self._three.base.snapshot.base, theirs.snapshot.base):
            epic = key.decode()
            if epic in both:
                continue
            entry = BaseEntry.unpack(new) if new is not None else None
            if entry is not None and theirs.snapshot.mapping != ours.snapshot.mapping:
                core = get_core(self._sink, epic, entry, theirs.base.mapping)
                entry = put_entry(self._sink, epic, core, None)
            self._entries[epic] = entry
            self._touched.add(epic)

    def _database(self, schema: ObjectId, both: frozenset[str], documents: list[Documents]) -> DatabaseState:
        three, reader = self._three, self._session.reader
        surrogates = Surrogates(self._mapping, three.ours, reader)
        context = self._decisions.context()
        tables = TableMerge(self._session, three, context, surrogates, self._emit)
        done: set[Place] = set()
        if three.owned:
            tables.claim(both)
            links = self._mapping.links
            info = three.ours.captured.table(links.table) if links and three.ours.captured else None
            writes = DocumentRows(self._mapping, context, surrogates, self._emit, reader, info)
            for document in documents:
                writes.claim(document)
            for document in documents:
                writes.write(document)
                done.update(document.places(self._mapping))
        self._touched |= tables.take(both, frozenset(done))
        return tables.database(schema)
