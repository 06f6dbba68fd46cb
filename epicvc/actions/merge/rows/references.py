"""Finds rows that a merge would leave without their parent: one branch removed it, the other refers to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from msgspec.structs import replace

from epicvc.actions.merge.snapshots.states import SnapshotState
from epicvc.actions.merge.snapshots.three import ThreeSnapshots
from epicvc.actions.origin.words import OURS, THEIRS
from epicvc.actions.shared.difference import key_text
from epicvc.actions.shared.session import Session
from epicvc.database.backend import Fault, Reader, Reference, Writer, targets
from epicvc.database.rowcodec import SQLValue, decode_row, encode_key
from epicvc.database.tables import TableInfo
from epicvc.errors import ConstraintBroken
from epicvc.merge.graph import Tell
from epicvc.model.labels import Label
from epicvc.repo.rows.dbside import unpack_row
from epicvc.repo.rows.rows import CapturedRows, NamedRow
from epicvc.store.objects import ObjectId


def reference_check(
    session: Session, three: ThreeSnapshots, schema: ObjectId | None, tell: Tell
) -> Callable[[Writer], None] | None:
    """Return a check to run when the merged rows are written, or ``None`` where no row can lack its parent.

    The parent of a row is there as on its branch, unless a branch removed it, changed the value by which it is referred
    to, or declared the reference or its target otherwise; or unless the row refers by several columns and each branch
    changed some of them. The check reads the foreign keys of whole tables. So it covers only the tables in which this
    may have happened.

    Args:
        session: the running command.
        three: the three states and their differences.
        schema: the schema of the merged database.
        tell: names the edit that gave a place its value.
    """
    reader, ours, theirs = session.reader, three.ours.captured, three.theirs.captured
    if reader is None or ours is None or theirs is None or schema is None:
        return None
    final = next((found for found in (three.ours, three.theirs) if _schema_of(found) == schema), three.ours)
    assert final.captured is not None  # both branches have a database here
    tables = frozenset(_concerned(reader, three, final.captured))
    if not tables:
        return None
    before = reader.faults({table.name for table in ours.schema.tables} & tables)

    def check(writer: Writer) -> None:
        for fault in sorted(writer.faults(tables), key=lambda fault: (fault.table, fault.key)):
            if not fault.columns:
                continue  # the reference is declared so that no row satisfies it, as on the branch that has this schema
            mine = replace(fault, columns=_own_columns(three.ours, fault))
            if mine in before and not _others_value(writer, three, fault):
                continue
            if not _theirs_too(writer, three, fault):
                raise _broken(writer, three, fault, tell)

    return check


def _schema_of(state: SnapshotState) -> ObjectId | None:
    return state.snapshot.database.schema if state.snapshot.database else None


def _concerned(reader: Reader, three: ThreeSnapshots, final: CapturedRows) -> Iterator[str]:
    """Yield the tables of the merged database in which a row may have lost its parent."""
    lost = {
        table.casefold(): rows
        for changes in (three.here, three.there)
        for table, rows in changes.rows.items()
        if any(change.old is not None for change in rows.values())
    }
    for table in final.schema.tables:
        for reference in reader.references_by(table):
            parent = _table(final, reference.parent)
            if (
                not all(_is_defined_so(three, info) for info in (table, parent) if info is not None)
                or (reference.parent.casefold() in lost and _lost_a_parent(three, reference, parent))
                or _puts_together(three, table, reference)
            ):
                yield table.name
                break


def _is_defined_so(three: ThreeSnapshots, info: TableInfo) -> bool:
    """Return whether every state defines a table as the merged database does."""
    definitions = (state.captured.table(info.name) for state in three.states if state.captured)
    return all(known is not None and known.sql == info.sql for known in definitions)


def _puts_together(three: ThreeSnapshots, table: TableInfo, reference: Reference) -> bool:
    """Return whether a row may have a reference that it has on neither branch, since each changed a part of it."""
    spelled = {name.casefold() for name in table.columns}
    stored = all(name.casefold() in spelled for name in reference.columns)
    if stored and len(reference.columns) == 1:
        return False
    here, there = (changes.rows.get(table.name, {}) for changes in (three.here, three.there))
    return any(
        all(
            _differs(three.base.named(table.name, old), state.named(table.name, new), reference.columns, stored=stored)
            for old, new, state in (
                (here[key].old, here[key].new, three.ours),
                (there[key].old, there[key].new, three.theirs),
            )
        )
        for key in here.keys() & there.keys()
    )


def _differs(old: NamedRow | None, new: NamedRow | None, columns: tuple[str, ...], *, stored: bool) -> bool:
    """Return whether a row got other values in some columns.

    Computed columns are not stored, so that any change of the row counts.
    """
    if old is None or new is None or not stored:
        return old != new
    return any(_of(old, name) != _of(new, name) for name in columns)


def _of(row: NamedRow, column: str) -> SQLValue:
    """Return a value by the name of its column, which may be in another case."""
    if column in row:
        return row[column]
    return next((value for name, value in row.items() if name.casefold() == column.casefold()), None)


def _lost_a_parent(three: ThreeSnapshots, reference: Reference, parent: TableInfo | None) -> bool:
    """Return whether a branch removed a row that may be referred to, or changed the values by which it is."""
    if parent is None:
        return True
    columns = targets(reference, parent)
    stored = all(name in parent.columns for name in columns)
    for changes, state in ((three.here, three.ours), (three.there, three.theirs)):
        for change in changes.rows.get(parent.name, {}).values():
            old, new = three.base.named(parent.name, change.old), state.named(parent.name, change.new)
            if old is not None and _differs(old, new, columns, stored=stored):
                return True
    return False


def _table(captured: CapturedRows, name: str) -> TableInfo | None:
    """Return a table by a name that may be in another case."""
    return next((table for table in captured.schema.tables if table.name.casefold() == name.casefold()), None)


def _others_value(writer: Writer, three: ThreeSnapshots, fault: Fault) -> bool:
    """Return whether a row that lacked its parent in ours refers to another missing row now."""
    before = three.ours.row(fault.table, fault.key) if fault.key else None
    now = _row_now(writer, fault)
    return before is not None and now is not None and any(before.get(n) != now.get(n) for n in fault.columns)


def _row_now(writer: Reader, fault: Fault) -> NamedRow | None:
    row = writer.row(fault.table, fault.key) if fault.key else None
    if row is None:
        return None
    info = next((table for table in writer.tables() if table.name == fault.table), None)
    return dict(zip(info.columns, decode_row(row), strict=True)) if info else None


def _theirs_too(reader: Reader, three: ThreeSnapshots, fault: Fault) -> bool:
    """Return whether the row lacks its parent in theirs already."""
    theirs = three.theirs
    packed = theirs.packed(fault.table, fault.key) if fault.key and theirs.captured else None
    child = theirs.captured.table(fault.table) if theirs.captured else None
    if packed is None or child is None or theirs.captured is None:
        return False
    row, now = theirs.named(fault.table, packed), _row_now(reader, fault)
    stored = now is not None and all(name in now for name in fault.columns)
    if _differs(row, now, fault.columns, stored=stored):
        return False
    parent = _table(theirs.captured, fault.parent)
    if parent is None:
        return True
    if all(_is_defined_so(three, info) for info in (child, parent)):
        # No parent is in the merged database, so that one in theirs must be a row that differs between the states: only
        # these are read.
        keys = {*three.here.rows.get(parent.name, {}), *three.there.rows.get(parent.name, {})}
        found = theirs.packed_rows(parent.name, sorted(keys))
        rows = [(key, unpack_row(theirs.sink, value)) for key, value in found.items()]
    else:
        rows = [*theirs.rows_of(parent.name)]
    own, row_there = _own_columns(theirs, fault), (fault.key, unpack_row(theirs.sink, packed))
    declared = [found for found in reader.references_by(child) if found.columns == own]
    return bool(declared) and not any(reader.parents(child, [row_there], found, parent, rows) for found in declared)


def _own_columns(state: SnapshotState, fault: Fault) -> tuple[str, ...]:
    """Return the referring columns by the names that a branch has for them."""
    form = state.forms.get(fault.table)
    return fault.columns if form is None else tuple(form.sources.get(name, name) for name in fault.columns)


def _broken(writer: Writer, three: ThreeSnapshots, fault: Fault, tell: Tell) -> ConstraintBroken:
    """Return the error, with the referring row, the missing row, and the edits of both."""
    label = Label(fault.table, (key_text(fault.key) if fault.key else "*", *fault.columns[:1]), table=True)
    words = f"one branch refers to a row of @{fault.parent} that the other branch does not have"
    rows = {name: state.row(fault.table, fault.key) for name, state in ((OURS, three.ours), (THEIRS, three.theirs))}
    name = OURS if rows[OURS] is not None and not _refers_anew(three, fault) else THEIRS
    row = rows[name]
    if row is None:
        return ConstraintBroken(str(label), words)
    parent = _parent_label(writer, three, fault, row)
    origins = tell(label, name), tell(parent, THEIRS if name == OURS else OURS)
    return ConstraintBroken(str(label), words, str(parent), origins)


def _parent_label(writer: Writer, three: ThreeSnapshots, fault: Fault, row: NamedRow) -> Label:
    """Return the label of the missing row, or of its table where the row cannot be told."""
    captured = three.base.captured or three.ours.captured
    parent = _table(captured, fault.parent) if captured else None
    info = next((table for table in writer.tables() if table.name == fault.table), None)
    reference = next((r for r in writer.references_by(info) if r.columns == fault.columns), None) if info else None
    if parent is None or reference is None:
        return Label(fault.parent, table=True)
    columns = targets(reference, parent)
    wanted = [str(row.get(name)).casefold() for name in fault.columns]
    for changes, state in ((three.here, three.base), (three.there, three.base), (three.there, three.theirs)):
        for key, change in changes.rows.get(parent.name, {}).items():
            found = state.named(parent.name, change.new if state is three.theirs else change.old)
            if found is not None and [str(found.get(name)).casefold() for name in columns] == wanted:
                return Label(parent.name, (key_text(key),), table=True)
    if columns == parent.key:
        return Label(parent.name, (key_text(encode_key([row.get(name) for name in fault.columns])),), table=True)
    return Label(parent.name, table=True)


def _refers_anew(three: ThreeSnapshots, fault: Fault) -> bool:
    """Return whether theirs added the reference."""
    change = three.there.rows.get(fault.table, {}).get(fault.key)
    new = three.theirs.named(fault.table, change.new) if change else None
    old = three.base.named(fault.table, change.old) if change else None
    return new is not None and any(old is None or old.get(name) != new.get(name) for name in fault.columns)
