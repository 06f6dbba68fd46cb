"""The record of a backup: the facts that its commit has beside the state.

A backup is a commit of kind ``backup`` to which only ``refs/backups/TIME`` leads. Its message is a line for people, an
empty line and the record as JSON. :mod:`epicvc.actions.backup` makes, lists and restores backups.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Final

import msgspec

from epicvc.base.depth import decode
from epicvc.errors import DamagedObject
from epicvc.files.names import check_name
from epicvc.repo.history.objects import Commit, CommitKind
from epicvc.repo.history.revisions import BACKUPS
from epicvc.store.objects import ObjectId, is_id

MIGRATIONS: Final = "migrations"
"""The directory beside the configuration that a backup includes."""

_TIME: Final = "%Y%m%dT%H%M%S.%fZ"
_encode = msgspec.json.Encoder(order="sorted").encode


class BackupKind(StrEnum):
    """The kind of a backup: all of a state, the changes since another backup, or a directory of JSON files."""

    FULL = "full"
    INCREMENTAL = "incremental"
    JSON = "json"


class FaultCount(msgspec.Struct, frozen=True, array_like=True):
    """The number of rows of a table that referred to missing rows of another table."""

    table: str
    parent: str
    rows: int


class BackupRecord(msgspec.Struct, frozen=True):
    """The facts about a backup that its commit records.

    Attributes:
        kind: the kind of the backup.
        place: tree of ``epicvc.toml`` and ``migrations/`` as they were, by path.
        files: the files directory, relative to the repo.
        size: the bytes that its objects take, compressed; for an incremental backup without those of ``since``.
        rows: the number of its rows.
        paths: the number of its files.
        faults: the foreign keys that were broken already; a restore must not add to them.
        since: the commit of the backup on which an incremental one builds.
        branch: the branch that was the current one.
        database: the database's path, relative to the repo; ``None`` without one.
        directory: the absolute path of the directory that a ``json`` backup holds.
        elsewhere: whether it was also written into a second place, which survives the loss of the store.
    """

    kind: BackupKind
    place: str
    files: str
    size: int
    rows: int
    paths: int
    faults: tuple[FaultCount, ...] = ()
    since: str | None = None
    branch: str | None = None
    database: str | None = None
    directory: str | None = None
    elsewhere: bool = False

    @property
    def message(self) -> str:
        """The commit's message."""
        return f"{self.kind.value} backup\n\n{_encode(self).decode()}"

    @property
    def place_root(self) -> ObjectId:
        """The tree of the configuration."""
        return bytes.fromhex(self.place)


def read_record(commit: Commit) -> BackupRecord:
    """Return the record in the commit of a backup. Its paths stay inside the directory that they are written to.

    Raises:
        DamagedObject: the commit is no backup, or its record is malformed.
        UnsafeName: a path leaves its directory.
    """
    if commit.kind is not CommitKind.BACKUP:
        raise DamagedObject(commit.id.hex(), "it is no backup")
    try:
        record = decode(commit.message.partition("\n\n")[2].encode(), BackupRecord)
    except ValueError as error:
        raise DamagedObject(commit.id.hex(), f"its record is malformed: {error}") from error
    if not is_id(record.place) or not all(is_id(since) for since in (record.since,) if since is not None):
        raise DamagedObject(commit.id.hex(), "its record names something that is no object")
    for path in (record.files, record.database):
        if path is not None:
            check_name(path)
    return record


def backup_ref(time: datetime) -> str:
    """Return the ref that leads to a backup of this time."""
    return BACKUPS + time.strftime(_TIME)
