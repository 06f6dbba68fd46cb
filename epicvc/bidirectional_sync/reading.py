"""Reads the two sides of a repo into the shapes of the Python face. It writes nothing."""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from msgspec import Struct

from epicvc.actions.shared.session import look
from epicvc.actions.sync.survey import NAME
from epicvc.base.fileio import read_file
from epicvc.bidirectional_sync.shapes import (
    ChangeSummary,
    EpicChange,
    Integrity,
    QualityMetrics,
    SyncStatus,
    score_counts,
)
from epicvc.database.documents.epicvalues import read_texts
from epicvc.errors import EpicvcError, InvalidFile, NotFound
from epicvc.model.labels import natural_order
from epicvc.repo.documents import Documents
from epicvc.repo.files.filestree import parse_file
from epicvc.repo.files.tracked import FilesState
from epicvc.repo.repository import Repo

if TYPE_CHECKING:
    from epicvc.actions.history.status import Status
    from epicvc.actions.report.quality import Quality

PathLike: TypeAlias = "str | os.PathLike[str]"

ORPHANS = "orphans"
"""The kind of ``doctor``'s findings about foreign keys. They block nothing, and still the data lacks integrity."""


class Known(Struct, frozen=True):
    """The epics that there are.

    Attributes:
        names: the names of all epics of either side, in the natural order of the epics.
        files: the epics that have a file.
        rows: the epics that the database has.
        agreed: the epics that both sides have agreed on.
    """

    names: dict[str, str | None]
    files: frozenset[str]
    rows: frozenset[str]
    agreed: frozenset[str]


def read_known(repo: Repo, only: Collection[str] | None = None) -> Known:
    """Read which epics both sides have, with the names of all or of some of them."""
    with look(repo) as session:
        documents = Documents(repo, session.working, session.staging, session.reader)
        files, rows = frozenset(session.working.files.by_epic), frozenset(documents.db_ids())
        epics = sorted(files | rows | documents.held.epics, key=natural_order)
        names = names_of(documents, only, [epic for epic in epics if only is None or epic in only])
        return Known({epic: names.get(epic) for epic in epics}, files, rows, frozenset(documents.entries))


def names_of(
    documents: Documents, only: Collection[str] | None, epics: Sequence[str], *, but: Collection[str] = ()
) -> dict[str, str | None]:
    """Return the names of epics: from the database, or from its file for an epic that the database lacks.

    Args:
        documents: both sides as they were captured.
        only: the epics whose rows are read, without those that cannot be read; ``None`` for all.
        epics: the epics to name.
        but: the epics whose files are not read.
    """
    names: dict[str, str | None] = {}
    if documents.reader is not None and documents.layout is not None:
        held = documents.held.epics
        keys = None if only is None and not held else [epic for epic in only or epics if epic not in held]
        names = read_texts(documents.reader, documents.layout, NAME, keys)
    for epic in epics:
        if epic not in names and epic not in but:
            names[epic] = _text((documents.file_core(epic) or {}).get(NAME))
    return names


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def epics_in(repo: Repo, files: Sequence[PathLike]) -> list[str]:
    """Return the epics of tracked files, by one look at the directory.

    Args:
        repo: the repo.
        files: their paths, relative to the directory of the epics or absolute.

    Raises:
        NotFound: a file does not exist, or is not tracked.
        EpicvcError: a file is no valid epic.
    """
    names = [_name(repo, file) for file in files]
    with repo.staging(writable=False) as staging:
        state = repo.scan_files(staging)
    return [_epic(repo, state, name) for name in names]


def check_file(repo: Repo, file: PathLike) -> None:
    """Make sure that a file exists and is a valid epic. No other file is looked at.

    Raises:
        NotFound: the file does not exist.
        EpicvcError: the file is no valid epic.
    """
    name = _name(repo, file)
    path = repo.config.files / name
    if not path.is_file():
        raise _not_found(repo, name)
    parse_file(read_file(path), repo.config.shown(name), repo.config)


def _name(repo: Repo, file: PathLike) -> str:
    """Return a file's path in the form that tracked files have."""
    files = repo.config.files
    path = Path(os.path.normpath(files / file))
    if not path.is_relative_to(files) and Path(file).is_absolute():
        path = files / os.path.relpath(os.path.realpath(path), os.path.realpath(files))
    name = os.path.relpath(path, files).replace(os.sep, "/")
    if name.startswith("../"):
        raise _not_found(repo, name)
    return name


