"""Checks the content of enriched files, and compares planned dates with actual ones. It writes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any, Final, cast

from msgspec import Struct, field

from epicvc.actions.dates.planning import read_date
from epicvc.actions.enrich.engine import Enricher, Facts
from epicvc.actions.enrich.enriched import Original, Parts, read_parts
from epicvc.base.jsonio import JSON, equal, parse
from epicvc.database.backend import Reader
from epicvc.database.documents.epicvalues import read_values
from epicvc.database.documents.layout import Layout
from epicvc.dates.keeping import Record
from epicvc.dates.strategy import Planner
from epicvc.errors import InvalidJSON

_CHECKED: Final = ("version", "calculation_strategy", "data_source")
_LAST: Final = "last_calculated"
_COMPARED: Final = (("planned_start_date", "actual_start_date"), ("planned_end_date", "actual_end_date"))


def faults(
    original: Original, data: bytes | None, planner: Planner, facts: Facts | None, record: Record | None = None
) -> list[str]:
    """Return the faults of an enriched file: in its epic, a calculated field, or the metadata of the calculation.

    Args:
        original: the author's file.
        data: the enriched file; ``None`` if it does not exist.
        planner: plans under the settings that should have been used.
        facts: the facts of the epic in the database; ``None`` if the database lacks the epic.
        record: the record of its plan in the database.
    """
    if data is None:
        return ["there is no enriched file"]
    parts = read_parts(data)
    if parts is None:
        return ["it is no enriched file"]
    found = [] if _same(parts.body, original.body) else ["epic: it is not the original"]
    # A start is reckoned from the day that the file names, unless it was taken from the database.
    reference = read_date(parts.metadata.get("reference_date"))
    facts_of = {original.id: facts} if facts is not None else {}
    records = {original.id: record} if record is not None else {}
    enricher = Enricher(planner, reference or date.min, datetime.now(UTC), facts_of, records)
    expected = enricher.enrich(original)
    if "reference_date" in expected.metadata and reference is None:
        return [*found, "metadata.reference_date: the day from which the start is reckoned is missing"]
    return [*found, *_differences(parts, expected.calculated, expected.metadata)]


def _same(ours: bytes, theirs: bytes) -> bool:
    if ours == theirs:
        return True
    try:
        return equal(parse(ours), parse(theirs))
    except InvalidJSON:
        return False


def _differences(parts: Parts, calculated: Mapping[str, JSON], metadata: Mapping[str, JSON]) -> list[str]:
    found = []
    for name in sorted(calculated.keys() | parts.calculated.keys()):
        mine, wanted = parts.calculated.get(name), calculated.get(name)
        if name == _LAST:
            if not isinstance(mine, str):
                found.append(f"{name}: {mine!r} is no time")
        elif name not in calculated or name not in parts.calculated or not equal(mine, wanted):
            found.append(f"{name}: {mine!r} instead of {wanted!r}")
    for name in _CHECKED:
        if parts.metadata.get(name) != metadata[name]:
            found.append(f"metadata.{name}: {parts.metadata.get(name)!r} instead of {metadata[name]!r}")
    return found


class Accuracy(Struct):
    """Counts the planned dates that came true.

    Attributes:
        checked: the number of planned dates with an actual date.
        mismatches: the dates that differ, with ``epic_id``, ``field``, ``planned``, ``actual`` and the ``days`` of
            delay.
    """

    checked: int = 0
    mismatches: list[dict[str, Any]] = field(default_factory=list)

    @property
    def percentage(self) -> float:
        """The percentage of planned dates that came true; 100 without a date to compare."""
        return round(100 * (1 - len(self.mismatches) / self.checked), 2) if self.checked else 100.0


def accuracy(reader: Reader, layout: Layout) -> Accuracy:
    """Compare planned with actual dates, for all epics of which the database has both."""
    result = Accuracy()
    names = [name for pair in _COMPARED for name in pair]
    for epic in read_values(reader, layout, names):
        for planned_name, actual_name in _COMPARED:
            planned, actual = (read_date(epic.values.get(name)) for name in (planned_name, actual_name))
            if planned is None or actual is None:
                continue
            result.checked += 1
            if planned != actual:
                entry = {"epic_id": epic.id, "field": planned_name, "planned": planned.isoformat()}
                late = {"actual": actual.isoformat(), "days": (actual - planned).days}
                result.mismatches.append(cast("dict[str, Any]", {**entry, **late}))
    return result
