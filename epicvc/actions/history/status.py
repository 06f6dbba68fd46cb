"""What each side changed since HEAD, and where the sides are out of sync. Looks, changes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from msgspec import Struct, field
from msgspec.structs import replace

from epicvc.actions.shared.mergestate import MergeState, read_state
from epicvc.actions.shared.session import Session, look
from epicvc.actions.sync.plans import Plans, plan_all, with_renamed
from epicvc.database.documents.values import key_text
from epicvc.merge.threeway import Conflict, Direction
from epicvc.model.diff import Op
from epicvc.model.labels import Label, natural_order
from epicvc.plan.epic import Outcome, Policy
from epicvc.repo.agreement import affected_epics
from epicvc.repo.documents import Documents
from epicvc.repo.files.filestree import changed_files, epic_id_of
from epicvc.repo.files.tracked import Skipped, Unreadable
from epicvc.repo.history.objects import Snapshot
from epicvc.repo.repository import Repo
from epicvc.repo.rows.dbside import row_changes
from epicvc.repo.rows.rows import CapturedRows, is_alive, rows_of
from epicvc.store.objects import ObjectId


class State(StrEnum):
    """How the two sides of something stand to each other."""

    SYNCED = "synced"
    FILES_AHEAD = "files_ahead"
    DB_AHEAD = "db_ahead"
    DIVERGED = "diverged"
    CONFLICT = "conflict"
    INVALID = "invalid"


class Since(StrEnum):
    """What one side of an epic did since HEAD."""

    UNCHANGED = "unchanged"
    MODIFIED = "modified"
    ADDED = "added"
    DELETED = "deleted"


class FieldStatus(Struct, frozen=True):
    """A field that is out of sync."""

    label: Label
    state: State


class EpicStatus(Struct, frozen=True):
    """An epic that changed since HEAD or is out of sync."""

    id: str
    path: str | None
    state: State
    files: Since
    db: Since
    fields: tuple[FieldStatus, ...] = ()


class TableStatus(Struct, frozen=True):
    """A captured table that differs from HEAD, in rows."""

    name: str
    added: int
    modified: int
    deleted: int


class SchemaChange(Struct, frozen=True):
    """A definition of the database that differs from HEAD's.

    Attributes:
        kind: ``table``, ``index``, ``view``, ``trigger``, ``user_version`` or ``application_id``.
        name: its name; empty for the two numbers.
        op: ``add``, ``remove`` or ``replace``.
    """

    kind: str
    name: str
    op: Op


class Status(Struct):
    """The whole state of a repo.

    Attributes:
        branch: the current branch; ``None`` when HEAD is detached.
        head: the commit at HEAD.
        clean: both sides, all captured tables included, equal HEAD.
        in_sync: every epic's core agrees and nothing conflicts.
        schema: the definitions of the database that differ from HEAD's.
        has_database: a database is configured.
        skipped: files that look tracked and are not.
        errors: what cannot be read, and stops its own epic.
        waiting: what a synchronisation leaves as it is until that can be read.
        unfinished: the command whose operation a crash left behind.
        merging: the merge or revert that waits for answers or for ``--continue``.
        emptied: the side that has no epics though some were agreed on.
        new_mapping: places that differ by nothing but another mapping than the one that both sides agreed under.
    """

    branch: str | None
    head: ObjectId | None
    clean: bool = True
    in_sync: bool = True
    conflicts: list[Conflict] = field(default_factory=list)
    epics: list[EpicStatus] = field(default_factory=list)
    tables: list[TableStatus] = field(default_factory=list)
    schema: list[SchemaChange] = field(default_factory=list)
    has_database: bool = True
    skipped: list[Skipped] = field(default_factory=list)
    errors: list[Unreadable] = field(default_factory=list)
    waiting: list[Label] = field(default_factory=list)
    unfinished: str | None = None
    merging: MergeState | None = None
    emptied: str | None = None
    new_mapping: list[Label] = field(default_factory=list)


def read_status(repo: Repo) -> Status:
    """Compare both sides with HEAD and with each other.

    Raises:
        EpicvcError: a side as a whole cannot be read.
    """
    with look(repo) as session:
        session.working.files.require_usable()
        head = repo.head_snapshot()
        status = Status(repo.revisions.branch(), head[0] if head else None)
        status.has_database = session.reader is not None
        status.skipped = session.working.files.skipped
        pending = repo.store.pending()
        status.unfinished = pending.command if pending else None
        status.merging = read_state(session.staging, repo)
        before = head[1] if head else None
        working = session.working.snapshot()
        status.clean = before is not None and working.same_sides(before)
        documents = Documents(repo, session.working, session.staging, session.reader)
        stale = _compare_sides(session, documents, before, working, status)
        if session.reader is not None and not status.in_sync:
            from epicvc.actions.sync.survey import emptied  # most often all is well

            status.emptied = emptied(documents)
        if session.reader is not None and (stale or not status.in_sync):
            from epicvc.actions.sync.othermapping import by_mapping_alone

            places = [item.label for epic in status.epics for item in epic.fields if item.state is not State.CONFLICT]
            status.new_mapping = by_mapping_alone(documents, [*places, *stale])
        if not status.clean:
            _count_tables(session, before, working, status)
        return status


class _Plan(Struct, frozen=True):
    """How the two sides of an epic stand to each other."""

    state: State
    fields: tuple[FieldStatus, ...] = ()
    conflicts: Sequence[Conflict] = ()
    waiting: Sequence[Label] = ()
    stray: Sequence[Label] = ()
    """Calculated fields that stand in the file and do not belong there."""


class _Found(Struct, frozen=True):
    """What the last round of plans said."""

    epics: frozenset[str]
    plans: dict[str, _Plan]


def _compare_sides(
    session: Session,
    documents: Documents,
    before: Snapshot | None,
    working: Snapshot,
    status: Status,
) -> list[Label]:
    """Fill in how the sides stand to each other; return the calculated fields that stand in files and are others'."""
    files, db = _changed_epics(session, documents, before, working)
    found = _Found(frozenset(), {})
    if session.reader is not None:
        policy = with_renamed(documents, Policy(policies=documents.repo.config.policies))
        found = plan_all(documents, policy, _found)
    reported: dict[str, EpicStatus] = {}
    for epic, plan in found.plans.items():
        status.conflicts.extend(plan.conflicts)
        status.waiting.extend(plan.waiting)
        if plan.state is not State.SYNCED:
            status.in_sync = False
        elif epic not in files and epic not in db:
            continue
        reported[epic] = _epic(documents, epic, plan.state, files, db, plan.fields)
    for epic in {*files, *db} - found.epics:
        reported[epic] = _epic(documents, epic, State.SYNCED, files, db, ())
    status.errors = list(documents.held.unreadable)
    for bad in status.errors:
        status.in_sync = False
        name = bad.epic or bad.path
        if name is not None:
            found_as = _epic(documents, name, State.INVALID, files, db, ())
            reported[name] = replace(found_as, path=_path_of(documents, bad))
    status.epics = [reported[epic] for epic in sorted(reported, key=natural_order)]
    return [label for plan in found.plans.values() for label in plan.stray]


