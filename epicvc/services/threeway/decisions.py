"""What is decided about the conflicts of a merge, and by whose value something whole was settled."""

from __future__ import annotations

from collections.abc import Callable

from epicvc.merge.threeway import Chosen, Conflict, Context, Decide, same
from epicvc.model.labels import Label
from epicvc.model.mapping import Mapping


class Decisions:
    """Asks for each conflict, and remembers what was said.

    Args:
        decide: settles conflicts.
        whole: whether a place is never merged inside.
    """

    def __init__(self, decide: Decide, whole: Callable[[Label], bool]) -> None:
        self._decide = decide
        self._whole = whole
        self._asked: dict[Label, tuple[Conflict, Chosen | None]] = {}
        self.undecided: dict[Label, Conflict] = {}
        self.decided: dict[Label, tuple[Conflict, Chosen]] = {}

    def ask(self, conflict: Conflict) -> Chosen | None:
        """What is decided for a conflict."""
        chosen = self.ask_place(conflict)
        self._asked.setdefault(conflict.label, (conflict, chosen))
        return chosen

    def ask_place(self, conflict: Conflict) -> Chosen | None:
        """Where a task goes; about its content that says nothing."""
        chosen = self._decide(conflict)
        if chosen is None:
            self.undecided.setdefault(conflict.label, conflict)
        else:
            self.decided.setdefault(conflict.label, (conflict, chosen))
        return chosen

    def context(self) -> Context:
        """A merge that asks here."""
        return Context(decide=self.ask, whole=self._whole)

    def kept(self, epic: str) -> dict[tuple[str, ...], str]:
        """Where the epic or a task of it was settled as a whole, and by whose value."""
        return {
            label.path: _whose(conflict, chosen)
            for label, (conflict, chosen) in self._asked.items()
            if label.root == epic and not label.table and (not label.path or _is_task(label))
        }


def _is_task(label: Label) -> bool:
    return len(label.path) == 2 and label.path[0] == Mapping.TASKS


def _whose(conflict: Conflict, chosen: Chosen | None) -> str:
    if chosen is None or same(chosen.value, conflict.ours):
        return "ours"
    if same(chosen.value, conflict.theirs):
        return "theirs"
    return "base" if same(chosen.value, conflict.base) else "set"
