"""A database file that an operation of this repo makes, and takes back if it does not come to its end.

The empty file has to be there before the intent of the operation is written. A note in the private directory says
so meanwhile. Without the note an empty file is somebody else's, and is left alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from epicvc.fileio import atomic_write, read_file, remove_file

if TYPE_CHECKING:
    from epicvc.database.backend import Backend
    from epicvc.repo.repository import Repo

_NOTE: Final = "creating"


def make(repo: Repo, backend: Backend) -> bool:
    """Make the database's empty file, noting that it is ours.

    Returns:
        Whether it was made here; somebody else may have been quicker.
    """
    note = repo.config.private / _NOTE
    atomic_write(note, backend.display.encode("utf-8", "surrogateescape"), mode=0o600)
    made = backend.create()
    if not made:
        remove_file(note)
    return made


def take_back(repo: Repo) -> None:
    """Remove the file that an operation of this repo made, if nothing has been written to it, and forget about it.

    Raises:
        DatabaseUnavailable: it cannot be removed.
    """
    note, backend = repo.config.private / _NOTE, repo.backend()
    if backend is None or not note.is_file():
        return
    if read_file(note) == backend.display.encode("utf-8", "surrogateescape"):
        backend.discard()
        remove_file(note)
