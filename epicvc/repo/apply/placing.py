"""Puts the files of an operation in their places (step 4 of :mod:`epicvc.repo.apply.apply`).

A file that somebody has saved since it was captured is left alone, whether that is found right after the database's
commit or by the recovery from a crash. Its epic keeps its old base. So the change that the operation brought is a
change of one side again, and the next sync merges it with the edit: neither overwrites the other.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from epicvc.base.fileio import fsync_directory, leftover_temporaries, read_file, remove_file, temporary_of
from epicvc.base.publish import create, put_back, remove_known, replace_known
from epicvc.repo.files.filestree import blob_id, epic_id_of
from epicvc.repo.history.base import Base, get_mapping, update_base
from epicvc.repo.history.objects import CommitKind, get_commit, get_snapshot, put_commit, put_snapshot
from epicvc.repo.repository import Repo
from epicvc.store.file.records import Pending, View
from epicvc.store.objects import ObjectId
from epicvc.store.staging import Staging


class FileChange(Struct, frozen=True):
    """A change of one file, from one blob to another; ``None`` stands for no file."""

    path: str
    old: ObjectId | None
    new: ObjectId | None


def tag_of(operation: str) -> str:
    """Return the tag of an operation's temporary files."""
    return operation[:12]


def current_blob(root: Path, path: str) -> ObjectId | None:
    """Return the blob of a file as it is on disk; ``None`` when it is not there."""
    target = root / path
    if not target.is_symlink() and not target.exists():
        return None
    return blob_id(read_file(target, root=root))


def place(root: Path, change: FileChange, tag: str) -> bool:
    """Bring one file from its old state to its new one, whose bytes are staged.

    Returns:
        Whether the file was in its old state. If not, somebody has saved it since, and it is left as it is.
    """
    target = root / change.path
    temporary = temporary_of(target, tag)
    if change.new is None:
        return remove_known(target, temporary, lambda data: blob_id(data) == change.old)
    if change.old is None:
        return create(temporary, target)
    return replace_known(temporary, target, lambda data: blob_id(data) == change.old)


def sync_directories(root: Path, changes: Iterable[FileChange]) -> None:
    """Make the names of these files durable."""
    for directory in {(root / change.path).parent for change in changes}:
        if directory.exists():
            fsync_directory(directory)


def rescue(root: Path, changes: Iterable[FileChange], tag: str) -> None:
    """Give back the names of saves that a crash caught while they were exchanged with the operation's files."""
    for change in changes:
        target = root / change.path
        temporary = temporary_of(target, tag)
        if not os.path.lexists(temporary) or blob_id(read_file(temporary)) in (change.old, change.new):
            continue
        if change.new is None:
            create(temporary, target)
        elif os.path.lexists(target) and current_blob(root, change.path) == change.new:
            found = target.lstat()
            put_back(temporary, target, (found.st_dev, found.st_ino))


def sweep(root: Path, tag: str) -> None:
    """Remove the operation's temporary files. Nothing will move them any more, and the store has their content."""
    for path in leftover_temporaries(root, tag):
        remove_file(path)


def keep_old_base(repo: Repo, intent: Pending, edited: Iterable[FileChange]) -> Pending:
    """Return the intent with another commit, whose base is the old one for the epics of these files."""
    assert intent.after is not None  # only prepared intents place files
    staging = repo.staging(writable=True)
    before, after = (get_snapshot(staging, bytes.fromhex(v.snapshot or "")) for v in (intent.before, intent.after))
    mapping = get_mapping(staging, before.mapping)
    old_base = Base(staging, before.base, mapping)
    blobs = ((change.path, blob) for change in edited for blob in (change.old, change.new) if blob is not None)
    epics = {epic_id_of(staging, blob, path) for path, blob in blobs}
    base = update_base(staging, after.base, [(epic, old_base.entry(epic)) for epic in sorted(epics)])
    snapshot = put_snapshot(staging, replace(after, base=base))
    refs = dict(intent.after.refs)
    for name, value in refs.items():
        # 64 digits are a commit's id. HEAD may be the name of a branch instead, which stays.
        if value != intent.before.refs.get(name) and len(value) == 64:
            refs[name] = _recommit(repo, staging, value, snapshot).hex()
    prepared = replace(intent, after=View(refs, snapshot.hex()))
    with repo.store.transaction() as txn:
        staging.flush_into(txn)
        txn.set_pending(prepared)
    return prepared


def _recommit(repo: Repo, staging: Staging, commit: str, snapshot: ObjectId) -> ObjectId:
    """Write a commit that differs from the given one in its snapshot only."""
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
