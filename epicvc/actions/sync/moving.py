"""Finds the tasks that a side moved or renamed, by the rules of :mod:`epicvc.plan.moves.moves`."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import cast

from msgspec import Struct, field
from msgspec.structs import replace

from epicvc.database.documents.documents import linked_epics, living_tasks
from epicvc.merge.versions import Versions
from epicvc.model.document import Core, task_in, tasks_of
from epicvc.model.labels import Label, Selection
from epicvc.plan.epic import Outcome, Policy
from epicvc.plan.moves.findmoves import Places, find_moves
from epicvc.plan.moves.moves import OURS, THEIRS, Cores, Course, Moved, Moves, TaskAt, course, label_at
from epicvc.repo.documents import Documents, Three


class MoveWatch(Struct):
    """Notes, epic by epic, where tasks are that not all three have in one place.

    Attributes:
        places: of the epics that the base knows.
        new: epics that one side alone has; looked at only if tasks are missing elsewhere.
    """

    places: list[Places] = field(default_factory=list)
    new: list[str] = field(default_factory=list)

    def note(self, three: Three) -> None:
        """Note one epic."""
        if three.base is None and (three.file is None or three.db is None):
            self.new.append(three.epic)
            return
        found = Places.of(three.epic, Versions(three.base, three.file, three.db))
        if found is not None:
            self.places.append(found)

    @property
    def anything(self) -> bool:
        """Whether a task is missing somewhere that the base has."""
        return any(place.base for place in self.places)

    def moves(self, documents: Documents) -> Moves:
        """The moved and renamed tasks."""
        links = documents.repo.config.mapping.links
        new = self._worth_a_look(documents)
        if not self.anything and not any(place.ours ^ place.theirs for place in self.places):
            return Moves()

        threes: dict[str, Three] = {}

        def load(epic: str) -> Cores:
            (three,) = documents.load([epic])
            threes[epic] = three
            return Versions(three.base, three.file, three.db)

        def defaults(epic: str, key: str) -> frozenset[str]:
            return threes[epic].task_defaults.get(key, frozenset())

        found = (Places.of(epic, load(epic)) for epic in new)
        places = [*self.places, *(place for place in found if place is not None)]

        def owners(keys: Collection[str]) -> set[str] | None:
            if documents.reader is None or documents.layout is None:
                return None
            rows = {epic for _, epic in living_tasks(documents.reader, documents.layout, sorted(keys))}
            return rows | {place.epic for place in places if place.ours & set(keys)}

        field_ = links.field if links else None
        columns = documents.layout.tasks.defaults if documents.layout is not None else {}
        fallbacks: Core = {name: value for name, value in columns.items() if value is not None}
        unique = unique_tasks(documents)
        return find_moves(places, load, field_, defaults, owners, unique=unique, fallbacks=fallbacks)

    def _worth_a_look(self, documents: Documents) -> list[str]:
        """The new epics that may have a task which is missing, or which the other side has elsewhere."""
        if self.anything or not unique_tasks(documents):
            return self.new if self.anything else []
        mine = any(place.ours - place.theirs for place in self.places)
        other = any(place.theirs - place.ours for place in self.places)
        return [epic for epic in self.new if (mine if documents.file_id(epic) is None else other)]


def unique_tasks(documents: Documents) -> bool:
    """Whether a task's key is unique in the whole database, not only within its epic."""
    reader, layout = documents.reader, documents.layout
    if reader is None or layout is None:
        return False
    tasks = layout.tasks.map
    return (tasks.key,) in reader.unique_keys(tasks.table)


class TaskWatch(Struct):
    """Notes which tasks leave or join an epic in the database, to tell moves from deletions.

    Attributes:
        removed: the epics that lose a task, by its id.
        added: the epics that get one.
    """

    removed: dict[str, list[str]] = field(default_factory=dict)
    added: dict[str, list[str]] = field(default_factory=dict)

    def note(self, three: Three, outcome: Outcome) -> None:
        """Note what becomes of one epic."""
        if not outcome.to_db:
            return
        before, after = ({str(task["id"]) for task in tasks_of(core or {})} for core in (three.db, outcome.db))
        for key in sorted(before - after):
            self.removed.setdefault(key, []).append(three.epic)
        for key in sorted(after - before):
            self.added.setdefault(key, []).append(three.epic)

    def note_new(self, epic: str, core: Core) -> None:
        """Note the tasks of an epic that the database does not have."""
        for task in tasks_of(core):
            self.added.setdefault(cast("str", task["id"]), []).append(epic)

    def moves(self) -> dict[TaskAt, TaskAt]:
        """Tasks that one epic gives and another gets."""
        return {
            (getter, key): (givers[0], key)
            for key, givers in self.removed.items()
            for getter in self.added.get(key, ())[:1]
            if getter != givers[0]
        }


