"""The three states of a merge, and what changed between them, by epic: only what differs is ever read."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator
from functools import cached_property, partial

from msgspec import Struct, field

from epicvc.database.rowcodec import SQLValue, decode_key, encode_key
from epicvc.database.values import key_text
from epicvc.jsonio import parse
from epicvc.model.document import Core, epic_body, natural_key, tasks_of
from epicvc.model.mapping import Mapping
from epicvc.repo.base import Base, get_mapping
from epicvc.repo.dbside import COUNTERS, table_root, unpack_row
from epicvc.repo.filesside import changed_files
from epicvc.repo.objects import Snapshot
from epicvc.repo.rows import CapturedRows, NamedRow, Owner, mapped_tables
from epicvc.store import tree
from epicvc.store.node import load_root
from epicvc.store.objects import ObjectId, ObjectSink, ObjectType

Place = tuple[str, ObjectId]
"""Where an epic's file is: path and blob."""


class State:
    """One of the three states.

    Args:
        sink: holds its objects.
        snapshot: the state.
        mapping: the mapping in force now.
    """

    def __init__(self, sink: ObjectSink, snapshot: Snapshot, mapping: Mapping) -> None:
        self.snapshot = snapshot
        self._sink = sink
        self._mapping = mapping
        self.captured = CapturedRows(sink, snapshot.database) if snapshot.database else None
        self._epic_keys: dict[SQLValue, str | None] = {}
        self._task_owners: dict[SQLValue, Owner | None] = {}
        self._roots: dict[str, ObjectId | None] = {}
        self._like: tuple[State, Container[bytes]] | None = None

    @cached_property
    def base(self) -> Base:
        """What was agreed then, under the mapping of then."""
        return Base(self._sink, self.snapshot.base, get_mapping(self._sink, self.snapshot.mapping))

    def packed(self, table: str, key: bytes) -> bytes | None:
        """A row as the tree has it."""
        if self.snapshot.database is None:
            return None
        if table not in self._roots:
            self._roots[table] = table_root(self._sink, self.snapshot.database, table)
        root = self._roots[table]
        return None if root is None else tree.get(self._sink, root, key)

    def packed_rows(self, table: str, keys: Iterable[bytes]) -> dict[bytes, bytes]:
        """Rows as the tree has them, read together."""
        root = table_root(self._sink, self.snapshot.database, table) if self.snapshot.database else None
        return tree.get_many(self._sink, root, keys) if root is not None else {}

    def columns(self, table: str) -> tuple[str, ...]:
        """The columns of a table's rows; none where there is no such table."""
        info = self.captured.table(table) if self.captured else None
        return info.columns if info else ()

    def highest(self, table: str) -> int:
        """The greatest number that rows of a table have or had for a key."""
        if self.snapshot.database is None:
            return 0
        root = table_root(self._sink, self.snapshot.database, table)
        keys = load_root(self._sink, root).keys if root is not None else ()
        last = decode_key(keys[-1])[0] if keys else 0
        counter = self.row(COUNTERS, encode_key((table,))) or {}
        known = (value for value in (last, counter.get("seq")) if isinstance(value, int))
        return max(known, default=0)

    def named(self, table: str, packed: bytes | None) -> NamedRow | None:
        """A row by column."""
        if packed is None or self.captured is None:
            return None
        return self.captured.named(table, unpack_row(self._sink, packed))

    def row(self, table: str, key: bytes) -> NamedRow | None:
        """A row by its key."""
        return self.named(table, self.packed(table, key))

    def owner(self, table: str, row: NamedRow | None) -> Owner | None:
        """The epic, and the task, that a row of a mapped table belongs to."""
        if row is None:
            return None
        epics, tasks, links = self._mapping.epics, self._mapping.tasks, self._mapping.links
        if table == epics.table:
            key = key_text(row.get(epics.key))
            return None if key is None else Owner(key)
        if table == tasks.table:
            return self._task_owner(row)
        return self._owner_of_task(row.get(links.parent)) if links and table == links.table else None

    def _task_owner(self, row: NamedRow) -> Owner | None:
        epic, task = (
            self._epic_key(row.get(self._mapping.tasks.parent or "")),
            key_text(row.get(self._mapping.tasks.key)),
        )
        return None if epic is None or task is None else Owner(epic, task)

    def follow(self, other: State, changed: Container[bytes]) -> None:
        """Take the owners of rows from another state, but for epics whose rows differ."""
        self._like = (other, changed)

    def _epic_key(self, surrogate: SQLValue) -> str | None:
        if surrogate not in self._epic_keys:
            if self._like is not None and surrogate is not None and encode_key((surrogate,)) not in self._like[1]:
                return self._like[0]._epic_key(surrogate)
            table = self._mapping.epics
            row = self.captured.by_surrogate(table, surrogate) if self.captured else None
            self._epic_keys[surrogate] = key_text(row.get(table.key)) if row else None
        return self._epic_keys[surrogate]

    def _owner_of_task(self, surrogate: SQLValue) -> Owner | None:
        if surrogate not in self._task_owners:
            row = self.captured.by_surrogate(self._mapping.tasks, surrogate) if self.captured else None
            self._task_owners[surrogate] = self._task_owner(row) if row else None
        return self._task_owners[surrogate]


Differing = Callable[[], Iterator[tuple[bytes, bytes | None, bytes | None]]]
"""Gives the rows of a table that differ, with both values."""


class RowChange(Struct, frozen=True):
    """A row that differs, as the trees have it."""

    old: bytes | None
    new: bytes | None


