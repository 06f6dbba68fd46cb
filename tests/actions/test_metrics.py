"""Figures of runs: what counts for which, and over time."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from epicvc.actions.report.metrics import Failure, Figures, figures, measure, read_since, trend
from epicvc.errors import UsageError
from epicvc.repo.runs import Run

NOW = datetime(2025, 8, 19, 12, 30, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _zone(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def run(ago: timedelta = timedelta(), took: float = 10.0, command: str = "sync", code: int = 0, **facts: int) -> Run:
    error = None if code in (0, 1, 130) else "locked"
    return Run(command, round((NOW - ago).timestamp() * 1000), took, code, error, **facts)


def test_no_runs() -> None:
    assert figures([]) == Figures(0, 0, 0, 0, 0, 0, None, None, None, None)
    assert (figures([]).success_rate, figures([]).conflict_rate, figures([]).failed) == (100.0, 0.0, 0)


def test_times_are_those_that_runs_took() -> None:
    found = figures([run(took=took) for took in (5.0, 1.0, 2.0, 4.0)])
    assert (found.average_ms, found.median_ms, found.p95_ms) == (3.0, 2.0, 5.0)
    found = figures([run(took=float(took)) for took in range(1, 101)])
    assert (found.average_ms, found.median_ms, found.p95_ms) == (50.5, 50.0, 95.0)


def test_who_fails_says_nothing_of_time() -> None:
    found = figures([run(), run(took=10_000, code=6), run(took=1, code=130), run(code=1, conflicts=2, records=3)])
    assert (found.runs, found.succeeded, found.failed, found.interrupted) == (4, 2, 1, 1)
    assert (found.average_ms, found.p95_ms) == (10.0, 10.0)
    assert (found.success_rate, found.conflict_rate) == (66.67, 50.0)
    assert (found.records, found.conflicts) == (3, 2)


def test_by_command_and_period() -> None:
    day = timedelta(days=1)
    runs = [
        run(9 * day),
        run(2 * day, command="push"),
        run(day, command="push", code=6),
        run(day, command="backup create", took=900.0),
        run(),
        run(-day),
    ]
    found = measure(runs, NOW - 7 * day, NOW)
    assert [(command, part.runs) for command, part in found.commands] == [
        ("push", 2),
        ("backup create", 1),
        ("sync", 1),
    ]
    assert (found.total.runs, found.synchronising.runs) == (4, 3)
    assert found.failures == (Failure("push", "locked", 6, 1, NOW - day),)
    only = measure(runs, NOW - 7 * day, NOW, ["backup"])
    assert (only.total.runs, only.synchronising.runs) == (1, 0)
    assert sum(period.figures.runs for period in only.trend.periods) == 1
    assert measure(runs, NOW - 7 * day, NOW, ["sync"]).total.runs == 1


@pytest.mark.parametrize(
    ("length", "unit", "periods"),
    [
        (timedelta(hours=5), "hour", 6),
        (timedelta(days=6), "day", 7),
        (timedelta(days=100), "week", 16),
        (timedelta(days=400), "month", 14),
        (timedelta(days=40_000), "month", 60),
    ],
)
def test_the_trend_has_as_many_periods_as_fit(length: timedelta, unit: str, periods: int) -> None:
    found = trend([run(length), run()], datetime.min.replace(tzinfo=UTC), NOW)
    assert (found.unit, len(found.periods)) == (unit, periods)
    assert found.periods[-1].figures.runs == 1
    assert found.periods[-1].start <= NOW
    starts = [period.start for period in found.periods]
    assert starts == sorted(set(starts))
    assert sum(period.figures.runs for period in found.periods) == (2 if periods < 60 else 1)


def test_days_are_those_of_the_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "America/Sao_Paulo")
    time.tzset()
    late = datetime(2025, 8, 19, 1, 0, tzinfo=UTC)  # the evening before, there
    found = trend([run(NOW - late), run(timedelta(days=5))], NOW - timedelta(days=7), NOW)
    assert [period.figures.runs for period in found.periods] == [1, 0, 0, 0, 1, 0]
    assert found.periods[-1].start == datetime(2025, 8, 19, 3, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "since"),
    [
        ("7d", datetime(2025, 8, 12, 12, 30, tzinfo=UTC)),
        ("1y6m", datetime(2024, 2, 19, 12, 30, tzinfo=UTC)),
        ("12h", datetime(2025, 8, 19, 0, 30, tzinfo=UTC)),
        ("9999y", datetime.min.replace(tzinfo=UTC)),
        ("2025-08-01", datetime(2025, 8, 1, tzinfo=UTC)),
        ("2025-08-01T10:00:00+02:00", datetime(2025, 8, 1, 8, tzinfo=UTC)),
    ],
)
def test_since(text: str, since: datetime) -> None:
    assert read_since(text, NOW) == since


@pytest.mark.parametrize("text", ["", "yesterday", "7", "-7d", "7 d", "d"])
def test_what_is_no_period(text: str) -> None:
    with pytest.raises(UsageError, match="--since"):
        read_since(text, NOW)
