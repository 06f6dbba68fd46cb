"""The commands ``undo``, ``redo`` and ``op restore``: undo any operation, and only its own changes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from msgspec import Struct

from epicvc.actions.shared.session import Session, change
from epicvc.actions.shared.targets import Collision, Target, go, transplant
from epicvc.errors import ChangedSince, NotFound
from epicvc.repo.history.objects import Snapshot, get_snapshot
from epicvc.repo.history.revisions import BACKUPS, view_head
from epicvc.repo.repository import Repo
from epicvc.store.file.records import Operation, View

_APART: Final = ("init", "backup create", "backup forget")
"""Commands that are not undone and do not hinder undoing others.

Nothing comes before the first snapshot. Backups that a timer makes and forgets must not stand between the user and the
last real operation.
"""


class Stacks(Struct, frozen=True):
    """The operations that can be undone and redone. The next one is the last."""

    done: tuple[Operation, ...]
    undone: tuple[Operation, ...]


def stacks(operations: Iterable[Operation]) -> Stacks:
    """Replay the operation log, oldest first, and return the operations that are done and those that are undone.

    ``gc`` may have dropped the beginning of the log. Operations from there can neither be undone nor redone.
    """
    done: list[Operation] = []
    undone: list[Operation] = []
    by_id: dict[str, Operation] = {}
    for operation in operations:
        by_id[operation.id] = operation
        if operation.command in _APART:
            continue
        if operation.undoes:
            done[:] = [item for item in done if item.id != operation.undoes]
            undone += [by_id[operation.undoes]] if operation.undoes in by_id else []
        elif operation.redoes:
            undone[:] = [item for item in undone if item.id != operation.redoes]
            done += [by_id[operation.redoes]] if operation.redoes in by_id else []
        else:
            done.append(operation)
            undone.clear()
    return Stacks(tuple(done), tuple(undone))


def undo(repo: Repo, operation: str | None = None, *, dry_run: bool = False) -> Operation:
    """Undo an operation, by default the last one that is not undone yet.

    Raises:
        NotFound: there is nothing to undo, or the operation does not exist.
        ChangedSince: a place that the operation changed was changed again since, or moved to another file.
    """

    def act(session: Session) -> Operation:
        found = _find(repo, operation, stacks(_oldest_first(repo)).done, "undo")
        return transfer(session, found, "undo", found.after, found.before, dry_run=dry_run)

    return change(repo, act, while_merging=True)


def redo(repo: Repo, *, dry_run: bool = False) -> Operation:
    """Redo the last undone operation.

    Raises:
        NotFound: there is nothing to redo.
        ChangedSince: a place that the operation would change was changed since, or moved to another file.
    """

    def act(session: Session) -> Operation:
        found = _find(repo, None, stacks(_oldest_first(repo)).undone, "redo")
        return transfer(session, found, "redo", found.before, found.after, dry_run=dry_run)

    return change(repo, act, while_merging=True)


def restore_operation(repo: Repo, operation: str, *, dry_run: bool = False) -> Operation:
    """Bring refs and both sides to their state right after an operation.

    Raises:
        NotFound: the operation does not exist.
    """
    found = repo.store.operation(operation)

    def act(session: Session) -> Operation:
        wanted = _snapshot(session, found.after) if found.after.snapshot else session.working.snapshot()
        refs = _ref_changes(dict(repo.store.refs()), found.after.refs)
        target = Target(wanted, lambda *_: refs)
        go(session, "op restore", f"op restore {found.id[:12]} ({found.description})", target, dry_run=dry_run)
        return found

    return change(repo, act, while_merging=True)


def _oldest_first(repo: Repo) -> list[Operation]:
    return list(repo.store.operations())[::-1]


def _find(repo: Repo, wanted: str | None, stack: tuple[Operation, ...], verb: str) -> Operation:
    if wanted is None:
        if not stack:
            raise NotFound(f"there is nothing to {verb}", hint="see `epicvc op log`")
        return stack[-1]
    matches = [operation for operation in stack if operation.id.startswith(wanted)]
    if len(matches) != 1:
        raise NotFound(f"no operation {wanted} to {verb}", hint="see `epicvc op log`")
    return matches[0]


def transfer(
    session: Session,
    operation: Operation,
    verb: str,
    source: View,
    target: View,
    *,
    dry_run: bool = False,
    in_its_place: bool = False,
) -> Operation:
    """Apply the change from one view to another on top of the present state.

    Args:
        session: the running command.
        operation: the operation that made the change, or that is to make it again.
        verb: ``undo`` or ``redo``.
        source: the view before the change.
        target: the view after the change.
        dry_run: only try it out.
        in_its_place: the new entry replaces this operation, which is the newest one, in the log.

    Raises:
        ChangedSince: a place of the change is neither as in the one view nor as in the other; or a file that the change
            would bring has an epic that is in another file now, or a name that differs from another one only by case.
    """
    refs, moved = _transplant_refs(dict(session.repo.store.refs()), source.refs, target.refs)
    wanted = session.working.snapshot()
    labels = moved
    if source.snapshot is not None and target.snapshot is not None:
        try:
            wanted = transplant(
                session.staging, session.working, _snapshot(session, source), _snapshot(session, target)
            )
        except Collision as collision:
            labels = [*moved, *collision.labels]
    if labels:
        raise ChangedSince(f"{verb} {operation.command} ({operation.id[:12]})", labels)
    wanted = _with_head_base(session, wanted, {**session.repo.store.refs(), **refs})
    go(
        session,
        verb,
        f"{verb} {operation.description}",
        Target(wanted, lambda *_: refs),
        dry_run=dry_run,
        undoes=operation.id if verb == "undo" else None,
        redoes=operation.id if verb == "redo" else None,
        continues=operation.id if in_its_place else None,
    )
    return operation


def _snapshot(session: Session, view: View) -> Snapshot:
    return get_snapshot(session.staging, bytes.fromhex(view.snapshot or ""))


def _with_head_base(session: Session, snapshot: Snapshot, refs: Mapping[str, str | None]) -> Snapshot:
    """Return the snapshot with the agreed base of HEAD: the base goes where the refs go."""
    head = view_head(refs)
    if head is None:
        return snapshot
    base = session.repo.snapshot_of(head)
    return Snapshot(snapshot.files, snapshot.database, base.base, base.mapping)


def _transplant_refs(
    current: Mapping[str, str], source: Mapping[str, str], target: Mapping[str, str]
) -> tuple[dict[str, str | None], list[str]]:
    """Return the refs to set for the change from source to target, and those that point elsewhere now."""
    changes: dict[str, str | None] = {}
    moved = []
    for name in sorted({*source, *target}):
        if source.get(name) == target.get(name) or current.get(name) == target.get(name):
            continue
        if current.get(name) != source.get(name):
            moved.append(name)
        changes[name] = target.get(name)
    return changes, moved


def _ref_changes(current: Mapping[str, str], target: Mapping[str, str]) -> dict[str, str | None]:
    """Return the refs to set for those of an earlier time.

    Backups are left out: they stay, and forgotten ones stay forgotten.
    """
    names = {name for name in {*current, *target} if not name.startswith(BACKUPS)}
    return {name: target.get(name) for name in names if current.get(name) != target.get(name)}