def contested(documents: Documents, tasks: TaskWatch, elsewhere: TaskWatch) -> list[Moved]:
    """Tasks of epics that only the files have, which the database has in another epic and no base anywhere.

    Where a task's key is unique on its own, no second row may have it. A task that the files have in several epics
    is the database's to refuse.

    Args:
        documents: both sides.
        tasks: what a plan does.
        elsewhere: what it would do to the epics that it is not about.
    """
    reader, layout = documents.reader, documents.layout
    keys = sorted({*tasks.added, *elsewhere.added})
    if not keys or reader is None or layout is None or not unique_tasks(documents):
        return []
    found, waiting = [], documents.held.epics
    for key, owner in sorted(living_tasks(reader, layout, keys)):
        getters = [*tasks.added.get(key, ()), *elsewhere.added.get(key, ())]
        if owner in tasks.removed.get(key, ()) or owner in getters or len(getters) > 1 or owner in waiting:
            continue
        ours, theirs = task_in(documents.file_core(getters[0]), key), _db_task(documents, owner, key)
        if task_in(documents.file_core(owner), key) is None and ours is not None and theirs is not None:
            found.append(Moved(Versions(None, (getters[0], key), (owner, key)), Versions(None, ours, theirs)))
    return found


def _db_task(documents: Documents, epic: str, key: str) -> Core | None:
    (three,) = documents.load([epic])
    return task_in(three.db, key)


def with_moves(policy: Policy, moves: Moves, documents: Documents) -> tuple[Policy, frozenset[str]]:
    """The policy of a plan that knows of moves, and the epics beyond those out of sync that it is about.

    A plan of some places is also about the places that a task leaves: it can be in one place only.
    """
    chosen = [item for item in moves.items if _selected(policy.selection, item)]
    if not chosen:
        return policy, frozenset()
    selection = policy.selection
    if selection.labels:
        places = (label_at(at) for item in chosen for at in sorted(item.everywhere))
        selection = replace(selection, labels=(*selection.labels, *dict.fromkeys(places)))
    known = replace(policy, selection=selection, moves=moves.only(chosen))
    linked = {epic for item in chosen for epic in item.epics}
    renamed = sorted({at[1] for item in chosen if item.renamed and item.alone for at in item.everywhere})
    if renamed and policy.selection.all and documents.reader is not None and documents.layout is not None:
        linked |= set(linked_epics(documents.reader, documents.layout, renamed))
    return known, frozenset(linked)


def courses(policy: Policy) -> list[Course]:
    """What a plan makes of every moved task."""
    return [course(item, policy.direction, policy.decide) for item in policy.moves.items]


def carried_out(found: Sequence[Course]) -> list[tuple[Label, Label]]:
    """The moves that a plan brings to a side that has the task elsewhere: from where to where."""
    return [
        (label_at(item.item.source), label_at(item.target))
        for item in found
        if item.target is not None and any(at not in (None, item.target) for at in _changed_places(item))
    ]


def _changed_places(found: Course) -> list[TaskAt | None]:
    return [found.item.places[n] for n in (OURS, THEIRS) if found.item.places[n] != found.after[n]]


def in_database(found: Sequence[Course]) -> dict[TaskAt, TaskAt]:
    """The rows that go elsewhere: the place that gets a task, and the place that gives it."""
    return _given(found, THEIRS)


def in_files(found: Sequence[Course]) -> dict[TaskAt, TaskAt]:
    """The same for the files."""
    return _given(found, OURS)


def _given(found: Sequence[Course], number: int) -> dict[TaskAt, TaskAt]:
    pairs = ((item.after[number], item.item.places[number]) for item in found)
    return {getter: giver for getter, giver in pairs if getter is not None and giver is not None and getter != giver}


def _selected(selection: Selection, item: Moved) -> bool:
    return any(selection.touches(label_at(at)) for at in item.everywhere)
