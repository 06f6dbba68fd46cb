"""Synchronises: surveys the differences between files, database and base, and carries out the decisions.

Most often there is nothing to do. So the modules that write, or that go through history, are imported only when there
is something to write or to look up.
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
"""Gets both sides and the report of the plan, before anything is done."""


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
    """Pull, push, sync or resolve, by the policy's direction and selection.

    Args:
        repo: the repo.
        policy: the direction, the selection and what settles conflicts.
        command: the name of the command, for log and messages.
        allow: the lifted guards.
        dry_run: only report what would happen, by the same planning.
        message: the message of the commit.
        foresee: gets both sides and the report before anything is done; called again if all is planned again.

    Raises:
        NotFound: no database is configured, or no side has a selected epic.
        Refused: a guard stops the synchronisation.
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
        report = survey.report(documents, dry_run=dry_run)
        if report.moves_anything and not allowed.new_mapping:
            # imported here, once there is something to write
            from epicvc.actions.sync.othermapping import require_agreed_mapping

            require_agreed_mapping(session, policy)
        guard(documents, survey, allowed)
        report = replace(report, warnings=check(session, documents, survey))
        if _LOG.wants(INFO):
            from epicvc.actions.sync.synclog import log_sync

            log_sync(_LOG, command, report, None if dry_run else repo.coming_operation(), perf_counter() - began)
        if foresee is not None:
            foresee(documents, report)
        if survey.decisions is None or not report.moves_anything:
            return report
        from epicvc.actions.sync.job import job_of  # as above, with all that writes
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
    """Return the report of a run with the epics that were added before the rest was planned again."""
    if not run.earlier:
        return report
    to_db = (*(SyncChange(Label(epic), Op.ADD) for epic in run.earlier), *report.to_db)
    return replace(report, to_db=to_db, moves_base=True, commit=repo.revisions.head())


def _begun(session: Session, documents: Documents, policy: Policy, found: Sequence[Course]) -> Decisions:
    """Begin to note decisions. They are forgotten when the attempt ends."""
    from epicvc.actions.sync.decisions import Decisions  # imported here, once something is out of sync

    return session.leaving.enter_context(closing(Decisions(documents, policy, found)))


def _deciding(policy: Policy, session: Session, documents: Documents) -> Policy:
    """Return the policy with its rules, the newest value and the memory to settle conflicts.

    A policy with a decision function of its own is not changed.
    """
    if policy.decide is not undecided:
        return policy

    @cache
    def settling() -> Decide:
        # imported at the first conflict: most runs need neither history nor the memory
        from epicvc.actions.decide.memory import Memory
        from epicvc.actions.decide.newest import Newest

        policies = policy.policies
        decide = policies.decide(Newest(session, documents).decide)
        return Memory(session.repo).deciding(decide, policies.whole)

    return replace(policy, decide=lambda conflict: settling()(conflict))


def _with_origins(repo: Repo, error: ConstraintBroken) -> ConstraintBroken:
    """Return the error with the edits behind its two places, from both sides as they are after the failure."""
    from epicvc.actions.origin.tracing import value_at

    # imported here, since it goes through history
    from epicvc.actions.origin.words import DATABASE, FILES, between_sides

    assert error.other is not None  # the caller passes errors about two places only
    label, other = parse_label(error.label), parse_label(error.other)
    with look(repo) as session:
        documents = Documents(repo, session.working, session.staging, session.reader)
        side = DATABASE
        if not other.table:
            (three,) = documents.load([other.root])
            there, whole = value_at(three.db, other), len(other.path) in (0, 2)
            mine = value_at(documents.file_core(label.root), label)
            if there is ABSENT or not (whole or (mine is not ABSENT and equal(mine, there))):
                side = FILES  # this push wrote that value too
        tell = between_sides(session)
        return ConstraintBroken(error.label, error.constraint, error.other, (tell(label, FILES), tell(other, side)))
