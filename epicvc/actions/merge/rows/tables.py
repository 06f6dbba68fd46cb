"""Merges the rows that belong to no merged document, and makes the tables of all written rows."""

from __future__ import annotations

from typing import cast

from epicvc.actions.merge.rows.plainrows import merge_row
from epicvc.actions.merge.rows.searches import require_one_writer
from epicvc.actions.merge.rows.surrogates import Surrogates
from epicvc.actions.merge.snapshots.merged import Emit
from epicvc.actions.merge.snapshots.three import ThreeSnapshots
from epicvc.actions.shared.difference import key_text
from epicvc.actions.shared.session import Session
from epicvc.database.documents.values import stored_default
from epicvc.database.rowcodec import SQLValue, decode_key, encode_key, encode_row
from epicvc.database.tables import TableInfo
from epicvc.errors import Refused
from epicvc.merge.threeway import MergeContext
from epicvc.merge.versions import Versions
from epicvc.model.labels import Label
from epicvc.model.mapping import Mapping
from epicvc.repo.history.objects import DatabaseState
from epicvc.repo.rows.dbside import COUNTERS, pack_row
from epicvc.repo.rows.rows import CapturedRows, NamedRow, mapped_tables
from epicvc.store.objects import ObjectId
from epicvc.store.tree import tree

Place = tuple[str, bytes]
"""A row, by its table and its key."""


