"""Measures the data of both sides: agreement, required fields, and calculated fields.

Each place that costs points is named. It only reads, and streams: the epics are never in memory all at once. It decides
nothing; ``status`` and ``plan`` tell the remedy.
"""

from __future__ import annotations

from datetime import date
from typing import Final

from msgspec import Struct, field

from epicvc.actions.dates.planning import DURATION, WRITTEN, near, read_planned, show_planned
from epicvc.actions.shared.session import look
from epicvc.base.jsonio import JSON, dumps_text, equal
from epicvc.database.batches import batches
from epicvc.database.documents.epicvalues import read_values
from epicvc.dates.keeping import plan_again
from epicvc.dates.strategy import Planner
from epicvc.errors import DurationError
from epicvc.model.document import Core, tasks_of
from epicvc.model.labels import Label, natural_order
from epicvc.model.mapping import Mapping
from epicvc.repo.documents import Documents
from epicvc.repo.history.objects import in_local_zone
from epicvc.repo.plans import load_plans
from epicvc.repo.repository import Repo

REQUIRED: Final = "name"
"""The field that every epic needs besides its id."""

REQUIRED_OF_TASKS: Final = "title"
"""The field that every task needs besides its id."""

LISTED: Final = 1000
"""The most places that a score lists. Nobody reads more of a database that is wrong all over."""

ABSENT_IN_FILES: Final = "is not in the files"
ABSENT_IN_DATABASE: Final = "is not in the database"


class Loss(Struct, frozen=True):
    """A place that costs points.

    Attributes:
        label: the label of a field, or of a task or an epic that one side lacks as a whole.
        points: the number of fields of the place.
        why: the fault.
    """

    label: Label
    points: int
    why: str


class Score(Struct):
    """Counts the things that are as they should be.

    Attributes:
        good: the number of good ones.
        total: the number of all.
        losses: the places of the others, in the order of epics; the first :data:`LISTED` of them.
        places: the number of all such places.
    """

    good: int = 0
    total: int = 0
    losses: list[Loss] = field(default_factory=list)
    places: int = 0

    @property
    def percentage(self) -> float:
        """The percentage of good ones. It is 100 only if there is no fault at all."""
        if self.good == self.total:
            return 100.0
        return min(round(100 * self.good / self.total, 2), 99.99)

    def note(self, good: int) -> None:
        """Count things that are as they should be."""
        self.good += good
        self.total += good

    def lose(self, label: Label, why: str, points: int = 1) -> None:
        """Count a place that is not as it should be."""
        self.total += points
        self.places += 1
        if len(self.losses) < LISTED:
            self.losses.append(Loss(label, points, why))


class Quality(Struct):
    """The quality of the data.

    Attributes:
        epics: the number of epics on either side.
        unreadable: the number of files and rows that cannot be read. Their epics are not measured.
        consistency: the core fields that are equal on both sides; none without a database.
        completeness: the required fields that are filled in.
        accuracy: the stored calculated fields that equal a recomputation.
    """

    epics: int = 0
    unreadable: int = 0
    consistency: Score = field(default_factory=Score)
    completeness: Score = field(default_factory=Score)
    accuracy: Score = field(default_factory=Score)


def data_quality(repo: Repo, *, today: date | None = None) -> Quality:
    """Measure both sides as they are.

    Args:
        repo: the repo.
        today: the day from which a start that is not kept is reckoned; by default the current day.

    Raises:
        EpicvcError: a side as a whole cannot be read.
    """
    quality = Quality()
    with look(repo) as session:
        documents = Documents(repo, session.working, session.staging, session.reader)
        held = documents.held.epics
        epics = sorted({*session.working.files.by_epic, *documents.db_ids()} - held, key=natural_order)
        quality.epics = len(epics) + len(held)
        quality.unreadable = len(documents.held.unreadable)
        differing = set(documents.candidates())
        done = 0
        for batch in batches(epics):
            found = {three.epic: three for three in documents.load([epic for epic in batch if epic in differing])}
            for epic in batch:
                three = found.pop(epic, None)
                files = documents.file_core(epic) if three is None else three.file
                db = files if three is None else three.db  # sides that are known to agree are read once
                if documents.reader is not None:
                    _compare(quality.consistency, epic, files, db)
                _require(quality.completeness, epic, files if files is not None else db or {})
            done += len(batch)
            repo.progress("epics", done, len(epics))
        _recompute(quality.accuracy, documents, None if not held else epics, today or in_local_zone(repo.now()).date())
    return quality


