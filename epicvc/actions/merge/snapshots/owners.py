"""Finds the epic and the task to which rows belong in each state of a merge.

The row of a task names its epic by a surrogate key. Hardly any row of an epic differs between the states. So natural
keys are read from the database as it is now, by its index, and only the rows that differ are read in a state.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from collections.abc import Mapping as MappingABC
from typing import Protocol

from epicvc.actions.merge.snapshots.states import SnapshotState
from epicvc.database.backend import Reader
from epicvc.database.batches import batches
from epicvc.database.documents.values import key_text
from epicvc.database.query import Select
from epicvc.database.quoting import quote_identifier as quote
from epicvc.database.rowcodec import SQLValue, encode_key
from epicvc.model.mapping import Mapping
from epicvc.repo.rows.rows import NamedRow, Owner

Keys = MappingABC[SQLValue, str | None]


class EpicKeys(Protocol):
    """Finds epics by their surrogate keys."""

    def keys(self, surrogates: Collection[SQLValue]) -> Keys:
        """Return the epic of each surrogate key, or ``None`` where there is none."""
        ...


class LiveKeys:
    """The epics in the database as it is now.

    Args:
        reader: the database.
        mapping: the table of epics.
    """

    def __init__(self, reader: Reader, mapping: Mapping) -> None:
        self._reader = reader
        self._epics = mapping.epics

    def keys(self, surrogates: Collection[SQLValue]) -> Keys:
        """Return the epics, as :meth:`EpicKeys.keys` does."""
        found: dict[SQLValue, str | None] = dict.fromkeys(surrogates)
        column = f"e.{quote(self._epics.id)}"
        query = Select(columns=(column, f"e.{quote(self._epics.key)}")).from_table(quote(self._epics.table), "e")
        for chunk in batches(surrogate for surrogate in surrogates if surrogate is not None):
            found.update(
                (row[0], key_text(row[1])) for row in self._reader.execute(*query.where(column, "IN", chunk).build())
            )
        return found


class Owners:
    """Finds the owners of rows in one state.

    Args:
        state: the state.
        mapping: the mapping in force.
        like: finds the epics of another state, from which this one differs in few rows.
        changed: the rows of the table of epics that differ from that state, as this state has them.
    """

    def __init__(
        self, state: SnapshotState, mapping: Mapping, like: EpicKeys, changed: MappingABC[bytes, bytes | None]
    ) -> None:
        self._state = state
        self._mapping = mapping
        self._like = like
        self._changed = changed
        self._epics: dict[SQLValue, str | None] = {}
        self._tasks: dict[SQLValue, Owner | None] = {}

    def keys(self, surrogates: Collection[SQLValue]) -> Keys:
        """Return the epics, as :meth:`EpicKeys.keys` does."""
        new = [surrogate for surrogate in surrogates if surrogate not in self._epics]
        places = {surrogate: encode_key((surrogate,)) for surrogate in new if surrogate is not None}
        others = [surrogate for surrogate in new if surrogate is None or places[surrogate] not in self._changed]
        if others:
            known = self._like.keys(others)  # which may tell of other rows, too: of those that differ in this state
            self._epics.update((surrogate, known[surrogate]) for surrogate in others)
        table = self._mapping.epics
        for surrogate, place in places.items():
            if place in self._changed:
                row = self._state.named(table.table, self._changed[place])
                self._epics[surrogate] = key_text(row.get(table.key)) if row else None
        return self._epics

    def of(self, table: str, rows: MappingABC[bytes, NamedRow]) -> Iterator[tuple[bytes, Owner]]:
        """Yield the owner of each of some rows of a mapped table: its epic, and the task if it has one.

        Rows without one are left out.
        """
        if table == self._mapping.tasks.table:
            self.keys({row.get(self._mapping.tasks.parent or "") for row in rows.values()})
        for key, row in rows.items():
            owner = self._of(table, row)
            if owner is not None:
                yield key, owner

    def _of(self, table: str, row: NamedRow) -> Owner | None:
        epics, tasks, links = self._mapping.epics, self._mapping.tasks, self._mapping.links
        if table == epics.table:
            key = key_text(row.get(epics.key))
            return None if key is None else Owner(key)
        if table == tasks.table:
            return self._of_task(row)
        return self._by_task(row.get(links.parent)) if links and table == links.table else None

    def _of_task(self, row: NamedRow) -> Owner | None:
        surrogate = row.get(self._mapping.tasks.parent or "")
        epic, task = self.keys({surrogate})[surrogate], key_text(row.get(self._mapping.tasks.key))
        return None if epic is None or task is None else Owner(epic, task)

    def _by_task(self, surrogate: SQLValue) -> Owner | None:
        if surrogate not in self._tasks:
            captured = self._state.captured
            row = captured.by_surrogate(self._mapping.tasks, surrogate) if captured else None
            self._tasks[surrogate] = self._of_task(row) if row else None
        return self._tasks[surrogate]
