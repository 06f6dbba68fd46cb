"""Merges the schema: takes the one that changed. Two different changes are refused, since they need a migration."""

from __future__ import annotations

from epicvc.actions.shared.difference import definitions
from epicvc.errors import Refused
from epicvc.repo.history.objects import DatabaseState
from epicvc.store.objects import ObjectId, ObjectSource


def merged_schema(source: ObjectSource, base: DatabaseState, ours: DatabaseState, theirs: DatabaseState) -> ObjectId:
    """Return the schema of the result.

    Raises:
        Refused: both sides changed the definitions in different ways.
    """
    if ours.schema == theirs.schema or theirs.schema == base.schema:
        return ours.schema
    if ours.schema == base.schema:
        return theirs.schema
    before, here, there = (definitions(source, state) for state in (base, ours, theirs))

    def changed(now: dict[str, object]) -> str:
        names = [name for name in sorted({*before, *now}) if before.get(name) != now.get(name)]
        return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")

    raise Refused(
        f"both changed the database's schema: ours {changed(dict(here))}; theirs {changed(dict(there))}",
        hint="bring both to one schema with a migration on each branch, commit, and merge again",
    )
