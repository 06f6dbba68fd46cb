"""The job of a synchronisation: what a survey found to do, before anything is done of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from msgspec import Struct

from epicvc.actions.sync.decisions import Decisions, NoDecisions
from epicvc.actions.sync.moving import in_database, unique_tasks
from epicvc.actions.sync.newepics import bound
from epicvc.actions.sync.survey import Survey
from epicvc.database.documents.changes import EpicRowsChange
from epicvc.database.documents.push import TaskAt
from epicvc.repo.documents import Documents
from epicvc.repo.rows.dbside import MANY, table_root
from epicvc.store.tree import tree


class Job(Struct, frozen=True, kw_only=True):
    """All that a run is to do.

    Attributes:
        command: the command's name.
        text: returns what the operation and its commit are called, given the epics that have been added so far;
            ``None`` once all is done.
        decisions: what becomes of epics that are not only in the files.
        free: epics that the files alone have, and that go into the database on their own.
        together: those that go there together with what was decided.
        moves: tasks that go elsewhere in the database.
        bulk: as one operation it would write so many rows that nobody need note which ones.
        writes_rows: whether the database changes.
    """

    command: str
    text: Callable[[int | None], str]
    decisions: Decisions
    free: Sequence[str]
    together: Sequence[str]
    moves: Mapping[TaskAt, TaskAt]
    bulk: bool
    writes_rows: bool

    @property
    def total(self) -> int:
        """Return how many epics it concerns."""
        return len(self.decisions) + len(self.free) + len(self.together)


class Portion(Struct, frozen=True, kw_only=True):
    """The part of a job that one operation does.

    Attributes:
        decisions: by epic.
        fresh: the changes that add the epics that the files alone have.
        moves: tasks that go elsewhere in the database: the place that gets one, and the place that gives it.
        bulk: so many rows are written that nobody notes which ones are touched.
        done: how many epics have been done before these, of ``total``; for the progress that is shown.
        total: how many there are.
        image: tasks and links of the epics that are added, if they come in a parcel
            (:class:`epicvc.database.documents.parcels.Parcel`).
    """

    decisions: Decisions | NoDecisions = NoDecisions()
    fresh: Sequence[EpicRowsChange] = ()
    moves: Mapping[TaskAt, TaskAt] = {}
    bulk: bool = False
    done: int
    total: int
    image: bytes | None = None

    def __len__(self) -> int:
        return len(self.decisions) + len(self.fresh)


def job_of(documents: Documents, survey: Survey, decisions: Decisions, command: str, message: str | None) -> Job:
    """Make a job of what was found.

    Args:
        documents: the documents as they are.
        survey: what was found.
        decisions: what becomes of epics that are not only in the files.
        command: the command's name for log and messages.
        message: the commit's message; ``None`` for one that counts.
    """
    moves = {**(survey.tasks.moves() if unique_tasks(documents) else {}), **in_database(survey.courses)}

    def text(added: int | None) -> str:
        files, rows = (len(survey.to_files), len(survey.to_db)) if added is None else (0, added)
        return message or f"{command}: {files} to files, {rows} to database"

    together = frozenset(survey.fresh) if bound(documents) else {epic for epic, _ in (*moves, *moves.values())}
    return Job(
        command=command,
        text=text,
        decisions=decisions,
        free=[epic for epic in survey.fresh if epic not in together],
        together=[epic for epic in survey.fresh if epic in together],
        moves=moves,
        bulk=_is_bulk(documents, decisions, survey.fresh),
        writes_rows=bool(survey.to_db),
    )


def _is_bulk(documents: Documents, decisions: Decisions, fresh: Sequence[str]) -> bool:
    """Tell whether so many rows are written that reading all afterwards is quicker than reading those touched."""
    if len(fresh) * MANY > len(documents.db_ids()):
        return True
    database, tasks = documents.working.database, documents.repo.config.mapping.tasks.table
    root = table_root(documents.sink, database, tasks) if database is not None else None
    return root is None or decisions.rows * MANY > tree.count(documents.sink, root)
