"""Checks rows that only the merge has against the CHECK constraints.

An error names both edits, and nothing is written.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain

from epicvc.actions.merge.rows.uniques import place_of
from epicvc.actions.merge.snapshots.states import SnapshotState
from epicvc.actions.merge.snapshots.three import ThreeSnapshots
from epicvc.actions.origin.words import OURS, THEIRS
from epicvc.database.backend import BrokenCheck, Reader
from epicvc.database.rowcodec import decode_row, encode_row
from epicvc.database.tables import TableInfo
from epicvc.errors import ConstraintBroken
from epicvc.merge.graph import Tell
from epicvc.model.labels import Label
from epicvc.model.mapping import Mapping as DocumentMapping
from epicvc.repo.history.objects import DatabaseState
from epicvc.repo.rows.dbside import get_schema, table_root, unpack_row
from epicvc.repo.rows.rows import NamedRow
from epicvc.store.objects import ObjectSource
from epicvc.store.tree import tree


def new_rows(
    source: ObjectSource, inputs: Iterable[DatabaseState], final: DatabaseState
) -> Iterator[tuple[TableInfo, list[tuple[bytes, bytes]]]]:
    """Yield the rows of a state that no input has in a table of the same definition, by table."""
    known = [(state, get_schema(source, state).by_name) for state in inputs]
    for table in get_schema(source, final).tables:
        root = table_root(source, final, table.name) or tree.EMPTY
        like = [
            table_root(source, state, table.name) or tree.EMPTY
            for state, tables in known
            if table.name in tables and tables[table.name].sql == table.sql
        ]
        if root in like:
            continue
        first, *others = like or [tree.EMPTY]
        rows = [
            (key, unpack_row(source, new))
            for key, _, new in tree.diff(source, first, root)
            if new is not None and all(tree.get(source, other, key) != new for other in others)
        ]
        if rows:
            yield table, rows


def require_checks(
    reader: Reader, mapping: DocumentMapping, three: ThreeSnapshots, final: DatabaseState, tell: Tell
) -> None:
    """Check the rows that only the merge has.

    Args:
        reader: tries the constraints on the rows.
        mapping: names the rows in errors.
        three: the three states and their differences.
        final: the merged database.
        tell: names the edit that gave a place its value.

    Raises:
        ConstraintBroken: a row breaks a constraint that it breaks on neither branch.
    """
    states = [state.snapshot.database for state in (three.ours, three.theirs)]
    for table, rows in new_rows(three.ours.sink, [state for state in states if state is not None], final):
        by_key = dict(rows)
        for broken in reader.broken_checks(table, rows):
            known = (_known(reader, state, table.name, broken.key) for state in (three.ours, three.theirs))
            if not broken.is_among(chain.from_iterable(known)):
                raise _error(reader, mapping, three, table=table, packed=by_key[broken.key], broken=broken, tell=tell)


def _known(reader: Reader, state: SnapshotState, table: str, key: bytes) -> Iterable[BrokenCheck]:
    """Return the constraints of a branch's own definition that its own row breaks."""
    info = state.captured.table(table) if state.captured else None
    row = state.as_captured(table, state.packed(table, key))
    if info is None or row is None:
        return ()
    packed = encode_row([row[name] for name in info.columns])
    return reader.broken_checks(info, [(key, packed)])


def _error(
    reader: Reader,
    mapping: DocumentMapping,
    three: ThreeSnapshots,
    table: TableInfo,
    packed: bytes,
    broken: BrokenCheck,
    tell: Tell,
) -> ConstraintBroken:
    """Return the error, with the columns of the row that each branch changed."""
    key, words = broken.key, broken.words
    row: NamedRow = dict(zip(table.columns, decode_row(packed), strict=True))
    base = three.base.row(table.name, key)
    rows = {OURS: three.ours.row(table.name, key), THEIRS: three.theirs.row(table.name, key)}
    places: list[tuple[Label, str]] = []
    for name, other in ((OURS, THEIRS), (THEIRS, OURS)):
        mine = rows[name]
        changed = [
            column
            for column in table.columns
            if mine is not None
            and (base is None or mine.get(column) != base.get(column))
            and mine.get(column) == row[column]
        ]
        if changed:
            column = _to_blame(reader, table, broken, row=row, changed=changed, other=rows[other])
            places.append((place_of(mapping, three, table.name, (column,), key, row), name))
    if len(places) == 2:
        (one, first), (another, second) = places
        return ConstraintBroken(str(one), words, str(another), (tell(one, first), tell(another, second)))
    label, name = places[0] if places else (place_of(mapping, three, table.name, (), key, row), THEIRS)
    other_name = THEIRS if name == OURS else OURS
    where = Label(table.name, table=True)
    return ConstraintBroken(str(label), words, str(where), (tell(label, name), f"the constraint, {other_name}"))


def _to_blame(
    reader: Reader, table: TableInfo, broken: BrokenCheck, row: NamedRow, changed: list[str], other: NamedRow | None
) -> str:
    """Return the column that a branch changed and without which the row would be valid.

    It is the first changed column if no single one is to blame.
    """
    for column in changed if other is not None else ():
        assert other is not None  # the loop is empty otherwise
        tried = encode_row(tuple({**row, column: other.get(column)}.values()))
        if not broken.is_among(reader.broken_checks(table, [(broken.key, tried)])):
            return column
    return changed[0]