class TableMerge:
    """Collects the rows that change, and makes the merged database from them.

    Args:
        session: the running command.
        three: the three states and their differences.
        context: settles or takes the conflicts.
        surrogates: gives out keys.
        emit: the rows to write. Rows of merged documents are added to it elsewhere.
    """

    def __init__(
        self, session: Session, three: ThreeSnapshots, context: MergeContext, surrogates: Surrogates, emit: Emit
    ) -> None:
        self._sink = session.staging
        self._reader = session.reader
        self._mapping: Mapping = session.repo.config.mapping
        self._three = three
        self._context = context
        self._surrogates = surrogates
        self._emit = emit
        self._placed: dict[Place, bytes] = {}
        self._defaults: dict[str, dict[str, SQLValue]] = {}

    def claim(self, merged: frozenset[str]) -> None:
        """Give keys to the rows that theirs added to its own epics, before rows that refer to them are written.

        Args:
            merged: the epics that are merged as documents. The keys of their rows are claimed by
                :class:`~epicvc.actions.merge.documents.rows.DocumentRows`.
        """
        there, surrogates = self._three.there, self._surrogates
        for table in mapped_tables(self._mapping):
            for key, change in there.rows.get(table, {}).items():
                if change.new is not None:
                    surrogates.saw(table, key)
        columns = self._key_columns()
        for epic, tables in there.new_rows.items():
            for table, keys in tables.items() if epic not in merged else ():
                for key in sorted(keys) if table in columns else ():
                    if there.rows[table][key].old is None:
                        self._placed[table, key] = surrogates.claim(table, columns[table], key)

    def _key_columns(self) -> dict[str, str]:
        """Return the column of surrogate keys of each mapped table that has one."""
        mapping = self._mapping
        columns = {mapping.epics.table: mapping.epics.id, mapping.tasks.table: mapping.tasks.id}
        info = self._info(mapping.links.table) if mapping.links else None
        if mapping.links is not None and info is not None and len(info.key) <= 1:
            columns[mapping.links.table] = info.key[0] if info.key else "rowid"
        return columns

    def _info(self, table: str) -> TableInfo | None:
        return self._three.ours.captured.table(table) if self._three.ours.captured else None

    def take(self, merged: frozenset[str], done: frozenset[Place]) -> set[str]:
        """Take over the rows that theirs changed: unchanged where ours did not touch them, else merged cell by cell.

        Args:
            merged: the epics that are merged as documents.
            done: the rows that these documents are made of.

        Returns:
            The epics whose rows were taken.

        Raises:
            Refused: both sides changed a full-text index that cannot be merged.
        """
        require_one_writer(self._three)
        there, here = self._three.there, self._three.here
        owned: dict[Place, str] = {}
        for rows_by_epic in (there.old_rows, there.new_rows):
            for epic, tables in rows_by_epic.items():
                owned.update(((table, key), epic) for table, keys in tables.items() for key in keys)
        epics: set[str] = set()
        for table, rows in there.rows.items():
            emit, mine = self._emit.setdefault(table, {}), here.rows.get(table, {})
            for key, change in rows.items():
                epic = owned.get((table, key), "")
                if epic in merged and (table, key) in done:
                    continue
                placed = self._placed.get((table, key), key)
                if key not in mine or placed != key:
                    emit[placed] = self._theirs(table, change.new, key, placed)
                elif table == COUNTERS:
                    emit[key] = self._counter(mine[key].new, change.new)
                else:
                    emit[key] = self._merge(table, key)
                epics |= {epic} if (table, key) in owned else set()
        return epics

    def _theirs(self, table: str, packed: bytes | None, key: bytes, placed: bytes) -> NamedRow | None:
        row = self._three.theirs.named(table, packed)
        if row is None:
            return None
        row, info = self._surrogates.followed(table, row), self._info(table)
        if placed != key and info is not None and info.key:
            row = {**row, **dict(zip(info.key, decode_key(placed), strict=True))}
        return row

    def _merge(self, table: str, key: bytes) -> NamedRow | None:
        base, ours, theirs = (state.row(table, key) for state in self._three.states)
        theirs = None if theirs is None else self._surrogates.followed(table, theirs)
        label = Label(table, (key_text(key),), table=True)
        return merge_row(self._context, label, Versions(base, ours, theirs))

    def _counter(self, ours: bytes | None, theirs: bytes | None) -> NamedRow | None:
        """Return the row of an automatic key that has come further."""
        rows = (self._three.ours.named(COUNTERS, ours), self._three.theirs.named(COUNTERS, theirs))
        return max((row for row in rows if row), key=lambda row: cast("int", row.get("seq") or 0), default=None)

    # The database

    def database(self, schema: ObjectId) -> DatabaseState:
        """Return the merged database.

        Args:
            schema: the schema of the result, which is that of ours or of theirs.

        Raises:
            Refused: a row lacks a value that its table requires, or one side dropped a table in which the other side
                changed rows.
        """
        self._raise_counters()
        ours, theirs = self._three.ours.snapshot.database, self._three.theirs.snapshot.database
        assert ours is not None and theirs is not None  # the caller has merged their schemas
        ours_last = schema == ours.schema
        final = CapturedRows(self._sink, ours if ours_last else theirs)
        tables = ours.tables if ours_last else self._with_our_rows(ours, theirs, final)
        roots: list[tuple[bytes, bytes | None]] = []
        for table in {*self._emit, *self._three.here.rows, *self._three.there.rows}:
            info = final.table(table)
            if info is None and table != COUNTERS:
                self._require_unchanged(table, ours_last=ours_last)
                continue
            rows = dict(self._emit.get(table, {}))
            if not ours_last and not self._same_form(table, final):
                # The tree of theirs lacks the rows that we changed: they are written in the new form.
                for key, change in self._three.here.rows.get(table, {}).items():
                    rows.setdefault(key, self._three.ours.named(table, change.new))
            packed = [(key, None if row is None else self._packed(table, info, row)) for key, row in rows.items()]
            root = tree.get(self._sink, tables, table.encode())
            roots.append((table.encode(), tree.update(self._sink, root or tree.empty(self._sink), packed)))
        return DatabaseState(schema, tree.update(self._sink, tables, roots))

    def _same_form(self, table: str, final: CapturedRows) -> bool:
        """Return whether rows of ours fit into the merged table unchanged."""
        own, info = self._info(table), final.table(table)
        return table == COUNTERS or bool(own and info and own.columns == info.columns and own.key == info.key)

    def _with_our_rows(self, ours: DatabaseState, theirs: DatabaseState, final: CapturedRows) -> ObjectId:
        """Return their tables, with our rows in the tables that have the same form in both."""
        roots = [
            (key, root) for key, root in tree.items(self._sink, ours.tables) if self._same_form(key.decode(), final)
        ]
        return tree.update(self._sink, theirs.tables, roots)

    def _require_unchanged(self, table: str, *, ours_last: bool) -> None:
        """Make sure that nobody wrote rows of a table that the merged schema lacks.

        Raises:
            Refused: the other side wrote rows of it.
        """
        changed = self._three.there if ours_last else self._three.here
        if any(change.new is not None for change in changed.rows.get(table, {}).values()):
            who, other = ("ours", "theirs") if ours_last else ("theirs", "ours")
            raise Refused(
                f"@{table}: dropped by {who}, and {other} changed rows of it",
                hint="keep or drop the table on both branches, commit, and merge again",
            )

    def _packed(self, table: str, info: TableInfo | None, row: NamedRow) -> bytes:
        names = info.columns if info else tuple(row)
        values = [row[name] if name in row or info is None else self._default(info, name) for name in names]
        return pack_row(self._sink, encode_row(values))

    def _default(self, info: TableInfo, column: str) -> SQLValue:
        """Return the default of a column that a row lacks, since the other side added the column.

        Raises:
            Refused: the default is computed, so that its value is not known.
        """
        if info.name not in self._defaults:
            found = self._reader.columns_by(info) if self._reader else ()
            self._defaults[info.name] = {column.name: value for column in found for value in stored_default(column)}
        if column not in self._defaults[info.name]:
            raise Refused(
                f"@{info.name}/{column}: one side added the column, the other one rows, and its default is computed",
                hint="bring both branches to one schema with a migration, commit, and merge again",
            )
        return self._defaults[info.name][column]

    def _raise_counters(self) -> None:
        """Raise the counters of automatic keys to the numbers that were given out here."""
        for table, highest in self._surrogates.given.items():
            key = encode_key((table,))
            rows = self._emit.setdefault(COUNTERS, {})
            row = rows.get(key) or self._three.ours.row(COUNTERS, key)
            if row is not None and cast("int", row.get("seq") or 0) < highest:
                rows[key] = {**row, "seq": highest}
