"""Finds the database or directory to clean, and the epic repo that keeps its history."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from epicvc.actions.clean.database import DatabaseCleaning
from epicvc.actions.clean.files import FileCleaning
from epicvc.actions.migrate.place import DATABASE, repo_of_database
from epicvc.database.url import open_backend
from epicvc.errors import DatabaseUnavailable, FileUnavailable, NotFound
from epicvc.model.mapping import BUILTIN
from epicvc.repo.config.config import locate
from epicvc.repo.repository import Repo, find_root


@contextmanager
def open_database_cleaning(
    start: Path,
    environment: Mapping[str, str],
    *,
    database: str | None = None,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Iterator[DatabaseCleaning]:
    """Open the clean-ups of a database.

    Args:
        start: the directory to start from. The database is that of the epic repo around it, else ``framework.db`` in
            it.
        environment: environment variables.
        database: the path or URL of another database, relative to ``start``.
        now: the clock.

    Raises:
        DatabaseUnavailable: the database does not exist.
    """

    def ago(age: timedelta) -> str:
        return (now() - age).astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")

    with ExitStack() as stack:
        named = database or environment.get("EPICVC_DATABASE_URL")
        url = locate(named, start) if named else None
        repo = repo_of_database(start, url, environment, stack)
        if repo is not None:
            backend, mapping = repo.require_backend(), repo.config.mapping
        else:
            backend, mapping = open_backend(url or locate(DATABASE, start)), BUILTIN
        stack.callback(backend.close)
        if not backend.exists():
            raise DatabaseUnavailable(backend.display, "does not exist", hint="name the database that is meant")
        yield DatabaseCleaning(backend, mapping, repo, ago)


@contextmanager
def open_file_cleaning(directory: Path, environment: Mapping[str, str]) -> Iterator[FileCleaning]:
    """Open the clean-ups of a directory of epics.

    Raises:
        FileUnavailable: the directory does not exist.
    """
    if not directory.is_dir():
        raise FileUnavailable(str(directory), "no such directory")
    try:
        repo = Repo.open(find_root(directory), environment)
    except NotFound:
        yield FileCleaning(directory, BUILTIN, None)
        return
    try:
        own = repo.config.files.resolve() == directory.resolve()
        yield FileCleaning(directory, repo.config.mapping, repo if own else None)
    finally:
        repo.close()
