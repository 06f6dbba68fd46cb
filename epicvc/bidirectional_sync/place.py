"""The epic repo of a JSON directory and a database: finds it, or makes it where there is none yet."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Final

from msgspec import Struct

from epicvc.base.fileio import directory_locked
from epicvc.database.backend import MakeBackend
from epicvc.errors import NotFound, Refused, UsageError
from epicvc.repo.config.config import CONFIG, FILES_GUESSES, MAKING_SECONDS, load_config, locate
from epicvc.repo.repository import Repo, find_root

DATABASE: Final = "framework.db"
"""The default database, where neither the caller nor the repo names one."""

_MAKING = Lock()  # two threads that ask for the same new repo must not both make it


class Place(Struct, frozen=True):
    """An epic repo, and the database that it is used with.

    Attributes:
        root: the repo's directory.
        database: the path or URL of the database; ``None`` for the repo's own.
    """

    root: Path
    database: str | None

    @contextmanager
    def opened(self, given: MakeBackend | None = None) -> Iterator[Repo]:
        """Open the repo until the block ends. Each call opens it anew, so that threads need not wait for each other.

        Args:
            given: returns a database in memory, which is used instead.
        """
        repo = Repo.open(self.root, os.environ, self.database)
        try:
            if given is not None:
                repo.use_given(given)
            yield repo
        finally:
            repo.close()


def find_place(db_path: str, json_dir: Path | None, given: MakeBackend | None = None) -> Place:
    """Return the epic repo above a JSON directory. It is made where there is none.

    Args:
        db_path: the path or URL of the database, relative to the current directory.
        given: returns a database in memory, which is used instead.
        json_dir: the directory; ``None`` for that of the repo above the current directory, else the usual ones.

    Raises:
        UsageError: the repo above has its epics in another directory, or no directory can be found.
        EpicvcError: a repo has to be made and cannot be; nothing was made.
    """
    files = Path(os.path.normpath(json_dir.absolute())) if json_dir is not None else None
    usual = given is not None or (db_path == DATABASE and not Path(DATABASE).exists())
    named = None if usual else _absolute(db_path)
    with _MAKING:
        try:
            root = find_root(files or Path.cwd())
        except NotFound:
            return _make(named, files, given)
    with directory_locked(root, MAKING_SECONDS):
        pass  # a process that was making the repo has finished
    with Place(root, named).opened() as repo:
        config = repo.config
    if files is not None:
        _require_same(config.files, files, root)
    return Place(root, named if config.database is not None or given is not None else _absolute(DATABASE))


def _absolute(db_path: str) -> str:
    url = locate(db_path, Path.cwd())
    return str(url.path) if url.path is not None else db_path


def _make(named: str | None, files: Path | None, given: MakeBackend | None) -> Place:
    """Make a repo.

    Args:
        named: the database; ``None`` for the one that the environment, ``epicvc.toml`` or its directory has, else
            ``framework.db`` here.
        files: the directory of the epics.
        given: returns a database in memory, which is used instead.
    """
    from epicvc.actions.care.initialise import initialise  # imported here, since the repo exists most often

    files = files or _usual()
    root = _new_root(files, named or _absolute(DATABASE))
    there = None
    if (root / CONFIG).is_file():
        config = load_config(root, os.environ, named, private=False)
        _require_same(config.files, files, root)
        there = config.database
    if (
        given is None
        and named is None
        and there is None
        and not (os.environ.get("EPICVC_DATABASE_URL") or (root / DATABASE).is_file())
    ):
        named = _absolute(DATABASE)
    try:
        initialise(root, os.environ, files=os.path.relpath(files, root), database=named, given=given)
    except Refused:  # another process has made the repo since
        find_root(root)
    return Place(root, named)


def _usual() -> Path:
    for guess in FILES_GUESSES:
        if Path(guess).is_dir():
            return Path.cwd() / guess
    raise UsageError(f"no directory of epics found ({' or '.join(FILES_GUESSES)})", hint="name it as json_dir")


def _new_root(files: Path, database: str) -> Path:
    """Return the directory for a new repo: beside ``epicvc.toml``, else one near the epics and the database.

    Without the file it is the current directory, where the epics lie in it; else the database's directory, where they
    lie in that; else the directory above the epics.
    """
    for directory in (files, *files.parents):
        if (directory / CONFIG).is_file():
            return directory
    beside = [Path.cwd(), *([Path(database).parent] if Path(database).is_absolute() else [])]
    return next((place for place in beside if files.is_relative_to(place)), files.parent)


def _require_same(configured: Path, files: Path, root: Path) -> None:
    if os.path.realpath(configured) != os.path.realpath(files):
        raise UsageError(
            f"the epic repo {root} has its epics in {configured}, not in {files}",
            hint=f"leave json_dir out, or change [files] dir in {CONFIG}",
        )
