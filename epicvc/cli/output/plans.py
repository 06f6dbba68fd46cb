"""Machine output of ``plan`` and ``enrich``. See :mod:`epicvc.cli.output.machine`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from epicvc.cli.output.machine import errors

if TYPE_CHECKING:
    from epicvc.actions.dates.planning import EpicPlan, PlanReport
    from epicvc.actions.dates.scheduling import Timetable
    from epicvc.actions.enrich.enriching import RepoEnrichment

Shape = dict[str, Any]


def _holidays(found: Mapping[date, str]) -> list[Shape]:
    return [{"date": day.isoformat(), "name": name} for day, name in found.items()]


def _epic(planned: EpicPlan) -> Shape:
    dates = planned.dates
    return {
        "id": planned.epic,
        "duration": planned.duration,
        "start": dates.start_date.isoformat() if dates else None,
        "end": dates.end_date.isoformat() if dates else None,
        "days": dates.duration_days if dates else None,
        "unit": dates.unit if dates else None,
        "holidays": _holidays(dates.holidays_skipped) if dates else [],
        "holidays_version": dates.holidays_version if dates else None,
        "warning": planned.warning,
    }


def plan(report: PlanReport) -> Shape:
    """Return the shape ``epicvc.plan/1``."""
    return {
        "format": "epicvc.plan/1",
        "commit": report.commit.hex() if report.commit else None,
        "changed": [_epic(planned) for planned in report.changed],
        "unchanged": report.unchanged,
        "warnings": [{"id": planned.epic, "warning": planned.warning} for planned in report.warnings],
        "outdated": [{"holidays_version": version, "epics": number} for version, number in report.outdated.items()],
        "holidays_version": report.release,
        "errors": errors(report.errors),
    }


def _days(minutes: Fraction) -> float:
    from epicvc.actions.dates.scheduling import DAY

    return round(float(minutes / DAY), 6)


def schedule(table: Timetable) -> Shape:
    """Return the shape ``epicvc.schedule/1``."""
    return {
        "format": "epicvc.schedule/1",
        "start": table.start.isoformat(),
        "end": table.end.isoformat(),
        "days": _days(table.length),
        "critical": [str(label) for label in table.critical],
        "epics": [
            {
                "id": epic.epic,
                "start": epic.start.isoformat(),
                "end": epic.end.isoformat(),
                "minutes": float(epic.effort),
                "critical": epic.critical,
            }
            for epic in table.epics
        ],
        "tasks": [
            {
                "label": str(task.label),
                "title": task.title,
                "start": task.start.isoformat(),
                "end": task.end.isoformat(),
                "start_day": _days(task.slot.start),
                "end_day": _days(task.slot.end),
                "slack_days": _days(task.slot.slack),
                "minutes": float(task.slot.end - task.slot.start),
                "critical": task.slot.critical,
                "needs": [str(label) for label in task.needs],
            }
            for task in table.tasks
        ],
        "warnings": table.warnings,
        "holidays": _holidays(table.holidays),
        "holidays_version": table.holidays_version,
        "errors": errors(table.errors),
    }


def enrich(found: RepoEnrichment) -> Shape:
    """Return the shape ``epicvc.enrich/1``."""
    outcomes = found.report.outcomes
    return {
        "format": "epicvc.enrich/1",
        "to": str(found.to),
        "stale": [
            {"id": o.epic, "path": o.source.shown, "target": str(o.source.target), "state": o.state.value}
            for o in found.report.stale
        ],
        "unchanged": len(outcomes) - len(found.report.stale),
        "warnings": [{"id": o.epic, "warning": o.warning} for o in outcomes if o.warning is not None],
        "problems": [{"error": problem.kind, "message": problem.message} for problem in found.report.problems],
        "orphans": found.orphans,
        "written": not found.check,
    }
