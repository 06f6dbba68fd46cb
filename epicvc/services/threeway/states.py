"""One of the three states of a merge: its rows, by key and by owner, and what was agreed. Reads what is asked for."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator
from collections.abc import Mapping as MappingABC
from functools import cached_property

from epicvc.database.rowcodec import SQLValue, decode_key, encode_key
from epicvc.database.values import key_text
from epicvc.model.mapping import Mapping
from epicvc.repo.base import Base, BaseEntry, get_mapping
from epicvc.repo.dbside import COUNTERS, table_root, unpack_row
from epicvc.repo.objects import Snapshot
from epicvc.repo.rows import CapturedRows, NamedRow, Owner
from epicvc.store import tree
from epicvc.store.node import load_root
from epicvc.store.objects import ObjectId, ObjectSink


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

    def agreed(self, epics: Iterable[str]) -> dict[str, BaseEntry]:
        """What was agreed for some epics."""
        found = tree.get_many(self._sink, self.snapshot.base, [epic.encode() for epic in epics])
        return {key.decode(): BaseEntry.unpack(value) for key, value in found.items()}

    # Rows

    def _root(self, table: str) -> ObjectId | None:
        if table not in self._roots:
            database = self.snapshot.database
            self._roots[table] = table_root(self._sink, database, table) if database else None
        return self._roots[table]

    def packed(self, table: str, key: bytes) -> bytes | None:
        """A row as the tree has it."""
        root = self._root(table)
        return None if root is None else tree.get(self._sink, root, key)

    def packed_rows(self, table: str, keys: Iterable[bytes]) -> dict[bytes, bytes]:
        """Rows as the tree has them, read together."""
        root = self._root(table)
        return {} if root is None else tree.get_many(self._sink, root, keys)

    def columns(self, table: str) -> tuple[str, ...]:
        """The columns of a table's rows; none where there is no such table."""
        info = self.captured.table(table) if self.captured else None
        return info.columns if info else ()

    def highest(self, table: str) -> int:
        """The greatest number that rows of a table have or had for a key."""
        root = self._root(table)
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

    # Owners

    def follow(self, other: State, changed: Container[bytes]) -> None:
        """Take the owners of rows from another state, but for epics whose rows differ."""
        self._like = (other, changed)

    def owners(self, table: str, rows: MappingABC[bytes, NamedRow]) -> Iterator[tuple[bytes, Owner]]:
        """The epic, and the task, that each of some rows of a mapped table belongs to, where it belongs to one."""
        mapping = self._mapping
        if table == mapping.tasks.table:
            self._meet({row.get(mapping.tasks.parent or "") for row in rows.values()})
        for key, row in rows.items():
            owner = self._owner(table, row)
            if owner is not None:
                yield key, owner

    def _owner(self, table: str, row: NamedRow) -> Owner | None:
        epics, tasks, links = self._mapping.epics, self._mapping.tasks, self._mapping.links
        if table == epics.table:
            key = key_text(row.get(epics.key))
            return None if key is None else Owner(key)
        if table == tasks.table:
            return self._task_owner(row)
        return self._owner_of_task(row.get(links.parent)) if links and table == links.table else None

    def _task_owner(self, row: NamedRow) -> Owner | None:
        surrogate = row.get(self._mapping.tasks.parent or "")
        self._meet({surrogate})
        epic, task = self._epic_keys[surrogate], key_text(row.get(self._mapping.tasks.key))
        return None if epic is None or task is None else Owner(epic, task)

    def _meet(self, surrogates: Iterable[SQLValue]) -> None:
        """Learn the epics that have these surrogate keys, all at once."""
        new = [surrogate for surrogate in surrogates if surrogate not in self._epic_keys]
        if not new:
            return
        table = self._mapping.epics
        places = {surrogate: encode_key((surrogate,)) for surrogate in new if surrogate is not None}
        alike = [surrogate for surrogate, key in places.items() if self._like and key not in self._like[1]]
        if self._like is not None and alike:
            self._like[0]._meet(alike)
            self._epic_keys.update((surrogate, self._like[0]._epic_keys[surrogate]) for surrogate in alike)
            places = {surrogate: key for surrogate, key in places.items() if surrogate not in self._epic_keys}
        found = self.packed_rows(table.table, places.values()) if self.captured and self.captured.finds(table) else {}
        for surrogate in new:
            if surrogate not in self._epic_keys:
                row = self.named(table.table, found.get(places[surrogate])) if surrogate is not None else None
                self._epic_keys[surrogate] = key_text(row.get(table.key)) if row else None

    def _owner_of_task(self, surrogate: SQLValue) -> Owner | None:
        if surrogate not in self._task_owners:
            row = self.captured.by_surrogate(self._mapping.tasks, surrogate) if self.captured else None
            self._task_owners[surrogate] = self._task_owner(row) if row else None
        return self._task_owners[surrogate]
