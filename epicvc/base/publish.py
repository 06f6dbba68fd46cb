"""Bringing staged files into place without taking away what somebody saves at the same moment.

Between looking at a file and renaming another one over it, an editor may save: the rename would take that save away,
and nobody would know. Where the system can exchange two names in one step (Linux), what comes out of the exchange is
looked at, and put back if it is not what was expected. Elsewhere the file is looked at right before the rename, which
leaves a gap of some microseconds.

A process that keeps a file open and writes into it in place cannot be seen by any of this; editors save by renaming, or
truncate and write at once.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Final

from epicvc.base.fileio import read_file, remove_file, reporting
from epicvc.errors import FileUnavailable

Known = Callable[[bytes], bool]
"""Whether these bytes are those that may be replaced."""

_AT_FDCWD: Final = -100
_NOREPLACE: Final = 1
_EXCHANGE: Final = 2
_UNSUPPORTED: Final = frozenset({errno.ENOSYS, errno.EINVAL, errno.ENOTSUP})


def replace_known(staged: Path, target: Path, known: Known) -> bool:
    """Move a staged file over one that is there, if that one is still known.

    Returns:
        Whether it was. If not, the target is as somebody else has it, and the staged file is gone.

    Raises:
        FileUnavailable: the system does not let us; the target is as it was.
    """
    ours = _identity(staged)
    try:
        exchanged = _exchange(staged, target)
    except FileNotFoundError:
        remove_file(staged)
        return False
    except OSError as error:
        raise FileUnavailable(str(target), error.strerror or str(error)) from error
    if not exchanged:
        return _replace_after_a_look(staged, target, known)
    if _is_known(staged, known):
        remove_file(staged)
        return True
    put_back(staged, target, ours)
    return False


def put_back(displaced: Path, target: Path, ours: tuple[int, int]) -> None:
    """Give somebody's save its name back, or leave the name to a later one.

    Args:
        displaced: the save, under a temporary name.
        target: its name.
        ours: the file that we have put there.
    """
    with reporting(target):
        while True:
            mine = _identity(displaced)
            try:
                _exchange(displaced, target)
            except FileNotFoundError:
                break  # removed since: that is the latest word
            if _identity(displaced) == ours:
                break
            # Saved once more in between: what came out is newer than what went in.
            ours = mine
    remove_file(displaced)


def create(staged: Path, target: Path) -> bool:
    """Move a staged file to a name that nobody has.

    Returns:
        Whether nobody had it. If somebody did, the target is as it was, and the staged file is gone.
    """
    with reporting(target):
        try:
            _rename_new(staged, target)
        except FileExistsError:
            taken = True
        else:
            taken = False
    if taken:
        remove_file(staged)
    return not taken


def remove_known(target: Path, aside: Path, known: Known) -> bool:
    """Remove a file, if it is still known.

    Args:
        target: the file.
        aside: a free name in the same directory.
        known: says so.

    Returns:
        Whether the file is gone. If not, somebody has saved another one.
    """
    with reporting(target):
        try:
            target.rename(aside)
        except FileNotFoundError:
            return True
    if _is_known(aside, known):
        remove_file(aside)
        return True
    with reporting(target):
        try:
            _rename_new(aside, target)
        except FileExistsError:
            later = True
        else:
            later = False
    if later:
        remove_file(aside)
    return False


def _replace_after_a_look(staged: Path, target: Path, known: Known) -> bool:
    if not _is_known(target, known):
        remove_file(staged)
        return False
    with reporting(target):
        staged.replace(target)
    return True


def _is_known(path: Path, known: Known) -> bool:
    try:
        data = read_file(path)
    except FileUnavailable:
        return False  # a directory or a symlink by now
    return known(data)


def _identity(path: Path) -> tuple[int, int]:
    with reporting(path):
        found = path.lstat()
    return found.st_dev, found.st_ino


# --- the system ---


@cache
def _renameat2() -> Callable[[int, bytes, int, bytes, int], int] | None:
    import ctypes

    try:
        function = ctypes.CDLL(None, use_errno=True).renameat2
    except (OSError, AttributeError):
        return None
    function.argtypes = (ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_uint)
    function.restype = ctypes.c_int
    return function


def _rename(old: Path, new: Path, flags: int) -> bool:
    """``renameat2``; false where the system or the file system does not know the flags."""
    function = _renameat2()
    if function is None:
        return False
    if function(_AT_FDCWD, os.fsencode(old), _AT_FDCWD, os.fsencode(new), flags) == 0:
        return True
    import ctypes

    number = ctypes.get_errno()
    if number in _UNSUPPORTED:
        return False
    raise OSError(number, os.strerror(number), str(new))


def _exchange(one: Path, other: Path) -> bool:
    return _rename(one, other, _EXCHANGE)


def _rename_new(old: Path, new: Path) -> None:
    if _rename(old, new, _NOREPLACE):
        return
    if os.path.lexists(new):
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(new))
    old.rename(new)
