"""Collects a report: status, conflicts with their origins, history, runs, quality of the data, schedule.

It writes nothing. Each part is the result of the command for it. A schedule that cannot be made, and a file or row that
cannot be read, become warnings.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from itertools import islice, takewhile
from typing import Final

from msgspec import Struct, field

from epicvc.actions.dates.scheduling import Timetable, timetable
from epicvc.actions.history.status import Status, read_status
from epicvc.actions.report.metrics import Metrics, measure_repo
from epicvc.actions.report.quality import Quality, data_quality
from epicvc.actions.resolve.resolving import open_dispute
from epicvc.actions.restore.refs import names_by_commit
from epicvc.actions.shared.questions import Origins, Question
from epicvc.actions.sync.stats import last_sync
from epicvc.errors import InvalidData
from epicvc.repo.history.objects import Commit
from epicvc.repo.repository import Repo

PERIOD: Final = timedelta(days=7)
"""The default length of the period of a report."""

COMMITS: Final = 1000
"""The most commits in a report. Of a longer history it has the newest."""

TRACED: Final = 200
"""The most conflicts whose origins are searched in history. The origins of more conflicts would be read by nobody."""


class Report(Struct, frozen=True):
    """The contents of a report.

    Attributes:
        made: the time of the report.
        since: the beginning of the period of history and runs.
        status: the status of both sides.
        sides: the names of ours and theirs of the conflicts: the sides, or the branches of an unfinished merge.
        conflicts: the open conflicts with the origins of their values.
        last_sync: the time of the last synchronisation that changed something and was not undone.
        commits: the commits of the period, newest first.
        names: the tags and checkpoints by commit.
        metrics: the figures of the runs of the period.
        quality: the quality of the data.
        schedule: the timetable of all tasks; ``None`` if it cannot be made.
        warnings: the parts that could not be reported.
    """

    made: datetime
    since: datetime
    status: Status
    sides: tuple[str, str]
    conflicts: list[Question]
    last_sync: datetime | None
    commits: list[Commit]
    names: dict[str, list[str]]
    metrics: Metrics
    quality: Quality
    schedule: Timetable | None
    warnings: list[str] = field(default_factory=list)


def collect(repo: Repo, since: datetime | None = None, *, today: date | None = None) -> Report:
    """Read all parts of a report.

    Args:
        repo: the repo.
        since: the beginning of the period; by default a week ago.
        today: the day from which planned starts are reckoned; by default the current day.

    Raises:
        EpicvcError: a side as a whole cannot be read.
    """
    now = repo.now()
    begin = since if since is not None else now - PERIOD
    status = read_status(repo)
    sides, conflicts = _conflicts(repo)
    warnings = [bad.error.message for bad in status.errors]
    schedule = None
    try:
        schedule = timetable(repo, today=today)
    except InvalidData as error:
        warnings.append(f"there is no schedule: {error.message}")
    return Report(
        now,
        begin,
        status,
        sides=sides,
        conflicts=conflicts,
        last_sync=last_sync(repo),
        commits=_commits(repo, begin),
        names=names_by_commit(repo),
        metrics=measure_repo(repo, begin, now),
        quality=data_quality(repo, today=today),
        schedule=schedule,
        warnings=warnings,
    )


def _conflicts(repo: Repo) -> tuple[tuple[str, str], list[Question]]:
    dispute = open_dispute(repo)
    conflicts = dispute.conflicts()
    origins = dispute.origins(conflicts[:TRACED]) + [Origins()] * max(0, len(conflicts) - TRACED)
    found = [Question(item, made, dispute.spec(item)) for item, made in zip(conflicts, origins, strict=True)]
    return (dispute.ours, dispute.theirs), found


def _commits(repo: Repo, since: datetime) -> list[Commit]:
    head = repo.revisions.head()
    history = repo.revisions.history([head] if head is not None else [])
    return list(islice(takewhile(lambda commit: commit.time >= since, history), COMMITS))
