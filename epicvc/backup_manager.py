"""Backups from Python: the promised names, over the same services as ``epicvc backup``.

Nothing here prints, and nothing is decided here: values become the promised dicts. A backup that is made here is in
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

    ``id`` is its commit; ``kind`` is ``full``, ``incremental`` or ``json``; ``since`` is the backup from which an
    incremental one goes on; ``size`` is in bytes, of an incremental one that of its new objects alone; ``directory`` is
    what a ``json`` backup holds; ``elsewhere`` says whether it was written to a second place too. Beside its original
    alone, a backup is half one.
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
    """What a restore did.

    ``commit`` is the backup that was restored; ``verified`` says that all of it was proved before anything was
    replaced; ``error`` says why there is no success.
    """

    success: bool
    commit: str | None
    restored_rows: int
    restored_files: int
    verified: bool
    error: str | None


class BackupVerification(TypedDict):
    """What was verified of a backup; ``errors`` are sentences, ``objects`` is how many objects it has."""

    valid: bool
    errors: list[str]
    objects: int


class BackupManager:
    """Backs a database and its JSON epics up.

    Args:
        db_path: path or URL of the database.
        json_dir: the directory of epics. Not given: that of the epic repo around the database or the current directory.
        remote: a directory that gets every backup as a bundle too, and survives the loss of everything else.

    Where there is no epic repo yet, the first backup makes one. Methods that make backups raise a subclass of
    :class:`epicvc.EpicvcError` where they cannot.
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
        """Back files and database up as they are.

        Returns:
            The id of the backup, which is a commit.
        """
        return self._create(lambda repo: create_backup(repo, to=self._remote))

    def create_incremental_backup(self, since: str) -> str:
        """Back files and database up; of what ``since`` has already nothing is stored again.

        Args:
            since: the id of an earlier backup. Where there is a ``remote``, its bundle must be there.

        Returns:
            The id of the backup. :meth:`list_backups` says how many bytes its new objects take.
        """
        return self._create(lambda repo: create_backup(repo, since=since, to=self._remote))

    def backup_json_files(self, directory: str | os.PathLike[str]) -> str:
        """Back the JSON files of a directory up, tracked or not; they are restored to that place, or to ``to``.

        Returns:
            The id of the backup.
        """
        place = self._start / directory
        return self._create(lambda repo: back_up_directory(repo, place, to=self._remote))

    def restore_from_backup(self, backup_id: str, to: str | os.PathLike[str] | None = None) -> RestoreResult:
        """Restore a backup, once all of it is verified and a checkpoint of what is there is taken.

        Args:
            backup_id: its id, the beginning of that, or ``latest``.
            to: a new directory, which becomes an epic repo; not given: in place.
        """
        return self._restore(lambda backups: find_backup(backups, backup_id), to)

    def restore_to_timestamp(
        self, timestamp: str | datetime, to: str | os.PathLike[str] | None = None
    ) -> RestoreResult:
        """Restore the last backup that is not later than a time; see :meth:`restore_from_backup`.

        Args:
            timestamp: ISO 8601; a time without a zone is local.
            to: a new directory; not given: in place.

        Raises:
            UsageError: it is no time.
        """
        time = parse_when(timestamp.isoformat() if isinstance(timestamp, datetime) else timestamp)
        return self._restore(lambda backups: backup_at(backups, time), to)

    def list_backups(self) -> list[BackupInfo]:
        """The backups that there are, oldest first."""
        with self._backups(reads_remote=True) as backups:
            return [_info(backup) for backup in backups.all()]

    def verify_backup(self, backup_id: str) -> BackupVerification:
        """Verify every object of a backup, and that what it gives is what was backed up. Nothing is replaced.

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
            assert backups.repo is not None  # it was made
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
            self._start,
            dict(os.environ),
            database=self._database,
            files=self._files,
            directory=remote,
            make=make,
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
