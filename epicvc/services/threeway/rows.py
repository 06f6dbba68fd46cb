"""The rows of merged documents: which rows there are, under which surrogate keys, and what each cell holds.

Surrogate keys are local and decide nothing: a row that theirs added gets a new one where ours has given it to another
row, and whatever refers to it follows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import cast

from msgspec import Struct, field

from epicvc.database.backend import Reader
from epicvc.database.ordering import numbered, says_order
from epicvc.database.rowcodec import SQLValue, decode_key, encode_key
from epicvc.database.tables import KeyKind, TableInfo
from epicvc.database.values import decode, encode, literal_default
from epicvc.errors import InvalidRow, Refused
from epicvc.jsonio import JSON, equal
from epicvc.merge.threeway import Context
from epicvc.model.document import Core, tasks_of
from epicvc.model.labels import Label
from epicvc.model.mapping import Field, TableMap
from epicvc.model.mapping import Mapping as DocumentMapping
from epicvc.repo.rows import NamedRow
from epicvc.services.threeway.plainrows import Versions, as_cell, merge_cell
from epicvc.services.threeway.states import State
from epicvc.services.threeway.whole import Names, NaturalRows, is_touch_time, plain

Emit = dict[str, dict[bytes, NamedRow | None]]
"""Rows to write, by table and key; ``None`` deletes."""


class Surrogates:
    """Gives out surrogate keys, and remembers which of theirs became which.

    Args:
        mapping: says which columns refer to epics and tasks, declared or not.
        ours: the state whose keys stay.
        reader: the database as ours has it.
    """

    def __init__(self, mapping: DocumentMapping, ours: State, reader: Reader | None) -> None:
        self._ours = ours
        self._reader = reader
        self._taken: set[tuple[str, bytes]] = set()
        self._highest: dict[str, int] = {}
        self._given: dict[str, int] = {}
        self._columns: dict[str, str] = {}
        self._renamed: dict[tuple[str, SQLValue], SQLValue] = {}
        self._referring: dict[str, tuple[tuple[str, str], ...]] = {}
        self._mapped = {mapping.tasks.table: (mapping.tasks.parent or "", mapping.epics.table)}
        if mapping.links:
            self._mapped[mapping.links.table] = (mapping.links.parent, mapping.tasks.table)

    def saw(self, table: str, key: bytes) -> None:
        """Note a key that theirs uses, so that no new row gets it."""
        (value, *_) = decode_key(key)
        if isinstance(value, int):
            self._highest[table] = max(self._highest.get(table, 0), value)

    def claim(self, table: str, column: str, key: bytes) -> bytes:
        """The key under which a row that theirs added goes into the result.

        Args:
            table: the table.
            column: its column of surrogate keys, or ``rowid``.
            key: the key that the row has in theirs.

        Raises:
            Refused: the key is taken and is none that could be replaced by a number.
        """
        if self._ours.packed(table, key) is None and (table, key) not in self._taken:
            self._taken.add((table, key))
            return key
        (old, *rest) = decode_key(key)
        if rest or not isinstance(old, int):
            raise Refused(
                f"both branches added a row {old!r} to @{table}", hint="give one of the two another key, and commit"
            )
        new = self.fresh(table)
        self.renamed(table, column, old, new)
        return encode_key((new,))

    def fresh(self, table: str) -> int:
        """A number that no row of any state has."""
        if table not in self._given:
            self._given[table] = max(self._ours.highest(table), self._highest.get(table, 0))
        self._given[table] += 1
        return self._given[table]

    @property
    def given(self) -> Mapping[str, int]:
        """The last number given out, by table."""
        return self._given

    def renamed(self, table: str, column: str, theirs: SQLValue, result: SQLValue) -> None:
        """Note the key that a row of theirs has in the result."""
        if theirs != result:
            self._columns[table.casefold()] = column
            self._renamed[table.casefold(), theirs] = result

    @property
    def any_renamed(self) -> bool:
        """Whether any row of theirs has another key in the result."""
        return bool(self._renamed)

    def followed(self, table: str, row: NamedRow) -> NamedRow:
        """A row of theirs that refers to the keys of the result."""
        if not self._renamed:
            return row
        if table not in self._referring:
            self._referring[table] = tuple(self._find_referring(table))
        changes = {
            column: self._renamed[parent, row[column]]
            for column, parent in self._referring[table]
            if column in row and (parent, row[column]) in self._renamed
        }
        return {**row, **changes} if changes else row

    def _find_referring(self, table: str) -> Iterator[tuple[str, str]]:
        if table in self._mapped:
            column, parent = self._mapped[table]
            yield column, parent.casefold()
        assert self._reader is not None  # rows come from a database
        for found in self._reader.references(table):
            parent = found.parent.casefold()
            for column, target in zip(found.columns, found.targets, strict=True):
                if parent in self._columns and target in (None, self._columns[parent]):
                    yield column, parent


class Documents(Struct, frozen=True):
    """One epic in the three states, and merged.

    Attributes:
        epic: its id.
        base: its rows then.
        ours: its rows here.
        theirs: its rows there.
        merged: the merged document with its system columns; ``None`` where it is gone.
        kept: the places, the epic or a task, that were settled as a whole, and by whose value: ``ours``, ``theirs``,
            ``base``, or ``set`` for one of their own.
        names: which members are system columns.
    """

    epic: str
    base: NaturalRows
    ours: NaturalRows
    theirs: NaturalRows
    merged: Core | None
    names: Names
    kept: Mapping[tuple[str, ...], str] = field(default_factory=dict)

    def places(self, mapping: DocumentMapping) -> Iterator[tuple[str, bytes]]:
        """The rows, in any state, that it is made of, as table and key."""
        for side in (self.base, self.ours, self.theirs):
            if side.epic:
                yield mapping.epics.table, side.epic[0]
            yield from ((mapping.tasks.table, key) for key, _ in side.tasks.values())
            if mapping.links:
                yield from ((mapping.links.table, key) for key, _ in side.links.values())


class DocumentRows:
    """Writes the rows of merged documents.

    Args:
        mapping: what lies where.
        context: gets the conflicts of cells that no document has.
        surrogates: gives out keys.
        emit: takes the rows.
        reader: the database as ours has it.
        links_table: the definition of the child table, where there is one.
    """

    def __init__(
        self,
        mapping: DocumentMapping,
        context: Context,
        surrogates: Surrogates,
        emit: Emit,
        reader: Reader | None,
        links_table: TableInfo | None,
    ) -> None:
        self._mapping = mapping
        self._context = context
        self._surrogates = surrogates
        self._emit = emit
        self._reader = reader
        self._links_table = links_table
        self._keys: dict[tuple[str, ...], bytes] = {}

    def claim(self, found: Documents) -> None:
        """Decide under which keys the rows of an epic go; before any row is written, since rows refer to others."""
        epics, tasks = self._mapping.epics, self._mapping.tasks
        self._claim(epics, (found.epic,), found.base.epic, found.ours.epic, found.theirs.epic)
        for key in dict.fromkeys([*found.ours.tasks, *found.theirs.tasks, *found.base.tasks]):
            rows = (side.tasks.get(key) for side in (found.base, found.ours, found.theirs))
            self._claim(tasks, (found.epic, key), *rows)

    def _claim(
        self,
        table: TableMap,
        place: tuple[str, ...],
        base: tuple[bytes, NamedRow] | None,
        ours: tuple[bytes, NamedRow] | None,
        theirs: tuple[bytes, NamedRow] | None,
    ) -> None:
        if ours is not None:
            self._keys[place] = ours[0]
            if theirs is not None:
                self._surrogates.renamed(table.table, table.id, theirs[1].get(table.id), ours[1].get(table.id))
        elif (other := theirs or base) is not None:
            self._keys[place] = self._surrogates.claim(table.table, table.id, other[0])

    def write(self, found: Documents) -> None:
        """Write the rows of an epic.

        Raises:
            InvalidField: a merged value cannot be stored in its column.
        """
        epics, tasks = self._mapping.epics, self._mapping.tasks
        label = Label(found.epic)
        merged = found.merged
        rows = (found.base.epic, found.ours.epic, found.theirs.epic)
        self._row(epics, (found.epic,), label, rows, merged, found.names.epic, found.kept.get(()), {})
        by_id = {cast("str", task["id"]): task for task in tasks_of(merged or {})}
        numbers = self._numbers(found, list(by_id))
        parent = decode_key(self._keys[found.epic,])[0] if (found.epic,) in self._keys else None
        for key in dict.fromkeys([*found.ours.tasks, *found.theirs.tasks, *found.base.tasks]):
            forced: NamedRow = {}
            if key in by_id and tasks.parent:
                forced[tasks.parent] = parent
            if key in numbers and tasks.sequence:
                forced[tasks.sequence] = numbers[key]
            place = label.child(DocumentMapping.TASKS).child(key)
            rows = tuple(side.tasks.get(key) for side in (found.base, found.ours, found.theirs))  # type: ignore[assignment]
            whole = found.kept.get(place.path, found.kept.get(()))
            self._row(tasks, (found.epic, key), place, rows, by_id.get(key), found.names.task, whole, forced)
        self._links(found, by_id)

    def _row(
        self,
        table: TableMap,
        place: tuple[str, ...],
        label: Label,
        rows: tuple[tuple[bytes, NamedRow] | None, ...],
        merged: Core | None,
        names: dict[str, str],
        whole: str | None,
        forced: NamedRow,
    ) -> None:
        base, ours, theirs = (None if found is None else found[1] for found in rows)
        if theirs is not None:
            theirs = self._surrogates.followed(table.table, theirs)
        if base is ours is theirs is None:
            return
        versions = Versions(base, ours, theirs)
        if whole == "set":
            row = _as_said(table, label, ours or theirs or base, merged)
        elif whole is not None:
            row = {"ours": ours, "theirs": theirs, "base": base}[whole]
        elif ours is None or theirs is None:
            row = _present(versions, alive=merged is not None)
        elif ours is theirs or theirs is base:
            row = ours
        else:
            row = self._cells(table, label, versions, merged, names)
        key = self._keys[place]
        if row is not None:
            row = {**row, **forced, table.id: decode_key(key)[0]}
        if row != ours:
            self._emit.setdefault(table.table, {})[key] = row

    def _cells(
        self, table: TableMap, label: Label, rows: Versions, merged: Core | None, names: dict[str, str]
    ) -> NamedRow:
        base, ours, theirs = rows.base or {}, rows.ours or {}, rows.theirs or {}
        fields = table.by_column
        system = {column: name for name, column in names.items()}
        quiet = Context()  # structure and marks follow the document, which has its own conflicts
        result: NamedRow = {}
        for column in dict.fromkeys([*ours, *theirs]):
            cells = (base.get(column), ours.get(column), theirs.get(column))
            spec = fields.get(column)
            if column in base and (column not in ours or column not in theirs):
                continue  # dropped from the table on one side
            if _trivial(cells) or merged is None:
                value = merge_cell(quiet, label, column, *cells)
            elif spec is not None and spec.name in table.by_name:
                value = _field_cell(spec, label, merged.get(spec.name), cells)
            elif column in system:
                chosen = merged.get(system[column])
                value = as_cell(chosen, (cells[1], cells[2], cells[0]))
            else:
                value = merge_cell(quiet, label, column, *cells)
            result[column] = value
        return result

    def _numbers(self, found: Documents, order: list[str]) -> dict[str, SQLValue]:
        """The sequence numbers of the merged order: those of one side where they say it, else the fewest changes."""
        sequence = self._mapping.tasks.sequence
        if sequence is None:
            return {}
        candidates = []
        for first, second in ((found.ours, found.theirs), (found.theirs, found.ours)):
            numbers: dict[str, SQLValue] = {}
            for key in order:
                row = first.tasks.get(key) or second.tasks.get(key) or found.base.tasks.get(key)
                numbers[key] = row[1].get(sequence) if row else None
            if says_order(order, numbers):
                return numbers
            candidates.append(numbers)
        return {**candidates[0], **numbered(order, candidates[0])}

    # Links

    def _links(self, found: Documents, tasks: dict[str, Core]) -> None:
        links = self._mapping.links
        if links is None or self._links_table is None:
            return
        base, ours, theirs = found.base.links, found.ours.links, found.theirs.links
        rows = self._emit.get(self._mapping.tasks.table, {})
        stay = {key for key in found.ours.tasks if rows.get(self._keys[found.epic, key], ()) is not None} - tasks.keys()
        wanted = {
            (key, linked): None
            for key, task in tasks.items()
            for linked in cast("list[str]", task.get(links.field) or ())
        }
        for place in dict.fromkeys([*ours, *wanted]):
            mine = ours.get(place)
            if place in wanted:
                parent = decode_key(self._keys[found.epic, place[0]])[0]
                self._link(found.epic, place, parent, (base.get(place), mine, theirs.get(place)))
            elif mine is not None and place[0] not in stay:  # a task that is marked as deleted keeps its own
                self._emit.setdefault(links.table, {})[mine[0]] = None

    def _link(
        self, epic: str, place: tuple[str, str], parent: SQLValue, found: tuple[tuple[bytes, NamedRow] | None, ...]
    ) -> None:
        links, info = self._mapping.links, self._links_table
        assert links is not None and info is not None  # the caller made sure
        base, ours, theirs = found
        other = theirs or base
        if ours is not None:
            key, row = ours[0], ours[1]
            if base is not None and theirs is not None:
                label = Label(epic, (DocumentMapping.TASKS, place[0], links.field, place[1]))
                row = self._link_cells(label, info, base[1], row, self._surrogates.followed(links.table, theirs[1]))
        elif other is not None:
            key, row = other[0], self._surrogates.followed(links.table, other[1])
        else:
            key, row = b"", self._new_link(place[1])
        row = {**row, links.parent: parent}
        if info.kind is KeyKind.PRIMARY and set(info.key) & {links.parent, links.column}:
            key = encode_key([row[column] for column in info.key])
        elif ours is None:
            column = info.key[0] if info.key else "rowid"
            key = (
                self._surrogates.claim(links.table, column, key)
                if key
                else encode_key((self._surrogates.fresh(links.table),))
            )
            if info.key:
                row[column] = decode_key(key)[0]
        if ours is None or row != ours[1]:
            self._emit.setdefault(links.table, {})[key] = row

    def _link_cells(self, label: Label, info: TableInfo, base: NamedRow, ours: NamedRow, theirs: NamedRow) -> NamedRow:
        return {
            column: value
            if column in info.key
            else merge_cell(self._context, label.child(column), column, base.get(column), value, theirs.get(column))
            for column, value in ours.items()
        }

    def _new_link(self, linked: str) -> NamedRow:
        """A row for a link that no state had: somebody answered with it."""
        links = self._mapping.links
        assert links is not None and self._reader is not None  # there is a link, in a database
        row: NamedRow = {column.name: literal_default(column.default) for column in self._reader.columns(links.table)}
        return {**row, links.column: linked}


def _as_said(table: TableMap, label: Label, row: NamedRow | None, merged: Core | None) -> NamedRow | None:
    """A row with the values that somebody answered with."""
    if merged is None or row is None:
        return None
    cells = {
        spec.column: row.get(spec.column)
        if _says(spec, row.get(spec.column), merged.get(spec.name))
        else encode(merged.get(spec.name), spec, label)
        for spec in table.core
    }
    return {**row, **cells}


def _present(rows: Versions, *, alive: bool) -> NamedRow | None:
    """A row that one side does not have.

    It is there while the document has it. A row that is marked as deleted stays where the other side changed nothing
    about it, and goes where the other side removed it.
    """
    base, ours, theirs = rows.base, rows.ours, rows.theirs
    if ours is None and theirs is None:
        return base if alive else None
    found = theirs if ours is None else ours
    if alive or base is None:
        return found
    if ours is None:
        return None
    return None if _only_touched(found, base) else found


def _only_touched(one: NamedRow | None, other: NamedRow | None) -> bool:
    if one is None or other is None:
        return False
    return all(one.get(name) == other.get(name) for name in {*one, *other} if not is_touch_time(name))


def _trivial(cells: tuple[SQLValue, SQLValue, SQLValue]) -> bool:
    base, ours, theirs = (plain(cell) for cell in cells)
    return ours in (theirs, base) or theirs == base


def _field_cell(spec: Field, label: Label, value: JSON, cells: tuple[SQLValue, SQLValue, SQLValue]) -> SQLValue:
    """The cell of a merged field: as one of the three has it where it says the same, else written anew."""
    base, ours, theirs = cells
    for cell in (ours, theirs, base):
        if _says(spec, cell, value):
            return cell
    return encode(value, spec, label)


def _says(spec: Field, cell: SQLValue, value: JSON) -> bool:
    try:
        return equal(decode(cell, spec, "", ""), value)
    except InvalidRow:
        return False
