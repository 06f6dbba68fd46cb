"""The job of a synchronisation: all that a survey found to do. Nothing of it is done here."""

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
    """All that a run has to do.

    Attributes:
        command: the name of the command.
        text: returns the text of the operation and its commit, given the number of epics that were added so far;
            ``None`` stands for the end.
        decisions: the decisions about epics that are not only in the files.
        free: the epics that only the files have, and that can be added to the database by themselves.
        together: the other new epics, which must be added together with the decisions.
        moves: the tasks that move in the database: their new place, with the old one.
        bulk: as one operation it would write so many rows that they are not noted one by one.
        writes_rows: the database changes.
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
        """The number of epics that it concerns."""
        return len(self.decisions) + len(self.free) + len(self.together)


class Portion(Struct, frozen=True, kw_only=True):
    """The part of a job that one operation does.

    Attributes:
        decisions: the decisions by epic.
        fresh: the changes that add epics that only the files have.
        moves: the tasks that move in the database: the place that gets one, with the place that gives it.
        bulk: so many rows are written that they are not noted one by one.
        done: the number of epics that were done before, of ``total``; for the progress.
        total: the number of epics of the job.
        image: the tasks and links of the added epics, if they come in a parcel
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
    """Make a job of the survey.

    Args:
        documents: the documents that were planned.
        survey: the survey.
        decisions: the decisions about epics that are not only in the files.
        command: the name of the command, for log and messages.
        message: the message of the commit; ``None`` for one with the numbers of changes.
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
    """Return whether so many rows are written that reading all afterwards is quicker than reading the touched ones."""
    if len(fresh) * MANY > len(documents.db_ids()):
        return True
    database, tasks = documents.working.database, documents.repo.config.mapping.tasks.table
    root = table_root(documents.sink, database, tasks) if database is not None else None
    return root is None or decisions.rows * MANY > tree.count(documents.sink, root)
