"""Measures the data of both sides: do they agree, is what everybody needs filled in, are calculated fields right.

Reads only, and streams: no number of epics is in memory at once. Decides nothing; what is out of step is told by
``status`` and ``plan``.
"""

from __future__ import annotations

from datetime import date
from typing import Final

from msgspec import Struct, field

from epicvc.database.batches import batches
from epicvc.database.epicvalues import read_values
from epicvc.errors import DurationError
from epicvc.jsonio import JSON, equal
from epicvc.model.document import Core, tasks_of
from epicvc.model.mapping import Mapping
from epicvc.planning.keeping import plan_again
from epicvc.planning.strategy import Planner
from epicvc.repo.documents import Documents
from epicvc.repo.plans import load_plans
from epicvc.repo.repository import Repo
from epicvc.services.planning import DURATION, WRITTEN, near, read_planned, show_planned
from epicvc.services.session import look

REQUIRED: Final = "name"
"""What every epic needs besides its id."""

REQUIRED_OF_TASKS: Final = "title"
"""What every task needs besides its id."""


class Score(Struct):
    """How many of some things are as they should be."""

    good: int = 0
    total: int = 0

    @property
    def percentage(self) -> float:
        """How many of a hundred; 100 where there is nothing to complain of."""
        return round(100 * self.good / self.total, 2) if self.total else 100.0

    def note(self, good: bool) -> None:
        """Count one thing."""
        self.good += good
        self.total += 1


class Quality(Struct):
    """The quality of the data.

    Attributes:
        consistency: core fields that say the same on both sides.
        completeness: required fields that are filled in.
        accuracy: stored calculated fields that equal a recomputation.
    """

    consistency: Score = field(default_factory=Score)
    completeness: Score = field(default_factory=Score)
    accuracy: Score = field(default_factory=Score)


def data_quality(repo: Repo, *, today: date | None = None) -> Quality:
    """Measure both sides as they are.

    Args:
        repo: the repo.
        today: the day from which a start that is not kept is reckoned; by default the clock's.

    Raises:
        EpicvcError: a side is invalid or cannot be read.
    """
    quality = Quality()
    with look(repo) as session:
        session.working.files.require_valid()
        documents = Documents(repo, session.working, session.staging, session.reader)
        for batch in batches(sorted({*session.working.files.by_epic, *documents.db_ids()})):
            for three in documents.load(batch):
                _compare(quality.consistency, three.file, three.db)
                _require(quality.completeness, three.file if three.file is not None else three.db or {})
        _recompute(quality.accuracy, documents, today or repo.now().astimezone().date())
    return quality


def _compare(score: Score, files: Core | None, db: Core | None) -> None:
    one, other = _fields(files or {}), _fields(db or {})
    for place in one.keys() | other.keys():
        score.note(place in one and place in other and equal(one[place], other[place]))


def _fields(core: Core) -> dict[tuple[str, ...], JSON]:
    """The fields of an epic and of its tasks, by place."""
    found: dict[tuple[str, ...], JSON] = {(name,): value for name, value in core.items() if name != Mapping.TASKS}
    for task in tasks_of(core):
        found.update({(Mapping.TASKS, str(task["id"]), name): value for name, value in task.items()})
    return found


def _require(score: Score, core: Core) -> None:
    score.note(_filled(core.get(REQUIRED)))
    for task in tasks_of(core):
        score.note(_filled(task.get(REQUIRED_OF_TASKS)))


def _filled(value: JSON) -> bool:
    return bool(value.strip()) if isinstance(value, str) else value is not None


def _recompute(score: Score, documents: Documents, today: date) -> None:
    """Compare each calculated field that the database has with what ``plan`` would write there."""
    if documents.reader is None or documents.layout is None:
        return
    config = documents.repo.config
    planner, records = Planner(config.plan), load_plans(config.private)
    for epic in read_values(documents.reader, documents.layout, (DURATION, *WRITTEN)):
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
            score.note(name in wanted and (equal(value, wanted[name]) or near(value, wanted[name])))
