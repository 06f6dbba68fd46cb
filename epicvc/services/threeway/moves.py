"""Tasks that a branch moved or renamed: taken to one place in all states first, so that what else was done merges.

Which they are, and what becomes of them, is told by the rules that synchronising has (:mod:`epicvc.plan.moves`). Where
nobody decided yet, they are where ours has them. A branch may have a task in one epic in its files and in another in
its rows, where it has not synchronised since: files are taken by what the files say, and rows by what the rows say.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Final, TypeAlias, cast

from epicvc.jsonio import JSON
from epicvc.merge.threeway import Chosen, Conflict, Decide, Direction
from epicvc.model.document import Core, tasks_of, with_tasks
from epicvc.model.labels import Label
from epicvc.model.mapping import Mapping as Document
from epicvc.plan.findmoves import Places, find_moves
from epicvc.plan.moves import BASE, OURS, THEIRS, Moved, chosen_place, course, label_at
from epicvc.plan.wholefile import core_part
from epicvc.repo.rows import NamedRow
from epicvc.services.threeway.loading import Epic
from epicvc.services.threeway.three import Three

STATES: Final = (BASE, OURS, THEIRS)
WHOSE: Final = ("base", "ours", "theirs")
FILES: Final = "files"
ROWS: Final = "rows"
PARTS: Final = (FILES, ROWS)
"""What an epic's documents are made of."""

Epics: TypeAlias = Mapping[str, Epic]
Renamed: TypeAlias = Mapping[int, Collection[tuple[str, str]]]

_Rows: TypeAlias = "tuple[tuple[bytes, NamedRow], dict[str, tuple[bytes, NamedRow]]]"
"""A task's row, and those of its links by what it depends on."""


def relocate(
    epics: Epics,
    mapping: Document,
    ask: Decide,
    owners: Callable[[Collection[str]], Collection[str]],
    renamed: Renamed,
    *,
    unique: bool,
) -> list[tuple[Label, Label]]:
    """Take moved and renamed tasks to where the merge will have them, in the documents and rows of all states.

    Args:
        epics: the loaded epics; what is moved is moved in them.
        mapping: says which fields are the core's, and which holds ids of other tasks.
        ask: decides where a task goes about which the sides contradict each other.
        owners: the epics that may have tasks of some ids.
        renamed: the epics that got another key in ours and in theirs, before and after.
        unique: whether the database has each task's id once.

    Returns:
        The moves, as labels before and after.
    """
    items = [(part, item) for part in PARTS for item in _found(epics, part, mapping, owners, renamed, unique=unique)]
    carried = [_Carried(epics, part, item, ask) for part, item in items]
    for found in carried:
        found.take()
    for found in carried:
        found.put()
    if mapping.links is not None:
        for found in carried:
            found.relink(mapping.links.field)
    _part(epics, items)
    return list(dict.fromkeys(move for found in carried for move in found.moves()))


def dependants(three: Three) -> Iterator[tuple[str, str]]:
    """Epics in which one side may have renamed a task, each with one where the other side depends on it."""
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
    """The moved tasks of files or of rows."""
    views = {epic: _view(found, part, mapping) for epic, found in epics.items()}
    places = (Places.of(epic, *view) for epic, view in views.items())
    known = [found for found in places if found is not None]
    links = mapping.links.field if mapping.links else None
    return find_moves(known, views.__getitem__, links, owners=owners, unique=unique, renamed=renamed).items


def _view(epic: Epic, part: str, mapping: Document) -> tuple[Core | None, Core | None, Core | None]:
    """An epic's cores: what the files alone and the database alone know does not tell whether two tasks are one."""
    base, ours, theirs = (core_part(found, mapping) for found in _documents(epic, part))
    return base, ours, theirs


def _part(epics: Epics, items: Collection[tuple[str, Moved]]) -> None:
    """Merge files and rows each by themselves, where a task went another way in one than in the other.

    So where it comes from an epic whose file and rows differ, whatever is known of the one that it goes to.
    """
    ways = Counter((item.places, item.welcome) for _, item in items)
    apart = {epic.id for epic in epics.values() if not epic.in_sync}
    for _, item in items:
        if ways[item.places, item.welcome] < len(PARTS) or item.epics & apart:
            for epic in epics if item.renamed else item.epics:  # what depends on a renamed one names it anew
                epics[epic].in_sync = False


