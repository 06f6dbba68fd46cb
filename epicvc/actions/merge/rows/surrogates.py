"""Surrogate keys of a merge. They are local, and no decision depends on them.

A row that theirs added gets a new key if another row of ours has its key, and the rows that refer to it get the new key
too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from epicvc.actions.merge.snapshots.states import SnapshotState
from epicvc.database.backend import Reader
from epicvc.database.rowcodec import SQLValue, decode_key, encode_key
from epicvc.errors import Refused
from epicvc.model.mapping import Mapping as DocumentMapping
from epicvc.repo.rows.rows import NamedRow


class Surrogates:
    """Gives out surrogate keys, and records the new keys of theirs.

    Args:
        mapping: the columns that refer to epics and tasks, whether they are declared as foreign keys or not.
        ours: the state that keeps its keys.
        reader: reads definitions.
        final: a state with the schema of the merged database; rows have its columns.
    """

    def __init__(
        self, mapping: DocumentMapping, ours: SnapshotState, reader: Reader | None, final: SnapshotState
    ) -> None:
        self._ours = ours
        self._final = final
        self._reader = reader
        self._taken: set[tuple[str, bytes]] = set()
        self._left: set[tuple[str, bytes]] = set()
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

    def leaves(self, table: str, key: bytes) -> None:
        """Note a key that a row of ours gives up, as the row of an epic does that theirs gave another natural key."""
        self._left.add((table, key))

    def claim(self, table: str, column: str, key: bytes) -> bytes:
        """Return the key in the result of a row that theirs added.

        Args:
            table: the table.
            column: its column of surrogate keys, or ``rowid``.
            key: the key that the row has in theirs.

        Raises:
            Refused: the key is taken, and it is no single number that could be replaced.
        """
        place = table, key
        # A key that is free in ours stays: then no row that refers to it needs to change.
        if place not in self._taken and (place in self._left or self._ours.packed(*place) is None):
            self._taken.add(place)
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
        """Return a number that no row of any state has as its key."""
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

    def followed(self, table: str, row: NamedRow) -> NamedRow:
        """Return a row of theirs with references to the keys of the result."""
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
        assert self._reader is not None  # the rows come from a database, so there is a reader
        info = self._final.captured.table(table) if self._final.captured else None
        for found in self._reader.references_by(info) if info else ():
            parent = found.parent.casefold()
            for column, target in zip(found.columns, found.targets, strict=True):
                if parent in self._columns and target in (None, self._columns[parent]):
                    yield column, parent
