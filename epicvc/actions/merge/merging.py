"""The commands ``merge``, ``revert`` and ``cherry-pick``: apply changes of the history, three-way, to both sides.

A merge computes a state and restores it through the one crash-safe apply. Where something conflicts, everything else is
applied, ours stays in the conflicting places, and a record in the store names the open conflicts
(:mod:`epicvc.actions.shared.mergestate`). ``--continue`` then makes the commit, ``--abort`` brings both sides back.
"""

from __future__ import annotations

from collections.abc import Mapping
from time import perf_counter
from typing import Final

from msgspec import Struct, field
from msgspec.structs import replace

from epicvc.actions.decide.memory import Memory, Replayed
from epicvc.actions.decide.newest import Newer
from epicvc.actions.merge.threeway import Merged, merge_snapshots
from epicvc.actions.origin.words import between_branches
from epicvc.actions.shared.commits import committing, head_ref
from epicvc.actions.shared.mergestate import MergeState, put_state
from epicvc.actions.shared.session import Session, change
from epicvc.actions.shared.targets import Target, go
from epicvc.base.logs import INFO, Log
from epicvc.errors import NotFound, Refused, UsageError
from epicvc.merge.threeway import Chosen, Conflict, Decide, undecided
from epicvc.model.labels import Label
from epicvc.repo.history.mergebase import merge_bases
from epicvc.repo.history.objects import Commit, CommitKind, Snapshot
from epicvc.repo.history.revisions import MERGING
from epicvc.repo.repository import Repo
from epicvc.store.objects import ObjectId, ObjectSink

_LOG: Final = Log("merge")

CHERRY_PICK: Final = "cherry-pick"


class MergeReport(Struct, frozen=True):
    """The result of a merge, revert or cherry-pick, or of its dry run.

    Attributes:
        command: ``merge``, ``revert`` or ``cherry-pick``.
        name: the revision, as the user named it.
        commit: the commit at HEAD afterwards; ``None`` in a dry run and while something conflicts.
        base: the commit with which both were compared.
        bases: how many merge bases there were to choose from.
        epics: the epics that it changes.
        conflicts: the open conflicts.
        moves: tasks that changed their epic, as labels before and after.
        decided: the conflicts that a policy, the memory or ``--prefer`` settled, each with the chosen value.
        fast_forward: the branch only moved forward.
        up_to_date: there was nothing to do.
        dry_run: nothing was written.
        warnings: faults of the task graph that one side had already.
    """

    command: str
    name: str
    commit: ObjectId | None = None
    base: ObjectId | None = None
    bases: int = 1
    epics: tuple[str, ...] = ()
    conflicts: list[Conflict] = field(default_factory=list)
    moves: tuple[tuple[Label, Label], ...] = ()
    decided: tuple[tuple[Conflict, Chosen], ...] = ()
    fast_forward: bool = False
    up_to_date: bool = False
    dry_run: bool = False
    warnings: tuple[str, ...] = ()

    @property
    def replayed(self) -> list[Label]:
        """The places whose conflicts were settled from the memory of earlier answers."""
        return [conflict.label for conflict, chosen in self.decided if isinstance(chosen, Replayed)]


def merge(
    repo: Repo,
    revision: str,
    *,
    message: str | None = None,
    fast_forward: bool = True,
    decide: Decide = undecided,
    dry_run: bool = False,
) -> MergeReport:
    """Merge a commit into the current branch, both sides included.

    Args:
        repo: the repo.
        revision: the commit.
        message: of the merge commit.
        fast_forward: only move the branch if it has no commits of its own.
        decide: settles conflicts.
        dry_run: only say what would happen, by the same code.

    Raises:
        NotFound: the revision does not exist, or there is no commit yet.
        Refused: a side has uncommitted changes, the histories share no commit, or both changed the schema.
    """
    theirs = repo.revisions.resolve(revision)

    def act(session: Session) -> MergeReport:
        head, ours = _clean_head(session, "merge")
        bases = merge_bases(repo.store, head, theirs)
        if not bases:
            raise Refused(f"{revision} and HEAD have no commit in common", hint="check that it is the right revision")
        report = MergeReport("merge", revision, base=bases[0], bases=len(bases), dry_run=dry_run)
        if bases[0] == theirs:
            return replace(report, up_to_date=True, commit=head)
        if bases[0] == head and fast_forward:
            return _fast_forward(session, report, theirs, dry_run=dry_run)
        text = message or _merge_message(repo, revision)
        state = MergeState("merge", revision, text, ours=head, theirs=theirs, base=bases[0], applied=ours)
        return _carry_out(session, report, state, decide)

    return change(repo, act)


