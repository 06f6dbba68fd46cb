"""Whether a refusal for a unique value has a reason: two rows that would have it when all is done.

What is exchanged or handed over between rows is unique before and after, whatever happens on the way.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import product
from typing import Any

from schemas.law import GONE, wanted
from schemas.seeing import TASKS, Names, Seen, Table

_SAID = re.compile(r"UNIQUE constraint failed: (\w+)\.\w+(?:, \w+\.\w+)*")

Three = tuple[Table, Table, Table]


def groundless(message: str, states: tuple[Seen, Seen, Seen], names: Names) -> bool:
    """Whether the message speaks of a unique value, and no two rows of what is wanted have it.

    Args:
        message: why a command refused.
        states: the state that both sides come from, and theirs.
        names: the names that columns had before.
    """
    found = _SAID.search(message)
    if found is None:
        return False
    table = found[1]
    said = [part.partition(".")[2] for part in found[0].partition(": ")[2].split(", ")]
    columns = [names.get(("column", f"{table}.{column}"), column) for column in said]
    base, ours, theirs = (state.tables.get(table, Table()) for state in states)
    return not _twice((base, ours, theirs), columns)


def as_rows(base: Seen, files: Seen) -> Seen:
    """The state in which the tasks' rows say what the files say of their titles and epics; others are as they were."""
    rows = {key: dict(row) for key, row in base.tables[TASKS].rows.items()}
    for cell, value in files.cells.items():
        if cell[0] == "task" and cell[2] in ("title", "in"):
            column, found = ("title", value) if cell[2] == "title" else ("epic_id", ("epic", value))
            rows.setdefault((cell[1],), {})[column] = found
    tables = {**base.tables, TASKS: Table(base.tables[TASKS].columns, rows)}
    return Seen(files.cells, tables, base.schema, base.faults)


def _twice(tables: Three, columns: list[str]) -> bool:
    seen: dict[tuple[Any, ...], Any] = {}
    for key in {key for table in tables for key in table.rows}:
        for values in _values(tables, key, columns):
            if seen.setdefault(values, key) != key:
                return True
    return False


def _values(tables: Three, key: Any, columns: list[str]) -> Iterator[tuple[Any, ...]]:
    """What a row may have in these columns: one thing, unless both sides changed it."""
    rows = [table.rows.get(key) for table in tables]
    if rows[0] is not None and None in rows[1:] and rows[0] in rows[1:]:
        return  # one side removed it
    # What one side removed, or marked as deleted, and the other edited is in conflict: the row stays as a side has it.
    disputed = rows[0] is not None and any(row is None or row.get("deleted_at") for row in rows)
    choices = []
    for column in columns:
        cells = [GONE if row is None else row.get(column) for row in rows]
        want = None if disputed else wanted(*cells)
        choices.append([value for value in (want or cells[1:]) if value not in (None, GONE)])
    yield from (tuple(map(_folded, values)) for values in product(*choices))


def _folded(value: Any) -> Any:
    return value.casefold() if isinstance(value, str) else value