def _not_found(repo: Repo, name: str) -> NotFound:
    return NotFound(f"no tracked file {name} in {repo.config.files}", hint="name it relative to json_dir")


def _epic(repo: Repo, state: FilesState, name: str) -> str:
    tracked, shown = state.files.get(name), repo.config.shown(name)
    if tracked is None:
        reason = next((reason for path, reason in state.skipped if path == name), None)
        if reason is not None:
            raise InvalidFile(shown, f"it is not tracked: {reason}")
        raise _not_found(repo, name)
    for problem in state.problems:
        if {getattr(problem, "path", None), getattr(problem, "source", None)} & {name, shown}:
            raise problem
    if tracked.epic is None:
        raise InvalidFile(shown, "it is no epic")
    return tracked.epic


def status_of(repo: Repo, status: Status, known: Known) -> SyncStatus:
    """Return the state of the two sides as a dict."""
    from epicvc.actions.sync.stats import last_sync  # imported here: it imports what reads the operation log

    return {
        "last_sync_time": last_sync(repo),
        "total_epics": len(known.names),
        "conflict_count": len(status.conflicts),
        "in_sync": status.in_sync,
    }


def read_quality(repo: Repo) -> QualityMetrics:
    """Measure the quality of the data of both sides."""
    from epicvc.actions.report.quality import data_quality  # imported here: it imports what calculates fields again

    return quality_dict(data_quality(repo))


def quality_dict(found: Quality) -> QualityMetrics:
    """Return measured quality of data as a dict."""
    return {
        "consistency_score": found.consistency.percentage,
        "completeness_score": found.completeness.percentage,
        "accuracy_score": found.accuracy.percentage,
        "consistency": score_counts(found.consistency),
        "completeness": score_counts(found.completeness),
        "accuracy": score_counts(found.accuracy),
        "unreadable": found.unreadable,
    }


def summary_of(status: Status, known: Known) -> ChangeSummary:
    """Return the changes that the next synchronisation would be about."""
    from epicvc.actions.history.status import State

    changes: list[EpicChange] = []
    counts = {"new": 0, "deleted": 0, "modified": 0}
    for epic in status.epics:
        if epic.state is State.SYNCED:
            continue
        kind = _kind(epic.id, known)
        counts[kind] += 1
        fields = [str(field.label) for field in epic.fields]
        changes.append(
            {"epic_id": epic.id, "file": epic.path, "change": kind, "state": epic.state.value, "fields": fields}
        )
    changed = {change["epic_id"] for change in changes}
    return {
        "modified_count": counts["modified"],
        "new_count": counts["new"],
        "deleted_count": counts["deleted"],
        "unchanged_count": len(known.names.keys() - changed),
        "epics": changes,
    }


def _kind(epic: str, known: Known) -> str:
    if epic not in known.agreed:
        return "new"
    return "modified" if epic in known.files and epic in known.rows else "deleted"


def read_integrity(repo: Repo) -> Integrity:
    """Verify the store with every base in it, and examine both sides."""
    from epicvc.actions.care.checking import fsck  # imported here: only this function needs the checks
    from epicvc.actions.care.doctor import doctor

    store = fsck(repo)
    checked = {"commits": store.commits, "objects": store.objects}
    try:
        findings = doctor(repo, store=store)
        checked |= _counts(repo)
    except EpicvcError as error:  # a side cannot be read at all
        errors = [problem.message for problem in store.problems]
        return {"valid": False, "errors": [*errors, error.message], "warnings": [], "checked": checked}
    errors = [item.message for item in findings if item.level == "error" or item.kind == ORPHANS]
    warnings = [item.message for item in findings if item.level == "warning" and item.kind != ORPHANS]
    return {"valid": not errors, "errors": errors, "warnings": warnings, "checked": checked}


def _counts(repo: Repo) -> dict[str, int]:
    known = read_known(repo, ())
    with look(repo) as session:
        reader = session.reader
        rows = [] if reader is None else [sum(1 for _ in reader.rows(table.name)) for table in reader.tables()]
        keys = 0 if reader is None else sum(len(reader.references(table.name)) for table in reader.tables())
        files = len(session.working.files.files)
    return {
        "files": files,
        "epics": len(known.names),
        "agreed": len(known.agreed),
        "rows": sum(rows),
        "foreign_keys": keys,
    }
