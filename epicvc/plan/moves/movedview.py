"""The view that the plan of one epic has while tasks leave the epic or come to it.

A task that goes to one place everywhere is put there in all three copies, and taken out where it was, before the epic
is merged. So it takes part in the merge like others. A task that stays in several places, since its move may not flow
or nobody decided it, is taken out before and put back after; its fields are merged by themselves. Tasks that depend on
one with another id name it by one id while the epic is merged, and by that of each copy afterwards.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeAlias, cast

from msgspec import Struct, field

from epicvc.base.jsonio import JSON
from epicvc.merge.threeway import ABSENT, Direction, Value
from epicvc.merge.versions import Versions
from epicvc.model.document import UNAGREED, Core, Tasks, tasks_of, with_tasks
from epicvc.model.labels import escape
from epicvc.model.mapping import Mapping as Document
from epicvc.plan.moves.lineup import Lineup
from epicvc.plan.moves.moves import BASE, OURS, THEIRS, At, Cores, Course

MergeTask: TypeAlias = "Callable[[str, Cores], Versions[Value]]"
"""Merges three versions of one task, given its epic."""

_Put: TypeAlias = "tuple[Course, Core]"
"""The course of a moved task, and the task to put in."""

_COPIES = (BASE, OURS, THEIRS)
_WAY = {OURS: Direction.TO_OURS, THEIRS: Direction.TO_THEIRS}


class MovedView(Struct, frozen=True):
    """The moves that concern one epic.

    Attributes:
        epic: the epic's id.
        cores: base, ours and theirs as they are now.
        courses: the courses of the tasks that leave the epic or come to it, and of those that its tasks may depend on.
        direction: which sides may change.
        links: the field of a task that holds ids of others.
    """

    epic: str
    cores: Cores
    courses: Sequence[Course]
    direction: Direction
    links: str | None
    _names: dict[frozenset[str], list[dict[str, str]]] = field(default_factory=dict)
    _orders: dict[tuple[int, int], list[str]] = field(default_factory=dict)
    _keys: list[frozenset[str]] = field(default_factory=list)

    @property
    def waits(self) -> bool:
        """Tell whether the epic waits: one side deleted it, and the other moved a task here that is in dispute."""
        base, ours, theirs = self.cores
        gone = OURS if ours is None else THEIRS
        if base is None or (ours is not None and theirs is not None) or any(map(self._arrives, self.courses)):
            return False
        places = (c.item.places for c in self.courses if c.target is None and not c.everywhere_alike)
        return any(self._is_here(at[OURS + THEIRS - gone]) and not self._is_here(at[BASE]) for at in places)

    def before(self) -> Cores:
        """Return the three copies as the merge of the epic is to see them."""
        tasks = [None if core is None else list(tasks_of(core)) for core in self.cores]
        for number in _COPIES:
            leaving = {at[1] for course in self.courses if (at := course.item.places[number]) and self._is_here(at)}
            side = tasks[number]
            if side is not None and leaving:
                tasks[number] = [task for task in side if task["id"] not in leaving]
        arriving = [course for course in self.courses if self._arrives(course)]
        if arriving:  # an epic that is gone on a side comes back, as it was, for a task that comes to it
            known = tasks[BASE]
            tasks = [known if side is None else side for side in tasks]
        for number in _COPIES:
            # Tasks that are here already keep their place among the others; those that come are put in beside them.
            coming = sorted(arriving, key=lambda course: not self._is_here(course.item.places[number]))
            versions = [(course, task) for course in coming if (task := course.versions[number]) is not None]
            if versions:
                tasks[number] = self._inserted(number, tasks[number] or [], versions)
        names = self._canonical(frozenset((self.epic,)))
        seen = [None if side is None else [self._relinked(task, names) for task in side] for side in tasks]
        base, ours, theirs = (self._with_tasks(number, seen[number]) for number in _COPIES)
        new = [course for course in arriving if not self._is_here(course.item.places[BASE])]
        return Versions(_unplaced(base, new), ours, theirs)

    def after(self, merged_view: Versions[Value], merge_task: MergeTask) -> Versions[Value]:
        """Return the three copies after the merge, with the tasks that stay put back.

        The merge has seen the copies that :meth:`before` returned.
        """
        values = list(merged_view)
        back: tuple[list[_Put], list[_Put], list[_Put]] = ([], [], [])
        for course in self.courses:
            staying = [number for number in _COPIES if self._is_here(course.after[number])]
            if course.everywhere_alike or not staying:
                continue
            merged = self._merged(course, merge_task)
            for number in staying:
                if merged[number] is not ABSENT:
                    back[number].append((course, self._whole(course, number, cast("Core", merged[number]))))
        for number in _COPIES:
            if back[number]:
                values[number] = self._put_back(number, values[number], back[number])
        return Versions(*(self._called(number, values[number]) for number in _COPIES))

    def settled(self) -> Core | None:
        """Return the database's core of the epic, its new tasks read against the base of the place where they were.

        They are read so only where the base has them here afterwards too. Elsewhere rows will be read with all that
        they say.
        """
        core = self.cores[THEIRS]
        known = {
            at[1]: version
            for course in self.courses
            if (at := course.item.places[THEIRS]) is not None
            and (version := course.item.versions[THEIRS]) is not None
            and at[0] == self.epic
            and course.after[BASE] == course.after[THEIRS]
        }
        if core is None or not known:
            return core
        tasks = [known.get(cast("str", task["id"]), task) for task in tasks_of(core)]
        return {**core, Document.TASKS: cast("JSON", tasks)}

    # Tasks that come, and tasks that stay

    def _is_here(self, at: At) -> bool:
        return at is not None and at[0] == self.epic

    def _arrives(self, course: Course) -> bool:
        """Tell whether all three copies have the task here afterwards."""
        return self._is_here(course.target) and course.everywhere_alike

    def _inserted(self, number: int, tasks: Tasks, coming: Iterable[_Put]) -> Tasks:
        """Put tasks in where they stand in a copy that has them here."""
        row = Lineup(tasks)
        for course, version in coming:
            at = course.after[number]
            assert at is not None  # it goes somewhere
            row.insert({**version, "id": at[1]}, self._order(course, number) or [at[1]])
        return row.tasks()

    def _order(self, course: Course, number: int) -> list[str]:
        """Return the order of the tasks in a copy that has the moved task here.

        The tasks have the ids that they have in another copy afterwards.
        """
        for copy in (number, OURS, THEIRS, BASE):
            if self._is_here(course.item.places[copy]):
                if (copy, number) not in self._orders:
                    names = self._ids_in(copy, number)
                    keys = (cast("str", task["id"]) for task in tasks_of(self.cores[copy] or {}))
                    self._orders[copy, number] = [names.get(key, key) for key in keys]
                return self._orders[copy, number]
        return []

    def _ids_in(self, copy: int, number: int) -> dict[str, str]:
        """Map the ids that tasks here have in one copy now to those that they have in another afterwards."""
        pairs = ((course.item.places[copy], course.after[number]) for course in self.courses)
        return {old[1]: new[1] for old, new in pairs if old and new and self.epic == old[0] == new[0]}

    def _merged(self, course: Course, merge_task: MergeTask) -> tuple[Value, Value, Value]:
        """Return the merged fields of a task that stays in several places: base, ours, theirs."""
        if course.item.follows:
            return course.versions.map(lambda version: ABSENT if version is None else cast("Value", version))
        epic, key = course.owner
        names = self._canonical(course.item.epics)
        return merge_task(
            epic, course.versions.map(lambda version: version and self._relinked({**version, "id": key}, names))
        )

    def _whole(self, course: Course, number: int, task: Core) -> Core:
        """Return a task that stays in a copy as that copy has it."""
        whole = self._relinked(task, self._maps(course.item.epics)[1 + number])
        if number == THEIRS and course.after[BASE] != course.after[THEIRS]:
            return {**self._said_anyway(course), **whole}
        return whole

    def _put_back(self, number: int, value: Value, tasks: Iterable[_Put]) -> Value:
        original = self.cores[number] or {}
        core = cast("Core", value) if value is not ABSENT else _without(original, Document.TASKS, UNAGREED)
        return {**core, Document.TASKS: cast("JSON", self._inserted(number, tasks_of(core), tasks))}

    def _said_anyway(self, course: Course) -> Core:
        """Return the fields that a task's row fills by itself, where no base makes them absent.

        A column that only has its default keeps it. A field that is taken out leaves its column's default behind. A row
        that goes elsewhere gets the default in every column.
        """
        item = course.item
        goes = item.places[THEIRS] != course.after[THEIRS]
        left = {name: value for name, value in item.fallbacks.items() if goes or name in (item.versions[THEIRS] or {})}
        return {**left, **item.defaults}

    def _with_tasks(self, number: int, tasks: Tasks | None) -> Core | None:
        core = self.cores[number]
        if tasks is None or (core is not None and tasks == tasks_of(core)):
            return core
        known = _without(self.cores[BASE] or {}, UNAGREED) if core is None else core
        return with_tasks(known, tasks)

    # Names

    def _canonical(self, epics: frozenset[str]) -> dict[str, str]:
        """Map each id of a task that has several to the one id by which tasks of these epics name it."""
        return self._maps(epics)[0]

    def _maps(self, epics: frozenset[str]) -> list[dict[str, str]]:
        """Return the map from each id to the one, and the maps from that to the id of each copy: base, ours, theirs."""
        if epics not in self._names:
            one: dict[str, str] = {}
            back: list[dict[str, str]] = [{}, {}, {}]
            for course in self.courses:
                if course.item.renamed and (course.item.alone or epics & course.item.epics):
                    name = course.name
                    one.update(dict.fromkeys(self._ids(course) - {name}, name))
                    for number in _COPIES:
                        back[number][name] = _id(course.after[number], name)
            self._names[epics] = [one, *back]
        return self._names[epics]

    def _ids(self, course: Course) -> set[str]:
        """Return the ids that a task has somewhere, without those that another task has here."""
        ids = {at[1] for at in (*course.item.places, course.target) if at is not None}
        for known, at in zip(self._known(), course.item.places, strict=True):
            ids = {key for key in ids if key not in known or at == (self.epic, key)}
        return ids

    def _known(self) -> list[frozenset[str]]:
        """Return the ids of each copy's tasks."""
        if not self._keys:
            self._keys.extend(
                frozenset(cast("str", task["id"]) for task in tasks_of(core or {})) for core in self.cores
            )
        return self._keys

    def _relinked(self, task: Core, names: Mapping[str, str]) -> Core:
        keys = cast("list[str]", task.get(self.links) or []) if self.links else []
        if self.links is None or not any(key in names for key in keys):
            return task
        return {**task, self.links: cast("JSON", sorted({names.get(key, key) for key in keys}))}

    def _called(self, number: int, value: Value) -> Value:
        """Return a copy in which tasks are named by the ids that they have in it."""
        one, *back = self._maps(frozenset((self.epic,)))
        if value is ABSENT or not one:
            return value
        core = cast("Core", value)
        fixed = number != BASE and _WAY[number] not in self.direction
        originals = {task["id"]: task for task in tasks_of(self.cores[number] or {})} if fixed else {}
        tasks = []
        for task in tasks_of(core):
            before = originals.get(task["id"])
            if before is not None and self._linked_alike(before, task, one):
                tasks.append(self._relinked_as(task, before))
            else:
                tasks.append(self._relinked(task, back[number]))
        return {**core, Document.TASKS: cast("JSON", tasks)} if tasks else core

    def _linked_alike(self, one: Core, other: Core, names: Mapping[str, str]) -> bool:
        field = self.links or ""
        return self._relinked(one, names).get(field) == self._relinked(other, names).get(field)

    def _relinked_as(self, task: Core, before: Core) -> Core:
        """Return a task of a copy that may not change, with the dependencies as they are written there."""
        if self.links is None or self.links not in before:
            return task
        return {**task, self.links: before[self.links]}


def unmerged(cores: Cores) -> Versions[Value]:
    """Return three copies that stay as they are, as the result of a merge."""
    known = None if cores.base is None else _without(cores.base, UNAGREED)
    return cores._replace(base=known).map(lambda core: ABSENT if core is None else cast("JSON", core))


def _id(at: At, otherwise: str) -> str:
    return otherwise if at is None else at[1]


def _without(core: Core, *names: str) -> Core:
    return {name: value for name, value in core.items() if name not in names}


def _unplaced(base: Core | None, courses: Iterable[Course]) -> Core | None:
    """Return a base with a note that the tasks that came here have no agreed place among the others."""
    new = [f"{Document.TASKS}/{escape(course.target[1])}" for course in courses if course.target is not None]
    if base is None or not new:
        return base
    known = cast("list[str]", base.get(UNAGREED) or [])
    return {**base, UNAGREED: cast("JSON", sorted({*known, *new}))}
