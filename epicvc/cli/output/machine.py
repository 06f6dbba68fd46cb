"""Machine output: the shapes that scripts rely on, each with its version. ``docs/machine-output.md`` describes them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, cast

from epicvc.actions.resolve.choices import overlaps
from epicvc.actions.shared.questions import plain
from epicvc.errors import InvalidJSON
from epicvc.repo.history.objects import Commit, format_time

if TYPE_CHECKING:
    from pathlib import Path

    from epicvc.actions.care.adopting import Adoption
    from epicvc.actions.care.checking import FsckReport
    from epicvc.actions.care.doctor import Finding
    from epicvc.actions.care.initialise import Found
    from epicvc.actions.clean.cleaning import CleanReport
    from epicvc.actions.history.diff import Comparison
    from epicvc.actions.history.status import Status
    from epicvc.actions.merge.merging import MergeReport
    from epicvc.actions.migrate.newmigration import NewMigration
    from epicvc.actions.migrate.report import MigrationReport, MigrationStanding
    from epicvc.actions.origin.blaming import Blamed
    from epicvc.actions.restore.restoring import Arrival
    from epicvc.actions.shared.commits import CommitReport
    from epicvc.actions.shared.questions import Origin, Question, ResolveReport
    from epicvc.actions.sync.survey import SyncReport
    from epicvc.database.backend import Stranded
    from epicvc.database.migrations.proving import Proof
    from epicvc.merge.threeway import Chosen, Conflict
    from epicvc.model.labels import Label
    from epicvc.plan.file.filemerge import FileMerge
    from epicvc.repo.files.tracked import Unreadable
    from epicvc.store.file.records import Operation
    from epicvc.store.objects import ObjectId

Shape = dict[str, Any]


def errors(found: Sequence[Unreadable]) -> list[Shape]:
    """Return what cannot be read of either side, as a member of other shapes."""
    if not found:
        return []
    from epicvc.repo.held import label_of  # imported here, since hardly ever anything is unreadable

    return [
        {
            "label": label_of(bad),
            "path": bad.path,
            "line": bad.error.line if isinstance(bad.error, InvalidJSON) else None,
            "column": bad.error.column if isinstance(bad.error, InvalidJSON) else None,
            "message": bad.error.message,
        }
        for bad in found
    ]


def _hex(oid: ObjectId | None) -> str | None:
    return oid.hex() if oid is not None else None


def status(found: Status) -> Shape:
    """Return the shape ``epicvc.status/1``."""
    merging = found.merging
    waiting: Shape = {}
    if merging:
        labels = [str(conflict.label) for conflict in merging.conflicts]
        waiting["merging"] = {"command": merging.command, "name": merging.name, "conflicts": labels}
    return {
        "format": "epicvc.status/1",
        "branch": found.branch,
        "head": _hex(found.head),
        "clean": found.clean,
        "in_sync": found.in_sync,
        "conflicts": len(found.conflicts) + (len(merging.conflicts) if merging else 0),
        **waiting,
        "epics": [
            {
                "id": epic.id,
                "path": epic.path,
                "state": epic.state.value,
                "files": epic.files.value,
                "db": epic.db.value,
                "fields": [{"label": str(item.label), "state": item.state.value} for item in epic.fields],
            }
            for epic in found.epics
        ],
        "tables": [
            {"name": table.name, "added": table.added, "modified": table.modified, "deleted": table.deleted}
            for table in found.tables
        ],
        "schema": [{"kind": change.kind, "name": change.name, "op": change.op.value} for change in found.schema],
        "errors": errors(found.errors),
        "waiting": [str(label) for label in found.waiting],
        "new_mapping": [str(label) for label in found.new_mapping],
    }


def _changes(comparison: Comparison) -> list[Shape]:
    return [
        {
            "label": str(item.change.label),
            "side": item.side,
            "op": item.change.op.value,
            "old": plain(item.change.old),
            "new": plain(item.change.new),
            "migration": item.migration,
        }
        for item in comparison.changes
    ]


def diff(comparison: Comparison) -> Shape:
    """Return the shape ``epicvc.diff/1``."""
    return {
        "format": "epicvc.diff/1",
        "from": comparison.before,
        "to": comparison.after,
        "changes": _changes(comparison),
        "errors": errors(comparison.errors),
    }


def _commit(found: Commit, names: dict[str, list[str]]) -> Shape:
    return {
        "id": found.id.hex(),
        "parents": [parent.hex() for parent in found.parents],
        "author": found.author,
        "time": format_time(found.time),
        "message": found.message,
        "kind": found.kind.value,
        "tags": names.get(found.id.hex(), []),
    }


def log(commits: Iterable[Commit], names: dict[str, list[str]]) -> Shape:
    """Return the shape ``epicvc.log/1``."""
    return {"format": "epicvc.log/1", "commits": [_commit(found, names) for found in commits]}


def show(found: Commit, names: dict[str, list[str]], comparison: Comparison) -> Shape:
    """Return the shape ``epicvc.show/1``: a commit as in the log, with its changes as in a diff."""
    return {"format": "epicvc.show/1", **_commit(found, names), "changes": _changes(comparison)}


def _conflict(conflict: Conflict, ours: str, theirs: str) -> Shape:
    return {
        "label": str(conflict.label),
        "base": plain(conflict.base),
        ours: plain(conflict.ours),
        theirs: plain(conflict.theirs),
    }


def sync(report: SyncReport) -> Shape:
    """Return the shape ``epicvc.sync/1``."""
    return {
        "format": "epicvc.sync/1",
        "commit": _hex(report.commit),
        "to_files": len(report.to_files),
        "to_db": len(report.to_db),
        "conflicts": [_conflict(conflict, "files", "db") for conflict in report.conflicts],
        "errors": errors(report.errors),
        "waiting": [str(label) for label in report.waiting],
        "decided": _decided(report.decided),
        "tasks_moved": [{"from": str(source), "to": str(target)} for source, target in report.tasks_moved],
        "warnings": [str(fault) for fault in report.warnings],
        "replayed": [str(label) for label in report.replayed],
    }


def resolve(report: ResolveReport) -> Shape:
    """Return the shape ``epicvc.merge/1``."""
    return {
        "format": "epicvc.merge/1",
        "commit": _hex(report.commit),
        "merged": len(report.settled),
        "conflicts": [_conflict(conflict, "ours", "theirs") for conflict in report.left],
        "replayed": [str(label) for label in report.replayed],
    }


def questions(found: Iterable[Question]) -> Shape:
    """Return the shape ``epicvc.merge/1`` before anything is settled, with the facts that a script needs to answer."""
    return {
        "format": "epicvc.merge/1",
        "commit": None,
        "merged": 0,
        "conflicts": [
            {
                **_conflict(question.conflict, "ours", "theirs"),
                "kind": question.spec.kind.value if question.spec.kind else None,
                "overlaps": [
                    {name: plain(list(getattr(chunk, name))) for name in ("base", "ours", "theirs")}
                    for chunk in overlaps(question.conflict)
                ],
                "origins": {name: _origin(getattr(question.origins, name)) for name in ("base", "ours", "theirs")},
            }
            for question in found
        ],
        "replayed": [],
    }


def _origin(origin: Origin | None) -> Shape | None:
    if origin is None:
        return None
    return {
        "commit": _hex(origin.commit),
        "author": origin.author,
        "time": format_time(origin.time) if origin.time else None,
        "side": origin.side,
    }


def forgotten(labels: Iterable[Label]) -> Shape:
    """Return the shape ``epicvc.forgotten/1``."""
    return {"format": "epicvc.forgotten/1", "labels": [str(label) for label in labels]}


def blame(label: str, found: Iterable[Blamed]) -> Shape:
    """Return the shape ``epicvc.blame/1``."""
    return {
        "format": "epicvc.blame/1",
        "label": label,
        "fields": [{"label": str(item.label), **cast("Shape", _origin(item.origin))} for item in found],
    }


def merge(report: MergeReport) -> Shape:
    """Return the shape ``epicvc.merge/1``, with the members that only a merge of branches has."""
    return {
        "format": "epicvc.merge/1",
        "commit": _hex(report.commit),
        "merged": len(report.epics),
        "conflicts": [_conflict(conflict, "ours", "theirs") for conflict in report.conflicts],
        "base": _hex(report.base),
        "bases": report.bases,
        "fast_forward": report.fast_forward,
        "up_to_date": report.up_to_date,
        "decided": _decided(report.decided),
        "moved": [{"from": str(old), "to": str(new)} for old, new in report.moves],
        "warnings": list(report.warnings),
        "replayed": [str(label) for label in report.replayed],
    }


def _decided(decided: Iterable[tuple[Conflict, Chosen]]) -> list[Shape]:
    return [{"label": str(conflict.label), "reason": chosen.reason} for conflict, chosen in decided if chosen.reason]


def file_merge(merged: FileMerge, ours: bytes) -> Shape:
    """Return the shape ``epicvc.merge/1`` for three files."""
    from epicvc.base.jsonio import parse
    from epicvc.model.diff import diff as differences
    from epicvc.model.labels import Label

    return {
        "format": "epicvc.merge/1",
        "commit": None,
        "merged": sum(1 for _ in differences(Label(""), parse(ours), parse(merged.data))),
        "conflicts": [
            {**_conflict(conflict, "ours", "theirs"), "label": place} for place, conflict in merged.conflicts
        ],
    }


def commit(report: CommitReport) -> Shape:
    """Return the shape ``epicvc.commit/1``."""
    return {"format": "epicvc.commit/1", "commit": _hex(report.commit), "changed": report.changed}


def restore(
    commit: ObjectId,
    files: int,
    *,
    database: bool,
    to: Path | None = None,
    parents: Sequence[Label] | None = None,
    stranded: Iterable[Stranded] = (),
) -> Shape:
    """Return the shape ``epicvc.restore/1``."""
    return {
        "format": "epicvc.restore/1",
        "commit": commit.hex(),
        "files": files,
        "database": database,
        "to": str(to) if to else None,
        **({} if parents is None else {"parents": [str(label) for label in parents]}),
        **_left_out(stranded),
    }


def branches(found: dict[str, str], current: str | None) -> Shape:
    """Return the shape ``epicvc.branch/1``."""
    return {"format": "epicvc.branch/1", "current": current, "branches": found}


def tags(found: dict[str, str]) -> Shape:
    """Return the shape ``epicvc.tag/1``."""
    return {"format": "epicvc.tag/1", "tags": found}


def arrival(found: Arrival, command: str) -> Shape:
    """Return the shape ``epicvc.checkout/1``."""
    return {
        "format": "epicvc.checkout/1",
        "command": command,
        "commit": _hex(found.commit),
        "branch": found.branch,
        "files": found.changed_files,
        "database": found.changed_database,
        **_left_out(found.stranded),
    }


def _left_out(found: Iterable[Stranded]) -> Shape:
    """Return the triggers that could not be brought back, if there are any."""
    triggers = [{"name": one.trigger, "table": one.table, "missing": one.missing} for one in found]
    return {"left_out": triggers} if triggers else {}


def init(found: Found) -> Shape:
    """Return the shape ``epicvc.init/1``."""
    return {
        "format": "epicvc.init/1",
        "files": found.files,
        "database": found.database,
        "created_database": found.created_database,
        "epics": {"files": found.epics, "db": found.rows},
        "extra": found.extra,
        "system": found.system,
        "credentials": found.credentials,
        "orphans": found.orphans,
        "not_captured": found.not_captured,
        **_left_out(found.stranded),
        "overlooked": found.overlooked,
        "errors": errors(found.errors),
        "commit": _hex(found.commit),
    }


def operations(found: Iterable[Operation]) -> Shape:
    """Return the shape ``epicvc.operations/1``."""
    return {
        "format": "epicvc.operations/1",
        "operations": [
            {
                "id": operation.id,
                "time": operation.time,
                "command": operation.command,
                "description": operation.description,
                "user": operation.user,
                "undoes": operation.undoes,
                "redoes": operation.redoes,
            }
            for operation in found
        ],
    }


def fsck(report: FsckReport) -> Shape:
    """Return the shape ``epicvc.fsck/1``."""
    return {
        "format": "epicvc.fsck/1",
        "objects": report.objects,
        "commits": report.commits,
        "problems": [{"object": p.object, "kind": p.kind, "message": p.message} for p in report.problems],
    }


def doctor(findings: Iterable[Finding]) -> Shape:
    """Return the shape ``epicvc.doctor/1``."""
    return {
        "format": "epicvc.doctor/1",
        "findings": [{"level": f.level, "kind": f.kind, "message": f.message, "hint": f.hint} for f in findings],
    }


def adopt(done: Adoption) -> Shape:
    """Return the shape ``epicvc.adopt/1``."""
    return {
        "format": "epicvc.adopt/1",
        "dry_run": done.dry_run,
        "root": str(done.root),
        "was": done.was,
        "other": done.other,
        "store": done.store_id,
        "database": done.database,
    }


def clean(reports: Iterable[CleanReport]) -> Shape:
    """Return the shape ``epicvc.clean/1``."""
    found = list(reports)
    return {
        "format": "epicvc.clean/1",
        "dry_run": any(report.dry_run for report in found),
        "checkpoints": list(dict.fromkeys(report.checkpoint for report in found if report.checkpoint)),
        "freed": sum(report.freed for report in found),
        "done": [{"place": item.place, "what": item.what} for report in found for item in report.done],
        "kept": [{"place": item.place, "what": item.what} for report in found for item in report.kept],
    }


def migrations(found: MigrationStanding) -> Shape:
    """Return the shape ``epicvc.migrations/1``."""
    return {
        "format": "epicvc.migrations/1",
        "database": found.database,
        "directory": found.directory,
        "current": found.history.version,
        "adopted": not found.foreign,
        "applied": [
            {
                "version": record.version,
                "name": record.name,
                "applied_at": record.applied_at,
                "applied_by": record.applied_by,
                "kind": record.kind,
            }
            for record in found.history.records
        ],
        "pending": [{"version": m.version, "name": m.name} for m in found.pending],
        "problems": [problem.message for problem in found.findings.problems],
        "notes": list(found.findings.notes),
    }


def migrate(report: MigrationReport) -> Shape:
    """Return the shape ``epicvc.migrate/1``."""
    return {
        "format": "epicvc.migrate/1",
        "command": report.command,
        "from": report.start,
        "to": report.end,
        "steps": [{"version": m.version, "name": m.name} for m in report.steps],
        "dry_run": report.dry_run,
        "checkpoint": report.checkpoint,
        "commit": _hex(report.commit),
        "notes": list(report.notes),
    }


def proof(found: Proof) -> Shape:
    """Return the shape ``epicvc.proof/1``."""
    return {
        "format": "epicvc.proof/1",
        "proven": list(found.proven),
        "skipped": list(found.skipped),
        "errors": list(found.errors),
    }


def new_migration(made: NewMigration, *, dry_run: bool) -> Shape:
    """Return the shape ``epicvc.migration/1``."""
    return {
        "format": "epicvc.migration/1",
        "version": made.version,
        "files": [str(path) for path in made.files],
        "copied": [str(path) for path in made.copied],
        "dry_run": dry_run,
    }
