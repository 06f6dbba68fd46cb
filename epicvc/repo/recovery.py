"""Finishes or forgets the operation that a crash left behind (the steps: :mod:`epicvc.repo.apply`)."""

from __future__ import annotations

from dataclasses import replace

from epicvc.fileio import (
    fsync_directory,
    leftover_temporaries,
    make_directories,
    publish,
    remove_file,
    stage_file,
)
from epicvc.repo.apply import complete, current_blob
from epicvc.repo.base import Base, get_mapping, update_base
from epicvc.repo.filesside import changed_files, epic_id_of
from epicvc.repo.objects import CommitKind, Snapshot, get_commit, get_snapshot, put_commit, put_snapshot
from epicvc.repo.repository import Repo
from epicvc.store.objects import ObjectId, ObjectType
from epicvc.store.records import Pending, View
from epicvc.store.staging import Staging


def recover(repo: Repo) -> bool:
    """Bring an unfinished operation to its end, or to nothing. The caller holds the repo's lock.

    Returns:
        Whether an operation was rolled forward.

    Raises:
        DatabaseUnavailable: the database decides and cannot be asked.
    """
    # Caches are written without the lock, so a live temporary file may go too: that cache is then not refreshed.
    for path in leftover_temporaries(repo.config.private):
        remove_file(path)
    intent = repo.store.pending()
    if intent is None:
        return False
    if intent.prepared and intent.after is not None and (not intent.database or _committed(repo, intent)):
        _sweep(repo, intent)
        complete(repo, _publish(repo, intent))
        return True
    _sweep(repo, intent)
    with repo.store.transaction() as txn:
        txn.set_pending(None)
    return False


def _committed(repo: Repo, intent: Pending) -> bool:
    """Whether the database has committed this operation."""
    with repo.require_backend().read() as reader:
        state = reader.state(repo.store.repo_id)
    return state is not None and state[0] == intent.operation


def _sweep(repo: Repo, intent: Pending) -> None:
    """Remove temporary files of the operation: nobody will rename them, and what they hold is in the store."""
    for path in leftover_temporaries(repo.config.files, intent.operation[:12]):
        remove_file(path)


def _publish(repo: Repo, intent: Pending) -> Pending:
    """Bring the files to the new state; files edited since the crash stay as they are.

    The epic of such a file keeps its old base: what the operation brought is then a change of one side again, and the
    next sync merges it with the edit instead of one overwriting the other.
    """
    assert intent.after is not None  # the caller asked
    before, after = (
        get_snapshot(repo.store, bytes.fromhex(view.snapshot or "")) for view in (intent.before, intent.after)
    )
    root = repo.config.files
    edited = []
    directories = set()
    for path, old, new in changed_files(repo.store, before.files, after.files):
        now = current_blob(root, path)
        if now == new:
            continue
        if now != old:
            edited.append((path, old, new))
            continue
        target = root / path
        directories.add(target.parent)
        if new is None:
            remove_file(target)
        else:
            make_directories(target.parent, root.parent)
            publish(stage_file(target, repo.store.get(new, ObjectType.BLOB), intent.operation[:12]), target)
    for directory in directories:
        if directory.exists():
            fsync_directory(directory)
    return _keep_old_base(repo, intent, before, after, edited) if edited else intent


def _keep_old_base(
    repo: Repo,
    intent: Pending,
    before: Snapshot,
    after: Snapshot,
    edited: list[tuple[str, ObjectId | None, ObjectId | None]],
) -> Pending:
    """The intent with another commit, whose base is the old one for the epics of these files."""
    assert intent.after is not None  # the caller asked
    staging = repo.staging(writable=True)
    mapping = get_mapping(staging, before.mapping)
    old_base = Base(staging, before.base, mapping)
    epics = {epic_id_of(staging, blob, path) for path, old, new in edited for blob in (old, new) if blob is not None}
    base = update_base(staging, after.base, [(epic, old_base.entry(epic)) for epic in sorted(epics)])
    snapshot = put_snapshot(staging, replace(after, base=base))
    refs = dict(intent.after.refs)
    for name, value in refs.items():
        if value != intent.before.refs.get(name) and len(value) == 64:
            refs[name] = _recommit(repo, staging, value, snapshot).hex()
    prepared = replace(intent, after=View(refs, snapshot.hex()))
    with repo.store.transaction() as txn:
        staging.flush_into(txn)
        txn.set_pending(prepared)
    return prepared


def _recommit(repo: Repo, staging: Staging, commit: str, snapshot: ObjectId) -> ObjectId:
    """The same commit with another snapshot."""
    old = get_commit(repo.store, bytes.fromhex(commit))
    return put_commit(
        staging,
        parents=old.parents,
        snapshot=snapshot,
        author=old.author,
        time=old.time,
        message=old.message,
        kind=CommitKind(old.kind),
    )