def _found(plans: Plans) -> _Found:
    """Note how the sides of each epic stand to each other, by the plans of one round."""
    result = {epic: _Plan(State.FILES_AHEAD, _added(epic)) for epic in plans.fresh}
    result |= {epic: _Plan(State.FILES_AHEAD, _added(epic), waiting=(Label(epic),)) for epic in plans.waiting}
    for three, outcome in plans:
        stray = [Label(three.epic, (name,)) for name in three.stray]
        waiting = [place.label for place in outcome.waits if place.way != Direction.BOTH]
        result[three.epic] = _Plan(*_state(outcome), outcome.conflicts, waiting, stray)
    return _Found(frozenset(plans.epics), result)


def _added(epic: str) -> tuple[FieldStatus, ...]:
    return (FieldStatus(Label(epic), State.FILES_AHEAD),)


def _path_of(documents: Documents, bad: Unreadable) -> str | None:
    """Where the files have what cannot be read, or the rest of it."""
    tracked = documents.tracked(bad.epic) if bad.epic is not None else None
    return bad.path if bad.path is not None else tracked.path if tracked is not None else None


def _epic(
    documents: Documents,
    epic: str,
    state: State,
    files: dict[str, Since],
    db: dict[str, Since],
    fields: tuple[FieldStatus, ...],
) -> EpicStatus:
    tracked = documents.tracked(epic)
    path = tracked.path if tracked else None
    return EpicStatus(epic, path, state, files.get(epic, Since.UNCHANGED), db.get(epic, Since.UNCHANGED), fields)


