"""``backup``: states that are kept apart from all branches, here and in another place."""

from __future__ import annotations

import re
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from epicvc.cli.line.parameters import Argument, Option, examples
from epicvc.cli.settings import Context, environment, repo_of, settings_of

if TYPE_CHECKING:
    from epicvc.actions.backup.place import Backups

Since = Annotated[str | None, Option("--since", metavar="ID", help="Go on from this backup: ID, or latest.")]
Files = Annotated[Path | None, Option("--files", metavar="DIR", help="Only the JSON of a directory, tracked or not.")]
To = Annotated[Path | None, Option("--to", metavar="DIR", help="Write it into this directory too, as a bundle.")]
From = Annotated[Path | None, Option("--from", metavar="DIR", help="The backups in this directory instead.")]
New = Annotated[Path | None, Option("--to", metavar="DIR", help="Restore into a new place, as an epic repo.")]
At = Annotated[str | None, Option("--at", metavar="TIME", help="The last backup at or before this time.")]
Sample = Annotated[str | None, Option("--sample", metavar="N%", help="Read only this part of the objects.")]
DryRun = Annotated[bool, Option("--dry-run", "-n", help="Only say what would happen.")]
Names = Annotated[list[str] | None, Argument(metavar="[ID]...", help="Backups: an id, a time as listed, or latest.")]
Name = Annotated[str | None, Argument(metavar="[ID]", help="The backup: an id, a time as listed, or latest.")]
Last = Annotated[int, Option("--keep-last", metavar="N", min=0, help="Keep the newest N.")]
Hourly = Annotated[int, Option("--keep-hourly", metavar="N", min=0, help="Keep the newest of each of N hours.")]
Daily = Annotated[int, Option("--keep-daily", metavar="N", min=0, help="Keep the newest of each of N days.")]
Weekly = Annotated[int, Option("--keep-weekly", metavar="N", min=0, help="Keep the newest of each of N weeks.")]
Monthly = Annotated[int, Option("--keep-monthly", metavar="N", min=0, help="Keep the newest of each of N months.")]
Yearly = Annotated[int, Option("--keep-yearly", metavar="N", min=0, help="Keep the newest of each of N years.")]
Within = Annotated[
    str | None, Option("--keep-within", metavar="DURATION", help="Keep all of this time before the newest: 1y5m7d2h.")
]
Tag = Annotated[list[str] | None, Option("--keep-tag", metavar="TAG", help="Keep those that have this tag.")]

_INVALID = 4


@examples(
    "epicvc backup create",
    "epicvc backup create --to /mnt/backups",
    "epicvc backup create --since latest --to /mnt/backups",
)
def create(context: Context, since: Since = None, to: To = None, files: Files = None, dry_run: DryRun = False) -> int:
    """Back both sides up as they are; no branch moves."""
    from epicvc.actions.backup.create import back_up_directory, create_backup
    from epicvc.errors import UsageError

    settings = settings_of(context)
    target = settings.start() / to if to is not None else None
    if files is not None:
        if since is not None:
            raise UsageError("--files makes a backup of its own", hint="leave --since out")
        made = back_up_directory(repo_of(context), settings.start() / files, to=target, dry_run=dry_run)
    else:
        made = create_backup(repo_of(context), since=since, to=target, dry_run=dry_run)
    if settings.json:
        from epicvc.cli.output import backups as machinebackups

        settings.emit(machinebackups.created(made))
    else:
        from epicvc.ui.backups import created

        created(settings.console(), made)
    return 0


@examples("epicvc backup list", "epicvc backup list --from /mnt/backups")
def list(context: Context, source: From = None) -> int:  # noqa: A001  # the command's name
    """List backups with their size, kind and age."""
    settings = settings_of(context)
    with ExitStack() as stack:
        backups = _backups(context, source, stack)
        found = backups.all()
        if settings.json:
            from epicvc.cli.output import backups as machinebackups

            settings.emit(machinebackups.listed(found))
        else:
            from datetime import UTC, datetime

            from epicvc.ui.backups import listed

            listed(settings.console(), found, backups.repo.now() if backups.repo else datetime.now(UTC))
    return 0


@examples("epicvc backup verify", "epicvc backup verify latest --from /mnt/backups", "epicvc backup verify --sample 5%")
def verify(context: Context, names: Names = None, source: From = None, sample: Sample = None) -> int:
    """Verify that backups could be restored now: the newest, or those that are named."""
    from epicvc.actions.backup.catalog import LATEST, find_backup
    from epicvc.actions.backup.state import BackupProof
    from epicvc.errors import EpicvcError

    settings = settings_of(context)
    part = _percent(sample)
    with ExitStack() as stack:
        backups = _backups(context, source, stack)
        there = backups.all()
        proofs = []
        for backup in [find_backup(there, name) for name in names or (LATEST,)]:
            try:
                proofs.append((backup, backups.verify(backup, sample=part)))
            except EpicvcError as error:
                if error.exit_code != _INVALID:
                    raise
                proofs.append((backup, BackupProof(errors=[error.message])))
    if settings.json:
        from epicvc.cli.output import backups as machinebackups

        settings.emit(machinebackups.verified(proofs))
    else:
        from epicvc.ui.backups import verified

        verified(settings.console(), proofs)
    return _INVALID if any(proof.errors for _, proof in proofs) else 0


