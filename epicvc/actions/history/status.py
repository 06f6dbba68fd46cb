"""The command ``status``: finds the changes of each side since HEAD, and the differences between them.

It changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import StrEnum

from msgspec import Struct
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
    """The relations between the two sides of an epic or a field."""

    SYNCED = "synced"
    FILES_AHEAD = "files_ahead"
    DB_AHEAD = "db_ahead"
    DIVERGED = "diverged"
    CONFLICT = "conflict"
    INVALID = "invalid"


class Since(StrEnum):
    """The changes of one side of an epic since HEAD."""

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


class Status(Struct, frozen=True):
    """The whole state of a repo.

    Attributes:
        branch: the current branch; ``None`` if HEAD is detached.
        head: the commit at HEAD.
        clean: both sides, all captured tables included, equal HEAD.
        in_sync: every epic's core agrees and nothing conflicts.
        schema: the definitions of the database that differ from HEAD's.
        has_database: a database is configured.
        skipped: the files that look tracked but are not.
        errors: the files and rows that cannot be read; they stop their own epic.
        waiting: the places that a synchronisation leaves alone until these can be read.
        unfinished: the command whose operation a crash left behind.
        merging: the merge or revert that waits for answers or for ``--continue``.
        emptied: the side that has no epics although some were agreed on.
        new_mapping: the places that differ only because the mapping changed since the last agreement.
    """

    branch: str | None
    head: ObjectId | None
    clean: bool
    in_sync: bool
    conflicts: Sequence[Conflict] = ()
    epics: Sequence[EpicStatus] = ()
    tables: Sequence[TableStatus] = ()
    schema: Sequence[SchemaChange] = ()
    has_database: bool = True
    skipped: Sequence[Skipped] = ()
    errors: Sequence[Unreadable] = ()
    waiting: Sequence[Label] = ()
    unfinished: str | None = None
    merging: MergeState | None = None
    emptied: str | None = None
    new_mapping: Sequence[Label] = ()


def read_status(repo: Repo) -> Status:
    """Compare both sides with HEAD and with each other.

    Raises:
        EpicvcError: a side as a whole cannot be read.
    """
    with look(repo) as session:
        session.working.files.require_usable()
        head = repo.head_snapshot()
        before = head[1] if head else None
        working = session.working.snapshot()
        documents = Documents(repo, session.working, session.staging, session.reader)
        sides = _compare_sides(session, documents, before, working)
        pending = repo.store.pending()
        clean = before is not None and working.same_sides(before)
        return Status(
            branch=repo.revisions.branch(),
            head=head[0] if head else None,
            clean=clean,
            in_sync=sides.in_sync,
            conflicts=sides.conflicts,
            epics=sides.epics,
            tables=() if clean else tuple(_count_tables(session, before, working)),
            schema=() if clean else tuple(_schema_changes(session, before, working)),
            has_database=session.reader is not None,
            skipped=session.working.files.skipped,
            errors=documents.held.unreadable,
            waiting=sides.waiting,
            unfinished=pending.command if pending else None,
            merging=read_state(session.staging, repo),
            emptied=_emptied(documents, sides),
            new_mapping=_new_mapping(documents, sides),
        )


class _Sides(Struct, frozen=True):
    """The relation of files and database.

    Attributes:
        in_sync: every epic's core agrees and nothing conflicts.
        conflicts: the conflicts.
        waiting: the places that a synchronisation leaves alone until something can be read.
        epics: the epics that changed or are out of sync.
        stray: the calculated fields in files that do not belong there.
    """

    in_sync: bool
    conflicts: Sequence[Conflict]
    waiting: Sequence[Label]
    epics: Sequence[EpicStatus]
    stray: Sequence[Label]


def _emptied(documents: Documents, sides: _Sides) -> str | None:
    if documents.reader is None or sides.in_sync:
        return None
    from epicvc.actions.sync.survey import emptied  # imported here, since most often all is well

    return emptied(documents)


def _new_mapping(documents: Documents, sides: _Sides) -> Sequence[Label]:
    if documents.reader is None or (sides.in_sync and not sides.stray):
        return ()
    from epicvc.actions.sync.othermapping import by_mapping_alone  # as in _emptied

    places = [item.label for epic in sides.epics for item in epic.fields if item.state is not State.CONFLICT]
    return by_mapping_alone(documents, [*places, *sides.stray])


class _Plan(Struct, frozen=True):
    """The relation of the two sides of one epic."""

    state: State
    fields: tuple[FieldStatus, ...] = ()
    conflicts: Sequence[Conflict] = ()
    waiting: Sequence[Label] = ()
    stray: Sequence[Label] = ()
    """The calculated fields in the file that do not belong there."""


class _Found(Struct, frozen=True):
    """The results of the last round of plans."""

    epics: frozenset[str]
    plans: dict[str, _Plan]


def _compare_sides(session: Session, documents: Documents, before: Snapshot | None, working: Snapshot) -> _Sides:
    """Compare the sides with each other, and each with HEAD."""
    files, db = _changed_epics(session, documents, before, working)
    found = _Found(frozenset(), {})
    if session.reader is not None:
        policy = with_renamed(documents, Policy(policies=documents.repo.config.policies))
        found = plan_all(documents, policy, _found)
    plans, errors = found.plans, documents.held.unreadable
    reported: dict[str, EpicStatus] = {}
    for epic, plan in plans.items():
        if plan.state is not State.SYNCED or epic in files or epic in db:
            reported[epic] = _epic(documents, epic, plan.state, files=files, db=db, fields=plan.fields)
    for epic in {*files, *db} - found.epics:
        reported[epic] = _epic(documents, epic, State.SYNCED, files=files, db=db, fields=())
    for bad in errors:
        name = bad.epic or bad.path
        if name is not None:
            found_as = _epic(documents, name, State.INVALID, files=files, db=db, fields=())
            reported[name] = replace(found_as, path=_path_of(documents, bad))
    return _Sides(
        in_sync=not errors and all(plan.state is State.SYNCED for plan in plans.values()),
        conflicts=[conflict for plan in plans.values() for conflict in plan.conflicts],
        waiting=[label for plan in plans.values() for label in plan.waiting],
        epics=[reported[epic] for epic in sorted(reported, key=natural_order)],
        stray=[label for plan in plans.values() for label in plan.stray],
    )


def _found(plans: Plans) -> _Found:
    """Return the relation of the sides of each epic, by the plans of one round."""
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
    """Return the path of a file that cannot be read, or the path of the file whose epic has an unreadable row."""
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
    return EpicStatus(
        epic, path, state, files=files.get(epic, Since.UNCHANGED), db=db.get(epic, Since.UNCHANGED), fields=fields
    )


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
"""The state of a place that waits, by the side that would change."""


def _changed_epics(
    session: Session, documents: Documents, before: Snapshot | None, working: Snapshot
) -> tuple[dict[str, Since], dict[str, Since]]:
    """Return the changes of each side since HEAD, by epic."""
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
    old_epics |= there  # the epic was in two files, and the other one is left
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
    """Return those of these epics that had a living row at HEAD."""
    if before.database is None or not epics:
        return set()
    mapping = session.repo.config.mapping.epics
    rows = CapturedRows(session.staging, before.database)
    named = (rows.named(mapping.table, row) for _, row in rows_of(session.staging, before.database, mapping.table))
    keys = (key_text(row.get(mapping.key)) for row in named if is_alive(row, mapping))
    return {key for key in keys if key in epics}


def _count_tables(session: Session, before: Snapshot | None, working: Snapshot) -> Iterator[TableStatus]:
    """Count the rows of each table that differ from HEAD's."""
    for table, rows in row_changes(session.staging, before.database if before else None, working.database):
        counts = {"added": 0, "modified": 0, "deleted": 0}
        for _, was, now in rows:
            counts["added" if was is None else "deleted" if now is None else "modified"] += 1
        yield TableStatus(table, **counts)


def _schema_changes(session: Session, before: Snapshot | None, working: Snapshot) -> Iterator[SchemaChange]:
    """Find the definitions that differ from HEAD's."""
    old, new = before.database if before else None, working.database
    if old is None or new is None or old.schema == new.schema:
        return
    from epicvc.actions.shared.difference import schema_changes  # imported here, since a schema seldom changes

    for change in schema_changes(session.staging, old, new):
        kind, _, name = change.label.path[0].partition(" ")
        yield SchemaChange(kind, name, change.op)
