"""Finds the directory of a repo without importing anything, for the steps at the very start of a command."""

from __future__ import annotations

import os
import stat

PRIVATE = ".epicvc"
STORE = "store.db"


def root_above(directory: str) -> str:
    """Find the directory of a repo. :func:`epicvc.repo.repository.find_root` does the same, with a full error.

    Args:
        directory: the directory to begin in.

    Raises:
        FileNotFoundError: there is no repo.
    """
    while not os.path.isfile(f"{directory}/{PRIVATE}/{STORE}"):
        parent = os.path.dirname(directory)
        if parent == directory:
            raise FileNotFoundError
        directory = parent
    return directory


def without_waiting(path: str, flags: int) -> int:
    """Open a file without waiting for a FIFO in its place, which then is empty. This is an opener for :func:`open`."""
    return os.open(path, flags | os.O_NONBLOCK)


def oddity(root: str) -> str | None:
    """Return the reason why the private directory is not safe to use: links, pipes and devices lead out of it.

    Args:
        root: the directory of the repo.

    Returns:
        One sentence; ``None`` where all is well, and where there is no such directory.
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
