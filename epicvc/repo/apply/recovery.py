"""Finishes or forgets the operation that a crash left behind (the steps: :mod:`epicvc.repo.apply.apply`)."""

from __future__ import annotations

from contextlib import closing, suppress
from time import perf_counter
from typing import TYPE_CHECKING, Final

from epicvc.base.fileio import leftover_temporaries, remove_file
from epicvc.base.logs import Log
from epicvc.errors import Unavailable
from epicvc.repo.apply import newdatabase
from epicvc.repo.repository import Repo

if TYPE_CHECKING:
    from epicvc.store.file.records import Pending

_LOG: Final = Log("recovery")


def recover(repo: Repo) -> bool:
    """Finish an unfinished operation, or forget it. The caller holds the repo's lock.

    Returns:
        Whether an operation was rolled forward.

    Raises:
        DatabaseUnavailable: whether it happened is known to the database alone, which cannot be asked.
    """
    # Caches are written without the lock, so the temporary file of a running command may go too. Its cache is then not
    # refreshed, which harms nobody.
    for path in leftover_temporaries(repo.config.private):
        remove_file(path)
    repo.store.tidy()
    intent = repo.store.pending()
    if intent is None:
        newdatabase.take_back(repo)
        return False
    from epicvc.repo.apply import interrupted

    began = perf_counter()
    forward = _decided(repo, intent)
    if forward:
        interrupted.finish(repo, intent)
    else:
        interrupted.forget(repo, intent)
    what = "finished" if forward else "undone"
    _LOG.info(
        "%s had been interrupted; it is %s",
        intent.command,
        what,
        operation=intent.operation,
        seconds=perf_counter() - began,
    )
    return forward


def _decided(repo: Repo, intent: Pending) -> bool:
    """Return whether the operation has happened. After this call nothing can change the answer."""
    if not intent.database:
        return intent.prepared
    backend = repo.backend()
    if backend is None or not backend.exists():
        return False  # its commit cannot have happened without a database
    with closing(backend):
        if not intent.prepared:
            with suppress(Unavailable):  # the client that is in the way settles the database itself
                backend.settle()
                newdatabase.take_back(repo)
            return False
        # A commit whose last sync failed, or was never made, may be seen now and gone after a power cut, or come
        # back when the log of the database is read anew.
        backend.settle()
        with backend.read() as reader:
            state = reader.state(repo.store.repo_id)
        if state is not None and state[0] == intent.operation:
            newdatabase.take_back(repo)  # the file is empty no longer, so only the note goes
            return True
        newdatabase.take_back(repo)
    return False
