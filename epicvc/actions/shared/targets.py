"""Brings both sides to a snapshot, and computes snapshots for partial and inverse changes.

There is one way to reach a snapshot. The computation is pure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from typing import Any, TypeVar

from msgspec import Struct, field
from msgspec.structs import replace

from epicvc.actions.shared.difference import key_text
from epicvc.actions.shared.obstacles import obstacles
from epicvc.actions.shared.session import Session
from epicvc.database.backend import Stranded, Writer
from epicvc.database.rowcodec import encode_key
from epicvc.database.tables import Schema, TableInfo
from epicvc.repo.apply.apply import After, Request, Stage
from epicvc.repo.files.filestree import changed_files
from epicvc.repo.history.base import get_ignored
from epicvc.repo.history.objects import DatabaseState, Snapshot
from epicvc.repo.repository import Working
from epicvc.repo.rows.dbside import COUNTERS, RowChange, get_schema, restore, row_changes, table_root
from epicvc.repo.rows.spool import Spool
from epicvc.store.objects import ObjectId, ObjectSink, ObjectType
from epicvc.store.tree import tree

T = TypeVar("T")


class Target(Struct, frozen=True):
    """The state to which an operation leads.

    Attributes:
        snapshot: the state to reach.
        refs: returns the refs to move; it gets the sink for a commit that they may need.
        check: checks the rows once they are written, and raises if they must not stay.
        stranded: takes the triggers that are left out, since a table that they name does not exist.
    """

    snapshot: Snapshot
    refs: Callable[[Session, ObjectSink, Snapshot], dict[str, str | None]] = lambda _session, _sink, _snapshot: {}
    check: Callable[[Writer], None] | None = None
    stranded: list[Stranded] = field(default_factory=list)


def go(
    session: Session,
    command: str,
    description: str,
    target: Target,
    *,
    dry_run: bool = False,
    undoes: str | None = None,
    redoes: str | None = None,
    continues: str | None = None,
) -> None:
    """Bring both sides to a state as a restore does: exactly, and without firing triggers.

    Args:
        session: the running command.
        command: the command, for the operation log.
        description: the description, for the operation log.
        target: the state, and the refs to move.
        dry_run: only try it out.
        undoes: the operation that this one undoes.
        redoes: the operation that this one redoes.
        continues: the operation whose place this one takes in the log.
    """
    current = session.working.snapshot()
    wanted = reachable(session, target.snapshot)
    rows = dict(row_changes(session.staging, current.database, wanted.database))
    many = {name for name, changes in rows.items() if changes.keep(_spool(session))}

    # Files are staged before the database is locked, so that the application does not wait for them.
    def prepare(stage: Stage) -> None:
        for path, old, new in changed_files(stage.sink, current.files, wanted.files):
            if new is None:
                assert old is not None  # a difference has at least one side
                stage.remove(path, old)
            else:
                stage.write(path, old, stage.sink.get(new, ObjectType.BLOB))

    def work(writer: Writer | None, stage: Stage) -> After:
        if writer is not None and current.database is not None and wanted.database is not None:
            there = restore(writer, stage.sink, current.database, wanted.database, rows, undisturbed=True)
            target.stranded[:] = writer.stranded
            if target.check is not None:
                target.check(writer)
            reached = replace(wanted, database=there)
            return After(reached, target.refs(session, stage.sink, reached))
        return After(wanted, target.refs(session, stage.sink, wanted))

    writes = wanted.database != current.database
    request = Request(
        command,
        description,
        current,
        work,
        session.backend if writes else None,
        as_restore=True,
        version=session.version,
        prepare=prepare,
        undoes=undoes,
        redoes=redoes,
        continues=continues,
        many={name: (table, rows[name]) for name, table in _kept_tables(session, current, wanted) if name in many},
    )
    if dry_run:
        session.try_out(request)
    else:
        session.perform(request)


def _spool(session: Session) -> Spool[RowChange]:
    return session.leaving.enter_context(closing(Spool(session.repo.config.private, _row_change)))


def _kept_tables(session: Session, current: Snapshot, wanted: Snapshot) -> Iterator[tuple[str, TableInfo]]:
    """Yield the tables whose definition does not change."""
    if current.database is None or wanted.database is None:
        return
    here, there = (get_schema(session.staging, state).by_name for state in (current.database, wanted.database))
    yield from ((name, table) for name, table in there.items() if here.get(name) == table)


def _row_change(parts: list[Any]) -> RowChange:
    key, old, new = parts
    return key, old, new


def reachable(session: Session, snapshot: Snapshot) -> Snapshot:
    """Return the part of a snapshot that can be reached here and now.

    Tables that are ignored now do not change, nor do those that were ignored when the snapshot was made, since it does
    not have them. A snapshot without a database leaves the database alone.
    """
    current = session.working.database
    if snapshot.database is None or current is None:
        return replace(snapshot, database=current)
    sink = session.staging
    then, now = get_ignored(sink, snapshot.mapping), session.repo.config.ignore
    if then == now:
        return snapshot
    return replace(snapshot, database=_with_ignored(sink, current, snapshot.database, then, now))


def _with_ignored(
    sink: ObjectSink, current: DatabaseState, target: DatabaseState, then: frozenset[str], now: frozenset[str]
) -> DatabaseState:
    from epicvc.database.sqlite.schema.virtual import owners

    here, there = get_schema(sink, current), get_schema(sink, target)
    within = owners(here) | owners(there)
    then, now = (names | {table for table, owner in within.items() if owner in names} for names in (then, now))
    kept = [table for table in here.tables if table.name in then]
    gone = {*then, *now}
    tables = sorted([*(t for t in there.tables if t.name not in gone), *kept], key=lambda table: table.name)
    schema: Schema = replace(there, tables=tuple(tables))
    changes: list[tuple[bytes, bytes | None]] = [
        (name.encode(), table_root(sink, current, name) if name in then else None)
        for name in sorted(gone, key=str.encode)
    ]
    tables_root = tree.update(sink, target.tables, [*changes, *_counters(sink, current, target, then, gone)])
    return DatabaseState(sink.put(ObjectType.SCHEMA, schema.to_json_bytes()), tables_root)


def _counters(
    sink: ObjectSink, current: DatabaseState, target: DatabaseState, then: frozenset[str], gone: set[str]
) -> list[tuple[bytes, bytes | None]]:
    """Return the change of the table of AUTOINCREMENT counters, whose rows belong to the counted tables."""
    here, there = (table_root(sink, state, COUNTERS) for state in (current, target))
    if there is None:
        return []
    keys = [(name, encode_key((name,))) for name in sorted(gone)]
    rows = [(key, tree.get(sink, here, key) if name in then and here else None) for name, key in keys]
    return [(COUNTERS.encode(), tree.update(sink, there, rows))]


# Inverses: the change between two states, applied to a third


class Collision(Exception):  # internal: the caller makes one error of it
    """Places that are neither in the state before a change nor in that after it, or that hinder the change."""

    def __init__(self, labels: list[str]) -> None:
        super().__init__(labels)
        self.labels = labels


def transplant(sink: ObjectSink, working: Working, source: Snapshot, target: Snapshot) -> Snapshot:
    """Apply the change from ``source`` to ``target``, and only this change, to both sides as they are.

    Args:
        sink: the store of the states; it takes the trees of the new one.
        working: both sides as they are.
        source: the state before the change.
        target: the state after the change.

    Raises:
        Collision: a place of the change is neither as in ``source`` nor as in ``target``, or a later file cannot stand
            beside one that the change brings.
    """
    current, labels = working.snapshot(), list[str]()
    files = _transplant_tree(
        sink, current.files, source.files, target=target.files, labels=labels, name=lambda key: key.decode()
    )
    labels += obstacles(sink, working.files, files, target.files)
    database = _transplant_database(sink, current.database, source.database, target.database, labels)
    if labels:
        raise Collision(labels)
    return replace(current, files=files, database=database)


def _transplant_tree(
    sink: ObjectSink,
    current: ObjectId,
    source: ObjectId,
    target: ObjectId,
    labels: list[str],
    name: Callable[[bytes], str],
) -> ObjectId:
    if current == source:
        return target
    changes: list[tuple[bytes, bytes | None]] = []
    for key, old, new in tree.diff(sink, source, target):
        now = tree.get(sink, current, key)
        if now == old:
            changes.append((key, new))
        elif now != new:
            labels.append(name(key))
    return tree.update(sink, current, changes) if changes else current


def _transplant_database(
    sink: ObjectSink,
    current: DatabaseState | None,
    source: DatabaseState | None,
    target: DatabaseState | None,
    labels: list[str],
) -> DatabaseState | None:
    if source == target or current == target:
        return current
    if current == source:
        return target
    if current is None or source is None or target is None:
        labels.append("the database as a whole")
        return current
    schema = current.schema
    if source.schema != target.schema:
        if current.schema not in (source.schema, target.schema):
            labels.append("the database's schema")
            return current
        schema = target.schema
    changes: list[tuple[bytes, bytes | None]] = []
    for key, old, new in tree.diff(sink, source.tables, target.tables):
        now = tree.get(sink, current.tables, key)
        table = key.decode()
        if now == new:
            continue
        if now == old:
            changes.append((key, new))
        elif table == COUNTERS:
            # A counter that went on is no conflict: if the change only raised it, it keeps its present value.
            changes.append((key, _transplant_counters(sink, now or tree.EMPTY, old or tree.EMPTY, new or tree.EMPTY)))
        elif now is None or old is None or new is None:
            labels.append(f"@{table}")
        else:
            root = _transplant_tree(sink, now, old, target=new, labels=labels, name=partial(_row_name, table))
            changes.append((key, root))
    return DatabaseState(schema, tree.update(sink, current.tables, changes) if changes else current.tables)


def _transplant_counters(sink: ObjectSink, current: ObjectId, source: ObjectId, target: ObjectId) -> ObjectId:
    kept = [(key, new) for key, old, new in tree.diff(sink, source, target) if tree.get(sink, current, key) == old]
    return tree.update(sink, current, kept)


def _row_name(table: str, key: bytes) -> str:
    return f"@{table}/{key_text(key)}"
