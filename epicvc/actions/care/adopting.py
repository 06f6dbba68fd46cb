"""The command ``adopt``: declares a store that was copied or moved here, or has another owner, to be the user's."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct

from epicvc.errors import FileUnavailable
from epicvc.repo.config.config import load_config
from epicvc.repo.home import stores
from epicvc.repo.home.place import PRIVATE, STORE
from epicvc.repo.home.trust import COPIED, require_untracked, standing_of
from epicvc.repo.repository import find_root, require_private
from epicvc.store.store import Store


class Adoption(Struct, frozen=True):
    """The result of ``adopt``, or of its dry run.

    Attributes:
        root: the directory of the repo.
        was: the standing of its store on the list before: ``listed``, ``moved``, ``copied`` or ``unknown``.
        other: the place from which it was moved or copied.
        store_id: the store's id; ``None`` for a new one that a dry run does not make.
        database: the database that commands will use from now on.
        dry_run: nothing was written.
    """

    root: Path
    was: str
    other: str | None
    store_id: str | None
    database: str | None
    dry_run: bool = False


def adopt(start: Path, environment: Mapping[str, str], *, dry_run: bool = False) -> Adoption:
    """Enter the store around a directory, with its place, in the user's list.

    Args:
        start: the directory.
        environment: environment variables.
        dry_run: only say what would be done.

    Raises:
        NotFound: there is no repo around the directory.
        Refused: its private directory is not private, or git tracks it.
        Unavailable: the list cannot be written.
        EpicvcError: the store or its configuration cannot be used.
    """
    root = find_root(start.absolute())
    require_private(root)
    require_untracked(root)
    standing = standing_of(root, environment, vouched=not dry_run)
    database = load_config(root, environment, caches=False).database
    copied = standing.kind == COPIED
    store_id: str | None = standing.store_id if not copied else None
    if not dry_run:
        if copied:
            # A copy becomes a store of its own: under one id the list could not tell the two apart.
            store_id = os.urandom(16).hex()
            with Store.open(root / PRIVATE / STORE, any_owner=True) as store, store.transaction() as transaction:
                transaction.set_repo_id(store_id)
        _close_to_others(root / PRIVATE)
        assert store_id is not None
        stores.enter(environment, str(root), store_id, instead_of=None if copied else standing.other)
    shown = database.display if database is not None else None
    return Adoption(root, standing.kind, standing.other, store_id=store_id, database=shown, dry_run=dry_run)


def _close_to_others(private: Path) -> None:
    """Remove the permissions of group and others that a clone or a copy gave. Files of another user are not changed."""
    try:
        with os.scandir(private) as entries:
            for path in (private, *(private / entry.name for entry in entries)):
                found = path.lstat()
                if found.st_uid == os.geteuid() and stat.S_IMODE(found.st_mode) & 0o077:
                    path.chmod(stat.S_IMODE(found.st_mode) & 0o700)
    except OSError as error:
        raise FileUnavailable(str(private), error.strerror or str(error)) from error
