"""Merge bases: the newest commits that two histories share. The module reads commits and changes nothing."""

from __future__ import annotations

from enum import Flag, auto
from heapq import heappop, heappush

from epicvc.repo.history.objects import Commit, get_commit
from epicvc.store.objects import ObjectId, ObjectSource


class _Side(Flag):
    ONE = auto()
    OTHER = auto()
    STALE = auto()  # an ancestor of a common ancestor that was found already
    BOTH = ONE | OTHER


def merge_bases(source: ObjectSource, one: ObjectId, other: ObjectId) -> tuple[ObjectId, ...]:
    """Return the common ancestors of two commits that are no ancestor of another common one, newest first.

    A commit is later than each of its parents, so a walk from the newest meets every commit before its parents. The
    walk ends where only ancestors of common ancestors are left.

    Args:
        source: holds the commits.
        one: a commit. It counts as its own ancestor, as everywhere.
        other: another commit.

    Returns:
        An empty tuple for histories that share nothing; several commits where branches were merged crosswise.

    Raises:
        DamagedObject: an object is missing or is no commit.
    """
    sides: dict[ObjectId, _Side] = {}
    queue: list[tuple[float, ObjectId]] = []
    commits: dict[ObjectId, Commit] = {}
    live = 0  # queued commits that are not stale; without one, nothing new can be found

    def paint(oid: ObjectId, side: _Side) -> None:
        nonlocal live
        before = sides.get(oid)
        if before is None:
            commits[oid] = get_commit(source, oid)
            heappush(queue, (-commits[oid].time.timestamp(), oid))
        now = side if before is None else before | side
        live += int(before is None and not now & _Side.STALE)
        live -= int(before is not None and oid in waiting and not before & _Side.STALE and bool(now & _Side.STALE))
        sides[oid] = now
        if before is None:
            waiting.add(oid)

    waiting: set[ObjectId] = set()
    paint(one, _Side.ONE)
    paint(other, _Side.OTHER)
    found: list[ObjectId] = []
    while queue and live:
        _, oid = heappop(queue)
        waiting.discard(oid)
        side = sides[oid]
        live -= int(not side & _Side.STALE)
        if side & _Side.BOTH == _Side.BOTH and not side & _Side.STALE:
            found.append(oid)
            side |= _Side.STALE
        for parent in commits[oid].parents:
            paint(parent, side)
    return tuple(found)


def commits_since(source: ObjectSource, earlier: ObjectId, later: ObjectId) -> list[Commit]:
    """Return the commits of one history that another one lacks, oldest first.

    Args:
        source: holds the commits.
        earlier: the newest commit of the other history.
        later: the newest commit of the history.

    Raises:
        DamagedObject: an object is missing or is no commit.
    """
    known: dict[ObjectId, bool] = {}
    commits: dict[ObjectId, Commit] = {}
    queue: list[tuple[float, ObjectId]] = []
    waiting = 0  # queued commits that are not known; without one, nothing new can be found

    def meet(oid: ObjectId, of_earlier: bool) -> None:
        nonlocal waiting
        if oid not in known:
            commits[oid] = get_commit(source, oid)
            heappush(queue, (-commits[oid].time.timestamp(), oid))
            waiting += not of_earlier
        elif of_earlier and not known[oid]:
            waiting -= 1  # still queued: all its children come before it
        known[oid] = known.get(oid, False) or of_earlier

    meet(earlier, True)
    meet(later, False)
    found: list[Commit] = []
    while waiting:
        _, oid = heappop(queue)
        if not known[oid]:
            waiting -= 1
            found.append(commits[oid])
        for parent in commits[oid].parents:
            meet(parent, known[oid])
    return found[::-1]
