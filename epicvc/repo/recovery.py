"""Finishes or forgets the operation that a crash left behind (the steps: :mod:`epicvc.repo.apply`)."""

from __future__ import annotations

from contextlib import closing, suppress

from epicvc.errors import Unavailable
from epicvc.fileio import leftover_temporaries, make_directories, publish, remove_file, stage_file, temporary_of
from epicvc.repo.apply import complete
from epicvc.repo.filestree import changed_files
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
    repo.store.tidy()
    intent = repo.store.pending()
    if intent is None:
        if (backend := repo.backend()) is not None:
            backend.discard()  # an empty file was to become a database, and must not be taken for an empty one
        return False
    forward = _decided(repo, intent)
    if forward:
        complete(repo, _publish(repo, intent))
    else:
        sweep(repo.config.files, tag_of(intent.operation))
        with repo.store.transaction() as txn:
            txn.set_pending(None)
    return forward


def _decided(repo: Repo, intent: Pending) -> bool:
    """Whether the operation has happened; after this nothing can change the answer."""
    if not intent.database:
        return intent.prepared
    backend = repo.backend()
    if backend is None or not backend.exists():
        return False  # what it would have committed is not there either
    with closing(backend):
        if not intent.prepared:
            with suppress(Unavailable):  # whoever is in the way tidies up as well
                backend.settle()
                backend.discard()
            return False
        # A commit whose last sync failed, or was never made, may be seen now and gone after a power cut, or come
        # back when the log of the database is read anew.
        backend.settle()
        with backend.read() as reader:
            state = reader.state(repo.store.repo_id)
        if state is not None and state[0] == intent.operation:
            return True
        backend.discard()
    return False


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
