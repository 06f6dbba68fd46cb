"""Where a repo lies, found without importing anything: for what is done before a command knows more."""

from __future__ import annotations

import os
import stat

PRIVATE = ".epicvc"
STORE = "store.db"


def root_above(directory: str) -> str:
    """As :func:`epicvc.repo.repository.find_root`, which says what is wrong.

    Args:
        directory: where to begin.

    Raises:
        FileNotFoundError: there is none.
    """
    while not os.path.isfile(f"{directory}/{PRIVATE}/{STORE}"):
        parent = os.path.dirname(directory)
        if parent == directory:
            raise FileNotFoundError
        directory = parent
    return directory


def without_waiting(path: str, flags: int) -> int:
    """Open a file; a FIFO in its place has nothing in it, and is not waited for. The opener of :func:`open`."""
    return os.open(path, flags | os.O_NONBLOCK)


def oddity(root: str) -> str | None:
    """What makes the private directory one that is not used: links, pipes and devices lead out of it.

    Args:
        root: the directory of the repo.

    Returns:
        One sentence; ``None`` where all is well, and where there is none.
    """
    private = f"{root}/{PRIVATE}"
    try:
        found = os.lstat(private)
        if not stat.S_ISDIR(found.st_mode):
            return f"{private} is a symbolic link or a file, and no directory"
        if found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            return f"{private} can be written by other users"
        with os.scandir(private) as entries:
            for entry in entries:
                if not (entry.is_file(follow_symlinks=False) or entry.is_dir(follow_symlinks=False)):
                    return f"{private}/{entry.name} is a symbolic link, a pipe or a device"
    except FileNotFoundError:
        return None
    return None
