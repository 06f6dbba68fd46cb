"""Forgets backups by name or by a policy. Their space in a store is freed later, by ``gc``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from epicvc.actions.backup.bundles import BundleDirectory
from epicvc.actions.backup.catalog import Backup, find_backup, stored_backups, tags_by_commit
from epicvc.actions.backup.place import Backups
from epicvc.actions.backup.retention import Dated, RetentionPolicy, decide
from epicvc.base.logs import Log
from epicvc.errors import NotFound, Refused, UsageError
from epicvc.repo.apply.apply import record_refs
from epicvc.repo.apply.recovery import recover
from epicvc.repo.repository import Repo
from epicvc.store.objects import ObjectId

COMMAND: Final = "backup forget"
_LOG: Final = Log("backup")
_NAMED: Final = 3  # backups that the operation log names


class ForgetDecision(Struct, frozen=True):
    """The decision about one backup. Without a reason to stay it is forgotten.

    Attributes:
        backup: the backup.
        reasons: the reasons for which it stays.
    """

    backup: Backup
    reasons: tuple[str, ...]


class ForgetWish(Struct, frozen=True):
    """The backups to forget: by name, or all that a policy does not keep."""

    names: tuple[str, ...] = ()
    policy: RetentionPolicy = RetentionPolicy()


def forget_backups(backups: Backups, wish: ForgetWish, *, dry_run: bool = False) -> list[ForgetDecision]:
    """Drop the refs of backups in the store, or delete bundles if only those of a directory are meant.

    A bundle stays if a bundle that stays needs it.

    Args:
        backups: the places of backups.
        wish: the backups to forget.
        dry_run: only say what would be forgotten.

    Returns:
        Every backup, oldest first, with the reasons for which it stays.

    Raises:
        UsageError: neither names nor a policy are given, or both.
        NotFound: a backup or tag does not exist.
        Refused: the newest backup or a tagged one was named.
    """
    tags = tags_by_commit(backups.repo.store) if backups.repo is not None else {}
    for tag in wish.policy.tags:
        if not any(tag in found for found in tags.values()):
            raise NotFound(f"no tag {tag}", hint="see `epicvc tag`")
    if backups.apart and backups.directory is not None:
        decisions = _forget_bundles(backups.directory, wish, tags, dry_run=dry_run)
    else:
        assert backups.repo is not None  # backups are in a directory, in a repo, or in both
        decisions = _forget_stored(backups.repo, wish, dry_run=dry_run)
    verb = "would be forgotten" if dry_run else "is forgotten"
    for decision in decisions:
        what = f"is kept: {', '.join(decision.reasons)}" if decision.reasons else verb
        _LOG.info("backup %s %s", decision.backup.name, what)
    return decisions


def _forget_stored(repo: Repo, wish: ForgetWish, *, dry_run: bool) -> list[ForgetDecision]:
    if dry_run:
        return _decided(stored_backups(repo.store), wish, repo.now(), {})
    with repo.lock():
        recover(repo)
        decisions = _decided(stored_backups(repo.store), wish, repo.now(), {})
        gone = [decision.backup for decision in decisions if not decision.reasons]
        if gone:
            names = ", ".join(one.name for one in gone[:_NAMED]) + (", …" if len(gone) > _NAMED else "")
            record_refs(repo, COMMAND, f"forget {names}", dict.fromkeys(one.ref for one in gone))
    return decisions


def _forget_bundles(
    directory: BundleDirectory, wish: ForgetWish, tags: Mapping[str, Sequence[str]], *, dry_run: bool
) -> list[ForgetDecision]:
    backups = [replace(one, tags=tuple(tags.get(one.id.hex(), ()))) for one in directory.backups()]
    decisions = _decided(backups, wish, datetime.now(UTC), directory.chains())
    if not dry_run:
        directory.remove([decision.backup for decision in decisions if not decision.reasons])
    return decisions


def _decided(
    backups: Sequence[Backup], wish: ForgetWish, now: datetime, chains: Mapping[ObjectId, Sequence[Path]]
) -> list[ForgetDecision]:
    reasons = _named(backups, wish, now) if wish.names else _by_policy(backups, wish.policy, now)
    needed = {backup.bundle: backup for backup in backups if backup.bundle is not None}
    for at in reversed(range(len(backups))):  # from the newest on: a bundle is younger than those that it needs
        if reasons[at]:
            for path in chains.get(backups[at].id, ())[:-1]:
                before = backups.index(needed[path])
                reasons[before].append(f"{backups[at].name} goes on from it")
    return [ForgetDecision(backup, tuple(found)) for backup, found in zip(backups, reasons, strict=True)]


def _by_policy(backups: Sequence[Backup], policy: RetentionPolicy, now: datetime) -> list[list[str]]:
    """Return the reasons to keep each backup. Backups of a directory are a series of their own."""
    series: dict[str | None, list[int]] = {}
    for at, backup in enumerate(backups):
        series.setdefault(backup.record.directory, []).append(at)
    reasons: list[list[str]] = [[] for _ in backups]
    if policy.empty:
        decide([], policy, now)
    for places in series.values():
        dated = [Dated(backups[at].time, backups[at].tags) for at in places]
        for at, kept in zip(places, decide(dated, policy, now), strict=True):
            reasons[at] += kept.reasons
    return reasons


def _named(backups: Sequence[Backup], wish: ForgetWish, now: datetime) -> list[list[str]]:
    if not wish.policy.empty:
        raise UsageError("name backups or say what to keep, not both")
    named = {find_backup(backups, name).id for name in wish.names}
    for backup in backups:
        if backup.id in named and backup.tags:
            raise Refused(f"the backup {backup.name} has the tag {backup.tags[0]}", hint="delete the tag first")
    # The newest backup of each series stays, as with a policy. One that is dated in the future by a wrong clock may go.
    newest = {backup.record.directory: backup for backup in backups if backup.time <= now}
    for backup in newest.values():
        if backup.id in named:
            raise Refused(f"{backup.name} is the newest backup", hint="make another one first")
    return [[] if backup.id in named else ["not named"] for backup in backups]
