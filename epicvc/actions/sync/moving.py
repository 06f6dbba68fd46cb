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
    """Notes, epic by epic, the tasks that are not in one place in all three copies.

    Attributes:
        places: the places of tasks in epics that the base has, or that both sides have.
        new: the epics that only one side has; they are read only if tasks are missing in other epics.
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
        """A task of the base is missing somewhere."""
        return any(place.base for place in self.places)

    def moves(self, documents: Documents) -> Moves:
        """Return the moved and renamed tasks."""
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
        """Return the new epics that may have a missing task, or a task that the other side has elsewhere."""
        if self.anything or not unique_tasks(documents):
            return self.new if self.anything else []
        mine = any(place.ours - place.theirs for place in self.places)
        other = any(place.theirs - place.ours for place in self.places)
        return [epic for epic in self.new if (mine if documents.file_id(epic) is None else other)]


def unique_tasks(documents: Documents) -> bool:
    """Return whether the key of a task is unique in the whole database, not only within its epic."""
    reader, layout = documents.reader, documents.layout
    if reader is None or layout is None:
        return False
    tasks = layout.tasks.map
    return (tasks.key,) in reader.unique_keys(tasks.table)


class TaskWatch(Struct):
    """Notes the tasks that leave or join an epic in the database, to tell moves from deletions.

    Attributes:
        removed: the epics that lose a task, by the id of the task.
        added: the epics that get a task, by the id of the task.
    """

    removed: dict[str, list[str]] = field(default_factory=dict)
    added: dict[str, list[str]] = field(default_factory=dict)

    def note(self, three: Three, outcome: Outcome) -> None:
        """Note the outcome of one epic."""
        if not outcome.to_db:
            return
        before, after = ({str(task["id"]) for task in tasks_of(core or {})} for core in (three.db, outcome.db))
        for key in sorted(before - after):
            self.removed.setdefault(key, []).append(three.epic)
        for key in sorted(after - before):
            self.added.setdefault(key, []).append(three.epic)

    def note_new(self, epic: str, core: Core) -> None:
        """Note the tasks of an epic that the database lacks."""
        for task in tasks_of(core):
            self.added.setdefault(cast("str", task["id"]), []).append(epic)

    def moves(self) -> dict[TaskAt, TaskAt]:
        """Return the tasks that one epic gives and another gets: the new place, with the old one."""
        return {
            (getter, key): (givers[0], key)
            for key, givers in self.removed.items()
            for getter in self.added.get(key, ())[:1]
            if getter != givers[0]
        }


def contested(documents: Documents, tasks: TaskWatch, elsewhere: TaskWatch) -> list[Moved]:
    """Return tasks of epics that only the files have, which the database has in another epic and the base nowhere.

    Where the key of a task is unique by itself, no second row may have it. A task that the files have in several epics
    is left for the database to refuse.

    Args:
        documents: the documents of both sides.
        tasks: the tasks that leave or join an epic by the plan.
        elsewhere: the tasks that join new epics which the plan leaves out.
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
    """Return the policy of a plan that knows of moves, and the epics that it must plan beside those out of sync.

    A plan of selected places includes the places that a task leaves, since a task can be in one place only.
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
    """Return the way that each moved task takes by a policy."""
    return [course(item, policy.direction, policy.decide) for item in policy.moves.items]


def carried_out(found: Sequence[Course]) -> list[tuple[Label, Label]]:
    """Return the moves that a plan brings to a side that has the task elsewhere, as labels before and after."""
    return [
        (label_at(item.item.source), label_at(item.target))
        for item in found
        if item.target is not None and any(at not in (None, item.target) for at in _changed_places(item))
    ]


def _changed_places(found: Course) -> list[TaskAt | None]:
    return [found.item.places[n] for n in (OURS, THEIRS) if found.item.places[n] != found.after[n]]


def in_database(found: Sequence[Course]) -> dict[TaskAt, TaskAt]:
    """Return the tasks that move in the database: the place that gets one, with the place that gives it."""
    return _given(found, THEIRS)


def in_files(found: Sequence[Course]) -> dict[TaskAt, TaskAt]:
    """Return the tasks that move in the files: the place that gets one, with the place that gives it."""
    return _given(found, OURS)


def _given(found: Sequence[Course], number: int) -> dict[TaskAt, TaskAt]:
    pairs = ((item.after[number], item.item.places[number]) for item in found)
    return {getter: giver for getter, giver in pairs if getter is not None and giver is not None and getter != giver}


def _selected(selection: Selection, item: Moved) -> bool:
    return any(selection.touches(label_at(at)) for at in item.everywhere)
