"""The rows of merged documents: decides which rows exist, under which surrogate keys, and in which order."""

from __future__ import annotations

from collections.abc import Collection
from typing import cast

from epicvc.actions.merge.documents.cells import merged_row
from epicvc.actions.merge.documents.linkrows import LinkRows
from epicvc.actions.merge.rows.surrogates import Surrogates
from epicvc.actions.merge.snapshots.merged import Emit, MergedDocuments
from epicvc.database.documents.layout import Layout
from epicvc.database.documents.ordering import numbered, says_order
from epicvc.database.documents.values import key_text
from epicvc.database.rowcodec import SQLValue, decode_key
from epicvc.merge.versions import Versions
from epicvc.model.document import Core, tasks_of
from epicvc.model.labels import Label
from epicvc.model.mapping import Mapping as DocumentMapping
from epicvc.model.mapping import TableMap
from epicvc.repo.rows.rows import NamedRow


class DocumentRows:
    """Writes the rows of merged documents.

    Args:
        mapping: the tables and columns of epics.
        surrogates: gives out keys.
        emit: takes the rows.
        layout: the mapped tables as the database has them.
        links: writes the rows of the child table; ``None`` where there is no such table.
    """

    def __init__(
        self, mapping: DocumentMapping, surrogates: Surrogates, emit: Emit, layout: Layout, links: LinkRows | None
    ) -> None:
        self._defaults = {columns.map.table: dict(columns.default_cells) for columns in (layout.epics, layout.tasks)}
        self._mapping = mapping
        self._surrogates = surrogates
        self._emit = emit
        self._links = links
        self._keys: dict[tuple[str, ...], bytes] = {}

    def claim(self, documents: Collection[MergedDocuments]) -> None:
        """Decide the keys of the rows of epics.

        This comes before any row is written, since rows refer to other rows.
        """
        epics = self._mapping.epics
        gone = {found.epic for found in documents if found.merged is None and self._epic_row(found) is None}
        for found in documents:
            if found.epic in gone and found.ours.epic is not None:
                self._surrogates.leaves(epics.table, found.ours.epic[0])
            self._leave_tasks(found)
        for found in documents:
            if found.epic not in gone:
                self._claim(epics, (found.epic,), found.base.epic, found.ours.epic, found.theirs.epic)
            elif row := found.ours.epic or found.theirs.epic or found.base.epic:
                self._keys[found.epic,] = row[0]
            self._claim_tasks(found)

    def _leave_tasks(self, found: MergedDocuments) -> None:
        """Note the keys of rows that are no task of the epic any more. In theirs such a row may be another task."""
        tasks, label = self._mapping.tasks, Label(found.epic, (DocumentMapping.TASKS,))
        there = {task["id"] for task in tasks_of(found.merged or {})}
        for key, ours in found.ours.tasks.items():
            if key not in there and key not in found.theirs.tasks:
                rows = (found.base.tasks.get(key), ours, None)
                whole = found.kept.get((DocumentMapping.TASKS, key), found.kept.get(()))
                if self._row(tasks, label.child(key), rows, merged=None, names=found.names.task, whole=whole) is None:
                    self._surrogates.leaves(tasks.table, ours[0])

    def _claim_tasks(self, found: MergedDocuments) -> None:
        tasks = self._mapping.tasks
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

    def write(self, found: MergedDocuments) -> None:
        """Write the rows of an epic.

        Raises:
            InvalidField: a merged value cannot be stored in its column.
        """
        tasks = self._mapping.tasks
        label = Label(found.epic)
        merged = found.merged
        self._put(self._mapping.epics, (found.epic,), found.ours.epic, self._epic_row(found), {})
        by_id = {cast("str", task["id"]): task for task in tasks_of(merged or {})}
        numbers = self._numbers(found, list(by_id))
        parent = decode_key(self._keys[found.epic,])[0] if (found.epic,) in self._keys else None
        for key in dict.fromkeys([*found.ours.tasks, *found.theirs.tasks, *found.base.tasks]):
            forced: NamedRow = {}
            if key in by_id and tasks.parent:
                forced[tasks.parent] = parent
            if key in by_id:
                forced[tasks.key] = self._key_cell(found, key)
            if key in numbers and tasks.sequence:
                forced[tasks.sequence] = numbers[key]
            place = label.child(DocumentMapping.TASKS).child(key)
            rows = tuple(side.tasks.get(key) for side in (found.base, found.ours, found.theirs))
            whole = found.kept.get(place.path, found.kept.get(()))
            row = self._row(tasks, place, rows, merged=by_id.get(key), names=found.names.task, whole=whole)
            self._put(tasks, (found.epic, key), rows[1], row, forced)
        if self._links is not None:
            self._links.write(found, by_id, self._keys)

    def _epic_row(self, found: MergedDocuments) -> NamedRow | None:
        rows = (found.base.epic, found.ours.epic, found.theirs.epic)
        return self._row(
            self._mapping.epics,
            Label(found.epic),
            rows,
            merged=found.merged,
            names=found.names.epic,
            whole=found.kept.get(()),
        )

    def _row(
        self,
        table: TableMap,
        label: Label,
        rows: tuple[tuple[bytes, NamedRow] | None, ...],
        merged: Core | None,
        names: dict[str, str],
        whole: str | None,
    ) -> NamedRow | None:
        """Return the row of an epic or a task in the result. Its key is not decided here."""
        base, ours, theirs = (None if found is None else found[1] for found in rows)
        if theirs is not None:
            theirs = self._surrogates.followed(table.table, theirs)
        if base is ours is theirs is None:
            return None
        versions = Versions(base, ours, theirs)
        return merged_row(
            table, label, versions, merged=merged, names=names, whole=whole, defaults=self._defaults[table.table]
        )

    def _put(
        self,
        table: TableMap,
        place: tuple[str, ...],
        ours: tuple[bytes, NamedRow] | None,
        row: NamedRow | None,
        forced: NamedRow,
    ) -> None:
        """Emit a row unless ours has it already. A row that goes away does not remove the row that took its key."""
        if row is not None:
            row = {**row, **forced, table.id: decode_key(self._keys[place])[0]}
        if row != (ours and ours[1]):
            written = self._emit.setdefault(table.table, {})
            if row is not None or self._keys[place] not in written:
                written[self._keys[place]] = row

    def _key_cell(self, found: MergedDocuments, key: str) -> SQLValue:
        """Return a task's id as a row of it has it: the cell may be a number.

        A renamed task has it from the side that renamed it.
        """
        column = self._mapping.tasks.key
        rows = (side.tasks[key][1] for side in (found.ours, found.theirs, found.base) if key in side.tasks)
        return next((cell for cell in (row.get(column) for row in rows) if key_text(cell) == key), key)

    def _numbers(self, found: MergedDocuments, order: list[str]) -> dict[str, SQLValue]:
        """Return the sequence numbers of the merged order.

        They are those of one side if these give the order, else those with the fewest changes.
        """
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
