"""The command ``resolve``: settles conflicts between the files and the database, or those of an unfinished merge."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial

from msgspec import Struct
from msgspec.structs import replace

from epicvc.actions.decide.memory import Memory
from epicvc.actions.history.status import read_status
from epicvc.actions.origin import placeorigins
from epicvc.actions.origin.agreed import Holds, agreed_since, has_place, has_value
from epicvc.actions.origin.tracing import Tracer, Tracers
from epicvc.actions.resolve.answers import read_answers, side_named
from epicvc.actions.resolve.branches import BranchesDispute
from epicvc.actions.resolve.choices import take
from epicvc.actions.resolve.fitting import fitting
from epicvc.actions.shared.questions import Dispute, How, Origin, Origins, ResolveReport, Spec, spec_of
from epicvc.actions.shared.session import Session, finish_interrupted, look
from epicvc.actions.sync.sync import synchronise
from epicvc.base.jsonio import JSON
from epicvc.errors import FileUnavailable, NotFound, UsageError
from epicvc.merge.threeway import ABSENT, Chosen, Conflict, same
from epicvc.model.labels import Label, Selection, natural_order
from epicvc.plan.epic import Policy, decide_labels
from epicvc.plan.moves.moves import is_place
from epicvc.repo.history.revisions import MERGING
from epicvc.repo.repository import Repo


class Wish(Struct, frozen=True):
    """The choice of a user for the conflicts at or below a label; ``None`` stands for all conflicts."""

    label: Label | None
    choose: Callable[[Conflict], Chosen]


class SidesDispute:
    """The conflicts between the files and the database."""

    ours = "files"
    theirs = "db"

    def __init__(self, repo: Repo) -> None:
        self._repo = repo

    def conflicts(self) -> list[Conflict]:
        """Return the open conflicts, epic by epic."""
        found = read_status(self._repo).conflicts
        return sorted(found, key=lambda conflict: natural_order(conflict.label.root))

    def spec(self, conflict: Conflict) -> Spec:
        """Return the kind and merge rule of the field of a conflict."""
        return spec_of(self._repo.config.mapping, conflict.label)

    def origins(self, conflicts: Sequence[Conflict]) -> list[Origins]:
        """Return the origins of the values of these conflicts."""
        found: dict[Label, Origins] = {}
        by_root: dict[str, list[Conflict]] = {}
        for conflict in conflicts:
            by_root.setdefault(conflict.label.root, []).append(conflict)
        with look(self._repo) as session:
            agreed = self._agreed(session, conflicts)
            tracers = Tracers(session, whole=True)
            for root, own in by_root.items():
                places = [(side, conflict.label) for conflict in own for side in (self.ours, self.theirs)]
                made = Tracer(session, Label(root)).origins(places)
                for conflict in own:
                    label, base = conflict.label, agreed.get(conflict.label)
                    if is_place(conflict):
                        found[label] = placeorigins.between_sides(tracers, conflict, base)
                    else:
                        found[label] = Origins(base, made.get((self.ours, label)), made.get((self.theirs, label)))
        return [found[conflict.label] for conflict in conflicts]

    def _agreed(self, session: Session, conflicts: Sequence[Conflict]) -> dict[Label, Origin]:
        """Return the commit since which both sides agreed on the base of each conflict that has one."""
        asked: dict[str, dict[Label, Holds]] = {}
        for conflict in conflicts:
            label = conflict.label
            if is_place(conflict):
                place = placeorigins.place_of(conflict.base)
                if place is not None:
                    asked.setdefault(place.root, {})[label] = has_place(place)
            elif conflict.base is not ABSENT and not label.table:
                asked.setdefault(label.root, {})[label] = has_value(conflict, self._repo.config.mapping)
        found: dict[Label, Origin] = {}
        for epic, questions in asked.items():
            found |= agreed_since(session, epic, questions)
        return found

    def fit(self, conflict: Conflict, chosen: Chosen) -> Chosen:
        """Return the chosen value as a core has it; raises as :meth:`Dispute.fit`."""
        return fitting(self._repo.config.mapping, conflict, chosen)

    def settle(self, chosen: Sequence[tuple[Conflict, Chosen]], *, dry_run: bool = False) -> ResolveReport:
        """Write the chosen values to both sides. Nothing else changes."""
        fitted = [(conflict, self.fit(conflict, value)) for conflict, value in chosen]
        before = self.conflicts()
        if not fitted:
            return ResolveReport(left=before)
        labels = tuple(dict.fromkeys(conflict.label for conflict, _ in fitted))
        decisions = [(conflict.label, partial(_if_still, value, conflict)) for conflict, value in fitted]
        policies = self._repo.config.policies
        policy = Policy(selection=Selection(labels), decide=decide_labels(decisions), policies=policies)
        message = f"resolve {_named(labels)}"
        done = synchronise(self._repo, policy, command="resolve", dry_run=dry_run, message=message)
        open_now = {conflict.label for conflict in done.conflicts}
        settled = [label for label in labels if label not in open_now]
        asked = frozenset(labels)
        left = [*(conflict for conflict in before if conflict.label not in asked), *done.conflicts]
        return ResolveReport(done.commit, settled, left)


def open_dispute(repo: Repo) -> Dispute:
    """Return the conflicts to settle: those of an unfinished merge, else those between the two sides."""
    return SidesDispute(repo) if repo.store.ref(MERGING) is None else BranchesDispute(repo)


def prefer(dispute: Dispute, side: str) -> Callable[[Conflict], Chosen]:
    """Return the choice of the value of a side or of the base.

    Raises:
        UsageError: the word names no side and not the base.
    """
    how = side_named(dispute, side)
    if how is How.BOTH:
        raise UsageError(f"--prefer takes {dispute.ours}, {dispute.theirs} or base, not {side!r}")
    return lambda conflict: take(conflict, how)


def set_value(value: JSON) -> Callable[[Conflict], Chosen]:
    """Return the choice of a given value. Null removes the field."""
    return lambda _: Chosen(ABSENT if value is None else value)


def choices(dispute: Dispute, conflicts: Sequence[Conflict], wishes: Iterable[Wish]) -> list[tuple[Conflict, Chosen]]:
    """Return the answers that follow from wishes. For each conflict the first wish counts that covers it.

    Raises:
        NotFound: a label names no conflict.
        InvalidData: a given value does not fit its field.
    """
    found: dict[Label, tuple[Conflict, Chosen]] = {}
    below: dict[Label, list[Conflict]] = {}
    for conflict in conflicts:
        for label in conflict.label.upwards():
            below.setdefault(label, []).append(conflict)
    for wish in wishes:
        matches = conflicts if wish.label is None else below.get(wish.label, [])
        if wish.label is not None and not matches:
            raise NotFound(f"{wish.label} is no conflict", hint="see `epicvc status`")
        for conflict in matches:
            found.setdefault(conflict.label, (conflict, dispute.fit(conflict, wish.choose(conflict))))
    return list(found.values())


def resolve(
    repo: Repo, wishes: Sequence[Wish], answers: tuple[str, bytes] | None = None, *, dry_run: bool = False
) -> ResolveReport:
    """Settle conflicts by wishes, then by the answers of a script, and remember the resolutions.

    Args:
        repo: the repo.
        wishes: the choices of the command line.
        answers: the name and bytes of an answer file.
        dry_run: only report what would be settled, by the same planning.

    Raises:
        NotFound: a label names no conflict.
        InvalidData: a value does not fit its field, or the answers are invalid; nothing was written.
    """
    if not dry_run:
        # an interrupted operation leaves parts of two states, whose conflicts would not be the real ones
        finish_interrupted(repo)
    dispute = open_dispute(repo)
    conflicts = dispute.conflicts()
    chosen = choices(dispute, conflicts, wishes)
    if answers is not None:
        named = {conflict.label for conflict, _ in chosen}
        given = read_answers(answers[1], answers[0], dispute, conflicts).chosen
        chosen += [(conflict, value) for conflict, value in given if conflict.label not in named]
    return apply(repo, dispute, chosen, dry_run=dry_run)


def replay(repo: Repo, *, dry_run: bool = False) -> ResolveReport:
    """Settle conflicts that were settled before in the same way. The others stay open."""
    if not dry_run:
        finish_interrupted(repo)
    dispute, memory = open_dispute(repo), Memory(repo)
    recalled = [(conflict, memory.recall(conflict)) for conflict in dispute.conflicts()]
    known = [(conflict, found.chosen) for conflict, found in recalled if found is not None]
    report = apply(repo, dispute, known, dry_run=dry_run)
    return replace(report, replayed=report.settled)


def apply(
    repo: Repo, dispute: Dispute, chosen: Sequence[tuple[Conflict, Chosen]], *, dry_run: bool = False
) -> ResolveReport:
    """Settle conflicts in one operation, and remember the resolutions.

    Raises:
        InvalidData: a value does not fit its field; nothing was written.
    """
    report = dispute.settle(chosen, dry_run=dry_run)
    if not dry_run:
        settled = frozenset(report.settled)
        kept = [(conflict, value) for conflict, value in chosen if conflict.label in settled]
        try:
            Memory(repo).remember(kept, report.commit)
        except FileUnavailable as error:
            return replace(report, warning=f"the resolution is not remembered: {error.message}")
    return report


def _if_still(chosen: Chosen, seen: Conflict, conflict: Conflict) -> Chosen | None:
    """Return the chosen value if the conflict still has the values that were seen. A later edit leaves it open."""
    pairs = ((seen.base, conflict.base), (seen.ours, conflict.ours), (seen.theirs, conflict.theirs))
    return chosen if all(same(*pair) for pair in pairs) else None


def _named(labels: tuple[Label, ...]) -> str:
    shown = " ".join(map(str, labels[:3]))
    return shown if len(labels) <= 3 else f"{shown} and {len(labels) - 3} more"
