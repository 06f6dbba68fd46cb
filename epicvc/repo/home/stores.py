"""The list of a user's stores: the ids that may be used, and where.

A store in a directory may have come with it: in a clone, an archive or a restored cache. The list lies with the user
instead, where nothing that is cloned can write. It has one line for each store: the store's id and the directory of its
repo.

The module imports next to nothing, since commands that start fast read the list too.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

STATE_VARIABLE = "EPICVC_STATE_DIR"
FILE = "stores"

_HEAD = b"epicvc.stores/1\n"
_ID_DIGITS = 32
_KEPT = 1000
"""The number of lines above which lines of missing directories are dropped."""


def directory(environment: Mapping[str, str]) -> str:
    """Return the directory in which the list is kept.

    Args:
        environment: environment variables.

    Raises:
        UsageError: the variable names no absolute path. A relative one would lead into the directory of the day's work.
        Unavailable: there is no home directory.
    """
    found = _directory(environment)
    if os.path.isabs(found):
        return found
    from epicvc.errors import Unavailable, UsageError

    if named := environment.get(STATE_VARIABLE):
        raise UsageError(f"{STATE_VARIABLE}={named} is no absolute path", hint="name a directory of your own")
    raise Unavailable("there is no home directory to keep the list of stores in", hint=_hint())


def _directory(environment: Mapping[str, str]) -> str:
    if named := environment.get(STATE_VARIABLE):
        return named
    shared = environment.get("XDG_STATE_HOME", "")
    if not os.path.isabs(shared):  # the XDG standard says that a relative path is to be ignored
        home = environment.get("HOME", "")
        shared = os.path.join(home if os.path.isabs(home) else os.path.expanduser("~"), ".local", "state")
    return os.path.join(shared, "epicvc")


def ids_by_place(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the ids of the listed stores, by the real paths of their repos.

    Raises:
        FileUnavailable: the list cannot be read.
        InvalidData: the list is damaged.
    """
    path = os.path.join(directory(environment), FILE)
    try:
        return _read(path)
    except OSError as error:
        from epicvc.errors import FileUnavailable

        raise FileUnavailable(path, error.strerror or str(error), hint=_hint()) from error
    except ValueError as error:
        from epicvc.errors import InvalidData

        hint = "move it away, then run `epicvc adopt` once in each of your repos"
        raise InvalidData(f"{path}: it is no list of stores, or a damaged one", hint=hint) from error


def id_at(environment: Mapping[str, str], root: str) -> str | None:
    """Return the id of the store that is listed for a directory, or ``None``.

    Args:
        environment: environment variables.
        root: the directory of the repo.

    Raises:
        FileUnavailable: the list cannot be read.
        InvalidData: the list is damaged, and does not have the directory.
    """
    place, path = os.path.realpath(root), os.path.join(directory(environment), FILE)
    try:
        found = _found(_bytes(path), place)
    except (OSError, ValueError):
        found = None  # the call below raises the fitting error
    return found if found is not None else ids_by_place(environment).get(place)


def is_listed(environment: Mapping[str, str], root: str) -> bool:
    """Return whether a store is listed for a directory; false in any doubt, for shortcuts that only save work.

    Args:
        environment: environment variables.
        root: the directory of the repo.
    """
    path = os.path.join(_directory(environment), FILE)
    try:
        return os.path.isabs(path) and _found(_bytes(path), os.path.realpath(root)) is not None
    except (OSError, ValueError):
        return False


def enter(environment: Mapping[str, str], root: str, store_id: str, *, instead_of: str | None = None) -> None:
    """List a store for a directory, durably. It replaces the store that was listed there before.

    Args:
        environment: environment variables.
        root: the directory of its repo.
        store_id: its id.
        instead_of: the directory in which it was before.

    Raises:
        Unavailable: the list cannot be written.
    """

    def change(places: dict[str, str]) -> None:
        if instead_of is not None and places.get(instead_of) == store_id:
            del places[instead_of]
        places[os.path.realpath(root)] = store_id

    _change(environment, change)


def leave(environment: Mapping[str, str], root: str) -> None:
    """Take a directory off the list.

    Raises:
        Unavailable: the list cannot be written.
    """
    _change(environment, lambda places: places.pop(os.path.realpath(root), None))


def _change(environment: Mapping[str, str], change: Callable[[dict[str, str]], object]) -> None:
    from pathlib import Path

    from epicvc.base.fileio import RepoLock, atomic_write
    from epicvc.errors import FileUnavailable

    home = Path(directory(environment))
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        with RepoLock(home / f"{FILE}.lock", timeout=10.0):
            places = ids_by_place(environment)
            change(places)
            if len(places) > _KEPT:
                places = {place: store for place, store in places.items() if os.path.isdir(place)}
            lines = [f"{store} ".encode() + _quoted(place) + b"\n" for place, store in places.items()]
            atomic_write(home / FILE, b"".join([_HEAD, *lines]), mode=0o600)
    except OSError as error:
        raise FileUnavailable(str(home), error.strerror or str(error), hint=_hint()) from error
    except FileUnavailable as error:
        raise FileUnavailable(error.path, error.reason, hint=_hint()) from error


def _read(path: str) -> dict[str, str]:
    """Return the ids in a list by directory, or none where there is no list.

    Raises ``ValueError`` where the list is damaged.
    """
    lines = _bytes(path)[len(_HEAD) :].split(b"\n")[:-1]
    found: dict[str, str] = {}
    for line in lines:
        store, space, place = line.partition(b" ")
        if len(store) != _ID_DIGITS or not space or not place.startswith(b"/"):
            raise ValueError(line)
        found[_unquoted(place)] = store.decode("ascii", "replace")
    return found


def _bytes(path: str) -> bytes:
    """Return the stored list. Raises ``ValueError`` where the file is no list."""
    try:
        with open(path, "rb", opener=_without_waiting) as file:
            data = file.read()
    except FileNotFoundError:
        return _HEAD
    if not data.startswith(_HEAD) or not data.endswith(b"\n"):
        raise ValueError(path)
    return data


def _found(data: bytes, place: str) -> str | None:
    """Return the id for a directory, found by its line: every command asks, and need not parse the others."""
    line = b" " + _quoted(place) + b"\n"
    at = data.rfind(line)
    while at >= 0:
        start = at - _ID_DIGITS
        if data[start - 1 : start] == b"\n" and b" " not in data[start:at]:
            return data[start:at].decode("ascii", "replace")
        at = data.rfind(line, 0, at)  # the match is the end of another path, which has a blank in it
    return None


def _quoted(place: str) -> bytes:
    return os.fsencode(place).replace(b"%", b"%25").replace(b"\n", b"%0A")


def _unquoted(place: bytes) -> str:
    return os.fsdecode(place.replace(b"%0A", b"\n").replace(b"%25", b"%"))


def _without_waiting(path: str, flags: int) -> int:
    """Open a file without waiting: a pipe to which nobody writes then reads as a damaged list."""
    return os.open(path, flags | os.O_NONBLOCK | os.O_CLOEXEC)


def _hint() -> str:
    return f"the list of your stores is kept there; {STATE_VARIABLE} names another directory for it"
