"""Epics that one side gave another key: the same epics still, with all that each side has of them.

By its key alone such an epic would be deleted in one place and added in another, and what only the other side has of
it, keys without a column or columns without a field, would go with the deletion. Once it is known, both keys are
planned as one epic, under the new one.
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
    """Have renamed epics loaded as one; gives the policy of a plan that is about both keys of each.

    Args:
        documents: the documents of one moment.
        policy: what is planned by. A rename that may not reach the other side is none here.
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
    """An outcome that also brings the new key to the side that lacks it; both sides have the epic."""
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
    """The renamed epics: the key now, and the key before."""
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
    """The epics that are gone, by what they were; read once, and only where somebody asks."""

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
        """Those of this core that nobody has taken yet."""
        return [key for key in self._by_core.get(core_id("", core), ()) if key in self._old]


def _was(documents: Documents, now: Core, place: str | None, old: set[str], equals: _Equals) -> str | None:
    """Which of the epics that are gone this one was: what was in its place if alike, else the only equal one."""
    if place is not None and place in old and _alike(documents.base_core(place), now):
        return place
    if not tasks_of(now) and len(now) < 2:
        return None  # too little to be known by
    equal = equals.of(now)
    return equal[0] if len(equal) == 1 else None


def _plain(core: Core | None) -> Core | None:
    return None if core is None else {name: value for name, value in core.items() if name != UNAGREED}


def _alike(before: Core | None, now: Core) -> bool:
    """Whether they have a task in common, or the name, or nothing that could tell them apart."""
    if before is None:
        return False
    tasks = {task["id"] for task in tasks_of(before)} & {task["id"] for task in tasks_of(now)}
    return bool(tasks) or (before.get("name") is not None and before.get("name") == now.get("name")) or not before


def _places_before(documents: Documents, epics: list[str], *, in_database: bool) -> Iterator[tuple[str, str]]:
    """Which epic HEAD has in the row, or in the file, of each of these."""
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
