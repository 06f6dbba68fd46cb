"""Tasks that a side moved to another epic, or gave another id: the same tasks still, wherever the other side has them.

An epic is planned by itself, so that such a task looks deleted in one place and added in another. What has to be known
of it is put together here once, and :class:`Moves` then lets the plan of either epic see one task: in all three
copies where it is now, and in none where it was. A move is a change like others: it flows where the direction
lets it, and where it may not, the other side's edits still reach the task in its new place.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Final, Protocol, TypeAlias, cast

from msgspec import Struct

from epicvc.jsonio import JSON, equal
from epicvc.merge.threeway import ABSENT, Direction, Triple, Value
from epicvc.model.document import UNAGREED, Core, Tasks, place, tasks_of
from epicvc.model.labels import escape
from epicvc.model.mapping import Mapping

TaskAt: TypeAlias = tuple[str, str]
"""An epic's id and a task's id within it."""

Cores: TypeAlias = "tuple[Core | None, Core | None, Core | None]"
"""Base, ours and theirs of one epic."""

MergeTask: TypeAlias = "Callable[[str, Core | None, Core | None, Core | None], Triple]"
"""Merges three versions of one task, given its epic."""


class Moved(Struct, frozen=True):
    """One task that is elsewhere now.

    Attributes:
        source: where the base has it.
        target: where it is now.
        by: the direction in which the move flows: ``TO_THEIRS`` when ours moved it; both when both did.
        base: the task as the base has it.
        ours: as ours has it; ``None`` where ours deleted it.
        theirs: as theirs has it.
    """

    source: TaskAt
    target: TaskAt
    by: Direction
    base: Core | None
    ours: Core | None
    theirs: Core | None

    @property
    def renamed(self) -> bool:
        """Whether it has another id now."""
        return self.source[1] != self.target[1]

    def flows(self, direction: Direction) -> bool:
        """Whether the side that has it where it was may change."""
        return self.by == Direction.BOTH or self.by in direction

    def versions(self, key: str) -> Cores:
        """The three under one id."""
        base, ours, theirs = (core and {**core, "id": key} for core in (self.base, self.ours, self.theirs))
        return base, ours, theirs


class Moves:
    """The moved tasks of a document set.

    Args:
        items: them.
        links: the field of a task that holds ids of others.
        unique: whether a task's id is its own in the whole document set, so that dependencies of other epics follow.
    """

    def __init__(self, items: Iterable[Moved] = (), links: str | None = None, *, unique: bool = False) -> None:
        self.items: Final = tuple(items)
        self._links = links
        self._unique = unique

    def __bool__(self) -> bool:
        return bool(self.items)

    def only(self, items: Iterable[Moved]) -> Moves:
        """Some of them."""
        return Moves(items, self._links, unique=self._unique)

    @property
    def renames(self) -> bool:
        """Whether a task has another id now, which tasks of any epic may depend on."""
        return any(item.renamed for item in self.items)

    def of(self, epic: str) -> tuple[Moved, ...]:
        """Those that leave an epic or come to it."""
        return tuple(item for item in self.items if epic in (item.source[0], item.target[0]))

    def settled(self, epic: str, db: Core | None) -> Core | None:
        """What the database says of an epic, its new tasks read against the base of where they were."""
        known = {
            item.target[1]: item for item in self.of(epic) if item.target[0] == epic and item.by != Direction.TO_THEIRS
        }
        if db is None or not known:
            return db
        tasks = [
            {**cast("Core", item.theirs), "id": key} if (item := known.get(key := cast("str", task["id"]))) else task
            for task in tasks_of(db)
        ]
        return {**db, Mapping.TASKS: cast("JSON", tasks)}

    def before(self, epic: str, cores: Cores, direction: Direction, merge_task: MergeTask) -> Cores:
        """The three copies of an epic as the plan is to see them."""
        tasks = [None if core is None else list(tasks_of(core)) for core in cores]
        for item in self.of(epic):
            if item.source[0] == epic:
                tasks = [side if side is None else _without(side, item.source[1]) for side in tasks]
        for item in self.of(epic):
            if item.target[0] == epic:
                self._arrive(item, tasks, direction, merge_task)
        self._cascade(epic, tasks, direction)
        base, ours, theirs = (_with_tasks(core, side) for core, side in zip(cores, tasks, strict=True))
        # What came here has no place among the others on which both sides once agreed.
        new = [item.target[1] for item in self.of(epic) if item.target[0] == epic and item.flows(direction)]
        if base is not None and new:
            known = cast("list[str]", base.get(UNAGREED) or [])
            paths = {*known, *(f"{Mapping.TASKS}/{escape(key)}" for key in new)}
            base = {**base, UNAGREED: cast("JSON", sorted(paths))}
        return base, ours, theirs

    def after(self, epic: str, cores: Cores, triple: Triple, direction: Direction, merge_task: MergeTask) -> Triple:
        """What becomes of the three, given what the plan made of what it saw: a move that does not flow stays open."""
        held = [item for item in self.of(epic) if item.source[0] == epic and not item.flows(direction)]
        if not held:
            return triple
        values = {"base": triple.base, "ours": triple.ours, "theirs": triple.theirs}
        for item in held:
            key = item.source[1]
            merged = merge_task(epic, *item.versions(key))
            lagging = "theirs" if item.by == Direction.TO_THEIRS else "ours"
            originals = dict(zip(("base", "ours", "theirs"), cores, strict=True))
            for name, task in (("base", merged.base), (lagging, getattr(merged, lagging))):
                values[name] = _put_back(values[name], originals[name], key, task)
        return Triple(values["ours"], values["theirs"], values["base"])

    def _arrive(self, item: Moved, tasks: list[Tasks | None], direction: Direction, merge_task: MergeTask) -> None:
        epic, key = item.target
        versions = item.versions(key)
        leader = 2 if item.by == Direction.TO_OURS else 1
        order = [cast("str", task["id"]) for task in tasks[leader] or ()]
        if not item.flows(direction):
            merged = merge_task(epic, *versions)
            value = merged.ours if leader == 1 else merged.theirs
            side = cast("Tasks", tasks[leader])
            tasks[leader] = [task if task["id"] != key else cast("Core", value) for task in side]
            if value is ABSENT:
                tasks[leader] = _without(side, key)
            return
        for number, version in enumerate(versions):
            side = tasks[number] or []
            if version is not None and all(task["id"] != key for task in side):
                tasks[number] = _insert(side, version, order)

    def _cascade(self, epic: str, tasks: list[Tasks | None], direction: Direction) -> None:
        """Let dependencies on a renamed task name it by its new id."""
        field = self._links
        names = {
            item.source[1]: item.target[1]
            for item in self.items
            if item.renamed and item.flows(direction) and (self._unique or item.source[0] == epic)
        }
        if field is None or not names:
            return
        for number, side in enumerate(tasks):
            own = {task["id"] for task in side or ()}
            wanted = {old: new for old, new in names.items() if old not in own}
            if side is not None and self._may_change(number, direction):
                tasks[number] = [_relinked(task, field, wanted) for task in side]

    @staticmethod
    def _may_change(number: int, direction: Direction) -> bool:
        """Whether a copy may be seen otherwise than it is: the base always, a side where it may change."""
        return number == 0 or (Direction.TO_OURS if number == 1 else Direction.TO_THEIRS) in direction


def _relinked(task: Core, field: str, names: dict[str, str]) -> Core:
    keys = cast("list[str]", task.get(field) or [])
    if not any(key in names for key in keys):
        return task
    return {**task, field: cast("JSON", sorted({names.get(key, key) for key in keys}))}


def _without(tasks: Tasks, key: str) -> Tasks:
    return [task for task in tasks if task["id"] != key]


def _insert(tasks: Tasks, task: Core, reference: Sequence[str]) -> Tasks:
    """Put a task in after its nearest predecessor in an order that has it."""
    by_id = {cast("str", item["id"]): item for item in [*tasks, task]}
    key = cast("str", task["id"])
    order = place([cast("str", item["id"]) for item in tasks], [key], reference)
    return [by_id[name] for name in order]


def _put_back(value: Value, original: Core | None, key: str, task: Value) -> Value:
    if task is ABSENT:
        return value
    core = cast("Core", {} if value is ABSENT else value)
    reference = [cast("str", item["id"]) for item in tasks_of(original or {})]
    return {**core, Mapping.TASKS: cast("JSON", _insert(tasks_of(core), cast("Core", task), reference))}


def _with_tasks(core: Core | None, tasks: Tasks | None) -> Core | None:
    if tasks is None or (core is not None and tasks == tasks_of(core)):
        return core
    rest = {name: value for name, value in (core or {}).items() if name != Mapping.TASKS}
    return {**rest, Mapping.TASKS: cast("JSON", tasks)} if tasks else rest


def alike(one: Core, other: Core, links: str | None) -> bool:
    """Whether two tasks are one by what they say: they share a title or a description, and half of their fields."""
    ignored = {"id", links}
    names = {*one, *other} - ignored
    same = {name for name in names if name in one and name in other and equal(one[name], other[name])}
    telling = any(one[name] for name in ("title", "description") if name in same)
    return telling and len(same) * 2 >= len(names)


# Finding them


class Places(Struct, frozen=True):
    """The tasks of one epic that not all three copies have, and whether each copy has the epic."""

    epic: str
    base: frozenset[str]
    ours: frozenset[str]
    theirs: frozenset[str]

    @classmethod
    def of(cls, epic: str, base: Core | None, ours: Core | None, theirs: Core | None) -> Places | None:
        """``None`` where all three have the same tasks."""
        keys = [frozenset(cast("str", task["id"]) for task in tasks_of(core or {})) for core in (base, ours, theirs)]
        common = keys[0] & keys[1] & keys[2]
        found = cls(epic, *(side - common for side in keys))
        return found if found.base or found.ours or found.theirs else None


LoadTask: TypeAlias = "Callable[[str], Cores]"
"""Base, ours and theirs of an epic."""


def find_moves(
    places: Iterable[Places],
    load: LoadTask,
    links: str | None,
    defaults: Callable[[str, str], frozenset[str]] = lambda _epic, _key: frozenset(),
    *,
    unique: bool,
) -> Moves:
    """Find the tasks that a side, or both, moved or renamed.

    Args:
        places: of every epic whose tasks differ.
        load: gives the documents of the few epics that are concerned.
        links: the field of a task that holds ids of others.
        defaults: the fields of a task, by epic and id, that in theirs have only a column's default. Where the base has
            the task without them, they are absent (:func:`epicvc.model.document.settle`).
        unique: whether a task's id is its own in the whole document set; else two tasks of one id are the same only
            if they are alike.
    """
    found = list(places)
    loaded: dict[str, Cores] = {}

    def task(epic: str, side: int, key: str, base: Core | None = None) -> Core | None:
        if epic not in loaded:
            loaded[epic] = load(epic)
        found = next((item for item in tasks_of(loaded[epic][side] or {}) if item["id"] == key), None)
        if found is None or base is None or side != 2:
            return found
        nothing = defaults(epic, key) - base.keys()
        return {name: value for name, value in found.items() if name not in nothing}

    sides = {1: _moves_of(found, 1), 2: _moves_of(found, 2)}
    items: list[Moved] = []
    for source in sorted({*sides[1], *sides[2]}):
        mine, other = sides[1].get(source), sides[2].get(source)
        if mine is not None and other is not None and mine != other:
            continue  # to different places: no merge can tell where it belongs
        target = cast("TaskAt", mine or other)
        by = Direction.BOTH if mine == other else Direction.TO_THEIRS if mine else Direction.TO_OURS
        before = task(*_at(source, 0))
        after = [task(*_at(target if moved is not None else source, n), before) for n, moved in ((1, mine), (2, other))]
        leader = after[0] if mine is not None else after[1]
        if before is None or leader is None or not (unique or alike(before, leader, links)):
            continue
        if by != Direction.BOTH and (
            task(*_at(target, 2 if mine else 1)) is not None or not _welcome(loaded[target[0]], by)
        ):
            continue
        items.append(Moved(source, target, by, before, *after))
    taken = {at for item in items for at in (item.source, item.target)}
    items += _renames(found, taken, task, links)
    return Moves(items, links, unique=unique)


def _at(place_: TaskAt, side: int) -> tuple[str, int, str]:
    return place_[0], side, place_[1]


def _welcome(cores: Cores, by: Direction) -> bool:
    """Whether the other side has the epic that a task came to, or never had it."""
    base, ours, theirs = cores
    lagging = theirs if by == Direction.TO_THEIRS else ours
    return (lagging is None) == (base is None)


def _moves_of(found: Sequence[Places], side: int) -> dict[TaskAt, TaskAt]:
    """The tasks that one side has in another epic than the base, where there is one of each."""
    left: dict[str, list[str]] = {}
    joined: dict[str, list[str]] = {}
    for item in found:
        now = item.ours if side == 1 else item.theirs
        for key in item.base - now:
            left.setdefault(key, []).append(item.epic)
        for key in now - item.base:
            joined.setdefault(key, []).append(item.epic)
    return {
        (epics[0], key): (joined[key][0], key)
        for key, epics in left.items()
        if len(epics) == 1 and len(joined.get(key, ())) == 1
    }


class FindTask(Protocol):
    """Gives a task of an epic on a side; with a base, without what that base makes absent."""

    def __call__(self, epic: str, side: int, key: str, base: Core | None = None) -> Core | None: ...  # noqa: D102


def _renames(found: Sequence[Places], taken: set[TaskAt], task: FindTask, links: str | None) -> list[Moved]:
    """Tasks that have another id within their epic: matched by what they say, where there is no doubt."""
    items = []
    for item in found:
        pairs = {side: _pairs(item, side, taken, task, links) for side in (1, 2)}
        for old in sorted({*pairs[1], *pairs[2]}):
            mine, other = pairs[1].get(old), pairs[2].get(old)
            if mine is not None and other is not None and mine != other:
                continue
            new = cast("str", mine or other)
            by = Direction.BOTH if mine == other else Direction.TO_THEIRS if mine else Direction.TO_OURS
            base = task(item.epic, 0, old)
            after = [task(item.epic, n, new if moved else old, base) for n, moved in ((1, mine), (2, other))]
            if by == Direction.BOTH or new not in (item.theirs if mine else item.ours):
                items.append(Moved((item.epic, old), (item.epic, new), by, base, *after))
    return items


def _pairs(item: Places, side: int, taken: set[TaskAt], task: FindTask, links: str | None) -> dict[str, str]:
    now = item.ours if side == 1 else item.theirs
    gone = [key for key in sorted(item.base - now) if (item.epic, key) not in taken]
    new = [key for key in sorted(now - item.base) if (item.epic, key) not in taken]
    if not gone or not new:
        return {}
    matches: dict[str, list[str]] = {}
    for old in gone:
        base = cast("Core", task(item.epic, 0, old))
        matches[old] = [key for key in new if alike(base, cast("Core", task(item.epic, side, key, base)), links)]
    claims = [key for keys in matches.values() for key in keys]
    return {old: keys[0] for old, keys in matches.items() if len(keys) == 1 and claims.count(keys[0]) == 1}
