"""Writes the rows of the child table for merged documents. They say which tasks a task depends on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from epicvc.actions.merge.rows.plainrows import merge_cell
from epicvc.actions.merge.rows.surrogates import Surrogates
from epicvc.actions.merge.snapshots.merged import Emit, MergedDocuments
from epicvc.database.backend import Reader
from epicvc.database.documents.values import key_text, literal_default
from epicvc.database.rowcodec import SQLValue, decode_key, encode_key
from epicvc.database.tables import KeyKind, TableInfo
from epicvc.merge.threeway import MergeContext
from epicvc.merge.versions import Versions
from epicvc.model.document import Core
from epicvc.model.labels import Label
from epicvc.model.mapping import LinkMap
from epicvc.model.mapping import Mapping as DocumentMapping
from epicvc.repo.rows.rows import NamedRow


class LinkRows:
    """Writes the rows of links.

    Args:
        links: the columns of the child table.
        tasks: the name of the table of tasks.
        context: takes the conflicts of cells that are in no document.
        surrogates: gives out keys.
        emit: takes the rows; it has those of the tasks already.
        reader: reads the database as ours has it.
        info: the definition of the child table.
    """

    def __init__(
        self,
        links: LinkMap,
        tasks: str,
        context: MergeContext,
        surrogates: Surrogates,
        emit: Emit,
        reader: Reader,
        info: TableInfo,
    ) -> None:
        self._links = links
        self._tasks = tasks
        self._context = context
        self._surrogates = surrogates
        self._emit = emit
        self._reader = reader
        self._info = info

    def write(self, found: MergedDocuments, tasks: Mapping[str, Core], keys: Mapping[tuple[str, ...], bytes]) -> None:
        """Write the link rows of an epic's tasks.

        Args:
            found: the epic.
            tasks: its merged tasks.
            keys: the key under which each task's row goes, by epic and task.
        """
        links = self._links
        base, ours, theirs = found.base.links, found.ours.links, found.theirs.links
        rows = self._emit.get(self._tasks, {})
        stay = {key for key in found.ours.tasks if rows.get(keys[found.epic, key], ()) is not None} - tasks.keys()
        wanted = {
            (key, linked): None
            for key, task in tasks.items()
            for linked in cast("list[str]", task.get(links.field) or ())
        }
        for place in dict.fromkeys([*ours, *wanted]):
            if place[0] in found.still:
                continue
            mine = ours.get(place)
            if place in wanted:
                parent = decode_key(keys[found.epic, place[0]])[0]
                self._link(found.epic, place, parent, (base.get(place), mine, theirs.get(place)))
            elif mine is not None and place[0] not in stay:  # a task that is marked as deleted keeps its links
                self._emit.setdefault(links.table, {})[mine[0]] = None

    def _link(
        self, epic: str, place: tuple[str, str], parent: SQLValue, found: tuple[tuple[bytes, NamedRow] | None, ...]
    ) -> None:
        links, info = self._links, self._info
        base, ours, theirs = found
        other = theirs or base
        if ours is not None:
            key, row = ours[0], ours[1]
            if base is not None and theirs is not None and base[0] == ours[0] == theirs[0]:
                label = Label(epic, (DocumentMapping.TASKS, place[0], links.field, place[1]))
                row = self._link_cells(label, info, base[1], row, self._surrogates.followed(links.table, theirs[1]))
        elif other is not None:
            key, row = other[0], self._surrogates.followed(links.table, other[1])
        else:
            key, row = b"", self._new_link(place[1])
        row = {**row, links.parent: parent}
        if key_text(row.get(links.column)) != place[1]:
            row[links.column] = place[1]  # the task that it names has another id now
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
        if ours is not None and key != ours[0]:
            self._emit.setdefault(links.table, {})[ours[0]] = None
        if ours is None or row != ours[1]:
            self._emit.setdefault(links.table, {})[key] = row

    def _link_cells(self, label: Label, info: TableInfo, base: NamedRow, ours: NamedRow, theirs: NamedRow) -> NamedRow:
        return {
            column: value
            if column in info.key or column == self._links.column
            else merge_cell(
                self._context, label.child(column), column, Versions(base.get(column), value, theirs.get(column))
            )
            for column, value in ours.items()
        }

    def _new_link(self, linked: str) -> NamedRow:
        """Return a row for a link that is in no state: an answer set it."""
        links = self._links
        row: NamedRow = {column.name: literal_default(column.default) for column in self._reader.columns(links.table)}
        return {**row, links.column: linked}
