"""Clean-ups from Python: the public names, over the same actions as ``epicvc clean``.

The module prints nothing and decides nothing: it turns reports into the public dicts. Where an epic repo keeps the
history of the cleaned things, a checkpoint is made before, and ``epicvc undo`` brings everything back.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TypedDict

from epicvc.actions.clean import cache as cleaningcache
from epicvc.actions.clean.cleaning import CleanReport
from epicvc.actions.clean.database import DAYS, DatabaseCleaning
from epicvc.actions.clean.files import FileCleaning
from epicvc.actions.clean.place import open_database_cleaning, open_file_cleaning
from epicvc.actions.report.recording import recorded
from epicvc.errors import NotFound
from epicvc.repo.repository import Repo, find_root

__all__ = ["CacheCleanup", "CleanupItem", "CleanupResult", "DatabaseCleanup", "FileValidation", "JSONCleanup"]


class CleanupItem(TypedDict):
    """One thing that was cleaned or left: a path or a row (``@table/key``), and the change or the reason."""

    place: str
    what: str


class CleanupResult(TypedDict):
    """The result of a clean-up, or with ``dry_run`` of one that was only tried out.

    ``count`` is the number of ``items``. ``kept`` are things that were found and left. ``checkpoint`` is the name of
    the checkpoint that was made before; it is ``None`` without an epic repo, or where nothing was done. ``freed`` is in
    bytes.
    """

    count: int
    items: list[CleanupItem]
    kept: list[CleanupItem]
    checkpoint: str | None
    freed: int
    dry_run: bool


class FileValidation(TypedDict):
    """The result of validating the files of a directory. ``errors`` are sentences that name the file."""

    valid: bool
    errors: list[str]
    checked: int


class DatabaseCleanup:
    """Cleans a database.

    Args:
        db_path: the path or URL of the database.

    Every method takes ``dry_run=True``: then it changes nothing, and reports what it would do. Every method raises a
    subclass of :class:`epicvc.EpicvcError` where the database cannot be used or has no table of tasks.
    """

    def __init__(self, db_path: str | os.PathLike[str] = "framework.db") -> None:
        self._database = os.fspath(db_path)
        self._start = Path.cwd()

    def remove_orphaned_tasks(self, *, dry_run: bool = False) -> CleanupResult:
        """Remove tasks whose epic does not exist, and dependencies of tasks that do not exist."""
        with self._cleaning(dry_run=dry_run) as cleaning:
            (report,) = cleaning.run([cleaning.orphaned_tasks()], dry_run=dry_run)
            return _result(report)

    def remove_orphaned_timer_sessions(
        self, *, dry_run: bool = False, tasks_db: str | os.PathLike[str] | None = None
    ) -> CleanupResult:
        """Remove recorded sessions (``work_sessions``, ``timer_sessions``) on tasks that do not exist.

        Args:
            dry_run: whether the rows are only listed.
            tasks_db: the database with the tasks, if the sessions are in a database of their own.
        """
        with self._cleaning(dry_run=dry_run) as cleaning, ExitStack() as stack:
            other = stack.enter_context(_cleaning(tasks_db, self._start)) if tasks_db is not None else None
            part = cleaning.orphaned_sessions(other.backend if other else None)
            (report,) = cleaning.run([part], dry_run=dry_run)
            return _result(report)

    def archive_old_records(self, days_old: int = DAYS, *, dry_run: bool = False) -> CleanupResult:
        """Move rows that were deleted or completed more than ``days_old`` days ago into ``<table>_archive``.

        An epic is moved with its tasks, a task with its dependencies, all in one transaction. For the application the
        rows are gone, and the next sync treats them as deleted.
        """
        with self._cleaning(dry_run=dry_run) as cleaning:
            (report,) = cleaning.run([cleaning.archive(days_old)], dry_run=dry_run)
            return _result(report)

    def vacuum_database(self, *, dry_run: bool = False) -> CleanupResult:
        """Give unused space back to the system. ``freed`` is the number of bytes."""
        with self._cleaning(dry_run=dry_run) as cleaning:
            return _result(cleaning.vacuum(dry_run=dry_run))

    @contextmanager
    def _cleaning(self, *, dry_run: bool) -> Iterator[DatabaseCleaning]:
        with (
            _cleaning(self._database, self._start) as cleaning,
            recorded(None if dry_run else cleaning.private, "clean db"),
        ):
            yield cleaning


class JSONCleanup:
    """Cleans a directory of epics.

    Args:
        json_dir: the directory.
    """

    def __init__(self, json_dir: str | os.PathLike[str] = ".") -> None:
        self._directory = Path(json_dir).absolute()

    def remove_duplicates(self, *, dry_run: bool = False) -> CleanupResult:
        """Remove files that equal another file of the same epic. Files with another version of it are in ``kept``."""
        with self._cleaning(dry_run=dry_run) as cleaning:
            (report,) = cleaning.run([cleaning.duplicates()], dry_run=dry_run)
            return _result(report)

    def validate_all_json_files(self) -> FileValidation:
        """Read every file as a sync would. Nothing is changed."""
        with self._cleaning(dry_run=True) as cleaning:
            found = cleaning.validate()
        errors = [text if path in text else f"{path}: {text}" for path, text in found.errors.items()]
        return {"valid": not errors, "errors": errors, "checked": found.checked}

    def fix_common_issues(self, *, dry_run: bool = False) -> CleanupResult:
        """Mend byte order marks, line ends of Windows, comments, extra commas, missing wrappers; never a meaning."""
        with self._cleaning(dry_run=dry_run) as cleaning:
            (report,) = cleaning.run([cleaning.repair()], dry_run=dry_run)
            return _result(report)

    @contextmanager
    def _cleaning(self, *, dry_run: bool) -> Iterator[FileCleaning]:
        with (
            open_file_cleaning(self._directory, os.environ) as cleaning,
            recorded(None if dry_run else cleaning.private, "clean files"),
        ):
            yield cleaning


class CacheCleanup:
    """Cleans files that can be made again, in the epic repo around the current directory.

    Without a repo there is nothing to clean.
    """

    def __init__(self) -> None:
        self._start = Path.cwd()

    def clear_temp_files(self, *, dry_run: bool = False) -> CleanupResult:
        """Remove temporary files of commands that died. Those of running commands stay."""
        with self._repo(dry_run=dry_run) as repo:
            report = cleaningcache.clear_temporaries(repo, dry_run=dry_run) if repo else _nothing(dry_run=dry_run)
        return _result(report)

    def reset_checksums(self, *, dry_run: bool = False) -> CleanupResult:
        """Forget the remembered state of files and rows, so that the next command reads both sides whole."""
        with self._repo(dry_run=dry_run) as repo:
            report = cleaningcache.reset_caches(repo, dry_run=dry_run) if repo else _nothing(dry_run=dry_run)
        return _result(report)

    @contextmanager
    def _repo(self, *, dry_run: bool) -> Iterator[Repo | None]:
        try:
            root = find_root(self._start)
        except NotFound:
            yield None
            return
        repo = Repo.open(root, os.environ)
        try:
            with recorded(None if dry_run else repo.config.private, "clean cache"):
                yield repo
        finally:
            repo.close()


@contextmanager
def _cleaning(database: str | os.PathLike[str], start: Path) -> Iterator[DatabaseCleaning]:
    with open_database_cleaning(start, os.environ, database=os.fspath(database)) as cleaning:
        yield cleaning


def _nothing(*, dry_run: bool) -> CleanReport:
    return CleanReport("clean cache", dry_run=dry_run)


def _result(report: CleanReport) -> CleanupResult:
    return {
        "count": len(report.done),
        "items": [{"place": item.place, "what": item.what} for item in report.done],
        "kept": [{"place": item.place, "what": item.what} for item in report.kept],
        "checkpoint": report.checkpoint,
        "freed": report.freed,
        "dry_run": report.dry_run,
    }
