"""A database file that an operation of this repo makes, and takes back if it does not come to its end.

The empty file has to be there before the intent of the operation is written. A note in the private directory says
meanwhile which file it is. Any other empty file is somebody else's, and is left alone, also one in its place.
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
    made = backend.create()
    if made is not None:
        # Noted right afterwards: a crash in between leaves an empty file, which is named and harms nothing, where a
        # note written before could be taken for one about somebody else's.
        atomic_write(repo.config.private / _NOTE, _note(backend, made), mode=0o600)
    return made is not None


def _note(backend: Backend, made: str) -> bytes:
    return f"{made} {backend.display}".encode("utf-8", "surrogateescape")


def take_back(repo: Repo) -> None:
    """Remove the file that an operation of this repo made, if nothing has been written to it, and forget about it.

    Raises:
        DatabaseUnavailable: it cannot be removed.
    """
    note, backend = repo.config.private / _NOTE, repo.backend()
    if backend is None or not note.is_file():
        return
    made = read_file(note).split(b" ", 1)[0].decode("utf-8", "replace")
    if read_file(note) == _note(backend, made):
        backend.discard(made)
        remove_file(note)
