"""The policy ``newest_wins`` between branches: finds the side whose commit changed a value last, from history alone.

The working copy does not count: a merge starts from two committed states.
"""

from __future__ import annotations

from epicvc.actions.decide.newest import later
from epicvc.actions.origin.tracing import Tracers
from epicvc.actions.shared.session import Session
from epicvc.merge.threeway import Chosen, Conflict
from epicvc.store.objects import ObjectId


class Newer:
    """Decides the conflicts of a merge by the later change.

    Args:
        session: the running command.
        ours: the commit of our branch.
        theirs: the commit of the other branch.
    """

    def __init__(self, session: Session, ours: ObjectId, theirs: ObjectId) -> None:
        self._commits = ours, theirs
        self._tracers = Tracers(session)

    def decide(self, conflict: Conflict) -> Chosen | None:
        """Return the later value with the evidence as its reason, or ``None`` where there is no evidence or a tie."""
        tracer = self._tracers.of(conflict.label)
        ours, theirs = (tracer.origin_in(commit, conflict.label) for commit in self._commits)
        found = later(ours, theirs) if ours is not None and theirs is not None else None
        if found is None:
            return None
        value, whose = (conflict.ours, "our") if found[0] else (conflict.theirs, "their")
        return Chosen(value, f"newest_wins took {whose} value: {found[1]}")
