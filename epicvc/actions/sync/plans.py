"""Plans every epic on which files, database and base do not agree: the one loop that ``sync`` and ``status`` share.

What ``status`` says and what ``sync`` does must never differ, so both take the outcomes of the same plans: ``sync``
makes decisions of them, ``status`` makes words.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar

from epicvc.actions.sync.moving import MoveWatch, TaskWatch, contested, unique_tasks, with_moves
from epicvc.database.batches import batches
from epicvc.merge.threeway import Direction
from epicvc.model.document import tasks_of
from epicvc.plan.epic import Outcome, Policy, plan_epic
from epicvc.plan.moves.moves import Moves
from epicvc.plan.owned import Owned
from epicvc.repo.documents import Documents, Three

if TYPE_CHECKING:
    from epicvc.actions.sync.ownedits import OwnEdits
    from epicvc.plan.waits import Waits

T = TypeVar("T")


def plan_all(documents: Documents, policy: Policy, take: Callable[[Plans], T]) -> T:
    """Plan everything, and again with what is known of tasks that are in another place than before.

    Where a task went shows only once all epics were planned without it. So there are up to three rounds: one that
    knows of no moves, one that knows of moved tasks, one that knows of tasks that two epics claim.

    Args:
        documents: the documents of one moment.
        policy: direction, selection, what settles a conflict; as :func:`with_renamed` gives it.
        take: goes through the plans of one round, all of them, and makes something of them.

    Returns:
        What was made of the last round.

    Raises:
        EpicvcError: a side is invalid, or the history that tells what was edited cannot be read.
    """
    planner = EpicPlanner(documents)
    plans = Plans(documents, policy, planner)
    taken = take(plans)
    moves = plans.moves()
    known, linked = with_moves(policy, moves, documents)
    if known.moves:
        plans = Plans(documents, known, planner, linked)
        taken = take(plans)
    others = contested(documents, plans.tasks, plans.elsewhere)
    if others:
        known, linked = with_moves(policy, moves.joined(others), documents)
        plans = Plans(documents, known, planner, linked)
        taken = take(plans)
    return taken


class Plans:
    """The plans of one round: iterating gives each epic's three copies with what becomes of it.

    Args:
        documents: the documents of one moment.
        policy: direction, selection, what settles a conflict, and the moves that are known.
        planner: plans single epics.
        linked: epics to be planned though all agree on them.

    Attributes:
        epics: the epics that the round is about.
        fresh: those of them that only the files have and that come as they are: nothing of them is read or planned.
        waiting: epics that only the files have and that wait, since they have a task of an epic that cannot be read.
        moving: where tasks are that not all three copies have in one place.
        tasks: which tasks leave or join an epic in the database.
        elsewhere: the same of new epics that the selection leaves out.
    """

    def __init__(
        self,
        documents: Documents,
        policy: Policy,
        planner: EpicPlanner,
        linked: frozenset[str] = frozenset(),
    ) -> None:
        self.policy = policy
        self.planner = planner
        self.moving, self.tasks, self.elsewhere = MoveWatch(), TaskWatch(), TaskWatch()
        self._documents = documents
        self._chosen = policy.selection.epics()
        epics = sorted({*documents.candidates(), *linked}) if linked else documents.candidates()
        self.epics = epics if self._chosen is None else [epic for epic in epics if epic in self._chosen]
        self.fresh, self.waiting = self._fresh()
        self._new = frozenset((*self.fresh, *self.waiting))

    def _fresh(self) -> tuple[list[str], list[str]]:
        policy, documents = self.policy, self._documents
        if self._chosen is not None or Direction.TO_THEIRS not in policy.direction:
            return [], []
        fresh = [epic for epic in self.epics if documents.is_new_in_files(epic) and not policy.moves.of(epic)]
        self.moving.new += fresh
        if not fresh or not documents.held.unreadable:
            return fresh, []
        waiting = {epic for epic in fresh if documents.sight.contested(documents.file_core(epic))}
        return [epic for epic in fresh if epic not in waiting], sorted(waiting)

    def plan(self, three: Three) -> Outcome:
        """Return what becomes of one epic by the policy of this round."""
        return self.planner.plan(self.policy, three)

    def __iter__(self) -> Iterator[tuple[Three, Outcome]]:
        for batch in batches([epic for epic in self.epics if epic not in self._new]):
            for three in self._documents.load(batch):
                outcome = self.plan(three)
                self.moving.note(three)
                self.tasks.note(three, outcome)
                yield three, outcome
        if self.fresh and (self.tasks.removed or unique_tasks(self._documents)):  # one may come from another epic
            for epic in self.fresh:
                self.tasks.note_new(epic, self._documents.file_core(epic) or {})

    def moves(self) -> Moves:
        """Return the tasks that are elsewhere now, once all plans were gone through.

        One place of a move tells nothing, so where only some epics are chosen, the others are looked at too.
        """
        documents = self._documents
        if self._chosen is not None and (self.moving.places or self.moving.new):
            for three in documents.load([epic for epic in documents.candidates() if epic not in self._chosen]):
                self.moving.note(three)
                if three.db is None and three.base is None:
                    self.elsewhere.note_new(three.epic, three.file or {})
        return self.moving.moves(documents)


class EpicPlanner:
    """Plans single epics, with what each side edited for itself of what the other side deleted.

    Args:
        documents: the documents of one moment.
    """

    def __init__(self, documents: Documents) -> None:
        self._documents = documents
        self._mapping = documents.repo.config.mapping
        self._edits: dict[str, tuple[Owned | None, Owned | None]] = {}

    def plan(self, policy: Policy, three: Three) -> Outcome:
        """Return what becomes of one epic (:func:`epicvc.plan.epic.plan_epic`).

        Raises:
            EpicvcError: something was deleted, and the history that tells what was edited since cannot be read.
        """
        waiting = self._waiting(policy, three)
        own: tuple[Owned | None, Owned | None] = (None, None)
        if _deleted_something(three) and not any(not place.label.path for place in waiting):
            if three.epic not in self._edits:
                self._edits[three.epic] = self._history.edits(three)
            own = self._edits[three.epic]
        outcome = plan_epic(self._mapping, policy, epic=three.epic, **three.cores(), own=own, waiting=waiting)
        if three.renamed is None:
            return outcome
        from epicvc.actions.sync.renaming import with_key  # hardly any epic ever is

        return with_key(three, outcome)

    def _waiting(self, policy: Policy, three: Three) -> tuple[Waits, ...]:
        """Find what stays as it is, where a side cannot be read whole."""
        held = self._documents.held
        if not held.unreadable or (three.base is three.file is three.db and three.base is not None):
            return ()
        from epicvc.plan.waits import waits

        return waits(three.epic, **three.cores(), moves=policy.moves, unseen=self._documents.sight.unseen)

    @cached_property
    def _history(self) -> OwnEdits:
        from epicvc.actions.sync.ownedits import OwnEdits  # goes through history, which only a deletion needs

        return OwnEdits(self._documents)


def with_renamed(documents: Documents, policy: Policy) -> Policy:
    """Have epics that one side gave another key loaded as one; return the policy that is about both keys."""
    if not _may_be_renamed(documents):
        return policy
    from epicvc.actions.sync.renaming import know_renamed  # hardly any epic ever is

    return know_renamed(documents, policy)


def _may_be_renamed(documents: Documents) -> bool:
    """Tell whether a side has an epic that nobody knew, and lacks one that both had."""
    if documents.reader is None:
        return False
    candidates = documents.candidates()
    if len(candidates) < 2:
        return False
    files, rows = documents.working.files.by_epic, documents.db_ids()
    return len({epic in documents.entries for epic in candidates if (epic in files) != (epic in rows)}) == 2


def _deleted_something(three: Three) -> bool:
    """Tell whether one side lacks an epic, or a task of it, that the base and the other side have."""
    if three.base is None or (three.file is None and three.db is None):
        return False
    if three.file is None or three.db is None:
        return True
    if three.file is three.base is three.db:
        return False
    base, files, db = ({task["id"] for task in tasks_of(core)} for core in (three.base, three.file, three.db))
    return bool(base & (files ^ db))
