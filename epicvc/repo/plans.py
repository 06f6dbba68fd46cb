"""The records of planned epics, in ``.epicvc/plans.json``: duration, settings, result and the holidays that decided it.

A record decides whether a planned start is kept. Losing the file loses no plan, since the dates are in the database. A
start is kept if its record is gone, or is of other dates than the database has by now (after a rollback, say).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any, Final

from msgspec import Struct, field

from epicvc.base.depth import decode
from epicvc.base.fileio import atomic_write, read_file
from epicvc.dates.keeping import Planned, Record
from epicvc.dates.strategy import PlannedDates
from epicvc.errors import FileUnavailable
from epicvc.repo.config.plansettings import read_settings, show_settings

FILE: Final = "plans.json"
FORMAT: Final = 1


class PlanRecord(Record, frozen=True):
    """The record of a plan, with the holidays that decided it.

    Attributes:
        holidays: the holidays that moved start or end, by ISO date.
        version: the release of the ``holidays`` package that knew them.
    """

    holidays: Mapping[str, str] = field(default_factory=dict)
    version: str | None = None

    @classmethod
    def made(cls, text: str, settings: Any, dates: PlannedDates) -> PlanRecord:
        """Make the record of dates that were just calculated."""
        holidays = {day.isoformat(): name for day, name in dates.holidays_skipped.items()}
        return cls(text, settings, Planned.of(dates), holidays, dates.holidays_version)


class _Entry(Struct, frozen=True):
    """A record in its stored form."""

    duration: str
    settings: dict[str, Any]
    start: date | None
    end: date | None
    days: int | float | None
    unit: str | None
    holidays: dict[str, str]
    holidays_version: str | None

    def record(self) -> PlanRecord:
        planned = Planned(self.start, self.end, self.days, self.unit)
        return PlanRecord(self.duration, read_settings(self.settings), planned, self.holidays, self.holidays_version)


class _File(Struct, frozen=True):
    """All records in their stored form."""

    format: int
    epics: dict[str, _Entry]


def load_plans(directory: Path) -> dict[str, PlanRecord]:
    """Return the records of a repo by epic; none where there is no file, or it cannot be read."""
    try:
        found = decode(read_file(directory / FILE), _File)
        return {epic: entry.record() for epic, entry in found.epics.items()} if found.format == FORMAT else {}
    # settings are read as those of a configuration, in which any value may stand
    except (FileUnavailable, ValueError, TypeError):
        return {}


def save_plans(directory: Path, plans: Mapping[str, PlanRecord]) -> None:
    """Write the records of a repo.

    Raises:
        FileUnavailable: the file cannot be written.
    """
    value = {"format": FORMAT, "epics": {epic: _show(plans[epic]) for epic in sorted(plans)}}
    atomic_write(directory / FILE, json.dumps(value, ensure_ascii=False, indent=1).encode(), mode=0o600)


def _show(record: PlanRecord) -> dict[str, Any]:
    planned = record.planned
    return {
        "duration": record.text,
        "settings": show_settings(record.settings),
        "start": planned.start.isoformat() if planned.start else None,
        "end": planned.end.isoformat() if planned.end else None,
        "days": planned.days,
        "unit": planned.unit,
        "holidays": dict(record.holidays),
        "holidays_version": record.version,
    }
