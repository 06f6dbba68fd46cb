"""Moves staged files into place without losing a save that somebody makes at the same moment.

Between a look at a file and the rename of another one over it, an editor may save. The rename would remove that save,
and nobody would know. Where the system can exchange two names in one step (Linux), the file that comes out of the
exchange is looked at, and put back if it is not the expected one. Elsewhere the file is looked at right before the
rename, which leaves a gap of some microseconds.

None of this notices a process that keeps a file open and writes into it in place. Editors save by renaming, or truncate
and write at once.
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
"""Tells whether these bytes are those that may be replaced."""

_AT_FDCWD: Final = -100
_NOREPLACE: Final = 1
_EXCHANGE: Final = 2
_UNSUPPORTED: Final = frozenset({errno.ENOSYS, errno.EINVAL, errno.ENOTSUP})


def replace_known(staged: Path, target: Path, known: Known) -> bool:
    """Move a staged file over an existing one, if that one is still known.

    Returns:
        Whether it was known. If not, the target is left as somebody else saved it, and the staged file is removed.

    Raises:
        FileUnavailable: the system refuses it; the target is as it was.
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
    """Give somebody's save its name back, or leave the name to a later save.

    Args:
        displaced: the save, under a temporary name.
        target: the name that it had.
        ours: the device and inode of the file that we put there.
    """
    with reporting(target):
        while True:
            mine = _identity(displaced)
            try:
                _exchange(displaced, target)
            except FileNotFoundError:
                break  # the file was removed since, and the latest act counts
            if _identity(displaced) == ours:
                break
            # Somebody saved once more in between: the file that came out is newer than the one that went in.
            ours = mine
    remove_file(displaced)


def create(staged: Path, target: Path) -> bool:
    """Move a staged file to a free name.

    Returns:
        Whether the name was free. If not, the target is as it was, and the staged file is removed.
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
        known: tells whether bytes are known.

    Returns:
        Whether the file is gone. If not, somebody has saved another one.
    """
    with reporting(target):
        try:
            # Moved aside before the look: between a look and a removal, somebody could save.
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
        return False  # it is a directory or a symlink by now
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
    """Call ``renameat2``. Return false where the system or the file system does not know the flags."""
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