def revert(
    repo: Repo,
    revision: str,
    *,
    message: str | None = None,
    mainline: int | None = None,
    decide: Decide = undecided,
    dry_run: bool = False,
) -> MergeReport:
    """Undo the changes of one commit, three-way, by a new commit.

    Args:
        repo: the repo.
        revision: the commit.
        message: of the new commit.
        mainline: which parent of a merge commit to go back to, from 1.
        decide: settles conflicts.
        dry_run: only say what would happen, by the same code.

    Raises:
        NotFound: the revision does not exist, or has no parent.
        UsageError: a merge commit needs a parent number, and only one.
        Refused: as :func:`merge`.
    """
    found = repo.revisions.commit(revision)
    parent = _parent(found, revision, mainline)
    first = found.message.splitlines()[0] if found.message else ""
    text = message or f'revert "{first}"\n\nThis takes back commit {found.id.hex()}.'
    return _apply(repo, "revert", revision, text, base=found.id, theirs=parent, decide=decide, dry_run=dry_run)


def cherry_pick(
    repo: Repo,
    revision: str,
    *,
    message: str | None = None,
    mainline: int | None = None,
    decide: Decide = undecided,
    dry_run: bool = False,
) -> MergeReport:
    """Apply the changes of one commit, three-way, by a new commit. Where all of them are there already it makes none.

    Args:
        repo: the repo.
        revision: the commit.
        message: of the new commit; by default the commit's own, with the commit and its author.
        mainline: which parent of a merge commit its changes are counted from, from 1.
        decide: settles conflicts.
        dry_run: only say what would happen, by the same code.

    Raises:
        EpicvcError: as :func:`revert`.
    """
    found = repo.revisions.commit(revision)
    parent = _parent(found, revision, mainline)
    text = message or f"{found.message}\n\n(cherry picked from commit {found.id.hex()} by {found.author})".lstrip()
    return _apply(repo, CHERRY_PICK, revision, text, base=parent, theirs=found.id, decide=decide, dry_run=dry_run)


def _apply(
    repo: Repo, command: str, name: str, text: str, *, base: ObjectId, theirs: ObjectId, decide: Decide, dry_run: bool
) -> MergeReport:
    """Apply the changes from one commit to another to both sides."""

    def act(session: Session) -> MergeReport:
        head, ours = _clean_head(session, command)
        report = MergeReport(command, name, base=base, dry_run=dry_run)
        state = MergeState(command, name, text, ours=head, theirs=theirs, base=base, applied=ours)
        return _carry_out(session, report, state, decide)

    return change(repo, act)


# Parts


def _clean_head(session: Session, command: str) -> tuple[ObjectId, Snapshot]:
    session.working.files.require_usable()
    head = session.repo.head_snapshot()
    if head is None:
        raise NotFound("there is no commit yet", hint="run `epicvc commit -m MESSAGE`")
    if not session.working.snapshot().same_sides(head[1]):
        raise Refused(
            f"a {command} needs both sides as they were committed",
            hint="commit with `epicvc commit -m MESSAGE`, or drop the changes with `epicvc rollback HEAD`",
        )
    return head[0], session.working.snapshot()


def _parent(found: Commit, revision: str, mainline: int | None) -> ObjectId:
    if not found.parents:
        raise NotFound(
            f"there is nothing before {revision}", hint="the first commit changes nothing that was there before"
        )
    if len(found.parents) > 1 and mainline is None:
        raise UsageError(
            f"{revision} is a merge", hint="say which parent its changes are counted from, as in --mainline 1"
        )
    number = mainline or 1
    if mainline is not None and (len(found.parents) == 1 or not 1 <= number <= len(found.parents)):
        raise UsageError(f"{revision} has no parent {mainline} to choose", hint="see `epicvc show`")
    return found.parents[number - 1]


