"""Finds the tasks that a side moved or renamed, for plans over many epics (:mod:`epicvc.plan.moves` has the rules)."""

from __future__ import annotations

from msgspec import Struct, field
from msgspec.structs import replace

from epicvc.database.documents import linked_epics
from epicvc.merge.threeway import Direction
from epicvc.model.labels import Label, Selection
from epicvc.model.mapping import Mapping
from epicvc.plan.moves import Cores, Moved, Moves, Places, TaskAt, find_moves
from epicvc.plan.plan import Policy
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
        found = Places.of(three.epic, three.base, three.file, three.db)
        if found is not None:
            self.places.append(found)

    @property
    def anything(self) -> bool:
        """Whether a task is missing somewhere that the base has."""
        return any(place.base for place in self.places)

    def moves(self, documents: Documents) -> Moves:
        """The moved and renamed tasks."""
        links = documents.repo.config.mapping.links
        if not self.anything:
            return Moves()

        threes: dict[str, Three] = {}

        def load(epic: str) -> Cores:
            (three,) = documents.load([epic])
            threes[epic] = three
            return three.base, three.file, three.db

        def defaults(epic: str, key: str) -> frozenset[str]:
            return threes[epic].task_defaults.get(key, frozenset())

        new = (Places.of(epic, *load(epic)) for epic in self.new)
        places = [*self.places, *(place for place in new if place is not None)]
        return find_moves(places, load, links.field if links else None, defaults, unique=unique_tasks(documents))


def unique_tasks(documents: Documents) -> bool:
    """Whether a task's key is unique in the whole database, not only within its epic."""
    reader, layout = documents.reader, documents.layout
    if reader is None or layout is None:
        return False
    tasks = layout.tasks.map
    return (tasks.key,) in reader.unique_keys(tasks.table)


def with_moves(policy: Policy, moves: Moves, documents: Documents) -> tuple[Policy, frozenset[str]]:
    """The policy of a plan that knows of moves, and the epics beyond those out of sync that it is about.

    A plan of some places is also about the places that a task leaves: it can be in one place only.
    """
    chosen = [item for item in moves.items if _selected(policy.selection, item)]
    if not chosen:
        return policy, frozenset()
    selection = policy.selection
    if selection.labels:
        places = (_label(at) for item in chosen for at in (item.source, item.target))
        selection = replace(selection, labels=(*selection.labels, *dict.fromkeys(places)))
    known = replace(policy, selection=selection, moves=moves.only(chosen))
    renamed = [item for item in chosen if item.renamed and item.flows(policy.direction)]
    if not renamed or not policy.selection.all or not unique_tasks(documents):
        return known, frozenset()
    assert documents.reader is not None and documents.layout is not None  # they say that keys are unique
    return known, frozenset(linked_epics(documents.reader, documents.layout, [item.source[1] for item in renamed]))


def carried_out(policy: Policy) -> list[tuple[Label, Label]]:
    """The moves that a plan brings to the side that has the task where it was: from where to where."""
    return [
        (_label(item.source), _label(item.target))
        for item in policy.moves.items
        if item.by != Direction.BOTH and item.flows(policy.direction)
    ]


def in_database(moves: Moves, direction: Direction) -> dict[TaskAt, TaskAt]:
    """The rows that go elsewhere: the place that gets a task, and the place that gives it."""
    return {item.target: item.source for item in moves.items if _goes(item, Direction.TO_THEIRS, direction)}


def in_files(moves: Moves, direction: Direction) -> dict[TaskAt, TaskAt]:
    """The same for the files."""
    return {item.target: item.source for item in moves.items if _goes(item, Direction.TO_OURS, direction)}


def _goes(item: Moved, way: Direction, direction: Direction) -> bool:
    gives = item.theirs if way == Direction.TO_THEIRS else item.ours
    return item.by == way and item.flows(direction) and gives is not None


def _selected(selection: Selection, item: Moved) -> bool:
    return any(selection.touches(_label(at)) for at in (item.source, item.target))


def _label(at: TaskAt) -> Label:
    return Label(at[0], (Mapping.TASKS, at[1]))
