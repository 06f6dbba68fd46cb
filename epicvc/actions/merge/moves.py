"""Brings tasks that a branch moved or renamed to one place in all states, so that all other changes to them merge.

The rules of synchronising find these tasks and decide their place (:mod:`epicvc.plan.moves.moves`). An undecided task
stays where ours has it. A branch that has not synchronised since may have a task in one epic in its files and in
another in its rows. So the moves of files, of rows and of the agreed cores are found apart. Were agreed cores not moved
too, the next synchronisation would take one side's older value for the newer one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from operator import itemgetter
from typing import Final, TypeAlias, cast

from epicvc.actions.merge.documents.loading import Epic
from epicvc.actions.merge.documents.relinking import DOCUMENTS, PARTS, ROWS, documents_of, relink
from epicvc.actions.merge.snapshots.three import ThreeSnapshots
from epicvc.merge.threeway import Chosen, Conflict, Decide, Direction
from epicvc.merge.versions import Versions
from epicvc.model.document import Core, tasks_of, with_tasks
from epicvc.model.labels import Label
from epicvc.model.mapping import Mapping as Document
from epicvc.plan.file.wholefile import core_part
from epicvc.plan.moves.findmoves import Places, find_moves
from epicvc.plan.moves.moves import BASE, OURS, THEIRS, At, Moved, chosen_place, course, label_at
from epicvc.repo.rows.rows import NamedRow

STATES: Final = (BASE, OURS, THEIRS)
WHOSE: Final = ("base", "ours", "theirs")

Epics: TypeAlias = Mapping[str, Epic]
Renamed: TypeAlias = Mapping[int, Collection[tuple[str, str]]]

_Rows: TypeAlias = "tuple[tuple[bytes, NamedRow], dict[str, tuple[bytes, NamedRow]]]"
"""The row of a task, and the rows of its links by the task that each one names."""


def relocate(
    epics: Epics,
    mapping: Document,
    ask: Decide,
    owners: Callable[[Collection[str]], Collection[str]],
    renamed: Renamed,
    *,
    unique: bool,
) -> list[tuple[Label, Label]]:
    """Bring moved and renamed tasks to their place in the result, in the documents and rows of all states.

    Args:
        epics: the loaded epics; they are changed in place.
        mapping: the fields of the core, and the field that holds ids of other tasks.
        ask: decides the place of a task for which the sides have different places.
        owners: returns the epics that may have a task of one of some ids.
        renamed: the epics that got another key in ours and in theirs, before and after.
        unique: the database holds each task id only once.

    Returns:
        The moves, as labels before and after.
    """
    items = [
        (part, item) for part in DOCUMENTS for item in _found(epics, part, mapping, owners, renamed, unique=unique)
    ]
    # agreed cores have no conflicts of their own: ours stays where files and rows ask
    carried = [_Carried(part, item, ask if part in PARTS else lambda _: None) for part, item in items]
    lineups = _Lineups(epics)
    for found in carried:
        found.take(lineups)
    for found in carried:
        found.put(lineups)
    lineups.write()
    if mapping.links is not None:
        for part in DOCUMENTS:
            relink(epics, part, [(found.item, found.target) for found in carried if found.part == part], mapping.links)
    sides = [found for found in carried if found.part in PARTS]
    _part(epics, [found.item for found in sides])
    return list(dict.fromkeys(move for found in sides for move in found.moves()))


def dependants(three: ThreeSnapshots) -> Iterator[tuple[str, str]]:
    """Yield pairs of epics: one in which a side may have renamed a task, and one where the other side depends on it."""
    for mine, other in ((three.here, three.there), (three.there, three.here)):
        gone: dict[str, set[str]] = {}
        for epic in mine.old_files.keys() & mine.new_files.keys():
            before, after = (three.contents.epic(*side[epic][::-1])[1] for side in (mine.old_files, mine.new_files))
            if after.keys() - before.keys():
                for key in before.keys() - after.keys():
                    gone.setdefault(key, set()).add(epic)
        for epic, (path, blob) in other.new_files.items() if gone else ():
            for keys in three.contents.epic(blob, path)[1].values():
                yield from ((owner, epic) for key in keys for owner in gone.get(key, ()))


def _found(
    epics: Epics,
    part: str,
    mapping: Document,
    owners: Callable[[Collection[str]], Collection[str]],
    renamed: Renamed,
    *,
    unique: bool,
) -> tuple[Moved, ...]:
    """Find the moved tasks of files, of rows or of agreed cores."""
    views = {epic: _view(found, part, mapping) for epic, found in epics.items()}
    places = (Places.of(epic, view) for epic, view in views.items())
    known = [found for found in places if found is not None]
    links = mapping.links.field if mapping.links else None
    return find_moves(known, views.__getitem__, links, owners=owners, unique=unique, renamed=renamed).items


def _view(epic: Epic, part: str, mapping: Document) -> Versions[Core | None]:
    """Return the cores of an epic, without extra keys and system columns.

    These do not tell whether two tasks are the same.
    """
    return Versions(*(core_part(found, mapping) for found in documents_of(epic, part)))


def _part(epics: Epics, items: Collection[Moved]) -> None:
    """Have files and rows of an epic merged apart if a task takes different ways in the two.

    The same holds for a task that comes from an epic whose file and rows differ, whatever is known of the epic that it
    goes to.
    """
    ways = Counter((item.places, item.welcome) for item in items)
    apart = {epic.id for epic in epics.values() if not epic.in_sync}
    other = [item for item in items if ways[item.places, item.welcome] < len(PARTS) or item.epics & apart]
    renamed = any(item.renamed for item in other)  # any epic may have links to a renamed task
    for epic in epics if renamed else {epic for item in other for epic in item.epics}:
        epics[epic].in_sync = False


class _Lineup:
    """The tasks of one epic in one state, in order, while tasks are taken out and put in.

    A task that comes back gets its old place among the others. One that comes from another epic goes behind them.

    Args:
        core: the epic's core with its tasks; ``None`` where the epic does not exist.
    """

    def __init__(self, core: Core | None) -> None:
        self.core = core
        self._tasks = {cast("str", task["id"]): (place, task) for place, task in enumerate(tasks_of(core or {}))}
        self._end = len(self._tasks)
        self._changed = False

    def take(self, key: str) -> tuple[Core, int] | None:
        """Take a task out, and return it with its place; return ``None`` if it is not there."""
        found = self._tasks.pop(key, None)
        if found is None:
            return None
        self._changed = True
        return found[1], found[0]

    def put(self, task: Core, place: int | None) -> None:
        """Put a task at its place, or behind all others, unless there is one with its id."""
        if place is None:
            place, self._end = self._end, self._end + 1
        self._tasks.setdefault(cast("str", task["id"]), (place, task))
        self.core = self.core or {}
        self._changed = True

    def whole(self) -> Core | None:
        """Return the core with the tasks that are there now."""
        if self.core is None or not self._changed:
            return self.core
        return with_tasks(self.core, [task for _, task in sorted(self._tasks.values(), key=itemgetter(0))])

    def copy(self) -> _Lineup:
        """Return a copy that changes independently."""
        other = _Lineup(None)
        other.core, other._tasks = self.core, dict(self._tasks)
        other._end, other._changed = self._end, self._changed
        return other


class _Lineups:
    """The tasks of epics in each kind of document while tasks move, and the link rows of each task."""

    def __init__(self, epics: Epics) -> None:
        self.epics = epics
        self._lineups: dict[tuple[str, str], list[_Lineup]] = {}
        self._links: dict[tuple[str, int], dict[str, list[tuple[str, str]]]] = {}

    def of(self, part: str, epic: str) -> list[_Lineup]:
        """Return the lineups of an epic in base, ours and theirs."""
        if (part, epic) not in self._lineups:
            self._lineups[part, epic] = [_Lineup(core) for core in documents_of(self.epics[epic], part)]
        return self._lineups[part, epic]

    def links(self, epic: str, number: int, key: str) -> list[tuple[str, str]]:
        """Return the links of a task in one state, as they were before anything moved."""
        if (epic, number) not in self._links:
            found: dict[str, list[tuple[str, str]]] = {}
            for place in self.epics[epic].rows[number].links:
                found.setdefault(place[0], []).append(place)
            self._links[epic, number] = found
        return self._links[epic, number].get(key, [])

    def write(self) -> None:
        """Write the tasks into the documents of the epics."""
        for (part, epic), lineups in self._lineups.items():
            documents_of(self.epics[epic], part)[:] = [lineup.whole() for lineup in lineups]


class _Carried:
    """One task that goes to one place, or away, in all states of the files, the rows or the agreed cores."""

    def __init__(self, part: str, item: Moved, ask: Decide) -> None:
        self.part = part
        self.item = item
        self._whose: int | None = None
        """The state whose version was taken as a whole, if one was."""
        self._found = course(item, Direction.BOTH, lambda conflict: self._answered(conflict, ask))
        self._versions: list[tuple[Core, int] | None] = []
        self._rows: list[_Rows | None] = []

    def _answered(self, conflict: Conflict, ask: Decide) -> Chosen:
        chosen = ask(conflict) or Chosen(conflict.ours)
        if self.item.follows:
            self._whose = chosen_place(conflict, chosen)
        return chosen

    @property
    def target(self) -> At:
        """The place to which it goes; ``None`` where it goes away."""
        return self._found.target

    def moves(self) -> Iterator[tuple[Label, Label]]:
        """Yield the move as labels before and after. There is none for a task that stays, goes away or is new."""
        if self.item.places[BASE] is None:
            return
        if self.target is not None and self.target != self.item.source:
            yield label_at(self.item.source), label_at(self.target)

    # Where it was

    def take(self, lineups: _Lineups) -> None:
        """Take the task out of every place where it is."""
        for number, at in zip(STATES, self.item.places, strict=True):
            self._versions.append(None if at is None else lineups.of(self.part, at[0])[number].take(at[1]))
            if self.part == ROWS:
                self._rows.append(self._taken_rows(lineups, number))

    def _taken_rows(self, lineups: _Lineups, number: int) -> _Rows | None:
        """Take out its row with its links. A deleted task may still have a row that is marked as deleted."""
        at = self.item.places[number]
        for epic, key in sorted(self.item.everywhere) if at is None else [at]:
            rows = lineups.epics[epic].rows[number]
            if key in rows.tasks:
                linked = [place for place in lineups.links(epic, number, key) if place in rows.links]
                return rows.tasks.pop(key), {place[1]: rows.links.pop(place) for place in linked}
        return None

    # Where it goes

    def put(self, lineups: _Lineups) -> None:
        """Put the task to its place in every state."""
        whose = self._whose
        epic, key = self.target or self.item.home
        owner = lineups.epics[epic]
        if whose is not None and self.part == ROWS:
            owner.kept[Document.TASKS, key] = WHOSE[whose]
        for number, rows in zip(STATES, self._rows, strict=False):
            if rows is not None:
                owner.rows[number].tasks[key] = rows[0]
                owner.rows[number].links.update({(key, linked): row for linked, row in rows[1].items()})
        if self.target is None:
            return
        states = lineups.of(self.part, epic)
        _bring_back(owner, self.part, states)
        if all(state.core is None for state in states):
            return
        for number, (state, at) in enumerate(zip(states, self.item.places, strict=True)):
            version, own = self._versions[number if whose is None else whose], self._versions[number]
            if version is not None:
                stays = own is not None and at is not None and at[0] == epic
                state.put({**version[0], "id": key}, own[1] if own is not None and stays else None)


def _bring_back(epic: Epic, part: str, states: list[_Lineup]) -> None:
    """Restore an epic that one side deleted as the other side has it, for a task that goes into it."""
    base, ours, theirs = (state.core for state in states)
    if base is not None and (ours is None or theirs is None):
        whose = OURS if ours is not None else THEIRS if theirs is not None else BASE
        states[:] = [states[whose].copy() for _ in STATES]
        if part == ROWS:
            epic.kept[()] = WHOSE[whose]