class _Carried:
    """One task that goes to one place in all states, or away; in the files or in the rows."""

    def __init__(self, epics: Epics, part: str, item: Moved, ask: Decide) -> None:
        self._epics = epics
        self._part = part
        self._item = item
        self._whose: int | None = None
        """By whose version it was settled as a whole."""
        self._found = course(item, Direction.BOTH, lambda conflict: self._answered(conflict, ask))
        self._versions: list[tuple[Core, int] | None] = []
        self._rows: list[_Rows | None] = []

    def _answered(self, conflict: Conflict, ask: Decide) -> Chosen:
        chosen = ask(conflict) or Chosen(conflict.ours)
        if self._item.follows:
            self._whose = chosen_place(conflict, chosen)
        return chosen

    def moves(self) -> Iterator[tuple[Label, Label]]:
        """The move, as labels before and after; none where it stays or goes away, or is new."""
        if self._item.places[BASE] is None:
            return
        if self._found.target is not None and self._found.target != self._item.source:
            yield label_at(self._item.source), label_at(self._found.target)

    # Where it was

    def take(self) -> None:
        """Take it away wherever it is."""
        self._versions = [self._taken(number) for number in STATES]
        if self._part == ROWS:
            self._rows = [self._taken_rows(number) for number in STATES]

    def _taken(self, number: int) -> tuple[Core, int] | None:
        at = self._item.places[number]
        core = None if at is None else _documents(self._epics[at[0]], self._part)[number]
        if at is None or core is None:
            return None
        for index, task in enumerate(tasks_of(core)):
            if task["id"] == at[1]:
                others = [other for other in tasks_of(core) if other is not task]
                _documents(self._epics[at[0]], self._part)[number] = with_tasks(core, others)
                return task, index
        return None

    def _taken_rows(self, number: int) -> _Rows | None:
        """Its row with its links; that of a task which was deleted may be there, marked."""
        at = self._item.places[number]
        for epic, key in sorted(self._item.everywhere) if at is None else [at]:
            rows = self._epics[epic].rows[number]
            if key in rows.tasks:
                linked = [place for place in rows.links if place[0] == key]
                return rows.tasks.pop(key), {place[1]: rows.links.pop(place) for place in linked}
        return None

    # Where it goes

    def put(self) -> None:
        """Put it to its place."""
        target, whose = self._found.target, self._whose
        epic, key = target or self._item.home
        owner = self._epics[epic]
        if whose is not None and self._part == ROWS:
            owner.kept[Document.TASKS, key] = WHOSE[whose]
        for number, rows in zip(STATES, self._rows, strict=False):
            if rows is not None:
                owner.rows[number].tasks[key] = rows[0]
                owner.rows[number].links.update({(key, linked): row for linked, row in rows[1].items()})
        if target is None:
            return
        _bring_back(owner, self._part)
        for number in STATES:
            version = self._versions[number if whose is None else whose]
            at = self._item.places[number]
            if version is not None:
                stays = at is not None and at[0] == epic
                _put(_documents(owner, self._part), number, {**version[0], "id": key}, version[1] if stays else None)

    def relink(self, links: str) -> None:
        """Let what depends on it name it by the id that it has now."""
        target = self._found.target
        if target is None or not self._item.renamed:
            return
        for epic in self._epics.values():
            if self._item.alone or epic.id in self._item.epics:
                _relink(epic, self._part, {key for _, key in self._item.everywhere} - {target[1]}, target[1], links)


def _documents(epic: Epic, part: str) -> list[Core | None]:
    return epic.of_files if part == FILES else epic.of_rows


def _bring_back(epic: Epic, part: str) -> None:
    """An epic that one side deleted is as the other has it, for a task that somebody wants in it."""
    documents = _documents(epic, part)
    base, ours, theirs = documents
    if base is not None and (ours is None or theirs is None):
        whose = OURS if ours is not None else THEIRS if theirs is not None else BASE
        documents[:] = [documents[whose]] * len(STATES)
        if part == ROWS:
            epic.kept[()] = WHOSE[whose]


def _put(documents: list[Core | None], number: int, task: Core, index: int | None) -> None:
    """Put a task into an epic's document; where the epic is not there yet, it has nothing but its tasks."""
    if all(document is None for document in documents):
        return
    core = documents[number] or {}
    tasks = tasks_of(core)
    if all(other["id"] != task["id"] for other in tasks):
        at = len(tasks) if index is None else index
        documents[number] = with_tasks(core, [*tasks[:at], task, *tasks[at:]])


def _relink(epic: Epic, part: str, old: set[str], new: str, links: str) -> None:
    """Name a task by another id, unless the epic has a task of its own that is called so."""
    cores = _documents(epic, part)
    names = old - {cast("str", task["id"]) for core in cores if core is not None for task in tasks_of(core)}
    if not names:
        return
    cores[:] = [
        core and with_tasks(core, [_renamed(task, names, new, links) for task in tasks_of(core)]) for core in cores
    ]
    for rows in epic.rows if part == ROWS else ():
        for task, linked in [place for place in rows.links if place[1] in names]:
            rows.links.setdefault((task, new), rows.links.pop((task, linked)))


def _renamed(task: Core, names: set[str], new: str, links: str) -> Core:
    keys = cast("list[str]", task.get(links) or [])
    if not names & {*keys}:
        return task
    return {**task, links: cast("JSON", sorted({new if key in names else key for key in keys}))}
