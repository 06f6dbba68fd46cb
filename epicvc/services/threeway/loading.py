"""Loads the epics that both sides changed, in the three states: their files, their rows, what was agreed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from collections.abc import Mapping as MappingABC
from functools import cached_property
from typing import cast

from msgspec import Struct

from epicvc.database.documents import BATCH, epic_of_rows
from epicvc.database.layout import Layout, read_layout
from epicvc.database.query import Select
from epicvc.database.quoting import quote_identifier as quote
from epicvc.database.rowcodec import SQLValue, encode_key
from epicvc.database.values import key_text
from epicvc.model.document import Core, same_core, settle
from epicvc.model.mapping import Mapping, TableMap
from epicvc.plan.wholefile import Text, of_file
from epicvc.repo.filesside import parse_file
from epicvc.repo.rows import NamedRow, is_alive
from epicvc.services.session import Session
from epicvc.services.threeway.files import Version
from epicvc.services.threeway.states import Changes, Contents, Place, State
from epicvc.services.threeway.whole import Names, NaturalRows, living, of_rows, system_names
from epicvc.store.objects import ObjectType

KeysByTable = dict[str, set[bytes]]
RowsByTable = dict[str, dict[bytes, NamedRow]]


class Three(Struct, frozen=True):
    """The states of a merge and what differs between them.

    Attributes:
        base: the state that both come from.
        ours: one of the two.
        theirs: the other.
        here: what ours changed.
        there: what theirs changed.
        working: what turns the sides as they are now into ours; nothing, as a rule.
        owned: whether the epics that rows belong to can be told, in every state.
        contents: what files say.
    """

    base: State
    ours: State
    theirs: State
    here: Changes
    there: Changes
    working: Changes
    owned: bool
    contents: Contents

    @property
    def states(self) -> tuple[State, State, State]:
        """Base, ours, theirs."""
        return self.base, self.ours, self.theirs


class Epic(Struct):
    """An epic in the three states: base, ours, theirs; ``None`` where it does not exist.

    Attributes:
        id: its id.
        files: its files.
        rows: its rows, dead ones included.
        names: which members of its whole documents are system columns.
        agreed: what was agreed.
        of_files: its cores with their extra keys, as the files have them.
        of_rows: its cores with their system columns, as the rows have them.
        in_sync: in each state files and rows have the same core.
    """

    id: str
    files: tuple[Version | None, ...]
    rows: tuple[NaturalRows, ...]
    names: Names
    agreed: tuple[Core | None, ...]
    of_files: list[Core | None]
    of_rows: list[Core | None]
    in_sync: bool


class Loader:
    """Loads epics.

    Args:
        session: the running command, whose sides are near to ours.
        three: the states.
    """

    def __init__(self, session: Session, three: Three) -> None:
        self._session = session
        self._config = session.repo.config
        self._mapping: Mapping = session.repo.config.mapping
        self._three = three

    def load(self, epics: Sequence[str]) -> Iterator[Epic]:
        """Load epics, in bounded batches.

        Raises:
            EpicvcError: a file is no epic, or a row cannot be read as part of one.
        """
        nothing = (NaturalRows(), NaturalRows(), NaturalRows())
        for start in range(0, len(epics), BATCH):
            batch = epics[start : start + BATCH]
            rows = self._rows(batch) if self._three.owned else {}
            for epic in batch:
                yield self._epic(epic, self._files(epic), rows.get(epic, nothing))

    def _epic(self, epic: str, files: tuple[Version | None, ...], rows: tuple[NaturalRows, ...]) -> Epic:
        names = system_names(self._mapping, rows, [version.text.file if version else None for version in files])
        agreed = tuple(state.base.core(epic) for state in self._three.states)
        of_files: list[Core | None] = []
        row_documents: list[Core | None] = []
        in_sync = True
        for version, found, reference in zip(files, rows, agreed, strict=True):
            file = version.text.file if version else None
            alive, core = living(found, self._mapping), None
            if alive is not None:
                core = self._row_core(epic, alive, reference if reference is not None or file is None else file.core)
            of_files.append(of_file(file, self._mapping) if file else None)
            row_documents.append(of_rows(core, alive, names) if alive and core is not None else None)
            if self._three.owned:
                in_sync = in_sync and same_core(file.core if file else None, core)
        return Epic(epic, files, rows, names, agreed, of_files, row_documents, in_sync)

    # Files

    def _files(self, epic: str) -> tuple[Version | None, ...]:
        seen: dict[Place, Version] = {}

        def version(place: Place | None) -> Version | None:
            if place is None:
                return None
            if place not in seen:
                raw = self._session.staging.get(place[1], ObjectType.BLOB)
                seen[place] = Version(place, Text(raw, parse_file(raw, place[0], self._config)))
            return seen[place]

        return tuple(version(place) for place in self.places(epic))

    def places(self, epic: str) -> tuple[Place | None, ...]:
        """Where the epic's file is in each state, from where it is now."""
        three = self._three
        tracked = self._session.working.files.by_epic.get(epic)
        now = (tracked.path, tracked.blob) if tracked else None
        ours = _place(epic, three.working.old_files, three.working.new_files, now)
        base = _place(epic, three.here.new_files, three.here.old_files, ours)
        return base, ours, _place(epic, three.there.old_files, three.there.new_files, base)

    # Rows

    @cached_property
    def layout(self) -> Layout:
        """The mapped tables as the database has them."""
        reader, database = self._session.reader, self._config.database
        assert reader is not None and database is not None  # rows have owners, so there is a database
        return read_layout(reader, self._mapping, database.display)

    def _row_core(self, epic: str, rows: NaturalRows, reference: Core | None) -> Core:
        assert rows.epic is not None  # it is alive
        links: dict[SQLValue, list[str]] = {}
        for task, linked in rows.links:
            links.setdefault(rows.tasks[task][1].get(self._mapping.tasks.id), []).append(linked)
        tasks = [row for _, row in rows.tasks.values()]
        return settle(epic_of_rows(self.layout, epic, rows.epic[1], tasks, links), reference)

    def _rows(self, epics: Sequence[str]) -> dict[str, tuple[NaturalRows, ...]]:
        """The rows of epics in each state, by natural key."""
        linked = self._mapping.links.table if self._mapping.links else ""
        partners = {epic: self._partners.get(epic, set()) for epic in epics}
        keys = self._keys(sorted({*epics, *(other for others in partners.values() for other in others)}))
        read = self._read(keys)
        result = {}
        for epic in epics:
            states = []
            for number in range(len(read)):
                found = keys[epic][number]
                for other in partners[epic]:  # the links of a task that moved did not change themselves
                    theirs = keys[other][number].get(linked, set())
                    found = {**found, linked: found.get(linked, set()) | theirs}
                states.append(self._natural(read[number], found))
            result[epic] = tuple(states)
        return result

    def _read(self, keys: MappingABC[str, tuple[KeysByTable, ...]]) -> tuple[RowsByTable, RowsByTable, RowsByTable]:
        """The rows of these keys in each state. What did not change is read and decoded once for all of them."""
        three = self._three
        everything: KeysByTable = {}
        for states in keys.values():
            for tables in states:
                for table, found in tables.items():
                    everything.setdefault(table, set()).update(found)
        result: tuple[RowsByTable, RowsByTable, RowsByTable] = ({}, {}, {})
        for table, found in everything.items():
            here, there = three.here.rows.get(table, {}), three.there.rows.get(table, {})
            packed = three.ours.packed_rows(table, found)
            for key in found:
                ours = packed.get(key)
                base = here[key].old if key in here else ours
                theirs = there[key].new if key in there else base
                known: dict[bytes, NamedRow | None] = {}
                for rows, state, value in zip(result, three.states, (base, ours, theirs), strict=True):
                    if value is not None:
                        if value not in known or state.columns(table) != three.base.columns(table):
                            known[value] = state.named(table, value)
                        row = known[value]
                        if row is not None:
                            rows.setdefault(table, {})[key] = row
        return result

    @cached_property
    def _partners(self) -> dict[str, set[str]]:
        """The epics between which tasks moved."""
        result: dict[str, set[str]] = {}
        for changes in (self._three.here, self._three.there):
            for (giver, _), getter in changes.moved.items():
                result.setdefault(giver, set()).add(getter)
                result.setdefault(getter, set()).add(giver)
        return result

    def _keys(self, epics: Sequence[str]) -> dict[str, tuple[KeysByTable, KeysByTable, KeysByTable]]:
        """The keys of the rows that belong to epics in each state: as it is now, and by what differs from there."""
        working, here, there = self._three.working, self._three.here, self._three.there
        result = {}
        for epic, now in self._keys_now(epics).items():
            ours = _shifted(now, working.old_rows.get(epic, {}), working.new_rows.get(epic, {}))
            base = _shifted(ours, here.new_rows.get(epic, {}), here.old_rows.get(epic, {}))
            theirs = _shifted(base, there.old_rows.get(epic, {}), there.new_rows.get(epic, {}))
            result[epic] = (base, ours, theirs)
        return result

    def _keys_now(self, epics: Sequence[str]) -> dict[str, KeysByTable]:
        """The keys of the rows that belong to epics now, by table."""
        reader, head = self._session.reader, self._mapping.epics
        assert reader is not None  # the caller made sure
        result: dict[str, KeysByTable] = {epic: {} for epic in epics}
        query = (
            Select(columns=(f"e.{quote(head.id)}", f"e.{quote(head.key)}"))
            .from_table(quote(head.table), "e")
            .where(self.layout.epics.lookup("e"), "IN", epics)
        )
        owners: dict[SQLValue, str] = {}
        for surrogate, key in reader.execute(*query.build()):
            epic = key_text(key)
            if epic in result:
                owners[surrogate] = epic
                result[epic].setdefault(head.table, set()).add(encode_key((surrogate,)))
        parents = [surrogate for surrogate in owners if surrogate is not None]  # nothing belongs to NULL
        for query, table in self._child_queries(parents) if parents else ():
            for owner, *values in reader.execute(*query.build()):
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

    def _natural(self, rows: RowsByTable, keys: KeysByTable) -> NaturalRows:
        """Rows by natural key; a living one before one that is marked as deleted."""
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
            assert links is not None  # the loop runs for links
            task, linked = owners.get(row.get(links.parent)), key_text(row.get(links.column))
            if task is not None and linked is not None:
                found.links.setdefault((task, linked), (key, row))
        return found


def _place(epic: str, old: dict[str, Place], new: dict[str, Place], otherwise: Place | None) -> Place | None:
    return new.get(epic) if epic in old or epic in new else otherwise


def _shifted(keys: KeysByTable, without: KeysByTable, added: KeysByTable) -> KeysByTable:
    """An epic's keys in another state."""
    return {
        table: (keys.get(table, set()) - without.get(table, set())) | added.get(table, set())
        for table in {*keys, *added}
    }


def _chosen(rows: RowsByTable, table: str, keys: KeysByTable) -> Iterator[tuple[bytes, NamedRow]]:
    known = rows.get(table, {})
    return ((key, known[key]) for key in sorted(keys.get(table, ())) if key in known)


def _lives_instead(row: NamedRow, other: NamedRow, table: TableMap) -> bool:
    return is_alive(row, table) and not is_alive(other, table)
