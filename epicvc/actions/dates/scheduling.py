"""Schedules all tasks: finds the critical path over all epics, on the calendar of ``[plan]``.

It writes nothing. An epic is read from its file, or from the database if it has no file. The effort of a task is its
``estimate_minutes``; a working day has eight hours.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Final, TypeAlias, cast

from msgspec import Struct, field

from epicvc.actions.shared.session import look
from epicvc.base.jsonio import JSON
from epicvc.database.batches import batches
from epicvc.dates.schedule import Cycle, Slot, Task, schedule
from epicvc.dates.strategy import Planner
from epicvc.errors import DependencyCycle, NotFound
from epicvc.model.document import Core, natural_key, tasks_of
from epicvc.model.labels import Label, Selection
from epicvc.model.mapping import Mapping
from epicvc.repo.documents import Documents
from epicvc.repo.files.filestree import read_epic
from epicvc.repo.files.tracked import Unreadable
from epicvc.repo.history.objects import in_local_zone
from epicvc.repo.repository import Repo

DAY: Final = 480
"""The minutes of a working day."""

ESTIMATE: Final = "estimate_minutes"
DEPENDENCIES: Final = "dependencies"

Key: TypeAlias = tuple[str, str]
"""A task by epic and id. An empty id stands for the end of the whole epic, an id of one space for its beginning."""

_DONE: Final = ""
_BEGUN: Final = " "


class ScheduledTask(Struct, frozen=True):
    """A task on the calendar.

    Attributes:
        label: its label.
        epic: its epic.
        title: its title.
        slot: its time in working minutes from the plan's start.
        start: the day of its earliest start.
        end: the day on which its earliest end falls; at the end of a working day, the next one.
        needs: the labels of the tasks and epics that it waits for.
    """

    label: Label
    epic: str
    title: str
    slot: Slot
    start: date
    end: date
    needs: tuple[Label, ...] = ()


class ScheduledEpic(Struct, frozen=True):
    """An epic on the calendar, from its first task to its last."""

    epic: str
    name: str
    slot: Slot
    start: date
    end: date
    effort: Fraction
    critical: bool


class Timetable(Struct):
    """The schedule of all tasks and epics on the calendar.

    Attributes:
        start: the first working day.
        end: the day on which the last task ends.
        length: the working minutes between start and end.
        tasks: the tasks by earliest start, then end.
        epics: the epics in the same order.
        critical: the labels of the critical tasks, in order.
        warnings: the facts that could not be taken into account.
        holidays: the holidays between start and end that fall on working days.
        holidays_version: the release of the ``holidays`` package that gave them.
        errors: the files and rows that cannot be read; their epics are not in it.
    """

    start: date
    end: date
    length: Fraction = Fraction(0)
    tasks: list[ScheduledTask] = field(default_factory=list)
    epics: list[ScheduledEpic] = field(default_factory=list)
    critical: list[Label] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    holidays: dict[date, str] = field(default_factory=dict)
    holidays_version: str | None = None
    errors: Sequence[Unreadable] = ()


def timetable(repo: Repo, *, today: date | None = None, selection: Selection | None = None) -> Timetable:
    """Return the timetable of all epics.

    Args:
        repo: the repo.
        today: the day from which the start is reckoned; by default the current day.
        selection: the epics to show. The other epics are scheduled with them.

    Raises:
        DependencyCycle: tasks depend on each other in a circle.
        NotFound: a selected epic does not exist.
        EpicvcError: a selected epic cannot be read.
    """
    chosen = selection.epics() if selection is not None else None
    with look(repo) as session:
        session.working.files.require_usable()
        documents = Documents(repo, session.working, session.staging, session.reader)
        for epic in sorted(chosen or ()):
            documents.held.require_readable(epic)
        graph = _TaskGraph(documents)
        graph.read()
    for epic in sorted(chosen or ()):
        if epic not in graph.names:
            raise NotFound(f"no epic {epic} on either side", hint="see `epicvc status` for what there is")
    try:
        slots = schedule(graph.tasks)
    except Cycle as error:
        raise DependencyCycle([str(_label(key)) for key in error.path]) from None
    return _laid_out(repo, graph, slots, today or in_local_zone(repo.now()).date(), chosen)


def _label(key: Key) -> Label:
    return Label(key[0], (Mapping.TASKS, key[1])) if key[1].strip() else Label(key[0])


class _TaskGraph:
    """The tasks of all epics with their dependencies."""

    def __init__(self, documents: Documents) -> None:
        self._documents = documents
        self._epics: dict[str, list[tuple[str, list[str]]]] = {}
        self._waits: dict[str, list[str]] = {}
        self._owners: dict[str, list[str]] = {}
        self._milestones: set[Key] = set()
        self._efforts: dict[Key, Fraction] = {}
        self.names: dict[str, str] = {}
        self.titles: dict[Key, str] = {}
        self.tasks: dict[Key, Task[Key]] = {}
        self.warnings: list[str] = []

    @property
    def errors(self) -> Sequence[Unreadable]:
        """The files and rows that cannot be read."""
        return self._documents.held.unreadable

    def read(self) -> None:
        """Read all epics and resolve all dependencies."""
        for epic, core, waits in self._cores():
            self._take(epic, core, waits)
        for epic, tasks in self._epics.items():
            before = self._resolved(epic, self._waits[epic], Label(epic))
            begun = (epic, _BEGUN)
            if before:
                self.tasks[begun] = Task(Fraction(0), tuple(before))
            for key, dependencies in tasks:
                needs = self._resolved(epic, dependencies, _label((epic, key)))
                self.tasks[epic, key] = Task(self._efforts[epic, key], (*needs, *([begun] if before else ())))
        for epic, done in sorted(self._milestones):
            self.tasks[epic, done] = Task(Fraction(0), tuple((epic, key) for key, _ in self._epics[epic]))

    def _cores(self) -> Iterator[tuple[str, Core, list[str]]]:
        """Yield the core of each epic with the epics and tasks for which the whole epic waits."""
        documents = self._documents
        held = documents.held.epics  # a file or row that cannot be read stops its own epic, and no other
        for epic, tracked in sorted(documents.working.files.by_epic.items()):
            if epic in held:
                continue
            found = read_epic(documents.sink, tracked, documents.repo.config)
            yield epic, found.core, _keys(found.body.get(DEPENDENCIES))
        missing = sorted(documents.db_ids().keys() - documents.working.files.by_epic.keys())
        for batch in batches(missing):
            for three in documents.load(batch):
                yield three.epic, three.db or {}, []

    def _take(self, epic: str, core: Core, waits: list[str]) -> None:
        self.names[epic] = str(core.get("name") or "")
        self._waits[epic] = waits
        tasks = self._epics[epic] = []
        for task in tasks_of(core):
            key = cast("str", task["id"])
            tasks.append((key, _keys(task.get(DEPENDENCIES))))
            self._owners.setdefault(key, []).append(epic)
            self.titles[epic, key] = str(task.get("title") or "")
            self._efforts[epic, key] = self._effort(task, _label((epic, key)))

    def _effort(self, task: Core, label: Label) -> Fraction:
        minutes = task.get(ESTIMATE)
        if isinstance(minutes, int | float | Decimal) and minutes >= 0:
            return Fraction(minutes)
        what = "has no estimate" if minutes is None else f"has an estimate of {minutes} minutes"
        self.warnings.append(f"{label} {what}; it counts as no work")
        return Fraction(0)

    def _resolved(self, epic: str, dependencies: list[str], label: Label) -> list[Key]:
        """Return the tasks that dependencies name: a task of the same epic, a task of another one, or a whole epic."""
        found: list[Key] = []
        for name in dependencies:
            if (epic, name) in self._efforts and label.path:
                found.append((epic, name))
            elif name in self._owners:
                owners = self._owners[name]
                if len(owners) > 1:
                    self.warnings.append(
                        f"{label} needs {name}, which is a task of {', '.join(owners)}; it waits for all"
                    )
                found += [(owner, name) for owner in owners]
            elif name in self._epics:
                self._milestones.add((name, _DONE))
                found.append((name, _DONE))
            else:
                unread = " in what can be read" if self._documents.held.unreadable else ""
                self.warnings.append(f"{label} needs {name}, which does not exist{unread}")
        return list(dict.fromkeys(found))


def _keys(value: JSON) -> list[str]:
    found = [natural_key(item) for item in value] if isinstance(value, list) else []
    return [key for key in found if key is not None]


def _laid_out(
    repo: Repo, graph: _TaskGraph, slots: dict[Key, Slot], today: date, chosen: frozenset[str] | None
) -> Timetable:
    planner = Planner(repo.config.plan)
    calendar = planner.calendar(business=True)
    start = planner.start(today, business=True)
    days: dict[int, date] = {}

    def day(minutes: Fraction) -> date:
        number = int(minutes // DAY)
        if number not in days:
            days[number] = calendar.add(start, number)
        return days[number]

    length = max((slot.end for slot in slots.values()), default=Fraction(0))
    table = Timetable(start, day(length), length, warnings=graph.warnings, errors=graph.errors)
    by_epic: dict[str, list[Key]] = {}
    for key, slot in slots.items():
        if not key[1].strip():
            continue
        by_epic.setdefault(key[0], []).append(key)
        if slot.critical and graph.tasks[key].effort:
            table.critical.append(_label(key))
        if chosen is None or key[0] in chosen:
            needs = tuple(_label(need) for need in graph.tasks[key].needs if need[1] != _BEGUN)
            table.tasks.append(
                ScheduledTask(
                    _label(key),
                    key[0],
                    graph.titles[key],
                    slot=slot,
                    start=day(slot.start),
                    end=day(slot.end),
                    needs=needs,
                )
            )
    for epic, keys in by_epic.items():
        if chosen is not None and epic not in chosen:
            continue
        own = [slots[key] for key in keys]
        whole = Slot(min(slot.start for slot in own), max(slot.end for slot in own), min(slot.slack for slot in own))
        effort = sum((graph.tasks[key].effort for key in keys), Fraction(0))
        critical = any(slots[key].critical and graph.tasks[key].effort for key in keys)
        table.epics.append(
            ScheduledEpic(
                epic,
                graph.names[epic],
                whole,
                start=day(whole.start),
                end=day(whole.end),
                effort=effort,
                critical=critical,
            )
        )
    table.tasks.sort(key=lambda task: (task.slot.start, task.slot.end))
    table.epics.sort(key=lambda epic: (epic.slot.start, epic.slot.end, epic.epic))
    table.holidays = dict(calendar.skipped(start, table.end))
    table.holidays_version = calendar.country.version if calendar.country is not None else None
    return table
