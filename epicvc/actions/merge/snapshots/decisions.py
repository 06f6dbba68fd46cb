"""Records the decisions about the conflicts of a merge.

For an epic or a task that was settled as a whole it also records the side whose value was taken.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from epicvc.merge.threeway import Chosen, Conflict, Decide, MergeContext, same
from epicvc.model.labels import Label
from epicvc.model.mapping import Mapping
from epicvc.plan.moves.moves import is_place

SET: Final = "set"
"""Instead of a side: somebody chose a value that is none of the three."""


class MergeDecisions:
    """Asks for a decision of each conflict, and records it.

    Args:
        decide: settles conflicts.
        whole: returns whether a place is never merged inside.
    """

    def __init__(self, decide: Decide, whole: Callable[[Label], bool]) -> None:
        self._decide = decide
        self._whole = whole
        self.undecided: dict[Label, Conflict] = {}
        self.decided: dict[Label, tuple[Conflict, Chosen]] = {}

    def ask(self, conflict: Conflict) -> Chosen | None:
        """Return the decision of a conflict, or ``None`` where there is none.

        Files and rows that differ are merged apart, so that both may have a conflict under one label, of other values.
        It is one question: where the answer takes a side's value, each takes that side's own.
        """
        label = conflict.label
        if label in self.undecided:
            return None
        if label in self.decided:
            first, taken = self.decided[label]
            whose = _whose(first, taken)
            return taken if whose == SET else Chosen(getattr(conflict, whose), taken.reason)
        chosen = self._decide(conflict)
        if chosen is None:
            self.undecided[label] = conflict
        else:
            self.decided[label] = (conflict, chosen)
        return chosen

    def places(self, label: Label) -> bool:
        """Tell whether the conflict under a label was about the place of a task."""
        asked = self.undecided.get(label) or self.decided.get(label, (None,))[0]
        return asked is not None and is_place(asked)

    def context(self, kept: dict[tuple[str, ...], str] | None = None) -> MergeContext:
        """Return the context of a merge that asks here.

        Args:
            kept: takes the places (the epic or a task) that are settled as a whole, each with the side whose value was
                chosen.
        """

        def ask(conflict: Conflict) -> Chosen | None:
            chosen, label = self.ask(conflict), conflict.label
            if kept is not None and (not label.path or _is_task(label)):
                kept.setdefault(label.path, _whose(conflict, chosen))
            return chosen

        return MergeContext(decide=ask, whole=self._whole)


def _is_task(label: Label) -> bool:
    return len(label.path) == 2 and label.path[0] == Mapping.TASKS


def _whose(conflict: Conflict, chosen: Chosen | None) -> str:
    if chosen is None or same(chosen.value, conflict.ours):
        return "ours"
    if same(chosen.value, conflict.theirs):
        return "theirs"
    return "base" if same(chosen.value, conflict.base) else SET
