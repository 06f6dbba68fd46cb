"""What a report says: status, conflicts with their origins, history, runs, quality of the data, schedule. Reads only.

Each part is what the command of its own gives. A schedule that cannot be made, and a file or row that cannot be read,
are warnings.
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
"""How far a report looks back where nobody says."""

COMMITS: Final = 1000
"""Commits that a report has; of a longer history the newest."""

TRACED: Final = 200
"""Conflicts whose origins are looked for in history; of more, nobody reads where each came from."""


class Report(Struct, frozen=True):
    """A report.

    Attributes:
        made: when.
        since: the beginning of the period that history and runs are of.
        status: how both sides are.
        sides: what ours and theirs of the conflicts are called: the sides, or the branches of an unfinished merge.
        conflicts: what is open, with who made the values.
        last_sync: when a synchronisation that stands last changed something.
        commits: those of the period, newest first.
        names: tags and checkpoints by commit.
        metrics: figures of the runs of the period.
        quality: of the data.
        schedule: the timetable of all tasks; ``None`` where there can be none.
        warnings: what could not be reported.
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
    """Read all that a report says.

    Args:
        repo: the repo.
        since: the beginning of the period; by default a week ago.
        today: the day from which planned starts are reckoned; by default the clock's.

    Raises:
        EpicvcError: a side cannot be read at all.
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
        sides,
        conflicts,
        last_sync(repo),
        _commits(repo, begin),
        names_by_commit(repo),
        measure_repo(repo, begin, now),
        data_quality(repo, today=today),
        schedule,
        warnings,
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
