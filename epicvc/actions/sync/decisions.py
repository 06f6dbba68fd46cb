"""The decisions of a synchronisation about each epic, in the form in which they are carried out.

All that follows from the documents is computed here, once, before the database is locked: bytes of files, column
values, ids. A decision holds no document, so that any number of them can wait (:class:`Spool`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from epicvc.actions.sync.filedrafts import FileDrafts
from epicvc.database.documents.changes import EpicRowsChange, epic_change, revived
from epicvc.database.documents.fingerprint import Fingerprint, rows_seen
from epicvc.plan.epic import Outcome, Policy
from epicvc.plan.moves.moves import Course
from epicvc.repo.apply.placing import FileChange
from epicvc.repo.documents import Documents, Three
from epicvc.repo.history.base import BaseEntry, put_entry
from epicvc.repo.rows.spool import Spool
from epicvc.store.objects import ObjectId


class Agreed(NamedTuple):
    """The agreement of both sides from now on: the id of the core, and the file that gives it, if there is one."""

    core: ObjectId
    file: ObjectId | None

    def entry(self) -> BaseEntry:
        """Return the entry of the base."""
        return BaseEntry(self.core, self.file)


class ToProve(NamedTuple):
    """The facts to prove of an epic by reading it back.

    They are the digest of its rows, if that proves them, and the id of its core.
    """

    proof: Fingerprint | None
    expected: ObjectId | None


class EpicDecision(NamedTuple):
    """The decision about one epic.

    Attributes:
        epic: the id of the epic.
        seen: the digest of its rows, :func:`epicvc.database.documents.fingerprint.rows_seen`; ``None`` if it had none.
        change: the change of its rows; ``None`` if they do not change.
        expected: the id of the core that the database has from now on; ``None`` if it has none.
        agreed: the agreement from now on; ``None`` for none.
        moves_base: the agreement is a new one.
        file: the path, old and new blob of its file, if it changes.
        absent: a path at which there must be no file while the rows are deleted.
        formerly: the key that the epic had until now, if it gets another.
        rows_as: the key that its rows have until now.
    """

    epic: str
    seen: Fingerprint | None
    change: EpicRowsChange | None
    expected: ObjectId | None
    agreed: Agreed | None
    moves_base: bool = False
    file: tuple[str, ObjectId | None, ObjectId | None] | None = None
    absent: str | None = None
    formerly: str | None = None
    rows_as: str = ""

    @property
    def file_change(self) -> FileChange | None:
        """The change of its file."""
        return FileChange(*self.file) if self.file else None

    @property
    def to_prove(self) -> ToProve:
        """The facts to prove by reading the epic back.

        The base tells which fields are absent. So a digest of rows proves only a core that is agreed on as a whole.
        """
        agreed = self.agreed is not None and self.agreed.core == self.expected
        return ToProve(self.change.proof if self.change is not None and agreed else None, self.expected)


def _revived(parts: list[Any]) -> EpicDecision:
    epic, seen, change, expected, agreed, *rest = parts
    return EpicDecision(
        epic, seen, revived(change) if change else None, expected, Agreed(*agreed) if agreed else None, *rest
    )


class Decisions:
    """The decisions of one planning, in the order in which they were made.

    Args:
        documents: the documents that were planned.
        policy: the policy of the plan.
        courses: the ways of the moved tasks.
    """

    def __init__(self, documents: Documents, policy: Policy, courses: Sequence[Course]) -> None:
        self._documents = documents
        self._policy = policy
        self._drafts = FileDrafts(documents, policy, courses)
        self._spool = Spool(documents.repo.config.private, _revived)
        self.rows = 0
        """The number of rows that they change."""

    def __len__(self) -> int:
        return len(self._spool)

    def __iter__(self) -> Iterator[EpicDecision]:
        return iter(self._spool)

    @property
    def paths(self) -> set[str]:
        """The files that exist afterwards."""
        return self._drafts.paths

    def close(self) -> None:
        """Forget the decisions."""
        self._spool.close()

    def add(self, three: Three, outcome: Outcome) -> None:
        """Add the outcome of an epic's plan.

        Args:
            three: the three copies of the epic, with the calculated fields that follow from the outcome.
            outcome: the outcome of the plan.

        Raises:
            InvalidField: a value cannot be stored in its column, or the epic would be taken for a template.
            LossyField: its file would have another core.
        """
        documents, epic = self._documents, three.epic
        file, file_change = self._drafts.draft(three, outcome)
        entry = documents.entries.get(three.renamed.old if three.renamed else epic)
        if outcome.moves_base:
            entry = None
            if outcome.base is not None:
                entry = put_entry(documents.sink, epic, outcome.base, file, three.id_of(outcome.base))
        change, seen = self._rows_of(three, outcome)
        absent = None
        if three.file is None and outcome.db is None and outcome.to_db:
            absent = self._drafts.old_path(epic)
        self._spool.add(
            EpicDecision(
                epic,
                seen,
                change,
                expected=self._expected(three, outcome),
                agreed=Agreed(entry.core, entry.file) if entry else None,
                moves_base=outcome.moves_base,
                file=(file_change.path, file_change.old, file_change.new) if file_change else None,
                absent=absent,
                formerly=three.renamed.old if three.renamed else None,
                rows_as=three.rows.key if three.rows else epic,
            )
        )

    def _rows_of(self, three: Three, outcome: Outcome) -> tuple[EpicRowsChange | None, Fingerprint | None]:
        layout = self._documents.layout
        if layout is None:
            return None, None
        if not outcome.to_db:
            return None, rows_seen(layout, three.rows) if three.rows else None
        change = epic_change(layout, three.epic, three.rows, three.db, outcome.db)
        self.rows += change.rows
        return change, change.seen

    def _expected(self, three: Three, outcome: Outcome) -> ObjectId | None:
        if outcome.to_db or three.renamed or self._policy.moves.of(three.epic):
            return three.id_of(outcome.db) if outcome.db is not None else None
        return three.db_id


class NoDecisions:
    """An empty stand-in for decisions, where there are none or where their turn has not come."""

    paths: frozenset[str] = frozenset()

    def __len__(self) -> int:
        return 0

    def __iter__(self) -> Iterator[EpicDecision]:
        return iter(())
