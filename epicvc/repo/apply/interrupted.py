"""Finishes or forgets an interrupted operation, once :mod:`epicvc.repo.apply.recovery` knows whether it happened."""

from __future__ import annotations

from epicvc.base.fileio import make_directories, publish, stage_file, temporary_of
from epicvc.errors import DamagedStore
from epicvc.repo.apply.apply import complete
from epicvc.repo.apply.placing import (
    FileChange,
    current_blob,
    keep_old_base,
    place,
    rescue,
    sweep,
    sync_directories,
    tag_of,
)
from epicvc.repo.files.filestree import changed_files
from epicvc.repo.history.objects import get_snapshot
from epicvc.repo.home.place import STORE
from epicvc.repo.repository import Repo
from epicvc.store.file.records import Pending
from epicvc.store.objects import ObjectType

_UNFINISHED = "new"
"""Marks temporary files that recovery is still writing: only complete ones carry the operation's tag alone."""


_NEEDED = frozenset({"time", "description", "user", "undoes", "redoes"})
"""The details that an intent must have, since the logged operation is made of them."""


def finish(repo: Repo, intent: Pending) -> None:
    """Finish an operation that has happened: publish its files, move the refs and log it.

    Raises:
        DamagedStore: the intent lacks a snapshot or a detail.
    """
    views = (intent.before, intent.after)
    if any(view is None or view.snapshot is None for view in views) or not intent.details.keys() >= _NEEDED:
        raise DamagedStore(str(repo.config.private / STORE), "the unfinished operation is malformed")
    complete(repo, _publish(repo, intent))


def forget(repo: Repo, intent: Pending) -> None:
    """Remove the temporary files and the intent of an operation that has not happened."""
    sweep(repo.config.files, tag_of(intent.operation))
    with repo.store.transaction() as txn:
        txn.set_pending(None)


def _publish(repo: Repo, intent: Pending) -> Pending:
    """Bring the files to the new state. Files that were edited since the crash stay as they are."""
    assert intent.after is not None  # the caller asked
    before, after = (
        get_snapshot(repo.store, bytes.fromhex(view.snapshot or "")) for view in (intent.before, intent.after)
    )
    root, tag = repo.config.files, tag_of(intent.operation)
    changes = [FileChange(*change) for change in changed_files(repo.store, before.files, after.files)]
    # First the files that an earlier recovery did not write whole. Saves are rescued before the second sweep, which
    # would remove them with the temporary files whose names they have.
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
