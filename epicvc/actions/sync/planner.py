"""Plans epics of a moment for whoever looks or acts: the one place where a plan gets all that it has to know."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from epicvc.model.document import tasks_of
from epicvc.plan.epic import Outcome, Policy, plan_epic
from epicvc.plan.owned import Owned
from epicvc.repo.documents import Documents, Three

if TYPE_CHECKING:
    from epicvc.actions.sync.ownedits import OwnEdits
    from epicvc.plan.waits import Waits


class Planner:
    """Plans epics as they are, with what each side edited for itself of what the other side deleted.

    Args:
        documents: the documents of one moment.
    """

    def __init__(self, documents: Documents) -> None:
        self._documents = documents
        self._mapping = documents.repo.config.mapping
        self._edits: dict[str, tuple[Owned | None, Owned | None]] = {}

    def plan(self, policy: Policy, three: Three) -> Outcome:
        """What becomes of one epic (:func:`epicvc.plan.epic.plan_epic`).

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
        """What stays as it is, where a side cannot be read whole."""
        held = self._documents.held
        if not held.unreadable or (three.base is three.file is three.db and three.base is not None):
            return ()
        from epicvc.plan.waits import waits

        return waits(three.epic, **three.cores(), moves=policy.moves, unseen=self._documents.sight.unseen)

    @cached_property
    def _history(self) -> OwnEdits:
        from epicvc.actions.sync.ownedits import OwnEdits  # goes through history, which only a deletion needs

        return OwnEdits(self._documents)


def may_be_renamed(documents: Documents) -> bool:
    """Whether a side has an epic that nobody knew, and lacks one that both had."""
    if documents.reader is None:
        return False
    candidates = documents.candidates()
    if len(candidates) < 2:
        return False
    files, rows = documents.working.files.by_epic, documents.db_ids()
    return len({epic in documents.entries for epic in candidates if (epic in files) != (epic in rows)}) == 2


def _deleted_something(three: Three) -> bool:
    """Whether one side lacks an epic, or a task of it, that the base and the other side have."""
    if three.base is None or (three.file is None and three.db is None):
        return False
    if three.file is None or three.db is None:
        return True
    if three.file is three.base is three.db:
        return False
    base, files, db = ({task["id"] for task in tasks_of(core)} for core in (three.base, three.file, three.db))
    return bool(base & (files ^ db))
