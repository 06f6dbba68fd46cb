"""Lists backups, and finds one by its name."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Final

from msgspec import Struct

from epicvc.errors import NotFound, UsageError
from epicvc.repo.history.backups import BackupRecord, read_record
from epicvc.repo.history.objects import Commit, get_commit
from epicvc.repo.history.revisions import BACKUPS, TAGS
from epicvc.store.objects import ObjectId
from epicvc.store.store import Store

LATEST: Final = "latest"
"""The name of the newest backup."""


class Backup(Struct, frozen=True):
    """One backup.

    Attributes:
        commit: the commit of the backup.
        ref: the ref that leads to it.
        record: the record in the commit's message.
        tags: the tags that lead to it.
        bundle: the file that holds it; ``None`` for a backup in the store.
        size: the bytes that it takes; for a backup in the store as its record says.
    """

    commit: Commit
    ref: str
    record: BackupRecord
    size: int
    tags: tuple[str, ...] = ()
    bundle: Path | None = None

    @property
    def id(self) -> ObjectId:
        """The id of its commit."""
        return self.commit.id

    @property
    def time(self) -> datetime:
        """The time at which it was made."""
        return self.commit.time

    @property
    def name(self) -> str:
        """The last part of its ref."""
        return self.ref.removeprefix(BACKUPS)


def stored_backups(store: Store) -> list[Backup]:
    """Return the backups of a store, oldest first.

    Raises:
        DamagedObject: the commit of a backup is missing or malformed.
    """
    tags = tags_by_commit(store)
    found: list[Backup] = []
    for ref, value in store.refs(BACKUPS).items():
        commit = get_commit(store, bytes.fromhex(value))
        record = read_record(commit)
        found.append(Backup(commit, ref, record, record.size, tuple(tags.get(value, ()))))
    return in_order(found)


def tags_by_commit(store: Store) -> dict[str, list[str]]:
    """Return the names of tags by the hexadecimal id of the commit to which they lead."""
    tags: dict[str, list[str]] = {}
    for name, value in store.refs(TAGS).items():
        tags.setdefault(value, []).append(name.removeprefix(TAGS))
    return tags


def in_order(backups: Sequence[Backup]) -> list[Backup]:
    """Return backups in order, oldest first."""
    return sorted(backups, key=lambda backup: (backup.time, backup.id))


def find_backup(backups: Sequence[Backup], name: str) -> Backup:
    """Return the backup of a name: its time as it is listed, its id or the beginning of the id.

    ``latest`` is the newest backup of both sides. A backup of a directory is meant only if there is no other.

    Args:
        backups: oldest first.
        name: the name.

    Raises:
        NotFound: no backup has this name.
        UsageError: several backups have ids that begin with it.
    """
    if name == LATEST:
        if not backups:
            raise NotFound("there is no backup", hint="make one with `epicvc backup create`")
        return next((one for one in reversed(backups) if one.record.directory is None), backups[-1])
    matches = [one for one in backups if name in (one.name, one.ref)]
    if not matches and len(name) >= _SHORTEST:
        matches = [one for one in backups if one.id.hex().startswith(name.lower())]
    if not matches:
        raise NotFound(f"there is no backup {name}", hint="see `epicvc backup list`")
    if len({one.id for one in matches}) > 1:
        raise UsageError(f"several backups begin with {name}", hint="give more digits")
    return matches[-1]


def backup_at(backups: Sequence[Backup], time: datetime) -> Backup:
    """Return the last backup that is not later than a time. Backups of directories are left out.

    Raises:
        NotFound: the first backup is later, or there is no backup.
    """
    whole = [one for one in backups if one.record.directory is None]
    found = [one for one in whole if one.time <= time]
    if found:
        return found[-1]
    if not whole:
        raise NotFound("there is no backup", hint="make one with `epicvc backup create`")
    raise NotFound(
        f"there is no backup at or before {time.isoformat()}", hint=f"the first one is of {whole[0].time.isoformat()}"
    )


_SHORTEST: Final = 4
