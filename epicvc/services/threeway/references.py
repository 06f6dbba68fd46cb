"""Rows that a merge would leave without their parent: one branch removed it, the other came to refer to it."""

from __future__ import annotations

from collections.abc import Callable

from epicvc.database.backend import Fault, Writer
from epicvc.database.rowcodec import encode_key
from epicvc.errors import ConstraintBroken
from epicvc.merge.graph import Tell
from epicvc.model.labels import Label
from epicvc.services.difference import key_text
from epicvc.services.originwords import OURS, THEIRS
from epicvc.services.session import Session
from epicvc.services.threeway.three import Three


def reference_check(session: Session, three: Three, tell: Tell) -> Callable[[Writer], None] | None:
    """A check of the merged rows, for when they are written; nothing where no such row can be.

    Without a row removed from a table that others refer to, whatever a row refers to is there as it was on its branch.
    The check reads every foreign key of the database, so it is made only where it is needed.
    """
    reader, captured = session.reader, three.ours.captured
    if reader is None or captured is None:
        return None
    removed = {
        table.casefold()
        for changes in (three.here, three.there)
        for table, rows in changes.rows.items()
        if any(change.new is None for change in rows.values())
    }
    parents = {found.parent.casefold() for table in captured.schema.tables for found in reader.references(table.name)}
    if not removed & parents:
        return None
    before = reader.faults()

    def check(writer: Writer) -> None:
        for fault in sorted(writer.faults() - before, key=lambda fault: (fault.table, fault.key)):
            if not _theirs_too(three, fault):
                raise _broken(three, fault, tell)

    return check


def _broken(three: Three, fault: Fault, tell: Tell) -> ConstraintBroken:
    """The error, with the row that refers, the one that is gone, and the edits of both."""
    label = Label(fault.table, (key_text(fault.key) if fault.key else "*", *fault.columns[:1]), table=True)
    words = f"one branch refers to a row of @{fault.parent} that the other branch removed"
    rows = {name: state.row(fault.table, fault.key) for name, state in ((OURS, three.ours), (THEIRS, three.theirs))}
    name = OURS if rows[OURS] is not None and not _refers_anew(three, fault) else THEIRS
    row = rows[name]
    if row is None or len(fault.columns) != 1:
        return ConstraintBroken(str(label), words)
    parent = Label(fault.parent, (key_text(encode_key((row[fault.columns[0]],))),), table=True)
    origins = tell(label, name), tell(parent, THEIRS if name == OURS else OURS)
    return ConstraintBroken(str(label), words, str(parent), origins)


def _refers_anew(three: Three, fault: Fault) -> bool:
    """Whether theirs came to refer to it."""
    change = three.there.rows.get(fault.table, {}).get(fault.key)
    new = three.theirs.named(fault.table, change.new) if change else None
    old = three.base.named(fault.table, change.old) if change else None
    return new is not None and any(old is None or old.get(name) != new.get(name) for name in fault.columns)


def _theirs_too(three: Three, fault: Fault) -> bool:
    """Whether theirs has the row without its parent already."""
    row = three.theirs.row(fault.table, fault.key) if fault.key else None
    if row is None or len(fault.columns) != 1 or row.get(fault.columns[0]) is None:
        return False
    return three.theirs.packed(fault.parent, encode_key((row[fault.columns[0]],))) is None
