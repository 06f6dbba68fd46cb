"""The places of backups: the store of an epic repo, a directory of bundles, or both."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from time import perf_counter
from typing import Final

from msgspec import Struct

from epicvc.actions.backup.bundles import BundleDirectory
from epicvc.actions.backup.catalog import Backup, in_order, stored_backups
from epicvc.actions.backup.restore import Restored, restore_here, restore_to, take_in
from epicvc.actions.backup.state import BackupProof, scratch
from epicvc.actions.backup.verify import verify_backup
from epicvc.actions.care.initialise import initialise
from epicvc.actions.migrate.place import repo_of_database
from epicvc.base.logs import Log
from epicvc.errors import DatabaseUnavailable, NotFound, Refused
from epicvc.repo.config.config import CONFIG, FILES_GUESSES, inside, locate
from epicvc.repo.home.ways import require_own_way
from epicvc.repo.repository import Repo, find_root

_FILES: Final = "epics"
_LOG: Final = Log("backup")


class Backups(Struct):
    """The backups that can be reached.

    Attributes:
        repo: the repo with backups in its store; ``None`` without one.
        directory: the directory of bundles; ``None`` without one.
        home: the directory in which a backup is restored in place if the repo is gone.
        environment: environment variables.
        apart: only the backups in the directory count.
    """

    repo: Repo | None
    directory: BundleDirectory | None
    home: Path
    environment: Mapping[str, str]
    apart: bool = False

    def all(self) -> list[Backup]:
        """Return the backups of both places, oldest first. One that is in both is that of the store.

        Raises:
            NotFound: the directory does not exist.
        """
        found = {backup.id: backup for backup in self.directory.backups()} if self.directory is not None else {}
        if self.repo is not None and not self.apart:
            found.update({backup.id: backup for backup in stored_backups(self.repo.store)})
        return in_order(list(found.values()))

    def restore(self, backup: Backup, to: Path | None, *, dry_run: bool = False) -> Restored:
        """Restore a backup in place, or into a new place.

        Raises:
            EpicvcError: the backup cannot be restored; nothing was replaced.
        """
        began = perf_counter()
        restored = self._restore(backup, to, dry_run=dry_run)
        verb = "could be" if dry_run else "is"
        _LOG.info("backup %s %s restored", backup.name, verb, seconds=perf_counter() - began)
        return restored

    def _restore(self, backup: Backup, to: Path | None, *, dry_run: bool) -> Restored:
        if to is not None:
            require_own_way(to, self.home)
        if backup.bundle is None:
            assert self.repo is not None  # a backup in the store comes from a repo
            if to is not None:
                return restore_to(self.repo.store, backup, to, self.environment, dry_run=dry_run)
            return restore_here(self.repo, backup, dry_run=dry_run)
        assert self.directory is not None  # a backup in a bundle comes from a directory
        self._require_own_directory(backup, to)
        with self.directory.received(backup) as store:
            if to is not None or self.repo is None:
                return restore_to(store, backup, to if to is not None else self.home, self.environment, dry_run=dry_run)
            if dry_run:
                with scratch(None) as place:
                    restore_to(store, backup, place / "restored", self.environment, dry_run=True)
                return Restored(backup, backup.record.paths, backup.record.rows)
            take_in(self.repo, store, backup)
        return restore_here(self.repo, backup)

    def _require_own_directory(self, backup: Backup, to: Path | None) -> None:
        """Make sure that a bundle does not choose the place on this machine to which files go.

        Raises:
            Refused: the bundle names a place outside the repo, and the repo's store does not have this backup. A bundle
                may come from anybody.
        """
        if backup.record.directory is None or to is not None or self.repo is None:
            return
        own = self.repo.store.ref(backup.ref) == backup.id.hex()
        if not own and not inside(self.repo.config.root, Path(backup.record.directory)):
            raise Refused(
                f"the backup {backup.name} is of {backup.record.directory}, as only its bundle says",
                hint="name the place with --to",
            )

    def verify(self, backup: Backup, *, sample: int | None = None) -> BackupProof:
        """Verify a backup. Of a backup in bundles every object is read, even with a sample.

        Raises:
            EpicvcError: the backup cannot be opened.
        """
        began = perf_counter()
        proof = self._verify(backup, sample=sample)
        _LOG.info("backup %s is verified", backup.name, seconds=perf_counter() - began)
        return proof

    def _verify(self, backup: Backup, *, sample: int | None) -> BackupProof:
        if backup.bundle is None:
            assert self.repo is not None  # a backup in the store comes from a repo
            return verify_backup(self.repo.store, backup, sample=sample)
        assert self.directory is not None  # a backup in a bundle comes from a directory
        with self.directory.received(backup) as store:
            return verify_backup(store, backup, sample=sample)


@contextmanager
def open_backups(
    start: Path,
    environment: Mapping[str, str],
    *,
    database: str | None = None,
    files: Path | None = None,
    directory: Path | None = None,
    make: bool = False,
) -> Iterator[Backups]:
    """Open the backups of the repo around a place, of a database or of a directory of epics, and of a second place.

    Args:
        start: the directory from which the repo is searched.
        environment: environment variables.
        database: path or URL of the database, relative to ``start``.
        files: the directory of epics.
        directory: the second place, a directory of bundles.
        make: make an epic repo where there is none.

    Raises:
        DatabaseUnavailable: a repo is to be made, and the database does not exist.
    """
    with ExitStack() as stack:
        repo = _open(start, environment, database, files, stack)
        if repo is None and make:
            _make(start, environment, database, files)
            repo = _open(start, environment, database, files, stack)
        yield Backups(repo, BundleDirectory(directory) if directory is not None else None, _home(start), environment)


def _open(
    start: Path, environment: Mapping[str, str], database: str | None, files: Path | None, stack: ExitStack
) -> Repo | None:
    url = locate(database, start) if database is not None else None
    found = repo_of_database(start, url, environment, stack)
    if found is not None:
        return found
    try:
        root = find_root((files or start).absolute())
    except NotFound:
        return None
    repo = Repo.open(root, environment, str(url.path or url.dsn) if url is not None else None)
    stack.callback(repo.close)
    return repo


def _home(start: Path) -> Path:
    """Return the directory of the configuration above a place, else the place itself."""
    return next((place for place in (start, *start.parents) if (place / CONFIG).is_file()), start)


def _make(start: Path, environment: Mapping[str, str], database: str | None, files: Path | None) -> None:
    root = _home(start)
    if database is not None:
        url = locate(database, start)
        if url.path is not None and not url.path.exists():
            raise DatabaseUnavailable(url.display, "does not exist", hint="name the database that is meant")
        database = str(url.path or url.dsn)
    guessed = any((root / guess).is_dir() for guess in FILES_GUESSES) or (root / CONFIG).is_file()
    named = str(files.absolute()) if files is not None else None if guessed else _FILES
    initialise(root, environment, files=named, database=database)
