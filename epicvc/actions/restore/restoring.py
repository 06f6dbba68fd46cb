"""Goes back to a whole state: checkout, switch, rollback, and a restore in place."""

from __future__ import annotations

from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from epicvc.actions.shared.commits import committing
from epicvc.actions.shared.session import Session, change
from epicvc.actions.shared.sides import check_side
from epicvc.actions.shared.targets import Target, go, reachable
from epicvc.database.backend import Stranded
from epicvc.errors import Refused
from epicvc.repo.files.filestree import changed_files
from epicvc.repo.history.objects import CommitKind, Snapshot
from epicvc.repo.history.revisions import BRANCHES, HEAD, SYMBOLIC
from epicvc.repo.repository import Repo
from epicvc.store.objects import ObjectId, ObjectSink

PREVIOUS: Final = "-"
"""The name that stands for the branch before the current one."""


class Arrival(Struct, frozen=True):
    """The state to which a command has led.

    Attributes:
        commit: the commit at HEAD afterwards.
        branch: the current branch; ``None`` if HEAD is detached.
        changed_files: the number of files that it changed, or would change.
        changed_database: the database changed, or would change.
        stranded: the triggers that were left out, since a table that they name does not exist.
    """

    commit: ObjectId | None
    branch: str | None
    changed_files: int
    changed_database: bool
    stranded: tuple[Stranded, ...] = ()


def checkout(
    repo: Repo, revision: str, *, side: str | None = None, discard: bool = False, dry_run: bool = False
) -> Arrival:
    """Bring both sides, or one of them, to the state of a commit.

    For both sides HEAD moves, to the branch of that name or detached, together with the agreed base. For one side HEAD
    and base stay, so that the difference is a change of that side.

    Raises:
        NotFound: the revision does not exist.
        Refused: uncommitted changes would be lost.
    """
    check_side(side)
    is_branch = repo.store.ref(BRANCHES + revision) is not None
    commit = repo.revisions.resolve(BRANCHES + revision if is_branch else revision)
    head = f"{SYMBOLIC}{BRANCHES}{revision}" if is_branch else commit.hex()

    def act(session: Session) -> Arrival:
        wanted = repo.snapshot_of(commit)
        current = session.working.snapshot()
        if side == "files":
            wanted = replace(current, files=wanted.files)
        elif side == "db":
            wanted = replace(current, database=wanted.database)
        if not discard:
            _require_committed(session, current, wanted)
        target = Target(wanted) if side else Target(wanted, lambda *_: {HEAD: head})
        return _arrive(session, "checkout", f"checkout {revision}", target, dry_run=dry_run)

    return change(repo, act, may_create=not dry_run)


def switch(repo: Repo, name: str, *, create: bool = False, discard: bool = False, dry_run: bool = False) -> Arrival:
    """Make a branch the current one, both sides included.

    Args:
        repo: the repo.
        name: the branch; ``-`` stands for the branch before the current one.
        create: make the branch at HEAD first.
        discard: overwrite uncommitted changes.
        dry_run: only report what would happen.

    Raises:
        NotFound: the branch does not exist.
        Refused: uncommitted changes would be lost.
    """
    from epicvc.actions.restore.refs import create_branch, previous_branch, require_branch

    if create:
        return create_branch(repo, name, None, switch=True, dry_run=dry_run)
    if name == PREVIOUS:
        name = previous_branch(repo)
    require_branch(repo, name)
    return checkout(repo, name, discard=discard, dry_run=dry_run)


def rollback(repo: Repo, revision: str, *, command: str = "rollback", dry_run: bool = False) -> Arrival:
    """Go back to the state of a commit by a new commit on the current branch. The agreed base goes back too.

    Uncommitted changes are not lost: ``undo`` brings them back.

    Raises:
        NotFound: the revision does not exist.
    """
    commit = repo.revisions.resolve(revision)

    def refs(session: Session, sink: ObjectSink, snapshot: Snapshot) -> dict[str, str | None]:
        text = f"{command} to {revision}"
        return dict(committing(session, session.staging, snapshot, text, CommitKind.COMMIT).refs)

    def act(session: Session) -> Arrival:
        wanted = repo.snapshot_of(commit)
        head = repo.head_snapshot()
        reached = reachable(session, wanted)
        if head is not None and head[1] == wanted and session.working.snapshot().same_sides(reached):
            return Arrival(head[0], repo.revisions.branch(), 0, False)
        return _arrive(session, command, f"{command} {revision}", Target(wanted, refs), dry_run=dry_run)

    return change(repo, act, may_create=not dry_run)


def _arrive(session: Session, command: str, description: str, target: Target, *, dry_run: bool) -> Arrival:
    repo = session.repo
    current, wanted = session.working.snapshot(), reachable(session, target.snapshot)
    count = sum(1 for _ in changed_files(session.staging, current.files, wanted.files))
    database = current.database != wanted.database
    go(session, command, description, target, dry_run=dry_run)
    return Arrival(repo.revisions.head(), repo.revisions.branch(), count, database, tuple(target.stranded))


def _require_committed(session: Session, current: Snapshot, wanted: Snapshot) -> None:
    """Make sure that the command would overwrite no uncommitted change."""
    head = session.repo.head_snapshot()
    if head is None:
        return
    sides = (
        ("files", current.files, head[1].files, wanted.files),
        ("database", current.database, head[1].database, wanted.database),
    )
    lost = [name for name, now, committed, there in sides if now not in (committed, there)]
    if lost:
        raise Refused(
            f"uncommitted changes in the {' and the '.join(lost)} would be lost",
            hint="commit them with `epicvc commit -m MESSAGE`, or drop them with --discard-changes",
        )
