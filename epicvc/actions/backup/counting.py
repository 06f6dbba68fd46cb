"""Counts rows, and rows with broken references, for the record of a backup."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from epicvc.database.backend import Fault
from epicvc.repo.history.backups import FaultCount
from epicvc.repo.history.objects import Snapshot
from epicvc.store.objects import ObjectSource
from epicvc.store.tree import tree


def count_faults(faults: Iterable[Fault]) -> tuple[FaultCount, ...]:
    """Count broken foreign keys by table and parent."""
    counts = Counter((fault.table, fault.parent) for fault in faults)
    return tuple(FaultCount(table, parent, rows) for (table, parent), rows in sorted(counts.items()))


def count_rows(store: ObjectSource, snapshot: Snapshot) -> int:
    """Return the number of rows of a snapshot, in all tables."""
    if snapshot.database is None:
        return 0
    return sum(tree.count(store, root) for _, root in tree.items(store, snapshot.database.tables))
