"""Synchronise: survey what files, database and base do not agree on, and bring both sides there.

Most often there is nothing to do. So what writes, or goes through history, is imported by who has found that it must.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing, nullcontext
from functools import cache, partial
from time import perf_counter
from typing import TYPE_CHECKING, Final, TypeAlias

from msgspec.structs import replace

from epicvc.actions.shared.mergestate import require_no_merge
from epicvc.actions.shared.session import Session, act_held, holding, look
from epicvc.actions.sync.run import SyncRun
from epicvc.actions.sync.survey import Allow, SyncChange, SyncReport, check, guard, survey_all
from epicvc.base.jsonio import equal
from epicvc.base.logs import INFO, Log
from epicvc.errors import ConstraintBroken
from epicvc.merge.threeway import ABSENT, Decide, undecided
from epicvc.model.diff import Op
from epicvc.model.labels import Label, parse_label
from epicvc.plan.epic import Policy
from epicvc.plan.moves.moves import Course
from epicvc.repo.documents import Documents
from epicvc.repo.repository import Repo

if TYPE_CHECKING:
    from epicvc.actions.sync.decisions import Decisions

_LOG: Final = Log("sync")


Foresee: TypeAlias = "Callable[[Documents, SyncReport], None]"
"""Looks at what is planned."""


def synchronise(
    repo: Repo,
    policy: Policy,
    *,
    command: str,
    allow: Allow | None = None,
    dry_run: bool = False,
    message: str | None = None,
    foresee: Foresee | None = None,
) -> SyncReport:
    """Pull, push, sync or resolve, as the policy's direction and selection say.

    Args:
        repo: the repo.
        policy: direction, selection, what settles a conflict.
        command: the command's name for log and messages.
        allow: guards that are lifted.
        dry_run: only say what would happen, by the same planning.
        message: the commit's message.
        foresee: is given both sides and the report of what will be done, before anything is; again where all is planned
            once more.

    Raises:
        NotFound: no database is configured, or a selected epic exists nowhere.
        Refused: a guard stops it.
        EpicvcError: a side is invalid or cannot be used; nothing was written.
    """
    allowed = allow or Allow()
    repo.require_backend()
    run = SyncRun(repo)

    def act(session: Session) -> SyncReport:
        began = perf_counter()
        session.working.files.require_usable()
        documents = Documents(repo, session.working, session.staging, session.reader)
        decide = partial(_begun, session, documents)
        survey = survey_all(documents, _deciding(policy, session, documents), decide)
        moves_anything = bool(survey.to_files or survey.to_db or survey.moves_base)
        if moves_anything and not allowed.new_mapping:
            from epicvc.actions.sync.othermapping import require_agreed_mapping  # once there is something to write

            require_agreed_mapping(session, policy)
        guard(documents, survey, allowed)
        report = survey.report(documents, check(session, documents, survey), dry_run=dry_run)
        if _LOG.wants(INFO):
            from epicvc.actions.sync.synclog import log_sync

            log_sync(_LOG, command, report, None if dry_run else repo.coming_operation(), perf_counter() - began)
        if foresee is not None:
            foresee(documents, report)
        if survey.decisions is None or not moves_anything:
            return report
        from epicvc.actions.sync.job import job_of  # with all that writes, once there is something to write
        from epicvc.actions.sync.portions import perform_all

        job = job_of(documents, survey, survey.decisions, command, message)
        perform_all(run, session, documents, job, dry_run=dry_run)
        return report if dry_run else replace(report, commit=repo.revisions.head())

    with nullcontext() if dry_run else holding(repo):
        if dry_run:
            require_no_merge(repo)
        try:
            return _with_earlier(repo, run.until_done(lambda: act_held(repo, act, keeps=not dry_run)), run)
        except ConstraintBroken as error:
            if error.other is None or run.stays:
                raise
            raise _with_origins(repo, error) from error


def _with_earlier(repo: Repo, report: SyncReport, run: SyncRun) -> SyncReport:
    """The report of a run of which it says only what was planned last."""
    if not run.earlier:
        return report
    to_db = (*(SyncChange(Label(epic), Op.ADD) for epic in run.earlier), *report.to_db)
    return replace(report, to_db=to_db, moves_base=True, commit=repo.revisions.head())


def _begun(session: Session, documents: Documents, policy: Policy, found: Sequence[Course]) -> Decisions:
    """Decisions that are forgotten when the attempt ends."""
    from epicvc.actions.sync.decisions import Decisions  # with what makes files and rows, once something is out of sync

    return session.leaving.enter_context(closing(Decisions(documents, policy, found)))


def _deciding(policy: Policy, session: Session, documents: Documents) -> Policy:
    """The policy with what its policies decide; who decides each conflict by himself is not helped."""
    if policy.decide is not undecided:
        return policy

    @cache
    def settling() -> Decide:
        # what goes through history, and what is remembered: both are asked for the first time at the first conflict
        from epicvc.actions.decide.memory import Memory
        from epicvc.actions.decide.newest import Newest

        policies = policy.policies
        decide = policies.decide(Newest(session, documents).decide)
        return Memory(session.repo).deciding(decide, policies.whole)

    return replace(policy, decide=lambda conflict: settling()(conflict))


def _with_origins(repo: Repo, error: ConstraintBroken) -> ConstraintBroken:
    """The error with the edits that made the two places what they are, as both sides are now that nothing was done."""
    from epicvc.actions.origin.tracing import value_at
    from epicvc.actions.origin.words import DATABASE, FILES, between_sides  # what goes through history

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
