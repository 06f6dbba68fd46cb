"""Draws backups on the terminal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Final

from epicvc.ui.terminal import Console, line
from epicvc.ui.text import count, printable

if TYPE_CHECKING:
    from epicvc.actions.backup.catalog import Backup
    from epicvc.actions.backup.create import Made
    from epicvc.actions.backup.forget import ForgetDecision
    from epicvc.actions.backup.restore import Restored
    from epicvc.actions.backup.state import BackupProof

_UNITS: Final = ((86400 * 365, "year"), (86400 * 30, "month"), (86400, "day"), (3600, "hour"), (60, "minute"))


def size_text(size: int) -> str:
    """Return a number of bytes in a unit that suits it."""
    if size < 1000:
        return f"{size} B"
    amount, unit = size / 1000, "kB"
    for larger in ("MB", "GB", "TB"):
        if amount < 1000:
            break
        amount, unit = amount / 1000, larger
    return f"{amount:.1f} {unit}"


def age_text(time: datetime, now: datetime) -> str:
    """Return a time as an age in words."""
    seconds = int((now - time).total_seconds())
    if seconds < 0:
        return "in the future"
    for length, noun in _UNITS:
        if seconds >= length:
            return f"{count(seconds // length, noun)} ago"
    return "just now"


def _what(files: int, rows: int) -> str:
    return f"{count(files, 'file')} and {count(rows, 'row')}"


def created(console: Console, made: Made) -> None:
    """Draw the backup that ``backup create`` made."""
    if made.backup is None:
        console.print(line(f"would make a backup ({made.kind.value}): {_what(made.paths, made.rows)}"))
        return
    head = f"backup {made.backup.id.hex()[:12]}"
    size = f"{size_text(made.size)}{' of new objects' if made.backup.record.since else ''}"
    console.print(line((head, "good"), f"  {made.kind.value}, {_what(made.paths, made.rows)}, {size}"))
    if made.bundle is not None:
        console.print(line(f"written to {printable(str(made.bundle))}, {size_text(made.bundle_size)}"))
    else:
        text = "it is in the store beside what it backs up, and lost with it; --to DIR writes it elsewhere too"
        console.print(line((text, "changed")))


def listed(console: Console, backups: Sequence[Backup], now: datetime) -> None:
    """Draw the existing backups."""
    for backup in backups:
        console.print(_row(backup, now))
    if not backups:
        console.print(line(("no backup; make one with epicvc backup create", "dim")))


def _row(backup: Backup, now: datetime) -> object:
    kind = backup.record.kind.value
    place = f"  {printable(backup.record.directory)}" if backup.record.directory is not None else ""
    tags = f"  ({printable(', '.join(backup.tags))})" if backup.tags else ""
    size, age = size_text(backup.size), age_text(backup.time, now)
    return line(
        (backup.id.hex()[:12], "label"), f"  {printable(backup.name)}  {kind:<11}  {size:>9}  {age}{place}{tags}"
    )


def verified(console: Console, proofs: Iterable[tuple[Backup, BackupProof]]) -> None:
    """Draw the results of verifying backups."""
    for backup, proof in proofs:
        for error in proof.errors:
            console.print(line(("problem: ", "conflict"), printable(error)))
        part = f"{proof.read:,} of {count(proof.objects, 'object')} read"
        result = ("no problem", "good") if not proof.errors else (count(len(proof.errors), "problem"), "conflict")
        console.print(line(f"{backup.id.hex()[:12]}  {part}: ", result))


def restored(console: Console, done: Restored, *, dry_run: bool) -> None:
    """Draw the result of a restore."""
    verb = "would restore" if dry_run else "restored"
    where = f" to {printable(str(done.to))}" if done.to is not None else ""
    text = f"{verb} {_what(done.paths, done.rows)} of {done.backup.id.hex()[:12]}{where}"
    console.print(line((text, "good"), "; verified before"))
    if done.checkpoint is not None:
        hint = "" if done.to is not None else "; epicvc undo brings it back"
        kind = "backup" if done.to is not None else "checkpoint"
        console.print(line((f"what was there is {kind} {done.checkpoint}{hint}", "dim")))
    for one in done.stranded:
        text = f"left out: trigger {one.trigger} of {one.table}, for there is no table {one.missing}"
        console.print(line((printable(text), "changed")))


def forgotten(console: Console, decisions: Sequence[ForgetDecision], *, dry_run: bool) -> None:
    """Draw the backups that stay, with the reasons, and those that go."""
    for decision in decisions:
        name = f"{decision.backup.id.hex()[:12]}  {printable(decision.backup.name)}"
        if decision.reasons:
            console.print(line(("keep    ", "good"), name, (f"  {printable(', '.join(decision.reasons))}", "dim")))
        else:
            console.print(line(("forget  ", "changed"), name))
    gone = sum(not decision.reasons for decision in decisions)
    verb = "would forget" if dry_run else "forgot"
    console.print(line(f"{verb} {count(gone, 'backup')}, {count(len(decisions) - gone, 'stays', 'stay')}"))
