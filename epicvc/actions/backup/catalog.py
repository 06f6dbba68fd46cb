"""Which backups there are, and how they are named."""

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
"""How the newest backup is called."""


class Backup(Struct, frozen=True):
    """One backup.

    Attributes:
        commit: its commit.
        ref: the ref that leads to it.
        record: what it says of itself.
        tags: the tags that lead to it.
        bundle: the file that it is in; ``None`` for one in the store.
        size: bytes that it takes; of one in the store as its record says.
    """

    commit: Commit
    ref: str
    record: BackupRecord
    size: int
    tags: tuple[str, ...] = ()
    bundle: Path | None = None

    @property
    def id(self) -> ObjectId:
        """Its commit's id."""
        return self.commit.id

    @property
    def time(self) -> datetime:
        """When it was made."""
        return self.commit.time

    @property
    def name(self) -> str:
        """The last part of its ref."""
        return self.ref.removeprefix(BACKUPS)


def stored_backups(store: Store) -> list[Backup]:
    """The backups of a store, oldest first.

    Raises:
        DamagedObject: one is missing or malformed.
    """
    tags = tags_by_commit(store)
    found: list[Backup] = []
    for ref, value in store.refs(BACKUPS).items():
        commit = get_commit(store, bytes.fromhex(value))
        record = read_record(commit)
        found.append(Backup(commit, ref, record, record.size, tuple(tags.get(value, ()))))
    return in_order(found)


def tags_by_commit(store: Store) -> dict[str, list[str]]:
    """The names of tags by the commits that they lead to, in hexadecimal."""
    tags: dict[str, list[str]] = {}
    for name, value in store.refs(TAGS).items():
        tags.setdefault(value, []).append(name.removeprefix(TAGS))
    return tags


def in_order(backups: Sequence[Backup]) -> list[Backup]:
    """Backups, oldest first."""
    return sorted(backups, key=lambda backup: (backup.time, backup.id))


def find_backup(backups: Sequence[Backup], name: str) -> Backup:
    """The backup of a name: its time as it is listed, its id or the beginning of that.

    ``latest`` is the newest one of both sides; that of a directory only where there is no other.

    Args:
        backups: oldest first.
        name: the name.

    Raises:
        NotFound: there is none.
        UsageError: there are several.
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
    """The last backup that is not later than a time; those of directories alone are left out.

    Raises:
        NotFound: the first one is later, or there is none.
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
