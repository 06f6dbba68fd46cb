"""Finds the changes to one epic between two snapshots, without reading other epics.

:mod:`epicvc.actions.shared.difference` compares whole snapshots. Here equal subtrees are skipped, and only those
differences are parsed or decoded that may concern the epic, since a search goes through many commits. The epic's file
is looked up under its last path, and its rows under their last key. Only if they are not there, all changes are
searched.
"""

from __future__ import annotations

from collections.abc import Iterator

from epicvc.actions.shared.difference import SideChange, file_changes, key_text, row_differences
from epicvc.base.jsonio import JSON, parse
from epicvc.database.documents.values import key_text as natural_text
from epicvc.database.rowcodec import SQLValue, decode_row
from epicvc.errors import EpicvcError
from epicvc.model.diff import Change, Op
from epicvc.model.document import epic_body, natural_key
from epicvc.model.labels import Label, parse_label
from epicvc.model.mapping import Mapping
from epicvc.repo.files.filestree import changed_files
from epicvc.repo.history.objects import DatabaseState, Snapshot
from epicvc.repo.rows.dbside import row_changes
from epicvc.repo.rows.rows import CapturedRows, mapped_tables, rows_of
from epicvc.store.objects import ObjectId, ObjectSource, ObjectType
from epicvc.store.tree import tree
from epicvc.store.tree.tree import EMPTY


class EpicTrail:
    """Goes back along a history and compares one epic, or one row of another table.

    Args:
        source: the store.
        mapping: the fields of epics.
        label: the epic, or a place of another table.
        path: the path of the epic's file in the first snapshot to compare, if it is known.
    """

    def __init__(self, source: ObjectSource, mapping: Mapping, label: Label, path: str | None = None) -> None:
        self._source = source
        self._mapping = mapping
        self._label = label
        self._path = path
        self._values: dict[ObjectId, tuple[str | None, JSON]] = {}
        self._epics: set[SQLValue] = set()
        """The surrogate keys that the epic's row had."""
        self._tasks: dict[SQLValue, bool] = {}
        """The surrogate keys of tasks that were met, and whether the task belonged to the epic."""
        self._searched = False

    def changes(self, before: Snapshot | None, after: Snapshot) -> list[SideChange]:
        """Return the changes of the epic on both sides."""
        found = list(self._rows(before.database if before else None, after.database))
        if not self._label.table:
            files = self._file(before.files if before else EMPTY, after.files)
            found += [SideChange("files", change) for change in file_changes(Label(self._label.root), *files)]
        return found

    # Files

    def _file(self, before: ObjectId, after: ObjectId) -> tuple[JSON, JSON]:
        if before == after:
            return None, None
        old, new = (self._at(root) for root in (before, after))
        if old is None or new is None:
            for path, was, now in changed_files(self._source, before, after):
                if old is None and was is not None and (value := self._epic(was)) is not None:
                    old, self._path = value, path  # older snapshots have the file at this path
                if new is None and now is not None and (value := self._epic(now)) is not None:
                    new = value
        return old, new

    def _at(self, root: ObjectId) -> JSON:
        blob = tree.get(self._source, root, self._path.encode()) if self._path is not None else None
        return self._epic(blob) if blob is not None else None

    def _epic(self, blob: ObjectId) -> JSON:
        """Return the value of a file if it is the epic's, else ``None``."""
        if blob not in self._values:
            try:
                value = parse(self._source.get(blob, ObjectType.BLOB))
            except EpicvcError:
                value = None
            key = natural_key(epic_body(value).get("id")) if isinstance(value, dict) else None
            ours = key == self._label.root
            self._values[blob] = (key, value if ours else None)  # the value of another epic's file is not kept
        return self._values[blob][1]

    # Database

    def _rows(self, before: DatabaseState | None, after: DatabaseState | None) -> Iterator[SideChange]:
        if before == after:
            return
        views = [CapturedRows(self._source, state) if state else None for state in (before, after)]
        tables = {self._label.root} if self._label.table else set(mapped_tables(self._mapping))
        changed = [(table, rows) for table, rows in row_changes(self._source, before, after) if table in tables]
        if not self._label.table:
            if not all(view.finds_owners(self._mapping) for view in views if view):
                return
            self._find(after)
            # The epic's own row comes first, since it tells the epic's tasks; then the tasks, which tell the links.
            order = list(mapped_tables(self._mapping))
            changed.sort(key=lambda item: order.index(item[0]))
        for table, rows in changed:
            for key, *pair in rows:
                if self._label.table:
                    mine = not self._label.path or key_text(key) == self._label.path[0]
                else:
                    found = [
                        self._owns(table, view, row) for view, row in zip(views, pair, strict=True) if view and row
                    ]
                    mine = any(found)
                if mine:
                    seen = [
                        None if row is None or view is None else (view, view.named(table, row))
                        for view, row in zip(views, pair, strict=True)
                    ]
                    for item in row_differences(self._mapping, table, key, seen[0], seen[1]):
                        yield from self._ours(item)

    def _ours(self, found: SideChange) -> Iterator[SideChange]:
        """Yield a change if it concerns the epic. A task that went to another epic is removed from this one."""
        change = found.change
        if change.label.root == self._label.root:
            yield found
        elif change.op is Op.MOVE and isinstance(change.old, str):
            left = parse_label(change.old)
            if left.root == self._label.root:
                yield SideChange("db", Change(left, Op.REMOVE, None, None))

    def _find(self, state: DatabaseState | None) -> None:
        """Find the key of the epic's row, once. For older states the changes tell it."""
        if self._searched or state is None:
            return
        self._searched = True
        table = self._mapping.epics.table
        view = CapturedRows(self._source, state)
        for _, row in rows_of(self._source, state, table):
            if self._owns(table, view, row):
                return

    def _owns(self, table: str, view: CapturedRows, row: bytes) -> bool:
        """Return whether a row is the epic's own, one of its tasks or one of their links. The keys are remembered."""
        mapping = self._mapping
        info = view.table(table)
        assert info is not None  # a captured mapped table is in its schema
        values = dict(zip(info.columns, decode_row(row), strict=False))
        if table == mapping.epics.table:
            ours = natural_text(values.get(mapping.epics.key)) == self._label.root
            if ours:
                self._epics.add(values.get(mapping.epics.id))
            return ours
        if table == mapping.tasks.table:
            ours = values.get(mapping.tasks.parent or "") in self._epics
            task = values.get(mapping.tasks.id)
            self._tasks[task] = ours or self._tasks.get(task, False)  # a task that moved away belonged to the epic once
            return ours
        assert mapping.links is not None  # no other table is mapped
        task = values.get(mapping.links.parent)
        # the rows of changed tasks come first, so that only links of unchanged tasks are looked up here
        if task not in self._tasks:
            found = view.by_surrogate(mapping.tasks, task)
            self._tasks[task] = found is not None and found.get(mapping.tasks.parent or "") in self._epics
        return self._tasks[task]