def _state(outcome: Outcome) -> tuple[State, tuple[FieldStatus, ...]]:
    fields = [FieldStatus(conflict.label, State.CONFLICT) for conflict in outcome.conflicts]
    fields += [FieldStatus(change.label, State.FILES_AHEAD) for change in outcome.to_db]
    fields += [FieldStatus(change.label, State.DB_AHEAD) for change in outcome.to_files]
    fields += [FieldStatus(place.label, _AHEAD[place.way]) for place in outcome.waits if place.way in _AHEAD]
    fields.sort(key=lambda item: item.label)
    ahead = {item.state for item in fields}
    if outcome.conflicts:
        return State.CONFLICT, tuple(fields)
    if len(ahead) > 1:
        return State.DIVERGED, tuple(fields)
    return ahead.pop() if ahead else State.SYNCED, tuple(fields)


_AHEAD = {Direction.TO_THEIRS: State.FILES_AHEAD, Direction.TO_OURS: State.DB_AHEAD}
"""How a place stands that waits, by the side that would change."""


def _changed_epics(
    session: Session, documents: Documents, before: Snapshot | None, working: Snapshot
) -> tuple[dict[str, Since], dict[str, Since]]:
    """What each side did to which epic since HEAD."""
    if before is None:
        files = dict.fromkeys(session.working.files.by_epic, Since.ADDED)
        return files, dict.fromkeys(documents.db_ids(), Since.ADDED)
    old_epics, new_epics, touched = set(), set(), set()
    tracked, whose = session.working.files, {bad.path: bad.epic for bad in documents.held.files}
    for path, old, new in changed_files(session.staging, before.files, working.files):
        touched.add(path)
        now = None if new is None else tracked.files[path].epic or whose.get(path) or path
        if old is not None:
            epic = epic_id_of(session.staging, old, path)
            old_epics.add(now if epic == path and now is not None else epic)
        if now is not None:
            new_epics.add(now)
    there = {epic for epic in old_epics ^ new_epics if (file := tracked.by_epic.get(epic)) and file.path not in touched}
    old_epics |= there  # of two files with one epic, the other one
    new_epics |= there
    files = {epic: _since(epic in old_epics, epic in new_epics) for epic in old_epics | new_epics}
    return files, _changed_in_database(session, documents, before)


def _since(before: bool, after: bool) -> Since:
    return Since.MODIFIED if before and after else Since.ADDED if after else Since.DELETED


def _changed_in_database(session: Session, documents: Documents, before: Snapshot) -> dict[str, Since]:
    state = session.working.database
    if state == before.database:
        return {}
    epics = affected_epics(session.staging, session.repo, before.database, state)
    alive = {*documents.db_ids(), *(bad.epic for bad in documents.held.rows)}
    lived = _alive_at(session, before, epics)
    return {epic: _since(epic in lived, epic in alive) for epic in epics if epic in lived or epic in alive}


def _alive_at(session: Session, before: Snapshot, epics: set[str]) -> set[str]:
    """Which of these epics had a living row at HEAD."""
    if before.database is None or not epics:
        return set()
    mapping = session.repo.config.mapping.epics
    rows = CapturedRows(session.staging, before.database)
    named = (rows.named(mapping.table, row) for _, row in rows_of(session.staging, before.database, mapping.table))
    keys = (key_text(row.get(mapping.key)) for row in named if is_alive(row, mapping))
    return {key for key in keys if key in epics}


def _count_tables(session: Session, before: Snapshot | None, working: Snapshot, status: Status) -> None:
    old = before.database if before else None
    if old is not None and working.database is not None and old.schema != working.database.schema:
        from epicvc.actions.shared.difference import schema_changes  # a schema seldom changes

        for change in schema_changes(session.staging, old, working.database):
            kind, _, name = change.label.path[0].partition(" ")
            status.schema.append(SchemaChange(kind, name, change.op))
    for table, rows in row_changes(session.staging, old, working.database):
        counts = {"added": 0, "modified": 0, "deleted": 0}
        for _, was, now in rows:
            counts["added" if was is None else "deleted" if now is None else "modified"] += 1
        status.tables.append(TableStatus(table, **counts))
