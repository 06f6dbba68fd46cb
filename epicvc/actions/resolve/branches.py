"""The open conflicts of an unfinished merge or revert, in the form that the resolver needs."""

from __future__ import annotations

from collections.abc import Sequence

from epicvc.actions.merge.waiting import answer, open_conflicts
from epicvc.actions.origin import placeorigins
from epicvc.actions.origin.tracing import Tracer, Tracers, root_of
from epicvc.actions.resolve.fitting import fitting
from epicvc.actions.shared.mergestate import MergeState, read_state, what_next
from epicvc.actions.shared.questions import Origins, ResolveReport, Spec, spec_of
from epicvc.actions.shared.session import Session, look
from epicvc.merge.threeway import ABSENT, Chosen, Conflict, same
from epicvc.model.labels import Label
from epicvc.plan.moves.moves import is_place
from epicvc.repo.repository import Repo


class BranchesDispute:
    """The conflicts between two branches, or between a reverted commit and the later changes."""

    ours = "ours"
    theirs = "theirs"

    def __init__(self, repo: Repo) -> None:
        self._repo = repo

    def conflicts(self) -> list[Conflict]:
        """Return the open conflicts."""
        return open_conflicts(self._repo) or []

    def spec(self, conflict: Conflict) -> Spec:
        """Return the kind and merge rule of the field of a conflict."""
        return spec_of(self._repo.config.mapping, conflict.label)

    def origins(self, conflicts: Sequence[Conflict]) -> list[Origins]:
        """Return the origins of the values of these conflicts."""
        with look(self._repo) as session:
            state = read_state(session.staging, self._repo)
            if state is None:
                return [Origins() for _ in conflicts]
            found = _origins(session, state, conflicts)
            return [found[conflict.label] for conflict in conflicts]

    def fit(self, conflict: Conflict, chosen: Chosen) -> Chosen:
        """Return the chosen value as it would be stored; raises as :meth:`Dispute.fit`.

        A value of base, ours or theirs is taken unchanged, with extra keys and system columns.
        """
        if any(same(chosen.value, value) for value in (conflict.ours, conflict.theirs, conflict.base)):
            return chosen
        return fitting(self._repo.config.mapping, conflict, chosen)

    def settle(self, chosen: Sequence[tuple[Conflict, Chosen]], *, dry_run: bool = False) -> ResolveReport:
        """Write the chosen values to both sides. It makes no commit; ``--continue`` does."""
        fitted = [(conflict, self.fit(conflict, value)) for conflict, value in chosen]
        if not fitted:
            return ResolveReport(left=self.conflicts(), sides=(self.ours, self.theirs))
        done = answer(self._repo, fitted, dry_run=dry_run)
        state = read_state(self._repo.store, self._repo)
        next_step = what_next(state) if state else None
        return ResolveReport(None, done.settled, done.left, sides=(self.ours, self.theirs), next_step=next_step)


def _origins(session: Session, state: MergeState, conflicts: Sequence[Conflict]) -> dict[Label, Origins]:
    """Return the origins of the values of conflicts. All conflicts of an epic or a row are traced together."""
    commits = (state.base, state.ours, state.theirs)
    found: dict[Label, Origins] = {}
    alike: dict[Label, list[Conflict]] = {}
    arriving = Tracers(session, whole=True)
    for conflict in conflicts:
        if is_place(conflict):
            found[conflict.label] = placeorigins.between_branches(arriving, conflict, commits)
        else:
            alike.setdefault(root_of(conflict.label), []).append(conflict)
    for root, own in alike.items():
        tracer = Tracer(session, root)
        made = [tracer.first_in(commit, [conflict.label for conflict in own]) for commit in commits]
        for conflict in own:
            values = (conflict.base, conflict.ours, conflict.theirs)
            origins = (
                None if value is ABSENT else first.get(conflict.label)
                for first, value in zip(made, values, strict=True)
            )
            found[conflict.label] = Origins(*origins)
    return found
