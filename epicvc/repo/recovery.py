"""Finishes or forgets the operation that a crash left behind (the steps: :mod:`epicvc.repo.apply`)."""

from __future__ import annotations

from epicvc.fileio import leftover_temporaries, make_directories, publish, remove_file, stage_file, temporary_of
from epicvc.repo.apply import complete
from epicvc.repo.filesside import changed_files
from epicvc.repo.objects import get_snapshot
from epicvc.repo.placing import (
    FileChange,
    current_blob,
    keep_old_base,
    place,
    rescue,
    sweep,
    sync_directories,
    tag_of,
)
from epicvc.repo.repository import Repo
from epicvc.store.objects import ObjectType
from epicvc.store.records import Pending

_UNFINISHED = "new"
"""Marks temporary files that recovery is still writing: only complete ones carry the operation's tag alone."""


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
        complete(repo, _publish(repo, intent))
        return True
    sweep(repo.config.files, tag_of(intent.operation))
    with repo.store.transaction() as txn:
        txn.set_pending(None)
    return False


def _committed(repo: Repo, intent: Pending) -> bool:
    """Whether the database has committed this operation."""
    with repo.require_backend().read() as reader:
        state = reader.state(repo.store.repo_id)
    return state is not None and state[0] == intent.operation


def _publish(repo: Repo, intent: Pending) -> Pending:
    """Bring the files to the new state; files edited since the crash stay as they are."""
    assert intent.after is not None  # the caller asked
    before, after = (
        get_snapshot(repo.store, bytes.fromhex(view.snapshot or "")) for view in (intent.before, intent.after)
    )
    root, tag = repo.config.files, tag_of(intent.operation)
    changes = [FileChange(*change) for change in changed_files(repo.store, before.files, after.files)]
    sweep(root, f"{tag}.{_UNFINISHED}")
    rescue(root, changes, tag)
    sweep(root, tag)
    edited = []
    for change in changes:
        now = current_blob(root, change.path)
        if now == change.new:
            continue
        if now == change.old and change.new is not None:
            target = root / change.path
            make_directories(target.parent, root.parent)
            data = repo.store.get(change.new, ObjectType.BLOB)
            publish(stage_file(target, data, f"{tag}.{_UNFINISHED}"), temporary_of(target, tag))
        if now != change.old or not place(root, change, tag):
            edited.append(change)
    sync_directories(root, changes)
    return keep_old_base(repo, intent, edited) if edited else intent
