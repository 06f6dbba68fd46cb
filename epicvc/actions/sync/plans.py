"""Plans every epic on which files, database and base do not agree: the one loop that ``sync`` and ``status`` share.

The report of ``status`` and the work of ``sync`` must never differ. So both take the outcomes of the same plans:
``sync`` turns them into decisions, ``status`` into words.
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
    """Plan all epics, and plan again with the tasks that turned out to have moved.

    The new place of a task is known only once all epics were planned without it. So there are up to three rounds: the
    first knows of no moves, the second of moved tasks, the third of tasks that two epics claim.

    Args:
        documents: the documents of one moment.
        policy: the direction, the selection and what settles conflicts, as :func:`with_renamed` returns it.
        take: goes through all plans of one round, and returns a result.

    Returns:
        The result of the last round.

    Raises:
        EpicvcError: a side is invalid, or the history of the edits cannot be read.
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
    """The plans of one round. Iterating yields the three copies of each epic with their outcome.

    Args:
        documents: the documents of one moment.
        policy: the direction, the selection, what settles conflicts, and the known moves.
        planner: plans single epics.
        linked: the epics to plan although all copies agree on them.

    Attributes:
        epics: the epics of the round.
        fresh: those of them that only the files have and that are added unchanged; they are neither read nor planned.
        waiting: the epics that only the files have and that wait, since they have a task of an epic that cannot be
            read.
        moving: the places of tasks that are not in one place in all three copies.
        tasks: the tasks that leave or join an epic in the database.
        elsewhere: the same for new epics that the selection leaves out.
    """

    def __init__(
        self, documents: Documents, policy: Policy, planner: EpicPlanner, linked: frozenset[str] = frozenset()
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
        # A new epic conflicts with nothing, so that thousands of them need no plan.
        fresh = [epic for epic in self.epics if documents.is_new_in_files(epic) and not policy.moves.of(epic)]
        self.moving.new += fresh
        if not fresh or not documents.held.unreadable:
            return fresh, []
        waiting = {epic for epic in fresh if documents.sight.contested(documents.file_core(epic))}
        return [epic for epic in fresh if epic not in waiting], sorted(waiting)

    def plan(self, three: Three) -> Outcome:
        """Return the outcome of one epic by the policy of this round."""
        return self.planner.plan(self.policy, three)

    def __iter__(self) -> Iterator[tuple[Three, Outcome]]:
        for batch in batches([epic for epic in self.epics if epic not in self._new]):
            for three in self._documents.load(batch):
                outcome = self.plan(three)
                self.moving.note(three)
                self.tasks.note(three, outcome)
                yield three, outcome
        # a task of a new epic may come from another epic
        if self.fresh and (self.tasks.removed or unique_tasks(self._documents)):
            for epic in self.fresh:
                self.tasks.note_new(epic, self._documents.file_core(epic) or {})

    def moves(self) -> Moves:
        """Return the moved tasks, after all plans were gone through.

        One place alone does not show a move. So the other epics are read too where only some are selected.
        """
        documents = self._documents
        if self._chosen is not None and (self.moving.places or self.moving.new):
            for three in documents.load([epic for epic in documents.candidates() if epic not in self._chosen]):
                self.moving.note(three)
                if three.db is None and three.base is None:
                    self.elsewhere.note_new(three.epic, three.file or {})
        return self.moving.moves(documents)


class EpicPlanner:
    """Plans single epics, including the edits that a side made for itself where the other side deleted.

    Args:
        documents: the documents of one moment.
    """

    def __init__(self, documents: Documents) -> None:
        self._documents = documents
        self._mapping = documents.repo.config.mapping
        self._edits: dict[str, tuple[Owned | None, Owned | None]] = {}

    def plan(self, policy: Policy, three: Three) -> Outcome:
        """Return the outcome of one epic (:func:`epicvc.plan.epic.plan_epic`).

        Raises:
            EpicvcError: something was deleted, and the history of the edits since cannot be read.
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
        from epicvc.actions.sync.renaming import with_key  # imported here: hardly any epic is ever renamed

        return with_key(three, outcome)

    def _waiting(self, policy: Policy, three: Three) -> tuple[Waits, ...]:
        """Return the places that must wait, where a side cannot be read whole."""
        held = self._documents.held
        if not held.unreadable or (three.base is three.file is three.db and three.base is not None):
            return ()
        from epicvc.plan.waits import waits

        return waits(three.epic, **three.cores(), moves=policy.moves, unseen=self._documents.sight.unseen)

    @cached_property
    def _history(self) -> OwnEdits:
        # imported here: it goes through history, which only a deletion needs
        from epicvc.actions.sync.ownedits import OwnEdits

        return OwnEdits(self._documents)


def with_renamed(documents: Documents, policy: Policy) -> Policy:
    """Have each epic that one side gave another key loaded as one, and return a policy for both keys."""
    if not _may_be_renamed(documents):
        return policy
    from epicvc.actions.sync.renaming import know_renamed  # imported here: hardly any epic is ever renamed

    return know_renamed(documents, policy)


def _may_be_renamed(documents: Documents) -> bool:
    """Return whether a side has an epic that is new, and lacks one that both sides had."""
    if documents.reader is None:
        return False
    candidates = documents.candidates()
    if len(candidates) < 2:
        return False
    files, rows = documents.working.files.by_epic, documents.db_ids()
    return len({epic in documents.entries for epic in candidates if (epic in files) != (epic in rows)}) == 2


def _deleted_something(three: Three) -> bool:
    """Return whether one side lacks an epic, or a task of it, that the base and the other side have."""
    if three.base is None or (three.file is None and three.db is None):
        return False
    if three.file is None or three.db is None:
        return True
    if three.file is three.base is three.db:
        return False
    base, files, db = ({task["id"] for task in tasks_of(core)} for core in (three.base, three.file, three.db))
    return bool(base & (files ^ db))
