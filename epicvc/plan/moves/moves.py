"""Tasks that a side moved to another epic, or gave another id: the same tasks still, wherever each side has them.

An epic is planned by itself, so such a task looks deleted in one place and added in another.
:mod:`epicvc.plan.moves.findmoves` puts together once what is known of it. This module defines a task's place, and
decides its next one.

A place is a field like others: an epic and an id, each of which takes the change of the side that made one. There is
one conflict, at the task, in three cases: both sides changed the epic or the id differently; one side moved what the
other deleted; or one moved it to an epic that the other deleted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final, TypeAlias, cast

from msgspec import Struct, field

from epicvc.errors import InvalidField
from epicvc.merge.threeway import ABSENT, Chosen, Conflict, Direction, Value, agree
from epicvc.merge.versions import Versions
from epicvc.model.document import Core
from epicvc.model.labels import Label
from epicvc.model.mapping import Mapping

TaskAt: TypeAlias = tuple[str, str]
"""An epic's id and a task's id within it."""

At: TypeAlias = "TaskAt | None"
"""The place of a task; ``None`` where it is nowhere."""

Cores: TypeAlias = "Versions[Core | None]"
"""The base, ours and theirs of an epic or a task."""

Ask: TypeAlias = Callable[[Conflict], "Chosen | None"]

BASE: Final = 0
OURS: Final = 1
THEIRS: Final = 2


def label_at(at: TaskAt) -> Label:
    """Return a place as a label."""
    return Label(at[0], (Mapping.TASKS, at[1]))


class Moved(Struct, frozen=True, eq=False):
    """One task that not all three have in one place.

    Attributes:
        places: the places in base, ours and theirs.
        versions: the task as base, ours and theirs have it; ``None`` where it is nowhere.
        defaults: the fields that theirs has by a column's default alone, and the base lacks.
        fallbacks: the values that a column of theirs holds after its field was taken out, where it then holds one.
        welcome: whether neither side deleted the epic that the task came to.
        alone: whether no other epic has a task of one of its ids, so that dependencies of any epic mean this task.
    """

    places: Versions[At]
    versions: Cores
    defaults: Core = field(default_factory=dict)
    fallbacks: Core = field(default_factory=dict)
    welcome: bool = True
    alone: bool = False

    @property
    def source(self) -> TaskAt:
        """The place in the base; a task that both sides added goes by the place that sorts first."""
        base, *sides = self.places
        return base or min(at for at in sides if at is not None)

    @property
    def label(self) -> Label:
        """The label of the task, for conflicts about its place."""
        return label_at(self.home)

    @property
    def home(self) -> TaskAt:
        """The place in the base, under the id that the task should have."""
        return self.source[0], self.name

    @property
    def agreed(self) -> At:
        """The place by the trivial rule; ``None`` where the sides contradict each other."""
        epic, key = self._part(0), self._part(1)
        return None if epic is None or key is None else (epic, key)

    @property
    def follows(self) -> bool:
        """Tell whether the task cannot be merged: it then goes with its place, as the chosen side has it."""
        return None in self.places

    @property
    def everywhere(self) -> frozenset[TaskAt]:
        """All places where the task is, or may come to be."""
        return frozenset(at for at in (*self.places, self.agreed, *self.wanted) if at is not None)

    @property
    def epics(self) -> frozenset[str]:
        """The epics of these places."""
        return frozenset(epic for epic, _ in self.everywhere)

    @property
    def renamed(self) -> bool:
        """Tell whether the task has, or may get, another id."""
        return len({key for _, key in self.everywhere}) > 1

    @property
    def wanted(self) -> Versions[At]:
        """The places that base, ours and theirs want. Of an epic and an id that merge, it is the merged one."""
        epic, key = self._part(0), self._part(1)
        return self.places.map(lambda at: at and (epic or at[0], key or at[1]))

    @property
    def name(self) -> str:
        """The id that the task should have: the agreed one, or else the base's."""
        return self._part(1) or self.source[1]

    def waiting(self, direction: Direction) -> Versions[At]:
        """Return the three places while nobody decided; an id that merges does not wait."""
        name = self._part(1)
        if name is None:
            return self.places
        names = agree(direction, self.places.map(lambda at: at[1] if at else ""), name)
        return Versions(*(at and (at[0], key) for at, key in zip(self.places, names, strict=True)))

    def conflict(self) -> Conflict:
        """Return the conflict about the task's place. Its values are places, as labels."""
        return Conflict(self.label, *(_value(at) for at in self.wanted))

    def _part(self, number: int) -> str | None:
        if None in self.places or (number == 0 and not self.welcome):
            return None
        base, ours, theirs = (cast("TaskAt", at)[number] for at in self.places)
        if ours in (theirs, base):
            return theirs
        return ours if theirs == base else None


