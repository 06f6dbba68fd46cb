"""The three-way merge of whole snapshots.

A change of one side is taken as it is: the bytes of files, rows, agreed cores. Only epics that both sides changed are
read, and merged as whole documents by the one engine. Other rows that both changed are merged cell by cell. The cost
depends on the changes alone, not on the size of the snapshots.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from epicvc.actions.merge.documents.documents import EpicMerge
from epicvc.actions.merge.documents.files import MergedFiles
from epicvc.actions.merge.documents.linkrows import LinkRows
from epicvc.actions.merge.documents.loading import Epic, Loader
from epicvc.actions.merge.documents.rows import DocumentRows
from epicvc.actions.merge.graph import check_links
from epicvc.actions.merge.moves import dependants, relocate
from epicvc.actions.merge.rows.checks import require_checks
from epicvc.actions.merge.rows.references import reference_check
from epicvc.actions.merge.rows.surrogates import Surrogates
from epicvc.actions.merge.rows.tables import Place, TableMerge
from epicvc.actions.merge.rows.uniques import require_unique
from epicvc.actions.merge.snapshots.decisions import MergeDecisions
from epicvc.actions.merge.snapshots.merged import Emit, MergedDocuments
from epicvc.actions.merge.snapshots.schema import merged_schema
from epicvc.actions.merge.snapshots.three import ThreeSnapshots, partners_of, three_of
from epicvc.actions.shared.session import Session
from epicvc.actions.shared.targets import reachable
from epicvc.database.backend import Writer
from epicvc.database.batches import BATCH
from epicvc.database.documents.documents import living_tasks
from epicvc.errors import InvalidField, InvalidFile, InvalidJSON
from epicvc.merge.graph import GraphFault, Tell
from epicvc.merge.threeway import Chosen, Conflict, Decide, MergeContext
from epicvc.merge.versions import Versions
from epicvc.model.labels import Label
from epicvc.model.mapping import Mapping as DocumentMapping
from epicvc.plan.moves.moves import OURS, THEIRS
from epicvc.repo.files.filestree import update_files
from epicvc.repo.history.base import BaseEntry, get_core, put_entry, update_base
from epicvc.repo.history.objects import DatabaseState, Snapshot
from epicvc.store.objects import ObjectId
from epicvc.store.tree import tree

if TYPE_CHECKING:
    from epicvc.actions.merge.documents.wholefiles import WholeFile


class Merged(Struct, frozen=True):
    """The result of a merge.

    Attributes:
        snapshot: the merged state; it has our value in every place of an undecided conflict.
        conflicts: the undecided conflicts, in the order of labels.
        epics: the epics that theirs changed.
        decided: the conflicts that were settled, each with the chosen value.
        moves: the tasks that one side moved to another epic, as labels before and after.
        known: the faults of the task graph that one side had already.
        check: checks the rows once they are written; raises ``ConstraintBroken``.
    """

    snapshot: Snapshot
    conflicts: tuple[Conflict, ...]
    epics: tuple[str, ...]
    decided: tuple[tuple[Conflict, Chosen], ...] = ()
    moves: tuple[tuple[Label, Label], ...] = ()
    known: tuple[GraphFault, ...] = ()
    check: Callable[[Writer], None] | None = None


def merge_snapshots(
    session: Session, base: Snapshot, ours: Snapshot, theirs: Snapshot, decide: Decide, tell: Tell
) -> Merged:
    """Merge two states that come from a third one.

    Args:
        session: the running command. Its sides need not be ours, but the nearer they are, the less is read.
        base: the state from which both come.
        ours: our state.
        theirs: the other state.
        decide: settles conflicts.
        tell: names the edit that gave a place its value in ours or theirs.

    Raises:
        Refused: the schema changed on both sides, or a table that one dropped has changes of the other.
        ConstraintBroken: two rows would have the same unique value, or a row would break a CHECK constraint.
        BrokenGraph: nothing conflicts, and tasks would depend on each other in a circle, or on one that is gone.
        EpicvcError: a file or row of some state cannot be read as a document.
    """
    ours, theirs = reachable(session, ours), reachable(session, theirs)
    if base.database is None and ours.database is not None:
        # The base is from before the repo had a database. An empty one makes all rows additions, which merge.
        nothing = DatabaseState(ours.database.schema, tree.empty(session.staging))
        base = replace(base, database=nothing)
    else:
        base = reachable(session, base)
    schema = None
    if base.database and ours.database and theirs.database:
        schema = merged_schema(session.staging, base.database, ours.database, theirs.database)

    def merge(session: Session, states: Versions[Snapshot]) -> Merged:
        return _Merge(session, three_of(session, *states, schema), schema, decide, tell).run()

    states = Versions(base, ours, theirs)
    try:
        return merge(session, states)
    except (InvalidJSON, InvalidFile, InvalidField):
        # imported here, since hardly any commit has such a file
        from epicvc.actions.merge.documents.wholefiles import whole_files

        found = whole_files(session.staging, session.repo.config, states)
        if not found:
            raise
        return _beside(session, found, merge, states, decide)


def _beside(
    session: Session,
    files: list[WholeFile],
    merge: Callable[[Session, Versions[Snapshot]], Merged],
    states: Versions[Snapshot],
    decide: Decide,
) -> Merged:
    """Merge with some files set apart, each of which is one value."""
    from epicvc.actions.merge.documents.wholefiles import merged_files, without

    sink = session.staging
    others = states.map(lambda state: replace(state, files=without(sink, state.files, files)))
    now = session.working.files.with_root(without(sink, session.working.files.root, files))
    merged = merge(replace(session, working=replace(session.working, files=now)), others)
    context = MergeContext(decide=decide)
    changes = list(merged_files(files, context))
    return replace(
        merged,
        snapshot=replace(merged.snapshot, files=update_files(sink, merged.snapshot.files, changes)),
        conflicts=tuple(sorted((*merged.conflicts, *context.conflicts), key=lambda conflict: conflict.label)),
        decided=(*merged.decided, *context.decided),
        epics=tuple(sorted({*merged.epics, *(file.label.root for file in files if file.blobs[0] != file.blobs[2])})),
    )


class _Merge:
    def __init__(
        self, session: Session, three: ThreeSnapshots, schema: ObjectId | None, decide: Decide, tell: Tell
    ) -> None:
        self._schema = schema
        config = session.repo.config
        self._session = session
        self._sink = session.staging
        self._mapping: DocumentMapping = config.mapping
        self._three = three
        self._tell = tell
        self._decisions = MergeDecisions(decide, config.policies.whole)
        self._files = MergedFiles(self._sink, three.ours.snapshot.files)
        self._documents = EpicMerge(self._sink, config, self._decisions, self._files, owned=three.owned)

    def run(self) -> Merged:
        """Merge the states, and return the result."""
        ours = self._three.ours.snapshot
        both = self._both_changed()
        loader = Loader(self._session, self._three)
        documents: list[MergedDocuments] = []
        moves: list[tuple[Label, Label]] = []
        for group in self._groups(both):
            epics = {epic.id: epic for epic in loader.load(group)}
            moves += self._relocate(loader, epics)
            documents += map(self._documents.merge, epics.values())
        known: tuple[GraphFault, ...] = ()
        # With open conflicts the state is not final: it is checked once all are answered.
        if self._mapping.links and not self._decisions.undecided:
            known = check_links(self._session, self._three, loader, self._documents.links, self._tell)
        touched = set(both)
        database = self._database(self._schema, both, loader, documents, touched)
        self._take_files(both, touched)
        entries = {**self._documents.entries, **dict(self._entries_of_theirs(both, touched))}
        return Merged(
            Snapshot(self._files.root(), database, update_base(self._sink, ours.base, entries.items()), ours.mapping),
            tuple(sorted(self._decisions.undecided.values(), key=lambda conflict: conflict.label)),
            tuple(sorted(touched)),
            decided=tuple(self._decisions.decided[label] for label in sorted(self._decisions.decided)),
            moves=tuple(sorted(moves)),
            known=known,
            check=reference_check(self._session, self._three, self._schema, self._tell),
        )

    # What both sides changed

    def _both_changed(self) -> frozenset[str]:
        """Return the epics to merge as documents: both sides changed them, or a task moved between them.

        An epic that gives a task to one of these, or gets one from it, is another: a moved task is merged in both of
        its epics, or in neither.
        """
        here, there = self._three.here, self._three.there
        found = here.epics & there.epics
        for moved, other in ((here.moved, there.epics), (there.moved, here.epics)):
            found.update(*(pair for pair in moved if other.intersection(pair)))
        found.update(*self._dependants, *self._contested)
        partners = partners_of(self._three.moved)
        waiting = list(found)
        for epic in waiting:  # the list grows while it is gone through
            near = partners.get(epic, set()) - found
            found |= near
            waiting += near
        return frozenset(found)

    @cached_property
    def _unique_tasks(self) -> bool:
        """The database holds each task id only once."""
        reader, tasks = self._session.reader, self._mapping.tasks
        return self._three.owned and reader is not None and (tasks.key,) in reader.unique_keys(tasks.table)

    @cached_property
    def _contested(self) -> list[tuple[str, str]]:
        return list(self._three.contested) if self._unique_tasks else []

    @cached_property
    def _dependants(self) -> list[tuple[str, str]]:
        return list(dependants(self._three)) if self._mapping.links else []

    def _relocate(self, loader: Loader, epics: Mapping[str, Epic]) -> list[tuple[Label, Label]]:
        three, reader = self._three, self._session.reader
        owned = reader if three.owned else None

        def owners(keys: Collection[str]) -> set[str]:
            known = {epic for side in (three.here, three.there) for key in keys for epic in side.tasks.get(key, ())}
            rows = living_tasks(owned, loader.layout, sorted(keys)) if owned is not None else ()
            return known | {epic for _, epic in rows}

        renamed = {OURS: three.here.renamed, THEIRS: three.there.renamed}
        return relocate(epics, self._mapping, self._decisions.ask, owners, renamed, unique=self._unique_tasks)

    def _groups(self, both: frozenset[str]) -> Iterator[list[str]]:
        """Yield the epics to merge in groups of bounded size.

        Epics with a moved task or a dependency between them stay together.
        """
        pairs = (*self._three.moved, *self._dependants, *self._contested)
        partners = partners_of(pair for pair in pairs if both.issuperset(pair))
        group: list[str] = []
        done: set[str] = set()
        for epic in sorted(both):
            together = [epic] if epic not in done else []
            for each in together:  # the list grows while it is gone through
                done.add(each)
                together += sorted(partners.get(each, set()) - {*together})
            group += together
            if len(group) >= BATCH:
                yield group
                group = []
        if group:
            yield group

    def _database(
        self,
        schema: ObjectId | None,
        both: frozenset[str],
        loader: Loader,
        documents: list[MergedDocuments],
        touched: set[str],
    ) -> DatabaseState | None:
        three, reader = self._three, self._session.reader
        if schema is None:
            return three.ours.snapshot.database
        emit: Emit = {}
        kept = three.ours.snapshot.database
        final = three.ours if kept is not None and kept.schema == schema else three.theirs
        surrogates = Surrogates(self._mapping, three.ours, reader, final)
        context = self._decisions.context()
        tables = TableMerge(self._session, three, context, surrogates, emit)
        done: set[Place] = set()
        if three.owned:
            tables.claim(both)
            links = self._link_rows(context, surrogates, emit)
            writes = DocumentRows(self._mapping, surrogates, emit, loader.layout, links)
            writes.claim(documents)
            for document in documents:
                writes.write(document)
                done.update(document.places(self._mapping))
        touched |= tables.take(both, frozenset(done))
        if reader is not None:
            require_unique(reader, self._mapping, three, emit, self._tell)
        merged = tables.database(schema)
        if reader is not None:
            require_checks(reader, self._mapping, three, merged, self._tell)
        return merged

    def _link_rows(self, context: MergeContext, surrogates: Surrogates, emit: Emit) -> LinkRows | None:
        links, captured, reader = self._mapping.links, self._three.ours.captured, self._session.reader
        info = captured.table(links.table) if links and captured else None
        if links is None or info is None or reader is None:
            return None
        return LinkRows(
            links, self._mapping.tasks.table, context, surrogates=surrogates, emit=emit, reader=reader, info=info
        )

    # What one side alone changed

    def _take_files(self, both: frozenset[str], touched: set[str]) -> None:
        there = self._three.there
        for epic in {*there.old_files, *there.new_files} - both:
            old, new = there.old_files.get(epic), there.new_files.get(epic)
            if new is not None:
                self._files.put(epic, *new, old[0] if old else None)
            elif old is not None:
                self._files.remove(old[0])
            touched.add(epic)

    def _entries_of_theirs(self, both: frozenset[str], touched: set[str]) -> Iterator[tuple[str, BaseEntry | None]]:
        theirs, ours = self._three.theirs, self._three.ours
        for key, _, new in tree.diff(self._sink, self._three.base.snapshot.base, theirs.snapshot.base):
            epic = key.decode()
            if epic in both:
                continue
            entry = BaseEntry.unpack(new) if new is not None else None
            if entry is not None and theirs.snapshot.mapping != ours.snapshot.mapping:
                core = get_core(self._sink, epic, entry, theirs.base.mapping)
                entry = put_entry(self._sink, epic, core, None)
            touched.add(epic)
            yield epic, entry
