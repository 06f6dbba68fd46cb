"""The law of synchronising: what one side changed is on both sides, or in a conflict; what is one side's own stays.

The state before was in sync, so that the files then are what both sides agreed on.
"""

from __future__ import annotations

from typing import Any

from schemas.law import GONE, Broken, Law, wanted
from schemas.seeing import EPICS, TASKS, TOUCHED, Cell, Seen

EPIC_FIELDS = {
    "name": "name",
    "summary": "summary",
    "methodology": "methodology",
    "duration": "duration_description",
    "goals": "goals",
    "labels": "labels",
    "quality_gates": "quality_gates",
    "checklist_epic_level": "checklist_epic_level",
}
TASK_FIELDS = {
    name: name for name in ("title", "description", "estimate_minutes", "story_points", "risk", "mitigation")
}
KIND = {"epic": (EPICS, EPIC_FIELDS), "task": (TASKS, TASK_FIELDS)}
LIFE = {"status", "deleted_at", "task_sequence", "epic_id", "epic_key", "task_key"}


def document_cells(seen: Seen) -> dict[Cell, Any]:
    """The fields that both sides have, as the rows have them."""
    cells: dict[Cell, Any] = {}
    for kind, (table, fields) in KIND.items():
        for (key,), row in seen.tables[table].rows.items():
            if row["deleted_at"] or row["status"] == "deleted":
                continue
            cells[kind, key, "id"] = row["epic_key" if kind == "epic" else "task_key"]
            if kind == "task":
                cells["task", key, "in"] = row["epic_id"][1] if isinstance(row["epic_id"], tuple) else row["epic_id"]
            known = {column: field for field, column in fields.items()}
            for column, value in row.items():
                first, *rest = column.split("/")
                if first in known and value is not None:
                    cells[kind, key, known[first], *rest] = value
    return cells


class Agreement:
    """Compares the states before and after a ``sync``.

    Args:
        base: what both agreed on.
        before: the two sides, edited.
        after: what the command left.
        labels: the conflicts that it reported.
    """

    def __init__(self, base: Seen, before: Seen, after: Seen, labels: list[str]) -> None:
        self.base, self.before, self.after = base, before, after
        self.labels = labels
        self.law = Law(base, before, before, after, labels)
        # Where an epic or task is on either side counts for what a conflict is about.
        self.law.states = (base, before, Seen(document_cells(before), before.tables, {}, set()))

    def hold(self) -> None:
        """Demand it.

        Raises:
            Broken: it does not hold.
        """
        lost = [*self._documents(), *self._own_columns(), *self._other_tables()]
        lost += [f"new: {fault}" for fault in self.after.faults - self.before.faults]
        if self.after.schema != self.before.schema:
            lost.append("the schema changed")
        if lost:
            raise Broken(f"sync: conflicts {self.labels}\n" + "\n".join(lost))

    def _documents(self) -> list[str]:
        lost = []
        files, rows = self.before.cells, document_cells(self.before)
        new_files, new_rows = self.after.cells, document_cells(self.after)
        old_rows = document_cells(self.base)
        for cell in {*self.base.cells, *files, *rows}:
            base, file = self.base.cells.get(cell, GONE), files.get(cell, GONE)
            if cell not in old_rows and cell not in rows and not self._shared(cell):
                row = base if self._alive(rows, cell, old_rows) else GONE
            else:
                row = rows.get(cell, GONE)
                if row == old_rows.get(cell, GONE):
                    row = base
            want = wanted(base, file, row)
            found = new_files.get(cell, GONE)
            if want and self._has(cell, want[0], found, new_rows.get(cell, GONE)):
                continue
            if _merged_list(base, file, row, found):
                continue
            if not self.law._of_document(cell)():
                lost.append(
                    f"{cell}: base {base!r}, file {file!r}, row {row!r}, found {found!r}, {new_rows.get(cell)!r}"
                )
        return lost

    def _has(self, cell: Cell, want: Any, file: Any, row: Any) -> bool:
        """Whether the sides with a place for it have what is wanted; a field taken away has its default."""
        if want == GONE:
            return file == GONE or self._default(cell, file)
        return bool(file == want and (not self._shared(cell) or row == want))

    def _shared(self, cell: Cell) -> bool:
        """Whether both sides have a place for it."""
        return len(cell) > 2 and (cell[2] in KIND[cell[0]][1] or cell[2] in ("id", "in"))

    def _alive(self, rows: dict[Cell, Any], cell: Cell, old: dict[Cell, Any]) -> bool:
        """Whether the database still has the epic or task that a key without a column belongs to."""
        return (*cell[:2], "id") in rows or (*cell[:2], "id") not in old

    def _default(self, cell: Cell, found: Any) -> bool:
        return found in (1, 60, None) or cell[2] == "methodology"

    def _own_columns(self) -> list[str]:
        lost = []
        for table, fields in KIND.values():
            own = self.before.tables[table].columns.keys() - set(fields.values()) - TOUCHED - LIFE - {"id"}
            own -= {"definition_of_done", "tdd_enabled", "performance_constraints", "automation_hooks"}
            for key, row in self.before.tables[table].rows.items():
                after = self.after.tables[table].rows.get(key)
                for column in sorted(own):
                    base = self.base.tables[table].rows.get(key, {}).get(column)
                    found = after.get(column) if after else GONE
                    if row.get(column) not in (base, found):
                        lost.append(f"{table} {key} {column}: {row[column]!r}, found {found!r}")
        return lost

    def _other_tables(self) -> list[str]:
        names = self.before.tables.keys() - {EPICS, TASKS, "task_dependencies"}
        return [
            f"{name} changed" for name in sorted(names) if self.before.tables[name].rows != self.after.tables[name].rows
        ]


def _merged_list(base: Any, file: Any, row: Any, found: Any) -> bool:
    if not all(isinstance(value, tuple) for value in (file, row, found)):
        return False
    before = set(base) if isinstance(base, tuple) else set()
    return (set(file) | set(row)) - before <= set(found)
