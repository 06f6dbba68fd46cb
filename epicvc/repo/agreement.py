"""Brings the remembered agreement of the documents (:mod:`epicvc.repo.agreed`) up to date with later changes."""

from __future__ import annotations

from epicvc.errors import DamagedObject
from epicvc.repo.agreed import Agreement, load_agreement
from epicvc.repo.files.filestree import changed_files, epic_id_of
from epicvc.repo.history.objects import DatabaseState, Snapshot
from epicvc.repo.repository import Repo
from epicvc.repo.rows.dbside import row_changes
from epicvc.repo.rows.rows import CapturedRows, mapped_tables
from epicvc.store.objects import ObjectSink
from epicvc.store.tree import tree


def recall(source: ObjectSink, repo: Repo, basis: str, now: Snapshot) -> tuple[Agreement, set[str]] | None:
    """Return the remembered agreement, and the epics of which a file, the base or a row has changed since.

    Args:
        source: holds the objects of ``now``, and those of the store.
        repo: the repo.
        basis: the basis that the agreement must have been made on.
        now: both sides as they are.

    Returns:
        ``None`` where nothing is remembered, or the changes since cannot be told.
    """
    known = load_agreement(repo.config.private)
    if known is None or known.basis != basis:
        return None
    try:
        touched = _touched_since(source, repo, known, now)
    except DamagedObject:  # a damaged memory must not stop the command
        return None
    return None if touched is None else (known, touched)


def _touched_since(source: ObjectSink, repo: Repo, known: Agreement, now: Snapshot) -> set[str] | None:
    if now.database is None or known.schema != now.database.schema:
        return None
    pairs = (known.files, now.files), (known.base, now.base), (known.tables, now.database.tables)
    # The trees of a state that no commit has may be gone from the store: then nothing tells what differs.
    if not all(old == new or source.has(old) for old, new in pairs):
        return None
    before = DatabaseState(known.schema, known.tables)
    # Without the owners of changed rows, any epic may have changed.
    if before != now.database and not CapturedRows(source, before).finds_owners(repo.config.mapping):
        return None
    touched = affected_epics(source, repo, before, now.database)
    touched.update(key.decode() for key, *_ in tree.diff(source, known.base, now.base))
    for path, *blobs in changed_files(source, known.files, now.files):
        touched.update(epic_id_of(source, blob, path) for blob in blobs if blob is not None)
    return touched


def affected_epics(
    source: ObjectSink, repo: Repo, before: DatabaseState | None, after: DatabaseState | None
) -> set[str]:
    """Return the epics that own a row which differs between two captured databases."""
    mapping = repo.config.mapping
    tables = frozenset(mapped_tables(mapping))
    views = [CapturedRows(source, state) if state else None for state in (before, after)]
    epics: set[str] = set()
    for table, rows in row_changes(source, before, after):
        if table not in tables:
            continue
        for _, old, new in rows:
            for view, row in zip(views, (old, new), strict=True):
                if view is not None and row is not None:
                    owner = view.owner(mapping, table, view.named(table, row))
                    if owner:
                        epics.add(owner.epic)
    return epics
