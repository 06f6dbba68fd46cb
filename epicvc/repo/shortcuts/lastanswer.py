"""The last answer of ``status --porcelain``, given again while nothing that it was read from has changed.

Prompts and editors ask after every key. The answer follows from the configuration, the tracked files, the directories
that could get another one, the database, the store, and the user who asks. The stats of all of these are kept beside
the answer. If one of them differs, or anything is doubtful, the command runs in full. As in git, nothing is kept while
a time stamp is so young that a later write could leave the same one.

It is only a cache: damaged or gone, it is made again. It holds no answer that was an error. An answer about another
database than the configured one (which a variable of the environment may name) is neither kept nor given.

The module imports next to nothing, not even ``pathlib`` or ``typing``: to import them takes as long as to start Python
again.
"""

from __future__ import annotations

import binascii
import os

from epicvc import __version__
from epicvc.database.sqlite.pages.changetoken import change_token, is_racy
from epicvc.repo.home.place import PRIVATE as PRIVATE
from epicvc.repo.home.place import STORE as STORE
from epicvc.repo.home.place import oddity, root_above, without_waiting
from epicvc.repo.home.stores import is_listed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from epicvc.repo.config.config import Config

FILE = "status.cache"
DATABASE_VARIABLE = "EPICVC_DATABASE_URL"

_FORMAT = f"epicvc.last-answer/1 {__version__}".encode()
_END = b"\0"  # in no path


class Observation:
    """The state of everything that an answer is about to be read from.

    Args:
        places: the names by which the repo, its files and its database are reached, and the real paths of these names.
        token: the database's change token; empty without one.
        paths: all other paths that are read, relative to the repo.
        asked_ns: the time of the question, in nanoseconds since 1970 by the clock that stamps these files.
    """

    def __init__(self, places: list[str], token: str, paths: list[str], asked_ns: int) -> None:
        self.places, self.token = places, token
        self.stamps: list[tuple[str, bytes]] = []
        self.settled = True
        for path in paths:
            found = _look(f"{places[0]}/{path}")
            self.stamps.append((path, _stamp(found)))
            # A file that changes while it is read has a stamp after the question, and is not settled.
            newest_ns = max(found.st_mtime_ns, found.st_ctime_ns) if found else 0
            self.settled = self.settled and not is_racy(newest_ns, asked_ns)


def observe(config: Config, environment: Mapping[str, str], asked_ns: int) -> Observation | None:
    """Look at everything that an answer will be read from, before it is read.

    Args:
        config: the repo's configuration, read after the question was asked.
        environment: environment variables.
        asked_ns: the time of the question, in nanoseconds since 1970; see :func:`epicvc.files.scan.cache.clock_ns`.

    Returns:
        ``None`` where an answer cannot be remembered.
    """
    from epicvc.errors import EpicvcError
    from epicvc.files.scan.scan import scan
    from epicvc.repo.config.config import CONFIG, PRIVATE_CONFIG

    root, url = str(config.root), config.database
    if environment.get(DATABASE_VARIABLE) or (url is not None and url.path is None):
        return None
    database = str(url.path) if url is not None else ""
    token = change_token(database) if database else ""
    if token is None or _half_written(root):
        return None
    files = config.files.relative_to(config.root).as_posix()
    paths = [CONFIG, f"{PRIVATE}/{PRIVATE_CONFIG}", f"{PRIVATE}/{STORE}"]
    try:
        tracked = scan(config.files, config.include, config.exclude, entered=lambda at: paths.append(f"{files}/{at}."))
        paths += [f"{files}/{path}" for path in tracked.paths]
        return Observation(_places(root, str(config.files), database), token, paths, asked_ns)
    except (EpicvcError, OSError):
        return None  # the command itself reports the error


def remember(observation: Observation, answer: str) -> None:
    """Keep an answer that was read after the observation. A failure to write it is ignored."""
    from pathlib import Path

    from epicvc.base.fileio import atomic_write
    from epicvc.errors import FileUnavailable

    if not observation.settled:
        return
    fields = [str(os.geteuid()), *observation.places, observation.token, answer]
    body = [os.fsencode(field) for field in fields]
    for path, stamp in observation.stamps:
        body += [os.fsencode(path), stamp]
    data = _END.join(body)
    target = Path(observation.places[0], PRIVATE, FILE)
    try:
        atomic_write(target, _END.join([_FORMAT, _checksum(data), data]), mode=0o600, durable=False)
    except FileUnavailable:
        return


def recall(environment: Mapping[str, str]) -> str | None:
    """Return the last answer in the current directory, if it is certainly still right; else ``None``.

    Args:
        environment: environment variables.
    """
    if environment.get(DATABASE_VARIABLE):
        return None
    try:
        root = root_above(os.getcwd())
        if oddity(root) or not is_listed(environment, root):
            return None  # the answer may come from somebody else
        with open(f"{root}/{PRIVATE}/{FILE}", "rb", opener=without_waiting) as file:
            known, checksum, data = file.read().split(_END, 2)
        if known != _FORMAT or checksum != _checksum(data):
            return None
        who, *fields = data.split(_END)
        places = [os.fsdecode(field) for field in fields[:_PLACES]]
        token, answer, *stamps = fields[_PLACES:]
        _, files, database, *_ = places
        if who != b"%d" % os.geteuid() or places != _places(root, files, database) or _half_written(root):
            return None
        if not _all_the_same(root, stamps):
            return None
        if database and change_token(database) != token.decode():
            return None
        return os.fsdecode(answer)
    except (OSError, ValueError):
        return None


_PLACES = 6
_NEEDED = [b"epicvc.toml", b".epicvc/config", b".epicvc/store.db"]
"""The files that every answer was read from.

Their stamps have to be there: nobody can foresee the stamps of files that do not exist yet, and so forge an answer.
"""


def _places(root: str, files: str, database: str) -> list[str]:
    """Return the names and their real paths: a symbolic link on the way can change while its target does not."""
    return [root, files, database, *(name and os.path.realpath(name) for name in (root, files, database))]


def _half_written(root: str) -> bool:
    """Return whether a transaction of the store is under way, or was when its process ended."""
    return os.path.lexists(f"{root}/{PRIVATE}/{STORE}-journal")


def _checksum(data: bytes) -> bytes:
    return b"%08x" % binascii.crc32(data)


def _all_the_same(root: str, stamps: list[bytes]) -> bool:
    """Return whether each of these paths, which a stamp follows, still has that stamp."""
    if stamps[:6:2] != _NEEDED:
        return False
    # opened once, so that the path to it need not be resolved for each file
    directory = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        pairs = zip(stamps[::2], stamps[1::2], strict=True)
        return all(_stamp(_look(path, directory)) == stamp for path, stamp in pairs)
    finally:
        os.close(directory)


def _look(path: str | bytes, directory: int | None = None) -> os.stat_result | None:
    try:
        return os.lstat(path, dir_fd=directory)
    except FileNotFoundError:
        return None


def _stamp(found: os.stat_result | None) -> bytes:
    """Return the bytes that tell one state of a file from another."""
    if found is None:
        return b"-"
    words = (found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_ino, found.st_dev, found.st_mode)
    return b"%d.%d.%d.%d.%d.%d" % words
