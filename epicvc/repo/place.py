"""Where a repo lies, found without importing anything: for what is done before a command knows more."""

from __future__ import annotations

import os

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
