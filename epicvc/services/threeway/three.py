"""The states of a merge, with what differs between them; this much is known before any document is read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from epicvc.repo.objects import Snapshot
from epicvc.services.session import Session
from epicvc.services.threeway.changes import Changes, Place, find_changes
from epicvc.services.threeway.contents import Contents
from epicvc.services.threeway.states import State


@dataclass(frozen=True)
class Three:
    """The states of a merge and what differs between them.

    Attributes:
        base: the state that both come from.
        ours: one of the two.
        theirs: the other.
        here: what ours changed.
        there: what theirs changed.
        working: what turns the sides as they are now into ours; nothing, as a rule.
        owned: whether the epics that rows belong to can be told, in every state.
        contents: what files say.
    """

    base: State
    ours: State
    theirs: State
    here: Changes
    there: Changes
    working: Changes
    owned: bool
    contents: Contents

    @property
    def states(self) -> tuple[State, State, State]:
        """Base, ours, theirs."""
        return self.base, self.ours, self.theirs

    @property
    def moved(self) -> Iterator[tuple[str, str]]:
        """The epics between which tasks moved, each as giver and getter."""
        for changes in (self.here, self.there):
            yield from ((giver, getter) for (giver, _), getter in changes.moved.items())

    def places(self, epic: str, now: Place | None) -> tuple[Place | None, Place | None, Place | None]:
        """Where an epic's file is in each state, from where it is now."""
        ours = _place(epic, self.working.old_files, self.working.new_files, now)
        base = _place(epic, self.here.new_files, self.here.old_files, ours)
        return base, ours, _place(epic, self.there.old_files, self.there.new_files, base)


def three_of(session: Session, base: Snapshot, ours: Snapshot, theirs: Snapshot) -> Three:
    """Compare three states with each other, and with the sides as they are.

    Raises:
        InvalidJSON: a changed file is no JSON.
    """
    sink, mapping = session.staging, session.repo.config.mapping
    now, *states = (State(sink, found, mapping) for found in (session.working.snapshot(), base, ours, theirs))
    views = [state.captured for state in (now, *states)]
    owned = session.reader is not None and all(view is not None and view.finds_owners(mapping) for view in views)
    contents = Contents(sink, mapping.links.field if mapping.links else "")
    here, there, working = (
        find_changes(sink, contents, mapping, old, new, owned=owned)
        for old, new in ((states[0], states[1]), (states[0], states[2]), (now, states[1]))
    )
    return Three(states[0], states[1], states[2], here, there, working, owned, contents)


def _place(epic: str, old: dict[str, Place], new: dict[str, Place], otherwise: Place | None) -> Place | None:
    return new.get(epic) if epic in old or epic in new else otherwise
