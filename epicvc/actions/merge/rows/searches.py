"""Full-text indexes in a merge: one that cannot be rebuilt from its table is taken whole from one side."""

from __future__ import annotations

from epicvc.actions.merge.snapshots.three import ThreeSnapshots
from epicvc.database.sqlite.schema.virtual import exact, owners
from epicvc.errors import Refused


def require_one_writer(three: ThreeSnapshots) -> None:
    """Make sure that at most one side changed the tables of each full-text index that cannot be rebuilt.

    Raises:
        Refused: both sides changed such an index, in different ways. Its tables cannot be merged row by row.
    """
    captured = three.ours.captured
    if captured is None:
        return
    whole = exact(captured.schema)
    for table, index in sorted(owners(captured.schema).items()):
        here, there = (
            {key: change.new for key, change in changes.rows.get(table, {}).items()}
            for changes in (three.here, three.there)
        )
        if index in whole and here and there and here != there:
            raise Refused(
                f"@{index}: both changed this full-text index, which cannot be made again from what it is over",
                hint="drop it on both branches, commit, merge, and have the application make it again",
            )
