"""Finds epics that one side gave another key: they are the same epics, with all that each side has of them.

By its key alone such an epic would be deleted in one place and added in another. Keys without a column and columns
without a field, which only the other side has, would be lost with the deletion. A renamed epic is planned as one epic,
under its new key.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

from msgspec.structs import replace

from epicvc.database.documents.documents import epic_heads
from epicvc.database.documents.values import key_text
from epicvc.merge.threeway import Direction
from epicvc.model.diff import Change, Op
from epicvc.model.document import UNAGREED, Core, tasks_of
from epicvc.model.labels import Label
from epicvc.plan.epic import Outcome, Policy
from epicvc.repo.documents import Documents, Renamed, Three
from epicvc.repo.files.filestree import epic_id_of
from epicvc.repo.history.base import core_id
from epicvc.repo.history.objects import Snapshot
from epicvc.repo.rows.rows import CapturedRows
from epicvc.store.objects import ObjectId
from epicvc.store.tree import tree


def know_renamed(documents: Documents, policy: Policy) -> Policy:
    """Have each renamed epic loaded as one, and return the policy of a plan for both keys of each.

    Args:
        documents: the documents of one moment.
        policy: the policy of the plan. A rename that may not reach the other side is left out.
    """
    found = {new: old for new, old in _renamed(documents) if _concerned(policy, documents, new, old)}
    if not found:
        return policy
    documents.renamed = {new: Renamed(old, _in_database(documents, new)) for new, old in found.items()}
    labels = policy.selection.labels
    if labels:
        chosen = {label.root for label in labels}
        more = [Label(new) for new, old in found.items() if old in chosen and new not in chosen]
        labels = (*labels, *more)
    return replace(policy, selection=replace(policy.selection, labels=labels))


def with_key(three: Three, outcome: Outcome) -> Outcome:
    """Return an outcome that also brings the new key to the side that lacks it.

    An outcome in which a side has no epic is returned unchanged.
    """
    renamed = three.renamed
    if renamed is None or outcome.files is None or outcome.db is None:
        return outcome
    change = Change(Label(three.epic), Op.MOVE, renamed.old, three.epic)
    if renamed.in_database:
        return replace(outcome, to_files=(change, *outcome.to_files), moves_base=True)
    return replace(outcome, to_db=(change, *outcome.to_db), moves_base=True)


def _in_database(documents: Documents, new: str) -> bool:
    return new in documents.db_ids()


def _concerned(policy: Policy, documents: Documents, new: str, old: str) -> bool:
    way = Direction.TO_OURS if _in_database(documents, new) else Direction.TO_THEIRS
    chosen = policy.selection.epics()
    return way in policy.direction and (chosen is None or bool({new, old} & chosen))


def _renamed(documents: Documents) -> Iterator[tuple[str, str]]:
    """Yield the renamed epics: the present key, with the former one."""
    files, rows, agreed = documents.working.files.by_epic, documents.db_ids(), documents.entries
    candidates = documents.candidates() if documents.reader is not None else []
    for side, other in ((rows, files), (files, rows)):
        old = {epic for epic in candidates if epic in agreed and epic in other and epic not in side}
        new = [epic for epic in candidates if epic not in agreed and epic in side and epic not in other]
        if not old or not new:
            continue
        before = dict(_places_before(documents, new, in_database=side is rows))
        equals = _Equals(documents, old)
        for three in documents.load(new):
            now = three.db if side is rows else three.file
            was = _was(documents, now, before.get(three.epic), old, equals) if now is not None else None
            if was is not None:
                old.discard(was)
                yield three.epic, was


class _Equals:
    """The missing epics by their former core. They are read once, and only if they are needed."""

    def __init__(self, documents: Documents, old: set[str]) -> None:
        self._documents = documents
        self._old = old

    @cached_property
    def _by_core(self) -> dict[ObjectId, list[str]]:
        found: dict[ObjectId, list[str]] = {}
        for key in sorted(self._old):
            core = _plain(self._documents.base_core(key))
            if core is not None:
                found.setdefault(core_id("", core), []).append(key)
        return found

    def of(self, core: Core) -> list[str]:
        """Return the epics with this core that no renamed epic has taken yet."""
        return [key for key in self._by_core.get(core_id("", core), ()) if key in self._old]


def _was(documents: Documents, now: Core, place: str | None, old: set[str], equals: _Equals) -> str | None:
    """Return the missing epic that this one was: the one in its place if they are alike, else the only equal one."""
    if place is not None and place in old and _alike(documents.base_core(place), now):
        return place
    if not tasks_of(now) and len(now) < 2:
        return None  # too little to be recognised by
    equal = equals.of(now)
    return equal[0] if len(equal) == 1 else None


def _plain(core: Core | None) -> Core | None:
    return None if core is None else {name: value for name, value in core.items() if name != UNAGREED}


def _alike(before: Core | None, now: Core) -> bool:
    """Return whether two cores have a task or their name in common, or whether the former one is empty."""
    if before is None:
        return False
    tasks = {task["id"] for task in tasks_of(before)} & {task["id"] for task in tasks_of(now)}
    return bool(tasks) or (before.get("name") is not None and before.get("name") == now.get("name")) or not before


def _places_before(documents: Documents, epics: list[str], *, in_database: bool) -> Iterator[tuple[str, str]]:
    """Yield the epic that HEAD has in the row, or in the file, of each of these."""
    head = documents.repo.head_snapshot()
    if head is None:
        return
    yield from _rows_before(documents, head[1], epics) if in_database else _files_before(documents, head[1], epics)


def _rows_before(documents: Documents, head: Snapshot, epics: list[str]) -> Iterator[tuple[str, str]]:
    if head.database is None or documents.reader is None or documents.layout is None:
        return
    table, captured = documents.layout.epics.map, CapturedRows(documents.sink, head.database)
    for surrogate, epic, _ in epic_heads(documents.reader, documents.layout, epics):
        row = captured.by_surrogate(table, surrogate)
        key = key_text(row.get(table.key)) if row is not None else None
        if key is not None:
            yield epic, key


def _files_before(documents: Documents, head: Snapshot, epics: list[str]) -> Iterator[tuple[str, str]]:
    for epic in epics:
        path = documents.working.files.by_epic[epic].path
        blob = tree.get(documents.sink, head.files, path.encode())
        if blob is not None:
            yield epic, epic_id_of(documents.sink, blob, path)