@examples(
    "epicvc backup restore latest",
    "epicvc backup restore --at 2025-08-17T10:00 --to /tmp/then",
    "epicvc backup restore latest --from /mnt/backups --to plans",
)
def restore(
    context: Context, name: Name = None, at: At = None, source: From = None, to: New = None, dry_run: DryRun = False
) -> int:
    """Bring a backup back, in place or into a new one, once all of it is verified."""
    from epicvc.actions.backup.catalog import backup_at, find_backup
    from epicvc.errors import UsageError
    from epicvc.repo.history.revisions import parse_when

    settings = settings_of(context)
    if (name is None) == (at is None):
        raise UsageError("say which backup", hint="its id, latest, or --at TIME; `epicvc backup list` shows them")
    with ExitStack() as stack:
        backups = _backups(context, source, stack)
        there = backups.all()
        backup = find_backup(there, name) if name is not None else backup_at(there, parse_when(at or ""))
        done = backups.restore(backup, settings.start() / to if to is not None else None, dry_run=dry_run)
    if settings.json:
        from epicvc.cli.output import backups as machinebackups

        settings.emit(machinebackups.restored(done))
    else:
        from epicvc.ui.backups import restored

        restored(settings.console(), done, dry_run=dry_run)
    return 0


@examples(
    "epicvc backup forget --keep-daily 7 --keep-weekly 4 --keep-monthly 12 --dry-run",
    "epicvc backup forget --from /mnt/backups --keep-last 10",
    "epicvc backup forget 3f2a9c0d",
)
def forget(
    context: Context,
    names: Names = None,
    source: From = None,
    keep_last: Last = 0,
    keep_hourly: Hourly = 0,
    keep_daily: Daily = 0,
    keep_weekly: Weekly = 0,
    keep_monthly: Monthly = 0,
    keep_yearly: Yearly = 0,
    keep_within: Within = None,
    keep_tag: Tag = None,
    dry_run: DryRun = False,
) -> int:
    """Drop the backups that a policy does not keep, or those that are named; gc gives their space back."""
    from epicvc.actions.backup.forget import ForgetWish, forget_backups
    from epicvc.actions.backup.retention import RetentionPolicy

    settings = settings_of(context)
    tags = tuple(keep_tag or ())
    policy = RetentionPolicy(
        last=keep_last,
        hourly=keep_hourly,
        daily=keep_daily,
        weekly=keep_weekly,
        monthly=keep_monthly,
        yearly=keep_yearly,
        within=keep_within,
        tags=tags,
    )
    with ExitStack() as stack:
        backups = _backups(context, source, stack)
        decisions = forget_backups(backups, ForgetWish(tuple(names or ()), policy), dry_run=dry_run)
    if settings.json:
        from epicvc.cli.output import backups as machinebackups

        settings.emit(machinebackups.forgotten(decisions, dry_run=dry_run))
    else:
        from epicvc.ui.backups import forgotten

        forgotten(settings.console(), decisions, dry_run=dry_run)
    return 0


def _backups(context: Context, source: Path | None, stack: ExitStack) -> Backups:
    """Return the backups that a command is about: those of the repo, or those in a directory, which needs no repo."""
    from epicvc.actions.backup.bundles import BundleDirectory
    from epicvc.actions.backup.place import Backups, open_backups
    from epicvc.errors import NotFound

    settings = settings_of(context)
    if source is None:
        return Backups(repo_of(context), None, settings.start(), environment())
    directory = settings.start() / source
    if not directory.is_dir():
        raise NotFound(f"there is no directory {directory}", hint="name the one that backups were written to")
    found = stack.enter_context(
        open_backups(settings.start(), environment(), database=settings.located_database(), directory=directory)
    )
    context.record(found.repo.config.private if found.repo is not None else None)
    return Backups(found.repo, BundleDirectory(directory), found.home, found.environment, apart=True)


def _percent(text: str | None) -> int | None:
    """Return a part in percent.

    Raises:
        UsageError: the text is no part from 1% to 100%.
    """
    from epicvc.errors import UsageError

    if text is None:
        return None
    found = re.fullmatch(r"([1-9]\d?|100)%?", text, re.ASCII)
    if found is None:
        raise UsageError(f"--sample takes a part from 1% to 100%, not {text!r}")
    return int(found[1])
