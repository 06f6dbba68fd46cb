"""Goes on with a merge or revert that has conflicts: settles them, finishes it, or gives it up."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct, field
from msgspec.structs import replace

from epicvc.actions.merge.merging import MergeReport, commit_refs, merged_state
from epicvc.actions.shared.commits import head_ref
from epicvc.actions.shared.mergestate import MergeState, put_state, read_state, what_next
from epicvc.actions.shared.session import Session, change
from epicvc.actions.shared.targets import Collision, Target, go, transplant
from epicvc.database.backend import Writer
from epicvc.errors import ChangedSince, NotFound, Refused, UsageError
from epicvc.merge.threeway import Chosen, Conflict, undecided
from epicvc.model.labels import Label
from epicvc.repo.apply.apply import After, Request, Stage
from epicvc.repo.history.revisions import MERGING
from epicvc.repo.repository import Repo
from epicvc.store.objects import ObjectId


class AnswerReport(Struct, frozen=True):
    """The conflicts that answers settled, and those that are left."""

    settled: list[Label] = field(default_factory=list)
    left: list[Conflict] = field(default_factory=list)


def abort(repo: Repo, command: str, *, dry_run: bool = False) -> MergeReport:
    """Give up a merge or revert. Both sides become exactly as they were before it.

    Raises:
        NotFound: no merge or revert is in progress.
    """

    def act(session: Session) -> MergeReport:
        state = _in_progress(session, command)
        report = MergeReport(command, state.name, commit=state.ours, base=state.base, dry_run=dry_run)
        target = Target(repo.snapshot_of(state.ours), lambda *_: {MERGING: None})
        go(session, command, f"{command} --abort", target, dry_run=dry_run)
        return report

    return change(repo, act, while_merging=True)


def finish(repo: Repo, command: str, *, message: str | None = None, dry_run: bool = False) -> MergeReport:
    """Commit a merge or revert whose conflicts are all settled. The commit takes both sides as they are.

    Raises:
        NotFound: no merge or revert is in progress.
        Refused: a conflict is still open.
    """
    made: list[ObjectId] = []

    def act(session: Session) -> MergeReport:
        session.working.files.require_usable()
        state = _in_progress(session, command)
        if state.conflicts:
            raise Refused(f"the {command} of {state.name} still has conflicts", hint=what_next(state))
        report = MergeReport(command, state.name, base=state.base, dry_run=dry_run)
        if dry_run:
            return report
        current = session.working.snapshot()
        snapshot = replace(current, base=state.applied.base, mapping=state.applied.mapping)

        def work(writer: Writer | None, stage: Stage) -> After:
            refs = commit_refs(session, snapshot, replace(state, message=message or state.message))
            made.append(bytes.fromhex(refs[head_ref(repo)] or ""))
            return After(snapshot, {**refs, MERGING: None})

        session.perform(Request(command, f"{command} --continue", current, work))
        return replace(report, commit=made[-1])

    return change(repo, act, while_merging=True)


def in_progress(repo: Repo) -> MergeState | None:
    """Return the merge or revert that waits for answers or for ``--continue``, or ``None`` where there is none."""
    return read_state(repo.store, repo)


def open_conflicts(repo: Repo) -> list[Conflict] | None:
    """Return the open conflicts of an unfinished merge or revert, or ``None`` if none is in progress.

    The list is empty once all conflicts are answered and ``--continue`` can make the commit.
    """
    state = in_progress(repo)
    return None if state is None else list(state.conflicts)


def answer(repo: Repo, answers: Iterable[tuple[Conflict, Chosen]], *, dry_run: bool = False) -> AnswerReport:
    """Settle open conflicts of a merge or revert in one operation, and write the values to both sides.

    Args:
        repo: the repo.
        answers: conflicts as :func:`open_conflicts` returns them, each with the value to take.
        dry_run: only say what would be settled.

    Raises:
        NotFound: no merge or revert is in progress, or a place is no open conflict.
        ChangedSince: a place that an answer changes was changed since the merge, or an epic that an answer brings back
            is in another file now.
    """
    chosen = {conflict.label: choice for conflict, choice in answers}

    def act(session: Session) -> AnswerReport:
        state = read_state(session.staging, repo)
        if state is None:
            raise NotFound("no merge or revert is in progress", hint="see `epicvc status`")
        known = {conflict.label for conflict in state.conflicts}
        for label in chosen:
            if label not in known:
                raise NotFound(f"{label} is no open conflict", hint="see `epicvc status`")
        merged = merged_state(session, replace(state, answers={**state.answers, **chosen}), undecided)
        left = {conflict.label for conflict in merged.conflicts}
        settled = [label for label in chosen if label not in left]
        report = AnswerReport(settled, list(merged.conflicts))
        if not settled:
            return report
        after = replace(
            state,
            answers={**state.answers, **{label: chosen[label] for label in settled}},
            conflicts=merged.conflicts,
            applied=merged.snapshot,
        )
        try:
            wanted = transplant(session.staging, session.working, state.applied, merged.snapshot)
        except Collision as collision:
            raise ChangedSince("resolve", collision.labels) from collision
        target = Target(wanted, lambda session, sink, _: {MERGING: put_state(sink, repo, after).hex()}, merged.check)
        named = ", ".join(str(label) for label in settled[:3]) + (" and more" if len(settled) > 3 else "")
        go(session, "resolve", f"resolve {named}", target, dry_run=dry_run)
        return report

    return change(repo, act, while_merging=True)


def _in_progress(session: Session, command: str) -> MergeState:
    state = read_state(session.staging, session.repo)
    if state is None:
        raise NotFound(f"no {command} is in progress", hint="see `epicvc status`")
    if state.command != command:
        raise UsageError(f"a {state.command} is in progress, no {command}", hint=what_next(state))
    return state
