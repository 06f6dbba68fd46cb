"""Tells the differences that a migration made from those that people made.

Snapshots hold the record of migrations, so that two states tell if a migration lies between them. Each migration is a
commit of its own: a difference belongs to a migration if its commit made exactly this difference. A migration that was
run by other means may have no commit of its own. Then only certain differences are attributed to it: definitions, the
record, and values of columns and tables that only one of the two states has.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from epicvc.actions.shared.difference import SideChange, differences
from epicvc.base.jsonio import JSON
from epicvc.database.migrations import TABLE
from epicvc.model.labels import Label
from epicvc.model.mapping import Mapping, TableMap
from epicvc.repo.history.objects import DatabaseState, Snapshot, get_commit
from epicvc.repo.repository import Repo
from epicvc.repo.rows.dbside import get_schema, table_root
from epicvc.store.objects import ObjectId, ObjectSource

Judge: TypeAlias = Callable[[SideChange], str | None]


class End(Struct, frozen=True):
    """One end of a comparison.

    Attributes:
        commit: the commit, or for the working state the commit below it; ``None`` for an empty state.
        snapshot: the state; ``None`` for an empty state.
        working: the state is that of both sides now, not of a commit.
    """

    commit: ObjectId | None
    snapshot: Snapshot | None
    working: bool = False


def attribute(
    repo: Repo, source: ObjectSource, before: End, after: End, changes: Iterable[SideChange]
) -> Iterator[SideChange]:
    """Yield the differences, each with the versions of the migrations that made it.

    Args:
        repo: the repo.
        source: the store of both states.
        before: the earlier end.
        after: the later end.
        changes: the differences.
    """
    mapping = repo.config.mapping
    judges = list(_judges(repo, source, mapping, before, after))
    for change in changes:
        verdicts = (judge(change) for judge in judges if change.side == "db")
        yield replace(change, migration=next((version for version in verdicts if version is not None), None))


def _judges(repo: Repo, source: ObjectSource, mapping: Mapping, before: End, after: End) -> Iterator[Judge]:
    """Yield the judges that attribute a difference to a migration, that of the last migration first."""
    if _same_record(source, before.snapshot, after.snapshot):
        return
    here, there = (
        repo.snapshot_of(end.commit) if end.working and end.commit else end.snapshot for end in (before, after)
    )
    if after.working and not _same_record(source, there, after.snapshot):
        yield _by_shape(source, mapping, there, after.snapshot)
    if _same_record(source, here, there):
        return
    steps = _steps(repo, before.commit, after.commit)
    if steps is not None:
        for old, new in steps:
            if _is_all(old, new, before.snapshot, after.snapshot):
                yield _everything(_moved(source, old, new))
            else:
                yield _by_commit(source, mapping, old, new, backward=False)
        return
    steps = _steps(repo, after.commit, before.commit)
    if steps is not None:
        for old, new in reversed(steps):
            yield _by_commit(source, mapping, old, new, backward=True)
        return
    yield _by_shape(source, mapping, here, there)


def _steps(repo: Repo, first: ObjectId | None, last: ObjectId | None) -> list[tuple[Snapshot | None, Snapshot]] | None:
    """Return the commits between two that changed the record, newest first.

    Returns ``None`` if one commit does not lead to the other along first parents.
    """
    found: list[tuple[Snapshot | None, Snapshot]] = []
    here = last
    while here is not None and here != first:
        commit = get_commit(repo.store, here)
        parent = commit.parents[0] if commit.parents else None
        snapshots = repo.snapshot_of(parent) if parent else None, repo.snapshot_of(here)
        if not _same_record(repo.store, *snapshots):
            found.append(snapshots)
        here = parent
    return found if here == first else None


def _is_all(old: Snapshot | None, new: Snapshot, before: Snapshot | None, after: Snapshot | None) -> bool:
    """Return whether this one commit is all that lies between the databases that are compared."""
    if old is None or before is None or after is None:
        return False
    return (old.database, new.database) == (before.database, after.database)


def _everything(versions: str) -> Judge:
    return lambda _: versions


def _by_commit(source: ObjectSource, mapping: Mapping, old: Snapshot | None, new: Snapshot, *, backward: bool) -> Judge:
    """Return a judge for the commit of a migration.

    A difference is the migration's if the commit brought the same value to the same place.
    """
    made: dict[Label, tuple[JSON, JSON]] = {
        item.change.label: (item.change.old, item.change.new)
        for item in differences(source, mapping, old, new, side="db")
    }
    versions = _moved(source, old, new)

    def judge(change: SideChange) -> str | None:
        values = made.get(change.change.label)
        if values is None:
            return None
        return versions if change.change.new == values[0 if backward else 1] else None

    return judge


def _by_shape(source: ObjectSource, mapping: Mapping, old: Snapshot | None, new: Snapshot | None) -> Judge:
    """Return a judge for a migration without a commit of its own.

    It attributes only what a migration alone can make: a definition, the record, or a value in a column or table that
    one state lacks.
    """
    columns = [_columns(source, snapshot.database if snapshot else None) for snapshot in (old, new)]
    only_one = columns[0] ^ columns[1]
    tables = {table for table, _ in columns[0]} ^ {table for table, _ in columns[1]}
    versions = _moved(source, old, new)

    def judge(change: SideChange) -> str | None:
        label = change.change.label
        if label.table:
            column = label.path[1] if len(label.path) > 1 else None
            own = label.root in ("", TABLE, *tables) or (label.root, column) in only_one
        else:
            own = _place(mapping, label) in only_one
        return versions if own else None

    return judge


def _place(mapping: Mapping, label: Label) -> tuple[str, str | None]:
    """Return the table and column of a field."""
    path, table = label.path, mapping.epics
    if path[:1] == (Mapping.TASKS,):
        path, table = path[2:], mapping.tasks
    return table.table, _column(table, path[0]) if path else None


def _column(table: TableMap, field: str) -> str:
    found = table.by_name.get(field)
    return found.column if found else field


def _columns(source: ObjectSource, state: DatabaseState | None) -> frozenset[tuple[str, str | None]]:
    tables = get_schema(source, state).tables if state else ()
    return frozenset((table.name, column) for table in tables for column in table.columns)


def _root(source: ObjectSource, snapshot: Snapshot | None) -> ObjectId | None:
    return table_root(source, snapshot.database, TABLE) if snapshot and snapshot.database else None


def _same_record(source: ObjectSource, old: Snapshot | None, new: Snapshot | None) -> bool:
    """Return whether no migration lies between two states. A state without a database tells of no migration."""
    if old is None or new is None or old.database is None or new.database is None:
        return True
    return _root(source, old) == _root(source, new)


def _moved(source: ObjectSource, old: Snapshot | None, new: Snapshot | None) -> str:
    """Return the versions that only one of the two states has."""
    here, there = (_versions(source, snapshot) for snapshot in (old, new))
    return ", ".join(sorted(here ^ there))


def _versions(source: ObjectSource, snapshot: Snapshot | None) -> frozenset[str]:
    state = snapshot.database if snapshot else None
    if state is None:
        return frozenset()
    from epicvc.repo.rows.rows import CapturedRows, rows_of

    rows = CapturedRows(source, state)
    named = (rows.named(TABLE, row) for _, row in rows_of(source, state, TABLE))
    return frozenset(str(row.get("version")) for row in named)
