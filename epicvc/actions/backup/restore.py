"""Restores backups into a new place, or over both sides here. Nothing is replaced before all of it was proved."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from shutil import rmtree
from typing import Final

from msgspec import Struct

from epicvc.actions.backup.catalog import Backup
from epicvc.actions.backup.create import COMMAND as _CREATE
from epicvc.actions.backup.create import back_up_directory
from epicvc.actions.backup.state import scratch, write_proved
from epicvc.actions.clean.cleaning import take_checkpoint
from epicvc.actions.restore.exporting import Exported
from epicvc.actions.restore.restoring import rollback
from epicvc.actions.shared.commits import FIRST_BRANCH
from epicvc.base.fileio import atomic_write, make_directories, remove_file, reporting
from epicvc.database.backend import Stranded
from epicvc.errors import FileUnavailable, Refused
from epicvc.files.scan.patterns import DEFAULT_INCLUDE
from epicvc.files.scan.scan import scan
from epicvc.repo.apply.apply import record_refs
from epicvc.repo.apply.recovery import recover
from epicvc.repo.config.config import CONFIG, PRIVATE, PRIVATE_CONFIG, load_config
from epicvc.repo.history.backups import MIGRATIONS, BackupRecord
from epicvc.repo.history.objects import get_snapshot
from epicvc.repo.history.revisions import BRANCHES, HEAD, SYMBOLIC
from epicvc.repo.home import stores
from epicvc.repo.reach import Reach
from epicvc.repo.repository import STORE, Repo
from epicvc.store.objects import ObjectId, ObjectType
from epicvc.store.packs.quarantine import sendable
from epicvc.store.store import Store
from epicvc.store.tree import tree

COMMAND: Final = "backup restore"
_PORTION: Final = 1000  # objects written in one transaction


class Restored(Struct, frozen=True):
    """The result of a restore, or of its dry run.

    Attributes:
        backup: the backup.
        paths: the number of files.
        rows: the number of rows.
        to: the directory that was restored; ``None`` for both sides here.
        commit: the new commit at HEAD, where both sides here were restored.
        checkpoint: the checkpoint that keeps the state before; for files of a directory it is a backup.
        stranded: the triggers that were left out, since a table that they name is not captured.
    """

    backup: Backup
    paths: int
    rows: int
    to: Path | None = None
    commit: ObjectId | None = None
    checkpoint: str | None = None
    stranded: tuple[Stranded, ...] = ()


def restore_to(
    store: Store, backup: Backup, directory: Path, environment: Mapping[str, str], *, dry_run: bool = False
) -> Restored:
    """Restore a backup into a new place: an epic repo with its files, its database and its history.

    Args:
        store: the store of the backup.
        backup: the backup.
        directory: the place. It may hold other things, but nothing under the names that are written.
        environment: environment variables, which name the list of the user's stores.
        dry_run: prove the backup, and write nothing.

    Raises:
        Refused: a file or directory that would be written exists already, or the backup is damaged.
        EpicvcError: the backup cannot be written; nothing of it is left behind.
    """
    record = backup.record
    directory = directory.absolute()
    names = _names(record)
    for name in names:
        if os.path.lexists(directory / name):
            raise Refused(f"{directory / name} is there already", hint="name a new directory")
    # The scratch place is inside the target: moving from there is a rename within one file system.
    with _made(directory) if not dry_run else scratch(None) as home, scratch(home) as place:
        exported = write_proved(store, backup.commit, record, place)
        if not dry_run and record.directory is not None:
            _move(place, home, names)
        elif not dry_run:
            _write_place(store, record, place)
            stores.enter(environment, str(home), _write_store(store, backup, place, exported))
            _move(place, home, names)
    return Restored(backup, exported.files, record.rows, directory, stranded=exported.stranded)


def _names(record: BackupRecord) -> list[str]:
    """Return the first parts of the paths that a restore makes."""
    paths = [record.files]
    if record.directory is None:
        paths += [CONFIG, PRIVATE, MIGRATIONS, *([record.database] if record.database else [])]
    return sorted({path.split("/")[0] for path in paths})


@contextmanager
def _made(directory: Path) -> Iterator[Path]:
    """Make the directory for the work in the block. A new directory is removed if the work fails."""
    was_there = directory.exists()
    with reporting(directory):
        directory.mkdir(parents=True, exist_ok=True)
    try:
        yield directory
    except BaseException:
        if not was_there:
            rmtree(directory, ignore_errors=True)
        raise


def _move(place: Path, home: Path, names: list[str]) -> None:
    """Move everything to its place. If that fails, the moved parts are removed."""
    moved: list[Path] = []
    try:
        for name in names:
            if os.path.lexists(place / name):
                with reporting(home / name):
                    (place / name).rename(home / name)
                moved.append(home / name)
    except BaseException:
        for path in moved:
            if path.is_dir():
                rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)
        raise


def _write_place(store: Store, record: BackupRecord, place: Path) -> None:
    """Write the configuration and the migrations. Their names were proved before."""
    for key, blob in tree.items(store, record.place_root):
        path = key.decode()
        make_directories((place / path).parent, place)
        atomic_write(place / path, store.get(blob, ObjectType.BLOB))


def _write_store(store: Store, backup: Backup, place: Path, exported: Exported) -> str:
    """Write a store with all objects of the backup, on its branch and commit, and return the store's id."""
    private = place / PRIVATE
    make_directories(private, place, mode=0o700)
    atomic_write(private / ".gitignore", b"*\n", mode=0o600)
    if exported.database is not None and not _names_database(place):
        # The private configuration, which may have named the database, is in no backup.
        text = f"[database]\nurl = {json.dumps(backup.record.database, ensure_ascii=False)}\n"
        atomic_write(private / PRIVATE_CONFIG, text.encode(), mode=0o600)
    reach = Reach(store)
    reach.commits([backup.id])
    branch = BRANCHES + (backup.record.branch or FIRST_BRANCH)
    refs = {HEAD: SYMBOLIC + branch, backup.ref: backup.id.hex()}
    if backup.commit.parents:
        refs[branch] = backup.commit.parents[0].hex()
    with Store.open(private / STORE, create=True) as new:
        portion = []
        for packed in sendable(store, sorted(reach.seen)):
            portion.append(packed)
            if len(portion) >= _PORTION:
                with new.transaction() as transaction:
                    transaction.put_packed(portion)
                portion = []
        with new.transaction() as transaction:
            transaction.put_packed(portion)
            for name, value in refs.items():
                transaction.set_ref(name, value, None)
        return new.repo_id


