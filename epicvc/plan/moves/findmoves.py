"""Finds the tasks that are no longer where the base has them: by id in other epics, by their content in their own.

Where there is doubt, a task counts as deleted in one place and added in another.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import chain
from typing import TypeAlias, cast

from msgspec import Struct
from msgspec.structs import replace

from epicvc.merge.versions import Versions
from epicvc.model.document import Core, tasks_of
from epicvc.plan.moves.likeness import alike, pairs
from epicvc.plan.moves.moves import BASE, OURS, THEIRS, At, Cores, Moved, Moves, TaskAt

LoadEpic: TypeAlias = "Callable[[str], Cores]"
"""Loads the base, ours and theirs of an epic."""

Owners: TypeAlias = Callable[[Collection[str]], "Collection[str] | None"]

Defaults: TypeAlias = Callable[[str, str], frozenset[str]]


class Places(Struct, frozen=True):
    """The tasks of one epic that not all three copies have, and whether each copy has the epic."""

    epic: str
    base: frozenset[str]
    ours: frozenset[str]
    theirs: frozenset[str]

    @classmethod
    def of(cls, epic: str, cores: Cores) -> Places | None:
        """Return the places of an epic; ``None`` where all three copies have the same tasks."""
        keys = cores.map(lambda core: frozenset(cast("str", task["id"]) for task in tasks_of(core or {})))
        common = keys.base & keys.ours & keys.theirs
        found = cls(epic, *(side - common for side in keys))
        return found if found.base or found.ours or found.theirs else None

    def side(self, number: int) -> frozenset[str]:
        """Return the tasks of base, ours or theirs that not all three have."""
        return (self.base, self.ours, self.theirs)[number]


def find_moves(
    places: Iterable[Places],
    load: LoadEpic,
    links: str | None,
    defaults: Defaults = lambda _epic, _key: frozenset(),
    owners: Owners = lambda _: None,
    *,
    unique: bool,
    fallbacks: Core | None = None,
    renamed: Mapping[int, Collection[tuple[str, str]]] | None = None,
) -> Moves:
    """Find the tasks that a side, or both, moved or renamed.

    Args:
        places: the places of every epic whose tasks differ.
        load: loads the documents of the few epics that are concerned.
        links: the field of a task that holds ids of others.
        defaults: returns the fields of a task, given its epic and id, that in theirs have only a column's default.
            Where the base has the task without them, they are absent (:func:`epicvc.model.document.settle`).
        owners: returns the epics that may have tasks of some ids; ``None`` where that cannot be told.
        unique: whether a task's id is its own in the whole document set; else two tasks of one id are the same only
            if they are alike, or if the other side deleted the task.
        fallbacks: the values that a column of theirs holds after its field was taken out, where it then holds one.
        renamed: the epics that are known to have another key in ours or theirs, before and after: a task that still
            has its id is the same one there, whatever it says.
    """
    found = _Finder(tuple(places), load, links, defaults, renamed or {}, unique=unique).find()
    given = fallbacks or {}
    return Moves((replace(item, alone=unique or _alone(item, owners), fallbacks=given) for item in found), links)


def _alone(item: Moved, owners: Owners) -> bool:
    if not item.renamed:
        return False
    epics = owners({key for _, key in item.everywhere})
    return epics is not None and set(epics) <= item.epics


class _Finder:
    def __init__(
        self,
        places: Sequence[Places],
        load: LoadEpic,
        links: str | None,
        defaults: Defaults,
        renamed: Mapping[int, Collection[tuple[str, str]]],
        *,
        unique: bool,
    ) -> None:
        self._places = {item.epic: item for item in places}
        self._load = load
        self._links = links
        self._defaults = defaults
        self._known = renamed
        self._unique = unique
        self._loaded: dict[str, Cores] = {}
        self._tasks: dict[tuple[int, str], dict[str, Core]] = {}
        self._doubtful: set[TaskAt] = set()

    def find(self) -> Iterator[Moved]:
        """Yield the moved tasks, in the order of their places in the base."""
        found = {number: self._elsewhere(number) for number in (OURS, THEIRS)}
        for number in (OURS, THEIRS):
            found[number] |= self._renamed(number, found[number])
        known: set[TaskAt] = set()
        for source in sorted({*found[OURS], *found[THEIRS]} - self._doubtful):
            ours, theirs = (found[number].get(source) or self._still(number, source) for number in (OURS, THEIRS))
            places = Versions[At](source, ours, theirs)
            base = self._task(BASE, source)
            other = self._task(THEIRS, theirs, base)
            read = self._task(THEIRS, theirs) or {}
            defaults = {name: value for name, value in read.items() if name not in (other or read)}
            item = Moved(places, Versions(base, self._task(OURS, ours, base), other), defaults)
            if self._free(item):
                known |= {at for at in places if at is not None}
                yield item if self._welcome(item) else replace(item, welcome=False)
        yield from self._contested(known)

    def _contested(self, known: set[TaskAt]) -> Iterator[Moved]:
        """Yield tasks of one id that each side added to another epic, where an id can be in one epic only."""
        if not self._unique:
            return
        added = {number: self._added(number, known) for number in (OURS, THEIRS)}
        agreed = {key for item in self._places.values() for key in item.base}
        for key in sorted((added[OURS].keys() & added[THEIRS].keys()) - agreed):
            if len(added[OURS][key]) == len(added[THEIRS][key]) == 1:
                ours, theirs = ((added[number][key][0], key) for number in (OURS, THEIRS))
                if ours != theirs:
                    tasks = Versions(None, self._task(OURS, ours), self._task(THEIRS, theirs))
                    yield Moved(Versions(None, ours, theirs), tasks)

    def _added(self, number: int, known: set[TaskAt]) -> dict[str, list[str]]:
        result: dict[str, list[str]] = {}
        for item in self._places.values():
            for key in item.side(number) - item.base:
                if (item.epic, key) not in known:
                    result.setdefault(key, []).append(item.epic)
        return result

    def _still(self, number: int, source: TaskAt) -> At:
        return source if source[1] in self._places[source[0]].side(number) else None

    # One side

    def _elsewhere(self, number: int) -> dict[TaskAt, TaskAt]:
        """Return the tasks that one side has in another epic than the base, where there is one of each."""
        left: dict[str, list[str]] = {}
        joined: dict[str, list[str]] = {}
        for item in self._places.values():
            now = item.side(number)
            for key in item.base - now:
                left.setdefault(key, []).append(item.epic)
            for key in now - item.base:
                joined.setdefault(key, []).append(item.epic)
        result = {}
        for key, epics in left.items():
            getters = joined.get(key, ())
            if len(epics) == 1 and len(getters) == 1:
                if self._one(number, (epics[0], key), (getters[0], key)):
                    result[epics[0], key] = (getters[0], key)
            elif getters:
                self._doubtful |= {(epic, key) for epic in epics}
        return result

    def _one(self, number: int, source: TaskAt, target: TaskAt) -> bool:
        """Tell whether two tasks of one id are the same task.

        A task that the other side deleted is the same one whatever it says now: no values of two tasks can be mixed,
        and a deletion that meets a task of this id is asked about.
        """
        known = (source[0], target[0]) in self._known.get(number, ())
        deleted = source[1] not in self._ids[THEIRS if number == OURS else OURS]
        return self._unique or known or deleted or self._alike(number, source, target)

    @cached_property
    def _ids(self) -> dict[int, set[str]]:
        """The ids of the tasks that each side has, of those that not all three have."""
        places = self._places.values()
        return {number: set(chain.from_iterable(item.side(number) for item in places)) for number in (OURS, THEIRS)}

    def _alike(self, number: int, source: TaskAt, target: TaskAt) -> bool:
        base = self._task(BASE, source)
        now = self._task(number, target, base)
        return base is not None and now is not None and alike(base, now, self._links)

    def _renamed(self, number: int, moved: Mapping[TaskAt, TaskAt]) -> dict[TaskAt, TaskAt]:
        """Return the tasks with another id within their epic, matched by their content where there is no doubt."""
        result: dict[TaskAt, TaskAt] = {}
        came = set(moved.values())
        for item in self._places.values():
            now = item.side(number)
            gone = [key for key in sorted(item.base - now) if (item.epic, key) not in moved]
            new = [key for key in sorted(now - item.base) if (item.epic, key) not in came]
            if gone and new:
                result |= self._pairs(number, item.epic, gone, new)
        return result

    def _pairs(self, number: int, epic: str, gone: Sequence[str], new: Sequence[str]) -> dict[TaskAt, TaskAt]:
        before, now = self._of(BASE, epic), self._of(number, epic)
        found = pairs(
            {key: before[key] for key in gone if key in before},
            {key: now[key] for key in new if key in now},
            lambda old, key: self._alike(number, (epic, old), (epic, key)),
            self._links,
            lambda key: self._defaults(epic, key) if number == THEIRS else (),
        )
        return {(epic, old): (epic, key) for old, key in found.items()}

    # Both sides

    def _free(self, item: Moved) -> bool:
        """Tell whether no other task has this one's places, and the epic in which it has another id is still there."""
        for number in (OURS, THEIRS):
            own = item.places[number]
            if any(self._task(number, at) is not None for at in item.everywhere if at != own):
                return False
            if own is None and item.epics == {item.source[0]} and self._cores(item.source[0])[number] is None:
                return False
        return True

    def _welcome(self, item: Moved) -> bool:
        """Tell whether neither side deleted the epic that the task came to."""
        if item.agreed is None:
            return True
        before, mine, other = self._cores(item.agreed[0])
        return before is None or (mine is not None and other is not None)

    # Documents

    def _cores(self, epic: str) -> Cores:
        if epic not in self._loaded:
            self._loaded[epic] = self._load(epic)
        return self._loaded[epic]

    def _of(self, number: int, epic: str) -> dict[str, Core]:
        """Return a copy's tasks of an epic by id."""
        if (number, epic) not in self._tasks:
            tasks = tasks_of(self._cores(epic)[number] or {})
            self._tasks[number, epic] = {cast("str", task["id"]): task for task in tasks}
        return self._tasks[number, epic]

    def _task(self, number: int, at: At, base: Core | None = None) -> Core | None:
        """Return a task of a copy. With a base, fields of theirs that the base makes absent are left out."""
        if at is None:
            return None
        found = self._of(number, at[0]).get(at[1])
        if found is None or base is None or number != THEIRS:
            return found
        nothing = self._defaults(*at) - base.keys()
        return {name: value for name, value in found.items() if name not in nothing}
