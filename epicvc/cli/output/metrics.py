"""Machine output of ``stats`` and ``report``. See :mod:`epicvc.cli.output.machine`."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from epicvc.repo.history.objects import format_time

if TYPE_CHECKING:
    from collections.abc import Sequence

    from epicvc.actions.report.contents import Report
    from epicvc.actions.report.metrics import Figures, Metrics
    from epicvc.actions.report.quality import Quality, Score

Shape = dict[str, Any]


def stats(found: Metrics, commands: Sequence[str], quality: Quality | None, warnings: Sequence[str]) -> Shape:
    """Return the shape ``epicvc.stats/1``."""
    return {
        "format": "epicvc.stats/1",
        "commands": list(commands),
        **runs(found),
        "quality": data(quality) if quality is not None else None,
        "warnings": list(warnings),
    }


def runs(found: Metrics) -> Shape:
    """Return figures of runs, as members of other shapes."""
    return {
        "since": format_time(found.since),
        "until": format_time(found.until),
        "total": _figures(found.total),
        "synchronising": _figures(found.synchronising),
        "by_command": [{"command": command, **_figures(part)} for command, part in found.commands],
        "trend": {
            "unit": found.trend.unit,
            "periods": [
                {"start": format_time(period.start), **_figures(period.figures)} for period in found.trend.periods
            ],
        },
        "failures": [
            {"command": one.command, "error": one.error, "exit": one.exit, "count": one.count, "last": _time(one.last)}
            for one in found.failures
        ],
    }


def _figures(found: Figures) -> Shape:
    return {
        "runs": found.runs,
        "succeeded": found.succeeded,
        "failed": found.failed,
        "interrupted": found.interrupted,
        "success_rate": found.success_rate,
        "conflict_rate": found.conflict_rate,
        "records": found.records,
        "conflicts": found.conflicts,
        "average_ms": found.average_ms,
        "median_ms": found.median_ms,
        "p95_ms": found.p95_ms,
        "last": _time(found.last),
    }


def _time(time: datetime | None) -> str | None:
    return format_time(time) if time is not None else None


def data(found: Quality) -> Shape:
    """Return the quality of the data, as members of other shapes."""
    scores = {name: _score(getattr(found, name)) for name in ("consistency", "completeness", "accuracy")}
    return {"unreadable": found.unreadable, **scores}


def _score(score: Score) -> Shape:
    return {
        "score": score.percentage,
        "good": score.good,
        "total": score.total,
        "places": score.places,
        "losses": [{"label": str(loss.label), "points": loss.points, "why": loss.why} for loss in score.losses],
    }


def report(found: Report) -> Shape:
    """Return the shape ``epicvc.report/1``: each part has the form that the part's own command gives it."""
    from epicvc.cli.output import machine, plans

    schedule = plans.schedule(found.schedule) if found.schedule is not None else None
    if schedule is not None:
        del schedule["tasks"]  # there are too many of them for a report
    parts = {
        "status": machine.status(found.status),
        "conflicts": machine.questions(found.conflicts)["conflicts"],
        "commits": machine.log(found.commits, found.names)["commits"],
        "schedule": schedule,
    }
    return {
        "format": "epicvc.report/1",
        "made": format_time(found.made),
        "since": format_time(found.since),
        "last_sync": _time(found.last_sync),
        "epics": found.quality.epics,
        "sides": list(found.sides),
        **parts,
        "runs": runs(found.metrics),
        "quality": data(found.quality),
        "warnings": list(found.warnings),
    }