def _names_database(place: Path) -> bool:
    """Return whether the shared configuration names a database."""
    return (place / CONFIG).exists() and load_config(place, {}).database is not None


def restore_here(repo: Repo, backup: Backup, *, dry_run: bool = False) -> Restored:
    """Bring both sides to the state of a backup, by a new commit on the current branch; ``undo`` takes it back.

    The whole state is first written into a scratch place and compared. Then a checkpoint is taken.

    Raises:
        Refused: the backup is damaged, or the written state differs from the one that was backed up; nothing was
            replaced.
        EpicvcError: a side cannot be read or written.
    """
    record = backup.record
    if record.directory is not None:
        return _restore_directory(repo, backup, Path(record.directory), dry_run=dry_run)
    with scratch(None) as place:
        exported = write_proved(repo.store, backup.commit, record, place)
    if dry_run:
        arrival = rollback(repo, backup.ref, command=COMMAND, dry_run=True)
        return Restored(backup, exported.files, record.rows, stranded=arrival.stranded)
    backend = repo.backend()
    # A database that is gone leaves nothing to record in a checkpoint. The replaced files are in the operation log.
    there = backend is None or backend.exists()
    checkpoint = take_checkpoint(repo, "restore") if there else None
    arrival = rollback(repo, backup.ref, command=COMMAND)
    return Restored(
        backup, exported.files, record.rows, commit=arrival.commit, checkpoint=checkpoint, stranded=arrival.stranded
    )


def _restore_directory(repo: Repo, backup: Backup, directory: Path, *, dry_run: bool) -> Restored:
    """Restore the JSON of a directory. The files that are there are backed up before."""
    with scratch(None) as place:
        exported = write_proved(repo.store, backup.commit, backup.record, place)
    result = Restored(backup, exported.files, 0, directory)
    if dry_run:
        return result
    before = None
    if directory.is_dir():
        before = back_up_directory(repo, directory).backup
    elif os.path.lexists(directory):
        raise FileUnavailable(str(directory), "it is no directory")
    wanted = dict(tree.items(repo.store, get_snapshot(repo.store, backup.commit.snapshot).files))
    with reporting(directory):
        directory.mkdir(parents=True, exist_ok=True)
    for key, blob in wanted.items():
        target = directory / key.decode()
        make_directories(target.parent, directory)
        atomic_write(target, repo.store.get(blob, ObjectType.BLOB))
    # Files are removed last: an interruption leaves too many of them rather than too few.
    for path in scan(directory, DEFAULT_INCLUDE, ()).paths:
        if path.encode() not in wanted:
            remove_file(directory / path)
    return Restored(backup, exported.files, 0, directory, checkpoint=before.name if before else None)


def take_in(repo: Repo, received: Store, backup: Backup) -> None:
    """Copy a backup that was received and verified into the repo's own store, with its ref.

    Raises:
        Refused: another backup has its ref.
    """
    reach = Reach(received)
    reach.commits([backup.id])
    with repo.lock():
        recover(repo)
        there = repo.store.ref(backup.ref)
        if there not in (None, backup.id.hex()):
            raise Refused(f"another backup is called {backup.name} here", hint="restore into a new place with --to")
        with repo.store.transaction() as transaction:
            transaction.put_packed(sendable(received, sorted(reach.seen)))
        if there is None:
            record_refs(repo, _CREATE, f"received backup {backup.name}", {backup.ref: backup.id.hex()})
