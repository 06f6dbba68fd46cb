"""A database file that an operation of this repo makes, and takes back if the operation does not come to its end.

The empty file has to be there before the intent of the operation is written. Until then a note in the private
directory, written right before the file is made, says so. Any other empty file is somebody else's and is left alone:
also one in the same place that was made at another time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from epicvc.base.fileio import atomic_write, read_file, remove_file

if TYPE_CHECKING:
    from epicvc.database.backend import Backend
    from epicvc.repo.repository import Repo

_NOTE: Final = "creating"


def make(repo: Repo, backend: Backend) -> bool:
    """Make the database's empty file, with a note that it is ours.

    Returns:
        Whether it was made here. Somebody else may have been quicker.
    """
    note = repo.config.private / _NOTE
    # written first: after a crash in between there is no file to take back
    atomic_write(note, _text(backend), mode=0o600)
    made = backend.create()
    if not made:
        remove_file(note)
    return made


def _text(backend: Backend) -> bytes:
    return backend.display.encode("utf-8", "surrogateescape")


def take_back(repo: Repo) -> None:
    """Remove the file that an operation of this repo made, if nothing has been written to it, and remove the note.

    Raises:
        DatabaseUnavailable: the file cannot be removed.
    """
    note, backend = repo.config.private / _NOTE, repo.backend()
    if backend is None or not note.is_file():
        return
    if read_file(note) == _text(backend):
        backend.discard(note.lstat().st_mtime_ns)
        remove_file(note)
