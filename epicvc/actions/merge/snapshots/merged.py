"""What the parts of a merge hand to each other: epics that are merged, and rows to write. Values only."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from msgspec import Struct, field

from epicvc.actions.merge.snapshots.whole import Names, NaturalRows
from epicvc.model.document import Core
from epicvc.model.mapping import Mapping as DocumentMapping
from epicvc.repo.rows.rows import NamedRow

Emit = dict[str, dict[bytes, NamedRow | None]]
"""Rows to write, by table and key; ``None`` deletes."""


class MergedDocuments(Struct, frozen=True):
    """One epic in the three states, and merged.

    Attributes:
        epic: its id.
        base: its rows then.
        ours: its rows here.
        theirs: its rows there.
        merged: the merged document with its system columns; ``None`` where it is gone.
        kept: the places, the epic or a task, that were settled as a whole, and by whose value: ``ours``, ``theirs``,
            ``base``, or ``set`` for one of their own.
        names: which members are system columns.
        still: the tasks that nobody touched; ``merged`` has their ids alone.
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
        """The rows, in any state, that it is made of, as table and key."""
        for side in (self.base, self.ours, self.theirs):
            if side.epic:
                yield mapping.epics.table, side.epic[0]
            yield from ((mapping.tasks.table, key) for key, _ in side.tasks.values())
            if mapping.links:
                yield from ((mapping.links.table, key) for key, _ in side.links.values())
