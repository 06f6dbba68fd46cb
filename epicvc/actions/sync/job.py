"""What a survey found, made the job that carries it out."""

from __future__ import annotations

from collections.abc import Sequence

from epicvc.actions.shared.session import Session
from epicvc.actions.sync.decisions import Decisions
from epicvc.actions.sync.moving import in_database, unique_tasks
from epicvc.actions.sync.newepics import bound
from epicvc.actions.sync.portions import at_once, carry_out, try_out
from epicvc.actions.sync.run import SyncRun
from epicvc.actions.sync.steps import Job
from epicvc.actions.sync.survey import Survey
from epicvc.repo.documents import Documents
from epicvc.repo.rows.dbside import MANY, table_root
from epicvc.store.tree import tree


def carry_out_survey(
    session: Session,
    documents: Documents,
    survey: Survey,
    decisions: Decisions,
    run: SyncRun,
    command: str,
    message: str | None,
) -> None:
    """Carry out what was found, or try it out where the report is of a dry run.

    Args:
        session: the session in which it was found.
        documents: the documents as they are.
        survey: what was found.
        decisions: what becomes of epics that are not only in the files.
        run: the run that it is of.
        command: the command's name for log and messages.
        message: the commit's message.

    Raises:
        Replan: a side has changed; nothing was done.
        Overtaken: a side has changed; some portions are done.
        EpicvcError: it cannot be done.
    """
    report = survey.report
    moves = {**(survey.tasks.moves() if unique_tasks(documents) else {}), **in_database(survey.courses)}

    def text(added: int | None) -> str:
        files, rows = (len(report.to_files), len(report.to_db)) if added is None else (0, added)
        return message or f"{command}: {files} to files, {rows} to database"

    together = frozenset(survey.fresh) if bound(documents) else {epic for epic, _ in (*moves, *moves.values())}
    job = Job(
        command,
        text,
        decisions,
        [epic for epic in survey.fresh if epic not in together],
        [epic for epic in survey.fresh if epic in together],
        moves,
        _is_bulk(documents, decisions, survey.fresh),
        bool(report.to_db),
    )

    if not survey.fresh:
        at_once(session, documents, job, dry_run=report.dry_run)
    elif report.dry_run:
        try_out(session, documents, job)
    else:
        carry_out(run, session, documents, job)


def _is_bulk(documents: Documents, decisions: Decisions, fresh: Sequence[str]) -> bool:
    """Whether so many rows are written that reading all of them afterwards is quicker than those that were touched."""
    if len(fresh) * MANY > len(documents.db_ids()):
        return True
    database, tasks = documents.working.database, documents.repo.config.mapping.tasks.table
    root = table_root(documents.sink, database, tasks) if database is not None else None
    return root is None or decisions.rows * MANY > tree.count(documents.sink, root)
