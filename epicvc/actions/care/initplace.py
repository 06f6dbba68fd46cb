"""Decides if ``init`` may make a repo in a directory, and if it may go on with the remains of an interrupted one."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from epicvc.base import TEMPORARY_SUFFIX
from epicvc.errors import FileUnavailable, NotAdopted, NotFound, Refused
from epicvc.repo.history.revisions import Revisions
from epicvc.repo.home import stores
from epicvc.repo.home.place import PRIVATE, STORE
from epicvc.repo.home.trust import require_untracked
from epicvc.repo.repository import LOCK, require_private
from epicvc.store.store import Store

_BEFORE_LISTED: Final = frozenset((".gitignore", STORE, f"{STORE}-journal", LOCK))
"""The files that ``init`` makes before it lists the store. A killed ``init`` may leave them unlisted."""


def check_place(root: Path, environment: Mapping[str, str]) -> bool:
    """Refuse a directory with a repo, or with a private directory that no ``init`` of this user left.

    Args:
        root: the directory.
        environment: environment variables.

    Returns:
        Whether the content of its private directory is the user's own.

    Raises:
        Refused: the directory is an epic repo already, or git tracks its private directory.
        NotAdopted: its private directory came from elsewhere.
    """
    known = stores.id_at(environment, os.fspath(root))
    require_private(root)
    if not os.path.lexists(root / PRIVATE):
        return False
    require_untracked(root)
    listed = complete = False
    try:
        with Store.open(root / PRIVATE / STORE, any_owner=known is not None) as store:
            listed, complete = store.repo_id == known, Revisions(store).head() is not None
    except NotFound:
        pass
    if listed and complete:
        raise Refused(f"{root} is an epic repo already", hint="see `epicvc status`")
    if not listed and (complete or not _is_of_interrupted(root / PRIVATE)):
        raise NotAdopted(str(root))
    return listed


def _is_of_interrupted(private: Path) -> bool:
    """Return whether all files there may come from an ``init`` that was interrupted before it listed the store."""
    try:
        names = [path.name for path in private.iterdir()]
    except OSError as error:
        raise FileUnavailable(str(private), error.strerror or str(error)) from error
    return all(name in _BEFORE_LISTED or name.endswith(TEMPORARY_SUFFIX) for name in names)
