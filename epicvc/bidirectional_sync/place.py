"""Where the epic repo of a JSON directory and a database is: found, or made where there is none yet."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Final

from msgspec import Struct

from epicvc.errors import NotFound, UsageError
from epicvc.repo.config import CONFIG, load_config, locate
from epicvc.repo.repository import Repo, find_root
from epicvc.services.initialise import FILES_GUESSES, initialise

DATABASE: Final = "framework.db"
"""The database that is meant where none is named and the repo names none either."""

_MAKING = Lock()  # threads that are the first to ask for one repo must not both make it


class Place(Struct, frozen=True):
    """An epic repo, and the database that it is used with.

    Attributes:
        root: the repo's directory.
        database: path or URL; ``None`` for the repo's own.
    """

    root: Path
    database: str | None

    @contextmanager
    def opened(self) -> Iterator[Repo]:
        """The repo, open. Each call opens it anew, so that threads need not wait for each other."""
        repo = Repo.open(self.root, os.environ, self.database)
        try:
            yield repo
        finally:
            repo.close()


def find_place(db_path: str, json_dir: Path | None) -> Place:
    """The epic repo above a JSON directory; made where there is none.

    Args:
        db_path: path or URL of the database, relative to the current directory.
        json_dir: the directory; ``None`` for that of the repo above the current directory, else the usual ones.

    Raises:
        UsageError: the repo above has its epics in another directory, or no directory can be found.
        EpicvcError: a repo has to be made and cannot; nothing was made.
    """
    files = Path(os.path.normpath(json_dir.absolute())) if json_dir is not None else None
    with _MAKING:
        try:
            root = find_root(files or Path.cwd())
        except NotFound:
            return _make(db_path, files)
    place = Place(root, _database(db_path, root))
    if files is not None:
        _require_same(load_config(root, os.environ).files, files, root)
    return place


def _database(db_path: str, root: Path) -> str | None:
    """The database; ``None`` where none was named and there is none in the current directory, but the repo has one."""
    if db_path == DATABASE and not Path(DATABASE).exists() and load_config(root, os.environ).database is not None:
        return None
    return _absolute(db_path)


def _absolute(db_path: str) -> str:
    url = locate(db_path, Path.cwd())
    return str(url.path) if url.path is not None else db_path


def _make(db_path: str, files: Path | None) -> Place:
    files = files or _usual()
    root = _new_root(files, _absolute(db_path))
    if (root / CONFIG).is_file():
        _require_same(load_config(root, os.environ).files, files, root)
    database = _database(db_path, root) if (root / CONFIG).is_file() else _absolute(db_path)
    initialise(root, os.environ, files=os.path.relpath(files, root), database=database)
    return Place(root, database)


def _usual() -> Path:
    for guess in FILES_GUESSES:
        if Path(guess).is_dir():
            return Path.cwd() / guess
    raise UsageError(f"no directory of epics found ({' or '.join(FILES_GUESSES)})", hint="name it as json_dir")


def _new_root(files: Path, database: str) -> Path:
    """Beside ``epicvc.toml``; else the current directory, where the epics lie in it; else as near to both as can be."""
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
