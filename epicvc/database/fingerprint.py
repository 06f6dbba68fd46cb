"""What the rows of one epic hold, as a digest: proof that freshly written rows came back as they were written.

Rows whose cells are the very cells that were written decode to what was pushed, since decoding takes encoding back
(a law that the tests of :mod:`epicvc.database.values` prove). So a whole epic is certified without decoding one of
its cells. A digest that differs proves nothing: a trigger or a column's type may have changed a cell into another
with the same meaning, and the epic has to be decoded and compared.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from hashlib import blake2b
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from epicvc.database.documents import FIRST_FIELD, EpicRows
from epicvc.database.layout import Layout
from epicvc.database.rowcodec import SQLValue
from epicvc.database.rowwrites import Assignments

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


def _digest(value: object) -> Fingerprint:
    return blake2b(_encoder().encode(value), digest_size=16).digest()


def fingerprint(cells: Sequence[SQLValue], tasks: Sequence[TaskCells]) -> Fingerprint:
    """The digest of an epic's own core cells and of its tasks in their order."""
    return _digest((cells, tasks))


def cells_of(defaults: Cells, values: Assignments) -> Sequence[SQLValue]:
    """The core cells of a row that is inserted with these values.

    Args:
        defaults: each core column, with what is in it where nothing is written.
        values: what is written.
    """
    cells = [values.get(column, default) for column, default in defaults]
    if True in cells or False in cells:  # 1 and 0 as well, which stay what they are
        return [int(cell) if isinstance(cell, bool) else cell for cell in cells]
    return cells


def rows_said(layout: Layout, rows: EpicRows) -> Fingerprint:
    """The digest of an epic as its rows say it."""
    inner = layout.tasks.core_cells
    tasks = [TaskCells(row[3], inner(row[FIRST_FIELD:]), rows.links_of(row)) for row in rows.tasks]
    return fingerprint(layout.epics.core_cells(rows.values), tasks)


def row_said(number: SQLValue, key: SQLValue, cells: Sequence[SQLValue]) -> Fingerprint:
    """The digest of one row: its sequence number, its key, its core cells."""
    return _digest((number, key, cells))


def rows_seen(layout: Layout, rows: EpicRows) -> Fingerprint:
    """The digest of everything that a change of an epic is worked out from: surrogate keys and order are part of it."""
    inner = layout.tasks.core_cells
    tasks = [(row[0], row[2], row[3], inner(row[FIRST_FIELD:]), rows.links_of(row)) for row in rows.tasks]
    return _digest((rows.surrogate, layout.epics.core_cells(rows.values), tasks))