class Changes(Struct):
    """What differs between two states, by epic where it belongs to one.

    Attributes:
        old_files: where the files of the epics that changed were.
        new_files: where they are.
        rows: changed rows of every table, by key.
        old_rows: the keys of changed rows that belonged to an epic, by epic and table.
        new_rows: the same for those that belong to one now.
        epics: every epic that differs in its file, its rows or its base.
        moved: tasks that left one epic for another, ``(old epic, task) -> new epic``.
        tasks: the epics that have a task of an id before or after, where either changed.
    """

    old_files: dict[str, Place] = field(default_factory=dict)
    new_files: dict[str, Place] = field(default_factory=dict)
    rows: dict[str, dict[bytes, RowChange]] = field(default_factory=dict)
    old_rows: dict[str, dict[str, set[bytes]]] = field(default_factory=dict)
    new_rows: dict[str, dict[str, set[bytes]]] = field(default_factory=dict)
    epics: set[str] = field(default_factory=set)
    moved: dict[tuple[str, str], str] = field(default_factory=dict)
    tasks: dict[str, set[str]] = field(default_factory=dict)


Links = dict[str, tuple[str, ...]]
"""Tasks, and what each depends on."""


class Contents:
    """What stored files say of epics, tasks and their links, each file parsed once.

    Args:
        sink: holds the files.
        field: the field of a task that holds what it depends on.
    """

    def __init__(self, sink: ObjectSink, field: str) -> None:
        self._sink = sink
        self._field = field
        self._seen: dict[ObjectId, tuple[str | None, Links]] = {}

    def epic(self, blob: ObjectId, path: str) -> tuple[str, Links]:
        """A file's epic and its tasks with their links; a file that is no epic goes by its path."""
        if blob not in self._seen:
            value = parse(self._sink.get(blob, ObjectType.BLOB), source=path)
            body = epic_body(value) if isinstance(value, dict) else {}
            self._seen[blob] = natural_key(body.get("id")), links_of(body, self._field)
        epic, found = self._seen[blob]
        return (path if epic is None else epic), found


def links_of(body: Core, field: str) -> Links:
    """The tasks of an epic and what each depends on."""
    tasks = tasks_of(body) if isinstance(body.get(Mapping.TASKS), list) else []
    found: Links = {}
    for task in tasks:
        key = natural_key(task.get("id")) if isinstance(task, dict) else None
        if key is not None:
            links = task.get(field)
            keys = map(natural_key, links) if isinstance(links, list) else ()
            found[key] = tuple(link for link in keys if link is not None)
    return found


def find_changes(
    sink: ObjectSink, contents: Contents, mapping: Mapping, old: State, new: State, *, owned: bool
) -> Changes:
    """What differs between two states.

    Args:
        sink: holds them.
        contents: reads changed files.
        mapping: the mapping in force.
        old: the earlier state.
        new: the later one.
        owned: whether the epics that rows belong to can be told; else all are rows like any other.

    Raises:
        InvalidJSON: a changed file is no JSON.
    """
    changes = Changes()
    lost: dict[str, set[str]] = {}
    gained: dict[str, set[str]] = {}
    for path, was, now in changed_files(sink, old.snapshot.files, new.snapshot.files):
        for blob, places, tasks in ((was, changes.old_files, lost), (now, changes.new_files, gained)):
            if blob is not None:
                epic, found = contents.epic(blob, path)
                places[epic] = (path, blob)
                for task in found:
                    tasks.setdefault(task, set()).add(epic)
                changes.epics.add(epic)
    tables = frozenset(mapped_tables(mapping)) if owned else frozenset()
    _find_rows(sink, mapping, tables, old, new, changes, lost, gained)
    for key, _, _ in tree.diff(sink, old.snapshot.base, new.snapshot.base):
        changes.epics.add(key.decode())
    for tasks in (lost, gained):
        for task, owners in tasks.items():
            changes.tasks.setdefault(task, set()).update(owners)
    for task, givers in lost.items():
        getters = gained.get(task, set())
        for giver in givers - getters:
            for getter in sorted(getters - givers)[:1]:
                changes.moved[giver, task] = getter
    return changes


def _find_rows(
    sink: ObjectSink,
    mapping: Mapping,
    tables: frozenset[str],
    old: State,
    new: State,
    changes: Changes,
    lost: dict[str, set[str]],
    gained: dict[str, set[str]],
) -> None:
    tables_changed = dict(_changed_tables(sink, old.snapshot, new.snapshot))
    if tables:
        epics = (key for key, _, _ in tables_changed.get(mapping.epics.table, lambda: iter(()))())
        new.follow(old, frozenset(epics))
    for table, differing in tables_changed.items():
        found = differing()
        rows = changes.rows.setdefault(table, {})
        for key, was, now in found:
            rows[key] = RowChange(was, now)
            if table not in tables:
                continue
            for state, packed, owned, tasks in (
                (old, was, changes.old_rows, lost),
                (new, now, changes.new_rows, gained),
            ):
                owner = state.owner(table, state.named(table, packed))
                if owner is not None:
                    owned.setdefault(owner.epic, {}).setdefault(table, set()).add(key)
                    changes.epics.add(owner.epic)
                    if table == mapping.tasks.table and owner.task is not None:
                        tasks.setdefault(owner.task, set()).add(owner.epic)


def _changed_tables(sink: ObjectSink, old: Snapshot, new: Snapshot) -> Iterator[tuple[str, Differing]]:
    before, after = (state.database.tables if state.database else tree.EMPTY for state in (old, new))
    for key, was, now in tree.diff(sink, before, after):
        yield key.decode(), partial(tree.diff, sink, was or tree.EMPTY, now or tree.EMPTY)
