"""Synchronise: survey what files, database and base do not agree on, and bring both sides there."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from functools import partial
from typing import cast

from msgspec.structs import replace

from epicvc.errors import ConstraintBroken
from epicvc.jsonio import equal
from epicvc.merge.threeway import ABSENT, undecided
from epicvc.model.diff import Op
from epicvc.model.labels import Label, parse_label
from epicvc.plan.moves import Course
from epicvc.plan.plan import Policy
from epicvc.repo.dbside import MANY, table_root
from epicvc.repo.documents import Documents
from epicvc.repo.repository import Repo
from epicvc.services.decisions import Decisions
from epicvc.services.moving import in_database, unique_tasks
from epicvc.services.newepics import bound
from epicvc.services.newest import Newest
from epicvc.services.originwords import DATABASE, FILES, between_sides
from epicvc.services.portions import Run
from epicvc.services.remembering import Memory
from epicvc.services.session import Afterwards, Later, Session, act_held, holding, look
from epicvc.services.steps import Job
from epicvc.services.survey import Allow, Moved, Survey, SyncReport, check, guard, survey_all
from epicvc.services.tracing import value_at
from epicvc.store import tree


def synchronise(
    repo: Repo,
    policy: Policy,
    *,
    command: str,
    allow: Allow | None = None,
    dry_run: bool = False,
    message: str | None = None,
) -> SyncReport:
    """Pull, push, sync or resolve, as the policy's direction and selection say.

    Args:
        repo: the repo.
        policy: direction, selection, what settles a conflict.
        command: the command's name for log and messages.
        allow: guards that are lifted.
        dry_run: only say what would happen, by the same planning.
        message: the commit's message.

    Raises:
        NotFound: no database is configured, or a selected epic exists nowhere.
        Refused: a guard stops it.
        EpicvcError: a side is invalid or cannot be used; nothing was written.
    """
    allowed = allow or Allow()
    repo.require_backend()
    run = Run(repo)

    def act(session: Session) -> SyncReport | Later[SyncReport] | Afterwards[SyncReport]:
        session.working.files.require_valid()
        documents = Documents(repo, session.working, session.staging, session.reader)
        decide = None if dry_run else partial(_begun, session, documents)
        chosen, survey = survey_all(documents, _deciding(policy, session, documents), decide)
        guard(documents, survey, allowed)
        check(session, documents, survey, chosen)
        report = survey.report
        report.dry_run = dry_run
        if survey.decisions is None or not report.moves_anything:
            return report
        return _carrying_out(session, documents, survey, survey.decisions, run, command, message)

    if dry_run:
        with look(repo) as session:
            return cast("SyncReport", act(session))
    with holding(repo):
        try:
            return _with_earlier(repo, run.until_done(lambda: act_held(repo, act)), run)
        except ConstraintBroken as error:
            if error.other is None or run.stays:
                raise
            raise _with_origins(repo, error) from error


def _with_earlier(repo: Repo, report: SyncReport, run: Run) -> SyncReport:
    """The report of a run of which it says only what was planned last."""
    if run.earlier:
        report.to_db[:0] = [Moved(Label(epic), Op.ADD) for epic in run.earlier]
        report.moves_base = True
        report.commit = repo.revisions.head()
    return report


def _begun(session: Session, documents: Documents, policy: Policy, found: Sequence[Course]) -> Decisions:
    """Decisions that are forgotten when the attempt ends."""
    return session.leaving.enter_context(closing(Decisions(documents, policy, found)))


def _deciding(policy: Policy, session: Session, documents: Documents) -> Policy:
    """The policy with what its policies decide; who decides each conflict by himself is not helped."""
    if policy.decide is not undecided:
        return policy
    policies = policy.policies
    decide = policies.decide(Newest(session, documents).decide)
    return replace(policy, decide=Memory(session.repo).deciding(decide, policies.whole))


def _carrying_out(
    session: Session,
    documents: Documents,
    survey: Survey,
    decisions: Decisions,
    run: Run,
    command: str,
    message: str | None,
) -> Later[SyncReport] | Afterwards[SyncReport]:
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

    def result() -> SyncReport:
        report.commit = session.repo.revisions.head()
        return report

    if not survey.fresh:
        return run.at_once(session, documents, job, result)

    def afterwards(beside_others: bool) -> SyncReport:
        run.carry_out(session, documents, job, beside_others=beside_others)
        return result()

    return Afterwards(afterwards)


def _with_origins(repo: Repo, error: ConstraintBroken) -> ConstraintBroken:
    """The error with the edits that made the two places what they are, as both sides are now that nothing was done."""
    assert error.other is not None  # else there is one place only
    label, other = parse_label(error.label), parse_label(error.other)
    with look(repo) as session:
        documents = Documents(repo, session.working, session.staging, session.reader)
        side = DATABASE
        if not other.table:
            (three,) = documents.load([other.root])
            there, whole = value_at(three.db, other), len(other.path) in (0, 2)
            mine = value_at(documents.file_core(label.root), label)
            if there is ABSENT or not (whole or (mine is not ABSENT and equal(mine, there))):
                side = FILES  # this very push wrote it, too
        tell = between_sides(session)
        return ConstraintBroken(error.label, error.constraint, error.other, (tell(label, FILES), tell(other, side)))


def _is_bulk(documents: Documents, decisions: Decisions, fresh: Sequence[str]) -> bool:
    """Whether so many rows are written that reading all of them afterwards is quicker than those that were touched."""
    if len(fresh) * MANY > len(documents.db_ids()):
        return True
    database, tasks = documents.working.database, documents.repo.config.mapping.tasks.table
    root = table_root(documents.sink, database, tasks) if database is not None else None
    return root is None or decisions.rows * MANY > tree.count(documents.sink, root)
