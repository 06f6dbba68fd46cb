"""Checks the task graph of a synchronisation: gives :mod:`epicvc.merge.graph` the states that it compares.

While epics are planned, only the differences of links and tasks are noted. Documents are loaded again only for epics
that may be part of a fault, so that the cost depends on the changes and not on the number of epics.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import TypeAlias, cast

from msgspec import Struct, field

from epicvc.actions.origin.words import DATABASE, FILES
from epicvc.database.documents.documents import living_tasks
from epicvc.merge.graph import GraphFault, StateGraph, Tell, check, duplicates, require_no_new
from epicvc.model.diff import Change
from epicvc.model.document import Core, tasks_of
from epicvc.model.mapping import Mapping as DocumentMapping
from epicvc.plan.epic import Outcome
from epicvc.repo.documents import Documents, Three

Links: TypeAlias = "dict[str, tuple[str, ...]]"

_Planned: TypeAlias = Callable[[Three], Outcome]


class GraphWatch(Struct):
    """Notes, epic by epic, the changes of a synchronisation to the task graph.

    Attributes:
        links_field: the field of a task that holds its dependencies.
        whole: the plan brings all changes to both sides; otherwise the sides differ in more than the plan changes.
        changed: the epics whose links on a side will differ from those of an input, by side and input.
        gone: the ids of tasks that an input has in an epic and that a side will lack there, by side.
        places: the epics that have a task only on one side, or only afterwards, by the id of the task.
    """

    links_field: str
    whole: bool = True
    changed: dict[str, dict[str, set[str]]] = field(
        default_factory=lambda: {side: {name: set() for name in (FILES, DATABASE)} for side in (FILES, DATABASE)}
    )
    gone: dict[str, set[str]] = field(default_factory=lambda: {FILES: set(), DATABASE: set()})
    places: dict[str, set[str]] = field(default_factory=dict)

    def add(self, epics: Iterable[str]) -> None:
        """Note epics that only the files have, and that the database gets unchanged."""
        self.changed[DATABASE][DATABASE].update(epics)

    def note(self, three: Three, outcome: Outcome) -> None:
        """Note the outcome of one epic. A task that waits is not gone."""
        waiting = {place.label.path for place in outcome.waits}
        if () in waiting:
            return
        if three.db is None and outcome.db is three.file and outcome.files is three.file:
            self.changed[DATABASE][DATABASE].add(three.epic)
            return
        if three.file is None and outcome.files is three.db and outcome.db is three.db:
            self.changed[FILES][FILES].add(three.epic)
            return
        concerned = not self.whole or any(map(self._concerns, (*outcome.to_files, *outcome.to_db)))
        if not concerned and not any(self._concerns_path(conflict.label.path) for conflict in outcome.conflicts):
            return
        self._compare(three, outcome.files, outcome.db, {path[1] for path in waiting})

    @property
    def anything(self) -> bool:
        """The plan changes something that can be part of a fault."""
        return any(self.changed[side][side] for side in (FILES, DATABASE))

    def leave(self, three: Three, outcome: Outcome) -> None:
        """Note an epic that is out of sync and that the plan leaves out, given the outcome of its own plan."""
        waiting = {place.label.path for place in outcome.waits}
        if () not in waiting:
            self._compare(three, three.file, three.db, {path[1] for path in waiting})

    def _compare(self, three: Three, files: Core | None, db: Core | None, waiting: Collection[str]) -> None:
        before = {FILES: self.links(three.file), DATABASE: self.links(three.db)}
        keys = before[FILES].keys() | before[DATABASE].keys()
        for side, after in ((FILES, self.links(files)), (DATABASE, self.links(db))):
            for name, links in before.items():
                if links != after:
                    self.changed[side][name].add(three.epic)
            self.gone[side] |= keys - after.keys() - set(waiting)
            keys |= after.keys()
        for key in keys - (before[FILES].keys() & before[DATABASE].keys()):
            self.places.setdefault(key, set()).add(three.epic)

    def links(self, core: Core | None) -> Links:
        """Return the tasks of a core, each with the tasks that it depends on."""
        return {
            cast("str", task["id"]): tuple(cast("list[str]", task.get(self.links_field) or ()))
            for task in tasks_of(core or {})
        }

    def _concerns(self, change: Change) -> bool:
        return self._concerns_path(change.label.path)

    def _concerns_path(self, path: tuple[str, ...]) -> bool:
        """Return whether a change at a path can add or remove a task or a link."""
        if len(path) < 2:
            return not path or path[0] == DocumentMapping.TASKS
        return path[0] == DocumentMapping.TASKS and (len(path) == 2 or path[2] == self.links_field)


def check_graph(
    documents: Documents,
    watch: GraphWatch,
    plan: _Planned,
    added: Mapping[str, Collection[str]],
    tell: Tell,
    *,
    unique: bool,
) -> list[GraphFault]:
    """Check the task graph that a synchronisation would make.

    Args:
        documents: the documents of both sides.
        watch: the notes of the planning.
        plan: plans an epic once more.
        added: the epics in which the database gets a task, by the id of the task.
        tell: names the edit that gave a place its value.
        unique: the database holds each task id only once.

    Returns:
        The faults that a side has already.

    Raises:
        BrokenGraph: the result has faults that neither side has.
    """
    states = _States(documents, watch, plan, added)
    inputs = {FILES: StateGraph(states, 0), DATABASE: StateGraph(states, 1)}
    found: dict[tuple[object, ...], GraphFault] = {}
    for number, side in enumerate((FILES, DATABASE), start=2):
        after = StateGraph(states, number)
        faults = check(after, inputs, watch.changed[side], watch.gone[side], watch.links_field)
        if unique and side == DATABASE and all(watch.changed[side].values()):
            faults += duplicates(after, inputs, added.keys())
        for fault in faults:
            found.setdefault((fault.kind, fault.labels, fault.missing), fault)
    require_no_new(found.values(), tell)
    return list(found.values())


class _States:
    """The links of epics in the files, in the database, and in both afterwards.

    Each is loaded when it is first needed.
    """

    def __init__(
        self, documents: Documents, watch: GraphWatch, plan: _Planned, added: Mapping[str, Collection[str]]
    ) -> None:
        self._documents = documents
        self._watch = watch
        self._plan = plan
        self._added = added
        self._links: dict[str, tuple[Links, ...]] = {}
        self._owners: dict[str, frozenset[str]] = {}
        # the tasks of epics that wait, as far as they were asked for, without links
        self._unread: dict[str, Links] = {}

    def links(self, epic: str) -> tuple[Links, ...]:
        """Return the links of an epic in the four states."""
        known = self._links.get(epic)
        if known is None and epic in self._documents.held.epics:
            known = self._links[epic] = (self._unread.setdefault(epic, {}),) * 4
        if known is None:
            (three,) = self._documents.load([epic])
            outcome = self._plan(three)
            cores = (three.file, three.db, outcome.files, outcome.db)
            known = self._links[epic] = tuple(map(self._watch.links, cores))
        return known

    def owners(self, keys: Collection[str]) -> Mapping[str, frozenset[str]]:
        """Return the epics that may have a task of each id in some state."""
        new = [key for key in keys if key not in self._owners]
        found = {key: {*self._watch.places.get(key, ()), *self._added.get(key, ())} for key in new}
        documents = self._documents
        if new and documents.reader is not None and documents.layout is not None:
            for key, epic in living_tasks(documents.reader, documents.layout, sorted(new)):
                found[key].add(epic)
                if epic in documents.held.epics:
                    self._unread.setdefault(epic, {})[key] = ()
        self._owners.update((key, frozenset(epics)) for key, epics in found.items())
        return {key: self._owners[key] for key in keys}
