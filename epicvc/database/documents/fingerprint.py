"""Digests of the rows of one epic: proof that freshly written rows came back as they were written.

Cells that come back exactly as written decode to the document that was pushed, since decoding inverts encoding (a law
that the tests of :mod:`epicvc.database.documents.values` prove). So a whole epic is certified without decoding one of
its cells. A digest that differs proves nothing: a trigger or a column's type may have changed a cell into another
with the same meaning, and the epic has to be decoded and compared.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from hashlib import blake2b
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from epicvc.database.documents.documents import FIRST_FIELD, EpicRows
from epicvc.database.documents.layout import Layout
from epicvc.database.documents.rowwrites import Assignments
from epicvc.database.rowcodec import SQLValue

if TYPE_CHECKING:
    import msgspec

Fingerprint: TypeAlias = bytes
Cells: TypeAlias = Sequence[tuple[str, SQLValue]]
"""Columns, each with its cell."""


class TaskCells(NamedTuple):
    """The cells of a task as they lie in the database."""

    key: SQLValue
    cells: Sequence[SQLValue]
    links: Sequence[str]


@cache
def _encoder() -> msgspec.msgpack.Encoder:
    import msgspec  # not needed by commands that push nothing

    return msgspec.msgpack.Encoder()


def _digest(value: object) -> Fingerprint:
    return blake2b(_encoder().encode(value), digest_size=16).digest()


def fingerprint(cells: Sequence[SQLValue], tasks: Sequence[TaskCells]) -> Fingerprint:
    """Return the digest of an epic's own core cells and of its tasks in their order."""
    return _digest((cells, tasks))


def cells_of(defaults: Cells, values: Assignments) -> Sequence[SQLValue]:
    """Return the core cells of a row that is inserted with these values.

    Args:
        defaults: each core column, with its cell where nothing is written.
        values: the written values.
    """
    cells = [values.get(column, default) for column, default in defaults]
    if True in cells or False in cells:  # 1 and 0 match too, and stay as they are
        return [int(cell) if isinstance(cell, bool) else cell for cell in cells]
    return cells


def rows_said(layout: Layout, rows: EpicRows) -> Fingerprint:
    """Return the digest of the epic that these rows hold."""
    inner = layout.tasks.core_cells
    tasks = [TaskCells(row[3], inner(row[FIRST_FIELD:]), rows.links_of(row)) for row in rows.tasks]
    return fingerprint(layout.epics.core_cells(rows.values), tasks)


def row_said(number: SQLValue, key: SQLValue, cells: Sequence[SQLValue]) -> Fingerprint:
    """Return the digest of one row: its sequence number, its key, its core cells."""
    return _digest((number, key, cells))


def rows_seen(layout: Layout, rows: EpicRows) -> Fingerprint:
    """Return the digest of all that a change of an epic is worked out from, surrogate keys and order included."""
    inner = layout.tasks.core_cells
    tasks = [(row[0], row[2], row[3], inner(row[FIRST_FIELD:]), rows.links_of(row)) for row in rows.tasks]
    return _digest((rows.surrogate, layout.epics.core_cells(rows.values), tasks))
