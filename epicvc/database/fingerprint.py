"""What the rows of one epic hold, as a digest: proof that freshly written rows came back as they were written.

Rows whose cells are the very cells that were written decode to what was pushed, since decoding takes encoding back
(a law that the tests of :mod:`epicvc.database.values` prove). So a whole epic is certified without decoding one of
its cells. A digest that differs proves nothing: a trigger or a column's type may have changed a cell into another
with the same meaning, and the epic has to be decoded and compared.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from functools import cache
from hashlib import blake2b
from operator import itemgetter
from typing import TYPE_CHECKING, NamedTuple, TypeAlias, cast

from epicvc.database.backend import Reader
from epicvc.database.documents import FIRST_FIELD, read_rows
from epicvc.database.layout import Columns, Layout
from epicvc.database.rowcodec import SQLValue
from epicvc.database.rowwrites import Assignments
from epicvc.model.document import Core, tasks_of

if TYPE_CHECKING:
    import msgspec

Fingerprint: TypeAlias = bytes
Cells: TypeAlias = Sequence[tuple[str, SQLValue]]
"""Columns and what is in them."""


class TaskCells(NamedTuple):
    """A task as it lies in the database."""

    key: SQLValue
    cells: Sequence[SQLValue]
    links: Sequence[str]


@cache
def _encoder() -> msgspec.msgpack.Encoder:
    import msgspec  # not needed by commands that push nothing

    return msgspec.msgpack.Encoder()


def fingerprint(cells: Sequence[SQLValue], tasks: Sequence[TaskCells]) -> Fingerprint:
    """The digest of an epic's own core cells and of its tasks in their order."""
    return blake2b(_encoder().encode((cells, tasks)), digest_size=16).digest()


def expected_fingerprint(
    epic: Cells, task: Cells, links: str | None, core: Core, values: Assignments, tasks: Sequence[Assignments]
) -> Fingerprint:
    """The digest of an epic that is inserted with all its tasks.

    Args:
        epic: what an epic's row gets in each core column that is left out of its insertion.
        task: the same for a task's.
        links: the field that is kept in a child table.
        core: the epic.
        values: its row.
        tasks: the rows of its tasks.
    """
    rows = [
        TaskCells(cast("str", item["id"]), _expected(task, row), cast("list[str]", item.get(links or "") or []))
        for item, row in zip(tasks_of(core), tasks, strict=True)
    ]
    return fingerprint(_expected(epic, values), rows)


def _expected(defaults: Cells, values: Assignments) -> list[SQLValue]:
    """The core cells of a row that is inserted with these values."""
    cells = [values.get(column, default) for column, default in defaults]
    if True in cells or False in cells:  # 1 and 0 as well, which stay what they are
        return [int(cell) if isinstance(cell, bool) else cell for cell in cells]
    return cells


def read_fingerprints(reader: Reader, layout: Layout, epics: Collection[str]) -> Iterator[tuple[str, Fingerprint]]:
    """The digests of living epics as the rows say them now."""
    own = _cells_of(layout.epics, 0)
    inner = _cells_of(layout.tasks, FIRST_FIELD)
    for rows in read_rows(reader, layout, epics):
        tasks = [TaskCells(row[3], inner(row), rows.links_of(row)) for row in rows.tasks]
        yield rows.key, fingerprint(own(rows.values), tasks)


def _cells_of(columns: Columns, offset: int) -> Callable[[Sequence[SQLValue]], Sequence[SQLValue]]:
    """Takes the core cells out of a row whose mapped columns begin at ``offset``."""
    places = {field: position for position, field in enumerate(columns.fields, offset)}
    wanted = [places[field] for field in columns.map.core]
    # itemgetter gives a lone item bare
    return itemgetter(*wanted) if len(wanted) > 1 else lambda row: [row[at] for at in wanted]