def _merge_message(repo: Repo, revision: str) -> str:
    branch = repo.revisions.branch()
    return f"merge {revision} into {branch}" if branch else f"merge {revision}"


def _fast_forward(session: Session, report: MergeReport, theirs: ObjectId, *, dry_run: bool) -> MergeReport:
    repo = session.repo
    report = replace(report, fast_forward=True, commit=None if dry_run else theirs)
    target = Target(repo.snapshot_of(theirs), lambda *_: {head_ref(repo): theirs.hex()})
    go(session, "merge", f"merge {report.name}: fast-forward", target, dry_run=dry_run)
    return report


def _carry_out(session: Session, report: MergeReport, state: MergeState, decide: Decide) -> MergeReport:
    """Merge, then make the commit or record the open conflicts."""
    began = perf_counter()
    merged = merged_state(session, state, _settling(session, state, decide))
    report = replace(
        report,
        epics=merged.epics,
        conflicts=list(merged.conflicts),
        moves=merged.moves,
        decided=merged.decided,
        warnings=tuple(map(str, merged.known)),
    )
    if _LOG.wants(INFO):
        from epicvc.actions.merge.mergelog import log_merge

        operation = None if report.dry_run else session.repo.coming_operation()
        log_merge(_LOG, report, operation, perf_counter() - began)
    if state.command == CHERRY_PICK and not merged.conflicts and merged.snapshot.same_sides(state.applied):
        return replace(report, up_to_date=True, commit=state.ours)
    # Decided conflicts are recorded as answers: the merge is computed anew once the rest is answered.
    answers = {conflict.label: chosen for conflict, chosen in merged.decided}
    state = replace(state, answers=answers, conflicts=merged.conflicts, applied=merged.snapshot)
    made: list[ObjectId] = []

    def refs(session: Session, sink: ObjectSink, snapshot: Snapshot) -> dict[str, str | None]:
        if state.conflicts:
            return {MERGING: put_state(sink, session.repo, state).hex()}
        moved = commit_refs(session, snapshot, state)
        made.append(bytes.fromhex(moved[head_ref(session.repo)] or ""))
        return moved

    suffix = f": {len(state.conflicts)} open" if state.conflicts else ""
    target = Target(merged.snapshot, refs, merged.check)
    go(session, state.command, f"{state.command} {state.name}{suffix}", target, dry_run=report.dry_run)
    return report if report.dry_run or state.conflicts else replace(report, commit=made[-1])


def _settling(session: Session, state: MergeState, decide: Decide) -> Decide:
    """Return what settles conflicts without a question: the caller's choice, then policies, then the memory."""
    policies = session.repo.config.policies
    # A revert wants the older value. That the other value is newer is no reason against it.
    newest = Newer(session, state.ours, state.theirs).decide if state.command != "revert" else undecided
    by_policy = policies.decide_between_branches(newest)
    return Memory(session.repo).deciding(lambda conflict: decide(conflict) or by_policy(conflict), policies.whole)


def merged_state(session: Session, state: MergeState, decide: Decide) -> Merged:
    """Compute the result of a merge, revert or cherry-pick.

    Args:
        session: the running command.
        state: the commits to merge, and the answers so far.
        decide: settles the other conflicts.

    Raises:
        EpicvcError: as :func:`~epicvc.actions.merge.threeway.merge_snapshots`.
    """
    repo = session.repo
    base, ours, theirs = (repo.snapshot_of(commit) for commit in (state.base, state.ours, state.theirs))
    reverted = state.base if state.command == "revert" else None
    tell = between_branches(session, state.ours, state.theirs, reverted)
    return merge_snapshots(session, base, ours, theirs=theirs, decide=_answering(state.answers, decide), tell=tell)


def _answering(answers: Mapping[Label, Chosen], otherwise: Decide) -> Decide:
    return lambda conflict: answers[conflict.label] if conflict.label in answers else otherwise(conflict)


def commit_refs(session: Session, snapshot: Snapshot, state: MergeState) -> dict[str, str | None]:
    """Make the commit of a merge or revert, and return the refs to move."""
    merging = state.command == "merge"
    kind, parents = (CommitKind.MERGE, (state.theirs,)) if merging else (CommitKind.COMMIT, ())
    return dict(committing(session, session.staging, snapshot, state.message, kind, merged=parents).refs)
