"""The values that the parts of a merge hand to each other: merged epics, and rows to write."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from msgspec import Struct, field

from epicvc.actions.merge.snapshots.whole import Names, NaturalRows
from epicvc.model.document import Core
from epicvc.model.mapping import Mapping as DocumentMapping
from epicvc.repo.rows.rows import NamedRow

Emit = dict[str, dict[bytes, NamedRow | None]]
"""The rows to write, by table and key; ``None`` deletes a row."""


class MergedDocuments(Struct, frozen=True):
    """One epic in the three states, with the merged document.

    Attributes:
        epic: its id.
        base: its rows in base.
        ours: its rows in ours.
        theirs: its rows in theirs.
        merged: the merged document with its system columns; ``None`` where the epic is gone.
        kept: the places (the epic or a task) that were settled as a whole, each with the side whose value was taken:
            ``ours``, ``theirs``, ``base``, or ``set`` for a value that no side has.
        names: the members that are system columns.
        still: the ids of the tasks that are the same in all states; ``merged`` has only their ids.
    """

    epic: str
    base: NaturalRows
    ours: NaturalRows
    theirs: NaturalRows
    merged: Core | None
    names: Names
    kept: Mapping[tuple[str, ...], str] = field(default_factory=dict)
    still: frozenset[str] = frozenset()

    def places(self, mapping: DocumentMapping) -> Iterator[tuple[str, bytes]]:
        """Yield the rows of the epic in any state, as table and key."""
        for side in (self.base, self.ours, self.theirs):
            if side.epic:
                yield mapping.epics.table, side.epic[0]
            yield from ((mapping.tasks.table, key) for key, _ in side.tasks.values())
            if mapping.links:
                yield from ((mapping.links.table, key) for key, _ in side.links.values())
