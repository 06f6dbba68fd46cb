"""Checks the task graph of a merge: gives :mod:`epicvc.merge.graph` the states that it compares.

The links of tasks are read from the files, which were parsed already where they differ. The epics that have a task of
some id are found by the database's indexes.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import cached_property

from epicvc.actions.merge.documents.loading import Loader
from epicvc.actions.merge.snapshots.contents import Links
from epicvc.actions.merge.snapshots.three import ThreeSnapshots
from epicvc.actions.origin.words import OURS, THEIRS
from epicvc.actions.shared.session import Session
from epicvc.database.documents.documents import living_tasks
from epicvc.merge.graph import GraphFault, StateGraph, Tell, check, duplicates, require_no_new


def check_links(
    session: Session, three: ThreeSnapshots, loader: Loader, merged: Mapping[str, Links], tell: Tell
) -> tuple[GraphFault, ...]:
    """Check the links of the merged state.

    Args:
        session: the running command.
        three: the states.
        loader: finds the files of epics.
        merged: the links of the epics that were merged as documents.
        tell: names the edit that gave a place its value.

    Returns:
        The faults that one side has already.

    Raises:
        BrokenGraph: the result has faults that neither side has.
    """
    mapping = session.repo.config.mapping
    assert mapping.links is not None  # the caller has checked it
    graphs = _Graphs(session, three, loader, merged)
    inputs = {OURS: StateGraph(graphs, 0), THEIRS: StateGraph(graphs, 1)}
    after = StateGraph(graphs, 2)
    changed: dict[str, set[str]] = {OURS: set(), THEIRS: set()}
    gone: set[str] = set()
    added: set[str] = set()
    for epic in sorted(three.here.epics | three.there.epics):
        ours, theirs, result = graphs.links(epic)
        for name, links in ((OURS, ours), (THEIRS, theirs)):
            if links != result:
                changed[name].add(epic)
                gone |= links.keys() - result.keys()
                added |= result.keys() - links.keys()
    found = check(after, inputs, changed, gone, mapping.links.field)
    reader = session.reader
    if three.owned and reader is not None and (mapping.tasks.key,) in reader.unique_keys(mapping.tasks.table):
        found += duplicates(after, inputs, sorted(added))
    require_no_new(found, tell)
    return tuple(found)


class _Graphs:
    """The links of epics in ours, in theirs and in the result. Each is found when it is first needed."""

    def __init__(self, session: Session, three: ThreeSnapshots, loader: Loader, merged: Mapping[str, Links]) -> None:
        self._session = session
        self._three = three
        self._loader = loader
        self._merged = merged
        self._links: dict[str, tuple[Links, Links, Links]] = {}
        self._owners: dict[str, set[str]] = {}

    def links(self, epic: str) -> tuple[Links, Links, Links]:
        """Return the links of an epic in ours, in theirs and in the result."""
        if epic not in self._links:
            contents, three = self._three.contents, self._three
            places = self._loader.places(epic)[1:]
            ours, theirs = ({} if place is None else contents.epic(place[1], place[0])[1] for place in places)
            taken = theirs if epic in three.there.epics else ours
            self._links[epic] = (ours, theirs, self._merged.get(epic, taken))
        return self._links[epic]

    @cached_property
    def _merged_owners(self) -> dict[str, set[str]]:
        """The epics that have a task of each id after the merge.

        A task may have come to an epic where no side has it.
        """
        found: dict[str, set[str]] = {}
        for epic, links in self._merged.items():
            for key in links:
                found.setdefault(key, set()).add(epic)
        return found

    def owners(self, keys: Collection[str]) -> dict[str, set[str]]:
        """Return the epics that may have a task of each id in some state."""
        new = [key for key in keys if key not in self._owners]
        three, reader = self._three, self._session.reader
        for key in new:
            sides = (three.here, three.there, three.working)
            self._owners[key] = {epic for side in sides for epic in side.tasks.get(key, ())}
            self._owners[key] |= self._merged_owners.get(key, set())
        if new and three.owned and reader is not None:
            for key, epic in living_tasks(reader, self._loader.layout, sorted(new)):
                self._owners[key].add(epic)
        return {key: self._owners[key] for key in keys}