def _compare(score: Score, epic: str, files: Core | None, db: Core | None) -> None:
    if files is None or db is None:
        why = ABSENT_IN_FILES if files is None else ABSENT_IN_DATABASE
        score.lose(Label(epic), why, _size(files or db or {}))
        return
    if files is db:
        score.note(_size(files))
        return
    _compare_fields(score, Label(epic), files, db)
    one, other = ({str(task["id"]): task for task in tasks_of(core)} for core in (files, db))
    for key in (*one, *(key for key in other if key not in one)):
        label = Label(epic, (Mapping.TASKS, key))
        if key not in one or key not in other:
            score.lose(label, ABSENT_IN_DATABASE if key in one else ABSENT_IN_FILES, len(one.get(key) or other[key]))
        else:
            _compare_fields(score, label, one[key], other[key])


def _compare_fields(score: Score, label: Label, files: Core, db: Core) -> None:
    """Compare the fields of an epic without its tasks, or those of a task."""
    for name in (*files, *(name for name in db if name not in files)):
        if name == Mapping.TASKS:
            continue
        if name not in db:
            score.lose(label.child(name), ABSENT_IN_DATABASE)
        elif name not in files:
            score.lose(label.child(name), ABSENT_IN_FILES)
        elif not equal(files[name], db[name]):
            score.lose(label.child(name), "differs")
        else:
            score.note(1)


def _size(core: Core) -> int:
    """Return the number of fields of an epic, including those of its tasks."""
    return sum(name != Mapping.TASKS for name in core) + sum(map(len, tasks_of(core)))


def _require(score: Score, epic: str, core: Core) -> None:
    _require_filled(score, Label(epic, (REQUIRED,)), core.get(REQUIRED))
    for task in tasks_of(core):
        _require_filled(
            score, Label(epic, (Mapping.TASKS, str(task["id"]), REQUIRED_OF_TASKS)), task.get(REQUIRED_OF_TASKS)
        )


def _require_filled(score: Score, label: Label, value: JSON) -> None:
    if value is None:
        score.lose(label, "is missing")
    elif isinstance(value, str) and not value.strip():
        score.lose(label, "is empty")
    else:
        score.note(1)


def _recompute(score: Score, documents: Documents, epics: list[str] | None, today: date) -> None:
    """Compare each calculated field in the database with the value that ``plan`` would write."""
    if documents.reader is None or documents.layout is None:
        return
    config = documents.repo.config
    planner, records = Planner(config.plan), load_plans(config.private)
    for epic in read_values(documents.reader, documents.layout, (DURATION, *WRITTEN), epics):
        stored: Core = {name: epic.values[name] for name in WRITTEN if name in epic.values}
        if not stored:
            continue
        text = epic.values.get(DURATION)
        try:
            duration = text if isinstance(text, str) else ""
            wanted = show_planned(plan_again(planner, duration, today, read_planned(stored), records.get(epic.id)))
        except DurationError:
            wanted = {}
        for name, value in stored.items():
            if name not in wanted:
                score.lose(Label(epic.id, (name,)), "has no duration that it follows from")
            elif equal(value, wanted[name]) or near(value, wanted[name]):
                score.note(1)
            else:
                score.lose(Label(epic.id, (name,)), f"is {_said(value)}, calculated {_said(wanted[name])}")


def _said(value: JSON) -> str:
    return value if isinstance(value, str) else dumps_text(value, indent=None)