def _value(at: At) -> Value:
    return ABSENT if at is None else str(label_at(at))


class Course(Struct, frozen=True, eq=False):
    """The course of a moved task: where it goes, and where the three have it afterwards.

    Attributes:
        item: the task.
        target: the place to which it goes; ``None`` where it goes away, or where nobody has decided yet.
        after: the places in base, ours and theirs afterwards.
        versions: the versions of the task that are to be merged.
    """

    item: Moved
    target: At
    after: Versions[At]
    versions: Cores

    @property
    def everywhere_alike(self) -> bool:
        """Tell whether all three have the task in one place afterwards, or nowhere."""
        return len(set(self.after)) == 1

    @property
    def owner(self) -> TaskAt:
        """The place under whose label the task's fields are merged."""
        return self.target or self.item.home

    @property
    def name(self) -> str:
        """The one id of the task while the tasks that depend on it are merged."""
        return self.target[1] if self.target else self.item.name


def course(item: Moved, direction: Direction, ask: Ask) -> Course:
    """Decide the course of a moved task.

    Args:
        item: the task.
        direction: which sides may change.
        ask: settles a conflict, or not.

    Raises:
        InvalidField: somebody chose a place that none of the three has.
    """
    target, versions = item.agreed, item.versions
    if target is None:
        conflict = item.conflict()
        chosen = ask(conflict)
        if chosen is None:
            return Course(item, None, item.waiting(direction), versions)
        number = chosen_place(conflict, chosen)
        target = item.wanted[number]
        if item.follows:
            return Course(item, target, *_followed(item, number, direction))
    return Course(item, target, agree(direction, item.places, target), versions)


def chosen_place(conflict: Conflict, chosen: Chosen) -> int:
    """Return the number of the copy whose place was chosen: ours, theirs or the base.

    Raises:
        InvalidField: the chosen place is that of none of them.
    """
    for number, value in ((OURS, conflict.ours), (THEIRS, conflict.theirs), (BASE, conflict.base)):
        if chosen.value == value or chosen.value is value:
            return number
    places = dict.fromkeys(value for value in (conflict.ours, conflict.theirs, conflict.base) if isinstance(value, str))
    raise InvalidField(str(conflict.label), f"a task's place must be one of {', '.join(places)}")


def is_place(conflict: Conflict) -> bool:
    """Tell whether a conflict is about the place of a task; its values are labels of tasks."""
    path, values = conflict.label.path, (conflict.base, conflict.ours, conflict.theirs)
    known = [value for value in values if value is not ABSENT]
    is_task = len(path) == 2 and path[0] == Mapping.TASKS and not conflict.label.table
    return is_task and len(known) > 1 and all(isinstance(value, str) for value in known)


def _followed(item: Moved, number: int, direction: Direction) -> tuple[Versions[At], Cores]:
    """Return the places and versions where a side's task is taken whole."""
    places = agree(direction, item.places, item.wanted[number])
    return places, agree(direction, item.versions, item.versions[number])


class Moves:
    """The moved tasks of a document set.

    Args:
        items: the moved tasks.
        links: the field of a task that holds ids of others.
    """

    def __init__(self, items: Iterable[Moved] = (), links: str | None = None) -> None:
        self.items: Final = tuple(items)
        self.links: Final = links
        self._by_epic: dict[str, list[Moved]] = {}
        for item in self.items:
            for epic in item.epics:
                self._by_epic.setdefault(epic, []).append(item)
        self._renamed = tuple(item for item in self.items if item.renamed)

    def __bool__(self) -> bool:
        return bool(self.items)

    def only(self, items: Iterable[Moved]) -> Moves:
        """Return the moves of some of the tasks."""
        return Moves(items, self.links)

    def joined(self, items: Iterable[Moved]) -> Moves:
        """Return these moves and others."""
        return Moves([*self.items, *items], self.links)

    def of(self, epic: str) -> list[Moved]:
        """Return the tasks that leave an epic or come to it."""
        return self._by_epic.get(epic, [])

    def concerning(self, epic: str) -> tuple[Moved, ...]:
        """Return the tasks that leave an epic or come to it, and the renamed ones on which its tasks may depend."""
        own = self.of(epic)
        if not self._renamed:
            return tuple(own)
        near = {epic for item in own for epic in item.epics}
        return tuple(dict.fromkeys([*own, *(item for item in self._renamed if item.alone or near & item.epics)]))
