"""Finds the database to migrate, its migrations, and the epic repo that keeps its history."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path

from epicvc.actions.migrate.ground import WAIT, Ground, PlainGround, RepoGround
from epicvc.actions.migrate.migrating import Migrator
from epicvc.database.backend import Backend
from epicvc.database.migrations.directory import builtin_directory, holds_migrations
from epicvc.database.migrations.migration import Migration
from epicvc.database.url import DatabaseURL, open_backend
from epicvc.errors import InvalidData, NotFound
from epicvc.repo.config.config import locate
from epicvc.repo.repository import Repo, author_of, find_root

DIRECTORY = "migrations"
DATABASE = "framework.db"


@contextmanager
def open_migrator(
    start: Path,
    environment: Mapping[str, str],
    *,
    database: str | None = None,
    directory: Path | None = None,
    given: Sequence[Migration] = (),
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Iterator[Migrator]:
    """Open the migrations of a database.

    Args:
        start: the directory to start from. The database is that of the epic repo around it, else ``framework.db`` in
            it.
        environment: environment variables.
        database: the path or URL of another database, relative to ``start``. If it belongs to an epic repo around
            itself or around ``start``, that repo keeps its history.
        directory: the directory of the migrations; ``None`` for ``migrations`` in the repo, else beside the database,
            else the built-in ones.
        given: further migrations, which a program gives. Nothing in a repo can name them.
        now: the clock.

    Raises:
        NotFound: the repo has no database.
        InvalidData: the directory of migrations is a symbolic link.
    """
    with ExitStack() as stack:
        url = locate(database, start) if database else None
        repo = repo_of_database(start, url, environment, stack)
        ground: Ground
        if repo is not None:
            repo.now = now
            if repo.config.database is None:
                raise NotFound("no database is configured", hint="name it with --db or in [database] of epicvc.toml")
            ground = RepoGround(repo)
            home = repo.config.root
        else:
            url = url or locate(environment.get("EPICVC_DATABASE_URL") or DATABASE, start)
            ground = PlainGround(_backend(url), author_of(environment), now)
            home = url.path.parent if url.path is not None else start
        stack.callback(ground.backend.close)
        private = repo.config.private if repo is not None else None
        yield Migrator(ground, directory or default_directory(home), given, private)


def default_directory(home: Path) -> Path:
    """Return ``migrations`` of a project if it has its own, else the directory of the built-in ones.

    Raises:
        InvalidData: the directory is a symbolic link, which could lead anywhere.
    """
    own = home / DIRECTORY
    if not holds_migrations(own):
        return builtin_directory()
    if own.is_symlink():
        raise InvalidData(f"{own} is a symbolic link", hint="name the directory that is meant with --dir")
    return own


def _backend(url: DatabaseURL) -> Backend:
    """Open a database by itself.

    Virtual tables are ignored: there is no snapshot here that would have to capture them.
    """
    backend = open_backend(url, timeout=WAIT)
    if not backend.exists():
        return backend
    with backend.read() as reader:
        virtual = [e.name for e in reader.definitions() if e.sql.upper().startswith("CREATE VIRTUAL")]
    return open_backend(url, ignore=frozenset(virtual), timeout=WAIT) if virtual else backend


def repo_of_database(
    start: Path, url: DatabaseURL | None, environment: Mapping[str, str], stack: ExitStack
) -> Repo | None:
    """Return the epic repo to which a database belongs, or ``None``. The repo is closed with the stack."""
    places = [start] if url is None or url.path is None else [url.path.absolute().parent, start]
    for place in places:
        try:
            root = find_root(place.absolute())
        except NotFound:
            continue
        repo = Repo.open(root, environment)
        if url is None or _same(repo.config.database, url):
            stack.callback(repo.close)
            return repo
        repo.close()
    return None


def _same(configured: DatabaseURL | None, url: DatabaseURL) -> bool:
    if configured is None or configured.path is None or url.path is None:
        return configured is not None and configured.dsn == url.dsn and url.dsn is not None
    return os.path.realpath(configured.path) == os.path.realpath(url.path)
