"""Machine output of ``backup``."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from epicvc.repo.history.objects import format_time

if TYPE_CHECKING:
    from epicvc.actions.backup.catalog import Backup
    from epicvc.actions.backup.create import Made
    from epicvc.actions.backup.forget import ForgetDecision
    from epicvc.actions.backup.restore import Restored
    from epicvc.actions.backup.state import BackupProof

Shape = dict[str, Any]


def _backup(backup: Backup) -> Shape:
    record = backup.record
    return {
        "id": backup.id.hex(),
        "name": backup.name,
        "time": format_time(backup.time),
        "kind": record.kind.value,
        "since": record.since,
        "size": backup.size,
        "files": record.paths,
        "rows": record.rows,
        "directory": record.directory,
        "tags": list(backup.tags),
        "elsewhere": record.elsewhere,
        "bundle": str(backup.bundle) if backup.bundle is not None else None,
    }


def created(made: Made) -> Shape:
    """Return the shape ``epicvc.backup/1``."""
    backup = made.backup
    return {
        "format": "epicvc.backup/1",
        "id": backup.id.hex() if backup is not None else None,
        "name": backup.name if backup is not None else None,
        "kind": made.kind.value,
        "files": made.paths,
        "rows": made.rows,
        "size": made.size,
        "bundle": str(made.bundle) if made.bundle is not None else None,
        "bundle_size": made.bundle_size,
    }


def listed(backups: Iterable[Backup]) -> Shape:
    """Return the shape ``epicvc.backups/1``, with the oldest backup first."""
    return {"format": "epicvc.backups/1", "backups": [_backup(backup) for backup in backups]}


def verified(proofs: Iterable[tuple[Backup, BackupProof]]) -> Shape:
    """Return the shape ``epicvc.verify/1``."""
    return {
        "format": "epicvc.verify/1",
        "backups": [
            {
                "id": backup.id.hex(),
                "name": backup.name,
                "valid": not proof.errors,
                "objects": proof.objects,
                "read": proof.read,
                "errors": proof.errors,
            }
            for backup, proof in proofs
        ],
    }


def restored(done: Restored) -> Shape:
    """Return the shape ``epicvc.recovery/1``."""
    return {
        "format": "epicvc.recovery/1",
        "id": done.backup.id.hex(),
        "files": done.paths,
        "rows": done.rows,
        "to": str(done.to) if done.to is not None else None,
        "commit": done.commit.hex() if done.commit is not None else None,
        "checkpoint": done.checkpoint,
        "stranded": [{"trigger": one.trigger, "table": one.table, "missing": one.missing} for one in done.stranded],
    }


def forgotten(decisions: Iterable[ForgetDecision], *, dry_run: bool) -> Shape:
    """Return the shape ``epicvc.forget/1``, with the reasons for each backup that stays."""
    found = [(_backup(decision.backup), decision.reasons) for decision in decisions]
    return {
        "format": "epicvc.forget/1",
        "dry_run": dry_run,
        "kept": [{**backup, "reasons": [*reasons]} for backup, reasons in found if reasons],
        "forgotten": [backup for backup, reasons in found if not reasons],
    }
