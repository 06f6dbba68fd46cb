"""Finds the origins of places of an epic: for each side of each place the commit that changed it last.

It goes from both sides as they are back through the commits, newest first, and stops as soon as every place has its
origin. At a merge a place goes on to a parent with the same value, as in `git blame`.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from functools import cached_property
from heapq import heappop, heappush
from pathlib import Path
from typing import Final, TypeAlias

from epicvc.actions.origin.trail import EpicTrail
from epicvc.actions.shared.questions import Origin
from epicvc.actions.shared.session import Session
from epicvc.base.jsonio import JSON
from epicvc.merge.threeway import ABSENT, Value
from epicvc.model.diff import Change, Keyed, Op, keyed
from epicvc.model.document import UNAGREED, Core, tasks_of
from epicvc.model.labels import Label
from epicvc.model.mapping import Mapping
from epicvc.repo.history.objects import Commit, Snapshot, get_commit, get_snapshot
from epicvc.repo.history.revisions import view_head
from epicvc.repo.repository import Repo
from epicvc.store.objects import ObjectId

SIDES: Final = ("files", "db")
BOTH: Final = "both"

Place: TypeAlias = tuple[str, Label]
"""A side and a label."""


Members: TypeAlias = "dict[int, Keyed]"
"""The items of lists by their ids, by the identity of the list."""


class _Pair:
    """The changes from one state of a history to the next, by side.

    Looking up a place does not depend on their number.

    Args:
        changes: the changes, by side.
        whole: only an arrival at a place, or a removal from it, concerns the place; a change below it does not.
    """

    def __init__(self, changes: dict[str, list[Change]], *, whole: bool) -> None:
        self._changes = changes
        self._whole = whole
        self._members: Members = {}
        self._at: dict[Place, list[Change]] = {}
        self._above: set[Place] = set()
        for side, items in changes.items():
            for change in items:
                self._at.setdefault((side, change.label), []).append(change)
                if change.op is not Op.MOVE:
                    self._above.update((side, label) for label in change.label.upwards())

    def concerns(self, place: Place) -> bool:
        """Return whether a place changed."""
        side, label = place
        if label.path == (Mapping.TASKS,) and not self._whole:
            return any(_orders(change) for change in self._changes[side])
        if place in self._above and not self._whole:
            return True  # a change at the place, or below it
        covering = (change for above in label.upwards() for change in self._at.get((side, above), ()))
        if self._whole:
            return any(_arrives(change, label, self._members) for change in covering)
        return any(change.op is not Op.MOVE and _reaches(change, label, self._members) for change in covering)


def _orders(change: Change) -> bool:
    """Return whether a change can have changed the order of tasks."""
    path = change.label.path
    return not path or (path[0] == Mapping.TASKS and len(path) < 3 and change.op is not Op.REPLACE)


def _arrives(change: Change, label: Label, known: Members) -> bool:
    """Return whether a change puts something at an empty place, or removes it from there."""
    if change.op is Op.MOVE:
        return change.label == label and change.new == str(label)  # otherwise only the position in its list changed
    rest = label.path[len(change.label.path) :]
    old, new = (descend(value, rest, known) is not None for value in (change.old, change.new))
    return old != new or (change.old is None and change.new is None)


def _reaches(change: Change, label: Label, known: Members) -> bool:
    """Return whether a change concerns a whole that contains the place."""
    rest = label.path[len(change.label.path) :]
    values = (change.old, change.new)
    return values == (None, None) or any(descend(value, rest, known) is not None for value in values)


def descend(value: JSON, path: tuple[str, ...], known: Members | None = None) -> JSON:
    """Return the value below some names in a value. Items of a list are found by id.

    Args:
        value: the value.
        path: the names.
        known: keeps the members of lists between calls, for values that do not change.
    """
    for name in path:
        members = _by_id(value, {} if known is None else known) if isinstance(value, list) else value
        value = members.get(name) if isinstance(members, dict) else None
    return value


def _by_id(items: list[JSON], known: Members) -> Keyed:
    if id(items) not in known:
        known[id(items)] = keyed(items) or {}
    return known[id(items)]


def _modified_ns(path: Path) -> int | None:
    """Return the time at which a file was written, or ``None`` if it has just gone."""
    try:
        return path.lstat().st_mtime_ns
    except OSError:
        return None


def _moment(origin: Origin) -> float:
    return origin.time.timestamp() if origin.time else 0.0


class Tracer:
    """Finds origins in a history.

    Args:
        session: the running command, with both sides and the store.
        root: an epic, or a place of another table.
        whole: find arrivals at places and removals from them, not edits there.
    """

    def __init__(self, session: Session, root: Label, *, whole: bool = False) -> None:
        self._whole = whole
        self._repo: Repo = session.repo
        self._session = session
        tracked = None if root.table else session.working.files.by_epic.get(root.root)
        path = tracked.path if tracked else None  # a file that is deleted now is found among the changes
        self._written = _modified_ns(self._repo.config.files / path) if path else None
        self._trail = EpicTrail(session.staging, self._repo.config.mapping, root, path)
        self._pairs: dict[tuple[ObjectId | None, ObjectId], _Pair] = {}
        self._edits: dict[ObjectId, _Pair] = {}
        self._made_by: dict[ObjectId, Snapshot] | None = None

    def origins(self, places: Iterable[Place]) -> dict[Place, Origin]:
        """Return the origin of each place. Places that never existed are left out.

        In a commit of a synchronisation both sides of a field may change. Their values before it tell the side that
        changed first, as long as the operation log reaches back to it. Otherwise the side is ``both``.
        """
        wanted = set(places)
        found: dict[Place, Origin] = {}
        head = self._repo.head_snapshot()
        for place in list(wanted):
            if self._uncommitted_edits.concerns(place):
                found[place] = self._uncommitted(place[0])
                wanted.discard(place)
        if head is not None and wanted:
            self._walk(head[0], wanted, found)
        return found

    def origin_in(self, commit: ObjectId, label: Label) -> Origin | None:
        """Return the origin of a place in a commit, on the side that had the value first."""
        return self.first_in(commit, [label]).get(label)

    def first_in(self, commit: ObjectId, labels: Iterable[Label]) -> dict[Label, Origin]:
        """Return the origins of several places in a commit, as :meth:`origin_in`.

        Places that never existed are left out.
        """
        first: dict[Label, Origin] = {}
        for (_, label), origin in self.origins_in(
            commit, [(side, label) for label in labels for side in SIDES]
        ).items():
            if label not in first or _moment(origin) < _moment(first[label]):
                first[label] = origin
        return first

    def origins_in(self, commit: ObjectId, places: Iterable[Place]) -> dict[Place, Origin]:
        """Return the origins of places on their sides, as a commit has them."""
        found: dict[Place, Origin] = {}
        self._walk(commit, set(places), found)
        return found

    @cached_property
    def _uncommitted_edits(self) -> _Pair:
        head = self._repo.head_snapshot()
        return self._pair(None, head[1] if head else None, None, self._session.working.snapshot())

    def _uncommitted(self, side: str) -> Origin:
        time = None
        if side == "files" and self._written is not None:
            time = datetime.fromtimestamp(self._written / 1e9, UTC)
        return Origin(side, time=time)

    def _walk(self, start: ObjectId, wanted: set[Place], found: dict[Place, Origin]) -> None:
        """Hand each place down to a parent with the same value, and note its origin where no parent has it."""
        store = self._session.staging
        commits: dict[ObjectId, Commit] = {start: get_commit(store, start)}
        waiting: dict[ObjectId, set[Place]] = {start: wanted}
        # Newest first: the children of a commit, as a rule, have handed down their places before it is visited.
        queue = [(-commits[start].time.timestamp(), start)]
        while queue:
            _, oid = heappop(queue)
            commit, left = commits.pop(oid), waiting.pop(oid)
            after = get_snapshot(store, commit.snapshot)
            pairs: list[tuple[Snapshot, _Pair]] = []
            for parent in commit.parents:
                before = self._repo.snapshot_of(parent)
                pair = self._pair(parent, before, oid, after)
                pairs.append((before, pair))
                same = {place for place in left if not pair.concerns(place)}
                left -= same
                if same and parent in waiting:
                    waiting[parent] |= same
                elif same:
                    commits[parent], waiting[parent] = get_commit(store, parent), same
                    heappush(queue, (-commits[parent].time.timestamp(), parent))
            # A first commit: all that it has began there.
            if not pairs and left:
                pairs.append((after, self._pair(None, None, oid, after)))
                left = {place for place in left if pairs[0][1].concerns(place)}
            for place in left:
                found[place] = Origin(self._began(commit, *pairs[0], place), oid, commit.author, commit.time)

    def _began(self, commit: Commit, before: Snapshot, pair: _Pair, place: Place) -> str:
        """Return the side on which a change of a commit began."""
        side, label = place
        other = SIDES[side == SIDES[0]]
        if not pair.concerns((other, label)):
            return side
        seen = self._seen_before(commit.id)
        if seen is None or not commit.parents:
            return BOTH
        edits = self._edits.get(commit.id)
        if edits is None:  # kept, since it is the same for every place that the commit changed
            edits = self._edits[commit.id] = self._pair(None, before, None, seen)
        began = [name for name in SIDES if edits.concerns((name, label))]
        return began[0] if len(began) == 1 else BOTH

    def _seen_before(self, commit: ObjectId) -> Snapshot | None:
        """Return both sides as they were before the operation that made a commit, or ``None`` if the log lacks it."""
        if self._made_by is None:
            self._made_by = {}
            for operation in self._repo.store.operations():
                head = view_head(operation.after.refs)
                if head is not None and operation.before.snapshot and head != view_head(operation.before.refs):
                    oid = bytes.fromhex(operation.before.snapshot)
                    if self._repo.store.has(oid):
                        self._made_by[head] = get_snapshot(self._repo.store, oid)
        return self._made_by.get(commit)

    def _pair(self, one: ObjectId | None, before: Snapshot | None, other: ObjectId | None, after: Snapshot) -> _Pair:
        """Return the changes between two states.

        Those between commits are kept, since questions about one epic repeat them.
        """
        key = (one, other) if other is not None else None
        if key is not None and key in self._pairs:
            return self._pairs[key]
        changes: dict[str, list[Change]] = {side: [] for side in SIDES}
        for item in self._trail.changes(before, after):
            changes[item.side].append(item.change)
        pair = _Pair(changes, whole=self._whole)
        if key is not None:
            self._pairs[key] = pair
        return pair


def root_of(label: Label) -> Label:
    """Return the epic, or the row of another table, to which a place belongs."""
    return Label(label.root, label.path[:1], table=True) if label.table else Label(label.root)


class Tracers:
    """The tracers of epics and rows. Each is made when it is first needed, and keeps what it has read.

    Args:
        session: the running command.
        whole: as for :class:`Tracer`.
    """

    def __init__(self, session: Session, *, whole: bool = False) -> None:
        self._session = session
        self._whole = whole
        self._known: dict[Label, Tracer] = {}

    def of(self, label: Label) -> Tracer:
        """Return the tracer for a place."""
        root = root_of(label)
        if root not in self._known:
            self._known[root] = Tracer(self._session, root, whole=self._whole)
        return self._known[root]


def value_at(core: Core | None, label: Label, known: Members | None = None) -> Value:
    """Return the value of a core at a label. The value of the order of tasks is the list of their ids.

    ``known`` is as for :func:`descend`.
    """
    if core is None:
        return ABSENT
    value: JSON = {name: inner for name, inner in core.items() if name != UNAGREED}
    if label.path == (Mapping.TASKS,):
        return [task["id"] for task in tasks_of(core)]
    value = descend(value, label.path, known)
    return ABSENT if value is None else value
