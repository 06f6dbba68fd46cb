"""The law: what a merge must have done with every edit of both sides, computed from what could be seen.

It knows nothing of the engine. A side's edits are the cells in which it differs from the merge base. Each is in the
result, or the command said that it conflicts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

from schemas.seeing import EPICS, LINKS, TASKS, TOUCHED, Cell, Seen

GONE = "(not there)"
Labels = list[tuple[str, tuple[str, ...]]]


class Broken(AssertionError):
    """The law does not hold."""


def wanted(base: Any, ours: Any, theirs: Any) -> Any:
    """What a cell must be: a value, or ``None`` where only a conflict will do."""
    if ours in (base, theirs):
        return (theirs,)
    return (ours,) if theirs == base else None


def parsed(labels: list[str]) -> Labels:
    """Labels as the owner (an epic, or ``@`` for tables) and the path."""
    found: Labels = []
    for label in labels:
        owner, _, rest = ("@", "", label[1:]) if label.startswith("@") else label.partition(":")
        path = tuple(_plain(part) for part in rest.split("/")) if rest else ()
        found.append((_plain(owner), path))
    return found


def _plain(text: str) -> str:
    for sign, character in (("~1", "/"), ("~2", ":"), ("~3", "@"), ("~4", ""), ("~0", "~")):
        text = text.replace(sign, character)
    return text


class Law:
    """Compares four states.

    Args:
        base: the state that both came from.
        ours: the state that the command met.
        theirs: the state that it brought in.
        result: what it left.
        labels: the conflicts that it reported.
    """

    def __init__(self, base: Seen, ours: Seen, theirs: Seen, result: Seen, labels: list[str]) -> None:
        self.states = (base, ours, theirs)
        self.result = result
        self.labels = parsed(labels)
        self.edits: Counter[str] = Counter()

    def hold(self) -> None:
        """Demand it.

        Raises:
            Broken: it does not hold.
        """
        lost = [*self._schema(), *self._files(), *self._rows()]
        lost += [f"new: {fault}" for fault in self.result.faults - self.states[1].faults - self.states[2].faults]
        if lost:
            raise Broken("\n".join(lost))

    # Schema

    def _schema(self) -> Iterator[str]:
        base, ours, theirs = (state.schema for state in self.states)
        for name in {*base, *ours, *theirs}:
            want = wanted(*(schema.get(name, GONE) for schema in (base, ours, theirs)))
            if want is None or self.result.schema.get(name, GONE) != want[0]:
                yield f"schema of {name}: {self.result.schema.get(name, GONE)}, wanted {want}"

    # Files

    def _files(self) -> Iterator[str]:
        base, ours, theirs = (state.cells for state in self.states)
        for cell in {*base, *ours, *theirs}:
            versions = [cells.get(cell, GONE) for cells in (base, ours, theirs)]
            yield from self._demand(cell, versions, self.result.cells.get(cell, GONE), self._of_document(cell))

    def _of_document(self, cell: Cell) -> Callable[[], bool]:
        """Whether a conflict is about a cell of an epic or a task."""
        kind, key, *path = cell
        where = {state.cells.get(("task", key, "in")) for state in self.states} if kind == "task" else {key}
        ids = {str(state.cells.get((kind, key, "id"), key)) for state in self.states}
        return lambda: (
            self._waits(where)
            or any(self._meets(kind, ids, where, tuple(map(str, path)), label) for label in self.labels)
        )

    def _waits(self, epics: set[Any]) -> bool:
        """Whether one of these epics, which one side deleted, waits for a conflict about a task that is there."""
        tasks = {path[1] for _, path in self.labels if path[:1] == ("tasks",) and len(path) > 1}
        return any(
            any(("epic", epic, "id") not in state.cells for state in self.states)
            and any(
                state.cells.get(("task", key, "in")) == epic and str(state.cells["task", key, "id"]) in tasks
                for state in self.states
                for kind, key, *path in state.cells
                if kind == "task" and path == ["in"]
            )
            for epic in epics
        )

    def _meets(self, kind: str, ids: set[str], epics: set[Any], path: Cell, label: tuple[str, tuple[str, ...]]) -> bool:
        owner, place = label
        if owner == "@":
            return False
        if not place:
            return owner in epics or owner in ids
        if kind == "epic":
            return owner in ids | epics and _related(place, path)
        return place[0] == "tasks" and len(place) > 1 and place[1] in ids and _related(place[2:], path)

    # Rows

    def _rows(self) -> Iterator[str]:
        for name in {table for state in self.states for table in state.tables}:
            yield from self._table(name)

    def _table(self, name: str) -> Iterator[str]:
        tables = [state.tables.get(name) for state in self.states]
        columns = {column for table in tables if table for row in table.rows.values() for column in row} - TOUCHED
        after = self.result.tables.get(name)
        for key in {key for table in tables if table for key in table.rows}:
            for column in columns:
                versions = [self._value(name, table, key, column) for table in tables]
                if versions[0] == GONE and "(no column)" in versions[1:]:
                    continue  # inserted by a side that lacks the column: it has nothing to say on it
                if set(versions[1:]) == {GONE, "(no column)"}:
                    continue  # the column gone on one side, the row on the other
                found = self._value(name, after, key, column)
                if versions[0] == GONE and found == "(no column)" and self._by_default(name, column, versions[1:]):
                    continue  # the column gone on one side; nobody wrote anything else there than it has by itself
                cell = (name, *key, column)
                yield from self._demand(cell, versions, found, lambda key=key, c=column: self._of_row(name, key, c))

    def _value(self, name: str, table: Any, key: Cell, column: str) -> Any:
        """A cell; that of a column which its side added with a default is no edit."""
        row = table.rows.get(key) if table else None
        if row is None:
            return GONE
        if column not in row:
            return GONE if column.partition("/")[0] in table.columns else "(no column)"
        before = self.states[0].tables.get(name)
        if before and column not in before.columns and _default(table.columns.get(column)) == _text(row[column]):
            return "(no column)"
        return row[column]

    def _by_default(self, name: str, column: str, values: list[Any]) -> bool:
        before = self.states[0].tables.get(name)
        own = {value for value in values if value not in (GONE, "(no column)")}
        return before is not None and {_text(value) for value in own} <= {_default(before.columns.get(column))}

    def _of_row(self, table: str, key: Cell, column: str) -> bool:
        """Whether a conflict is about a row or one of its columns."""
        for owner, place in self.labels:
            if owner == "@" and place and place[0] in (table, f"{table}_content"):
                if table in (EPICS, TASKS, LINKS) or len(place) == 1:
                    return True
                if place[1] == _key_text(key) and (len(place) == 2 or self._same_column(table, place[2], column)):
                    return True
            of_document = owner != "@" and table in (EPICS, TASKS, LINKS)
            if of_document and self._row_of_document(table, key, owner, place):
                return True
        return False

    def _same_column(self, table: str, said: str, column: str) -> bool:
        """A column of the merge base is named by that name or by its new one, which names no other."""
        known = {name for state in self.states if table in state.tables for name in state.tables[table].columns}
        return said == column or said not in known

    def _row_of_document(self, table: str, key: Cell, owner: str, place: tuple[str, ...]) -> bool:
        names = {str(part[-1] if isinstance(part, tuple) else part) for part in key}
        if table == EPICS:
            return owner in names or self._waits({key[0]})
        task = key[:1] if table == TASKS else key[0][1:]
        rows = [state.tables[TASKS].rows.get(task, {}) for state in self.states]
        epics = {row["epic_id"][1] for row in rows if isinstance(row.get("epic_id"), tuple)}
        if not place:
            return owner in epics
        if self._waits(epics):
            return True
        return place[0] == "tasks" and len(place) > 1 and place[1] in names

    # One cell

    def _demand(self, cell: Cell, versions: list[Any], found: Any, disputed: Callable[[], bool]) -> Iterator[str]:
        base, ours, theirs = versions
        self.edits["edits"] += (ours != base) + (theirs != base)
        want = wanted(base, ours, theirs)
        if want is not None and found == want[0]:
            return
        if want is not None and want[0] in (None, "(no column)", GONE) and found in (None, "(no column)", GONE):
            return
        if want == ("(no column)",) or (want is None and _lists(base, ours, theirs, found)):
            return
        if not disputed():
            yield f"{cell}: base {base!r}, ours {ours!r}, theirs {theirs!r}, found {found!r}"


def _default(text: Any) -> Any:
    return None if text is None else text.strip("'")


def _text(value: Any) -> Any:
    """A value as a default is written, since the column's type decides which it is."""
    return None if value is None else str(value)


def _key_text(key: Cell) -> str:
    return ",".join("NULL" if part is None else str(part[-1] if isinstance(part, tuple) else part) for part in key)


def _related(one: tuple[str, ...], other: Cell) -> bool:
    size = min(len(one), len(other))
    return one[:size] == tuple(other[:size])


def _lists(base: Any, ours: Any, theirs: Any, found: Any) -> bool:
    """Whether a list that both changed has what either side added."""
    if not isinstance(found, tuple) or not isinstance(ours, tuple) or not isinstance(theirs, tuple):
        return False
    before = set(base) if isinstance(base, tuple) else set()
    return (set(ours) | set(theirs)) - before <= set(found)
