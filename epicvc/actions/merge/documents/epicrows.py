"""Reads the rows of epics in the three states, by natural key.

It reads the database as it is now, and follows the differences from there to each state.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from collections.abc import Mapping as MappingABC
from functools import cached_property
from typing import cast

from epicvc.actions.merge.snapshots.three import ThreeSnapshots, partners_of
from epicvc.actions.merge.snapshots.whole import NaturalRows
from epicvc.database.backend import Reader
from epicvc.database.documents.layout import Layout
from epicvc.database.documents.values import key_text
from epicvc.database.query import Select
from epicvc.database.quoting import quote_identifier as quote
from epicvc.database.rowcodec import SQLValue, encode_key
from epicvc.model.mapping import TableMap
from epicvc.repo.rows.rows import NamedRow, is_alive

KeysByTable = dict[str, set[bytes]]
RowsByTable = dict[str, dict[bytes, NamedRow]]

InStates = tuple[NaturalRows, NaturalRows, NaturalRows]
"""The rows of an epic in base, ours and theirs. A row that is the same in several states is one object."""


class MergedEpicRows:
    """Reads the rows of epics in the three states.

    Args:
        reader: the database as it is now.
        layout: the mapped tables in it.
        three: the three states and their differences.
    """

    def __init__(self, reader: Reader, layout: Layout, three: ThreeSnapshots) -> None:
        self._reader = reader
        self._layout = layout
        self._mapping = layout.mapping
        self._three = three

    def read(self, epics: Sequence[str]) -> dict[str, InStates]:
        """Return the rows of epics in each state, rows that are marked as deleted included."""
        linked = self._mapping.links.table if self._mapping.links else ""
        partners = {epic: self._partners.get(epic, set()) for epic in epics}
        keys = self._keys(sorted({*epics, *(other for others in partners.values() for other in others)}))
        read = self._rows(keys)
        result: dict[str, InStates] = {}
        for epic in epics:
            states = []
            for number, rows in enumerate(read):
                found = keys[epic][number]
                # the link rows of a moved task did not change, so that no difference tells that they moved
                for other in partners[epic]:
                    theirs = keys[other][number].get(linked, set())
                    found = {**found, linked: found.get(linked, set()) | theirs}
                states.append(self._natural(rows, found))
            result[epic] = (states[0], states[1], states[2])
        return result

    @cached_property
    def _partners(self) -> dict[str, set[str]]:
        """The epics between which tasks moved."""
        return partners_of(self._three.moved)

    # Keys

    def _keys(self, epics: Sequence[str]) -> dict[str, tuple[KeysByTable, KeysByTable, KeysByTable]]:
        """Return the keys of the rows that belong to epics in each state.

        They are found from the database as it is now and the differences to each state.
        """
        working, here, there = self._three.working, self._three.here, self._three.there
        result = {}
        for epic, now in self._keys_now(epics).items():
            ours = _shifted(now, working.old_rows.get(epic, {}), working.new_rows.get(epic, {}))
            base = _shifted(ours, here.new_rows.get(epic, {}), here.old_rows.get(epic, {}))
            theirs = _shifted(base, there.old_rows.get(epic, {}), there.new_rows.get(epic, {}))
            result[epic] = (base, ours, theirs)
        return result

    def _keys_now(self, epics: Sequence[str]) -> dict[str, KeysByTable]:
        head = self._mapping.epics
        result: dict[str, KeysByTable] = {epic: {} for epic in epics}
        query = (
            Select(columns=(f"e.{quote(head.id)}", f"e.{quote(head.key)}"))
            .from_table(quote(head.table), "e")
            .where_condition(self._layout.epics.keyed("e", epics))
        )
        owners: dict[SQLValue, str] = {}
        for surrogate, key in self._reader.execute(*query.build()):
            epic = key_text(key)
            if epic in result:
                owners[surrogate] = epic
                result[epic].setdefault(head.table, set()).add(encode_key((surrogate,)))
        parents = [surrogate for surrogate in owners if surrogate is not None]  # no row belongs to NULL
        for query, table in self._child_queries(parents) if parents else ():
            for owner, *values in self._reader.execute(*query.build()):
                result[owners[owner]].setdefault(table, set()).add(encode_key(values))
        return result

    def _child_queries(self, parents: Sequence[SQLValue]) -> Iterator[tuple[Select, str]]:
        tasks, links = self._mapping.tasks, self._mapping.links
        parent = f"t.{quote(cast('str', tasks.parent))}"
        own = Select(columns=(parent, f"t.{quote(tasks.id)}")).from_table(quote(tasks.table), "t")
        yield own.where(parent, "IN", parents), tasks.table
        captured = self._three.ours.captured
        info = captured.table(links.table) if links and captured else None
        if links is not None and info is not None:
            columns = (f"l.{quote(column)}" for column in info.key or ("rowid",))
            query = (
                Select(columns=(parent, *columns))
                .from_table(quote(links.table), "l")
                .join(quote(tasks.table), f"t.{quote(tasks.id)} = l.{quote(links.parent)}", alias="t")
                .where(parent, "IN", parents)
            )
            yield query, links.table

    # Rows

    def _rows(self, keys: MappingABC[str, tuple[KeysByTable, ...]]) -> tuple[RowsByTable, RowsByTable, RowsByTable]:
        """Return the rows with these keys in each state.

        A row that did not change is read and decoded once for all of them.
        """
        everything: KeysByTable = {}
        for states in keys.values():
            for tables in states:
                for table, found in tables.items():
                    everything.setdefault(table, set()).update(found)
        result: tuple[RowsByTable, RowsByTable, RowsByTable] = ({}, {}, {})
        for table, found in everything.items():
            for rows, named in zip(result, self._rows_of(table, found), strict=True):
                rows[table] = named
        return result

    def _rows_of(self, table: str, keys: set[bytes]) -> tuple[dict[bytes, NamedRow], ...]:
        three = self._three
        here, there = three.here.rows.get(table, {}), three.there.rows.get(table, {})
        packed = self._packed(table, keys)
        result: tuple[dict[bytes, NamedRow], ...] = ({}, {}, {})
        for key in keys:
            # A row that did not change is one object in all states: nothing of it is decoded or compared again.
            ours = three.ours.named(table, packed.get(key))
            base = three.base.named(table, here[key].old) if key in here else ours
            theirs = three.theirs.named(table, there[key].new) if key in there else base
            for rows, row in zip(result, (base, ours, theirs), strict=True):
                if row is not None:
                    rows[key] = row
        return result

    def _packed(self, table: str, keys: set[bytes]) -> dict[bytes, bytes]:
        """Return rows of ours.

        Rows of the table of epics are large and far apart, so that reading each by its key is cheaper.
        """
        if table != self._mapping.epics.table:
            return self._three.ours.packed_rows(table, keys)
        changed = self._three.working.rows.get(table, {})
        rows = ((key, changed[key].new if key in changed else self._reader.row(table, key)) for key in keys)
        return {key: row for key, row in rows if row is not None}

    def _natural(self, rows: RowsByTable, keys: KeysByTable) -> NaturalRows:
        """Return rows by natural key. A living row goes before one that is marked as deleted."""
        epics, tasks, links = self._mapping.epics, self._mapping.tasks, self._mapping.links
        found = NaturalRows()
        for key, row in _chosen(rows, epics.table, keys):
            if found.epic is None or _lives_instead(row, found.epic[1], epics):
                found.epic = (key, row)
        surrogate = found.epic[1].get(epics.id) if found.epic else None
        for key, row in _chosen(rows, tasks.table, keys):
            task = key_text(row.get(tasks.key))
            if task is None or row.get(tasks.parent or "") != surrogate:
                continue
            known = found.tasks.get(task)
            if known is None or _lives_instead(row, known[1], tasks):
                found.tasks[task] = (key, row)
        owners = {row.get(tasks.id): task for task, (_, row) in found.tasks.items()}
        for key, row in _chosen(rows, links.table, keys) if links else ():
            assert links is not None  # the loop is empty without a table of links
            task, linked = owners.get(row.get(links.parent)), key_text(row.get(links.column))
            if task is not None and linked is not None:
                found.links.setdefault((task, linked), (key, row))
        return found


def _shifted(keys: KeysByTable, without: KeysByTable, added: KeysByTable) -> KeysByTable:
    """Return an epic's keys in another state."""
    return {
        table: (keys.get(table, set()) - without.get(table, set())) | added.get(table, set())
        for table in {*keys, *added}
    }


def _chosen(rows: RowsByTable, table: str, keys: KeysByTable) -> Iterator[tuple[bytes, NamedRow]]:
    known = rows.get(table, {})
    return ((key, known[key]) for key in sorted(keys.get(table, ())) if key in known)


def _lives_instead(row: NamedRow, other: NamedRow, table: TableMap) -> bool:
    return is_alive(row, table) and not is_alive(other, table)
