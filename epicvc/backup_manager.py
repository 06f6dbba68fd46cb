"""Backups from Python: the public names, over the same actions as ``epicvc backup``.

The module prints nothing and decides nothing: it turns values into the public dicts. A backup that is made here is in
``epicvc backup list``.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TypedDict

from epicvc.actions.backup.catalog import Backup, backup_at, find_backup
from epicvc.actions.backup.create import Made, back_up_directory, create_backup
from epicvc.actions.backup.place import Backups, open_backups
from epicvc.actions.report.recording import recorded
from epicvc.errors import EpicvcError, UsageError
from epicvc.repo.history.revisions import parse_when
from epicvc.repo.repository import Repo

__all__ = ["BackupInfo", "BackupManager", "BackupVerification", "RestoreResult"]


class BackupInfo(TypedDict):
    """One backup.

    ``id`` is its commit. ``kind`` is ``full``, ``incremental`` or ``json``. ``since`` is the backup on which an
    incremental one builds. ``size`` is in bytes, for an incremental backup those of its new objects alone.
    ``directory`` is the directory that a ``json`` backup holds. ``elsewhere`` says whether it was also written to a
    second place: a backup that lies only beside its original is half a backup.
    """

    id: str
    time: datetime
    kind: str
    since: str | None
    size: int
    files: int
    rows: int
    directory: str | None
    tags: list[str]
    elsewhere: bool


class RestoreResult(TypedDict):
    """The result of a restore.

    ``commit`` is the restored backup. ``verified`` says that all of it was proved before anything was replaced.
    ``error`` is the reason for a failure.
    """

    success: bool
    commit: str | None
    restored_rows: int
    restored_files: int
    verified: bool
    error: str | None


class BackupVerification(TypedDict):
    """The result of verifying a backup. ``errors`` are sentences, ``objects`` is the number of its objects."""

    valid: bool
    errors: list[str]
    objects: int


class BackupManager:
    """Backs up a database and its JSON epics.

    Args:
        db_path: the path or URL of the database.
        json_dir: the directory of epics; by default that of the epic repo around the database or the current directory.
        remote: a directory that also gets every backup, as a bundle, and survives the loss of everything else.

    Where there is no epic repo yet, the first backup makes one. A method that cannot make its backup raises a subclass
    of :class:`epicvc.EpicvcError`.
    """

    def __init__(
        self,
        db_path: str | os.PathLike[str] = "framework.db",
        *,
        json_dir: str | os.PathLike[str] | None = None,
        remote: str | os.PathLike[str] | None = None,
    ) -> None:
        self._database = os.fspath(db_path)
        self._files = Path(json_dir).absolute() if json_dir is not None else None
        self._remote = Path(remote).absolute() if remote is not None else None
        self._start = Path.cwd()

    def create_full_backup(self) -> str:
        """Back up files and database as they are.

        Returns:
            The id of the backup, which is a commit.
        """
        return self._create(lambda repo: create_backup(repo, to=self._remote))

    def create_incremental_backup(self, since: str) -> str:
        """Back up files and database. Objects that the backup ``since`` has are not stored again.

        Args:
            since: the id of an earlier backup. Where there is a ``remote``, its bundle must be there.

        Returns:
            The id of the backup. :meth:`list_backups` tells how many bytes its new objects take.
        """
        return self._create(lambda repo: create_backup(repo, since=since, to=self._remote))

    def backup_json_files(self, directory: str | os.PathLike[str]) -> str:
        """Back up the JSON files of a directory, tracked or not. They are restored to that directory, or to ``to``.

        Returns:
            The id of the backup.
        """
        place = self._start / directory
        return self._create(lambda repo: back_up_directory(repo, place, to=self._remote))

    def restore_from_backup(self, backup_id: str, to: str | os.PathLike[str] | None = None) -> RestoreResult:
        """Restore a backup, after all of it is verified and a checkpoint of the present state is made.

        Args:
            backup_id: its id, the beginning of its id, or ``latest``.
            to: a new directory, which becomes an epic repo; by default the backup is restored in place.
        """
        return self._restore(lambda backups: find_backup(backups, backup_id), to)

    def restore_to_timestamp(
        self, timestamp: str | datetime, to: str | os.PathLike[str] | None = None
    ) -> RestoreResult:
        """Restore the last backup that is not later than a time. See :meth:`restore_from_backup`.

        Args:
            timestamp: the time, as a text in ISO 8601. A time without a zone is local.
            to: a new directory; by default the backup is restored in place.

        Raises:
            UsageError: the text is no time.
        """
        time = parse_when(timestamp.isoformat() if isinstance(timestamp, datetime) else timestamp)
        return self._restore(lambda backups: backup_at(backups, time), to)

    def list_backups(self) -> list[BackupInfo]:
        """Return the existing backups, oldest first."""
        with self._backups(reads_remote=True) as backups:
            return [_info(backup) for backup in backups.all()]

    def verify_backup(self, backup_id: str) -> BackupVerification:
        """Verify every object of a backup, and that the backup gives back what was backed up. Nothing is replaced.

        Raises:
            NotFound: there is no such backup.
        """
        with self._backups("backup verify", reads_remote=True) as backups:
            backup = find_backup(backups.all(), backup_id)
            try:
                proof = backups.verify(backup)
            except EpicvcError as error:
                return {"valid": False, "errors": [error.message], "objects": 0}
        return {"valid": not proof.errors, "errors": list(proof.errors), "objects": proof.objects}

    def _create(self, make: Callable[[Repo], Made]) -> str:
        with self._backups("backup create", make=True) as backups:
            assert backups.repo is not None  # the repo was made where there was none
            made = make(backups.repo)
            assert made.backup is not None  # this is no dry run
            return made.backup.id.hex()

    def _restore(self, choose: Callable[[list[Backup]], Backup], to: str | os.PathLike[str] | None) -> RestoreResult:
        place = self._start / to if to is not None else None
        try:
            with self._backups("backup restore", reads_remote=True) as backups:
                done = backups.restore(choose(backups.all()), place)
        except UsageError:
            raise
        except EpicvcError as error:
            return {
                "success": False,
                "commit": None,
                "restored_rows": 0,
                "restored_files": 0,
                "verified": False,
                "error": str(error),
            }
        return {
            "success": True,
            "commit": done.backup.id.hex(),
            "restored_rows": done.rows,
            "restored_files": done.paths,
            "verified": True,
            "error": None,
        }

    @contextmanager
    def _backups(
        self, command: str | None = None, *, make: bool = False, reads_remote: bool = False
    ) -> Iterator[Backups]:
        remote = self._remote if reads_remote and self._remote is not None and self._remote.is_dir() else None
        with open_backups(
            self._start, dict(os.environ), database=self._database, files=self._files, directory=remote, make=make
        ) as backups:
            private = backups.repo.config.private if backups.repo is not None and command is not None else None
            with recorded(private, command or ""):
                yield backups


def _info(backup: Backup) -> BackupInfo:
    record = backup.record
    return {
        "id": backup.id.hex(),
        "time": backup.time.astimezone(UTC),
        "kind": record.kind.value,
        "since": record.since,
        "size": backup.size,
        "files": record.paths,
        "rows": record.rows,
        "directory": record.directory,
        "tags": list(backup.tags),
        "elsewhere": record.elsewhere,
    }
