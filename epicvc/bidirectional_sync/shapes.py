"""The dicts that :class:`~epicvc.bidirectional_sync.BidirectionalSync` returns, and functions that make them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypedDict

from epicvc.actions.shared.questions import plain
from epicvc.merge.threeway import Conflict
from epicvc.model.diff import Op

if TYPE_CHECKING:
    from epicvc.actions.report.quality import Score
    from epicvc.actions.sync.survey import SyncReport


class ConflictDict(TypedDict):
    """A field that both sides changed differently.

    ``field`` is the field's label (``5:name``), which ``resolve_conflict`` takes. A value is ``None`` where that side
    does not have the field.
    """

    field: str
    json_value: Any
    db_value: Any
    base_value: Any


class Decision(TypedDict):
    """A conflict that a policy settled: the field's label, its new value, and the reason."""

    field: str
    value: Any
    reason: str


class EpicResult(TypedDict):
    """The result of synchronising one epic.

    ``success`` says that nothing is left to do. ``epic_name`` is the epic's name afterwards; it is ``None`` where the
    epic has no name, or the name of a new epic cannot be read any more. ``created`` says that a side did not have the
    epic before. ``changes`` are the labels of the changes on either side. ``conflicts`` are left for a person,
    ``decided`` were settled by the policy. ``errors`` are sentences about the parts that cannot be read, and about
    those that are left alone until they can. A file or row that cannot be read and belongs to no known epic has a
    result of its own, with ``None`` as ``epic_id``.
    """

    success: bool
    epic_id: str | None
    epic_name: str | None
    created: bool
    changes: list[str]
    conflicts: list[ConflictDict]
    decided: list[Decision]
    errors: list[str]


class EpicChange(TypedDict):
    """An epic on which the sides do not agree.

    ``change`` is ``new`` (never agreed on), ``deleted`` (gone from a side) or ``modified``. ``state`` is the one that
    ``epicvc status`` shows. ``fields`` are labels.
    """

    epic_id: str
    file: str | None
    change: str
    state: str
    fields: list[str]


class ChangeSummary(TypedDict):
    """The changes that the next synchronisation is about. ``epics`` has every epic but the unchanged ones."""

    modified_count: int
    new_count: int
    deleted_count: int
    unchanged_count: int
    epics: list[EpicChange]


class Resolution(TypedDict):
    """The result of settling conflicts: the ``settled`` labels, the open ``conflicts``, and the commit's id."""

    success: bool
    settled: list[str]
    conflicts: list[ConflictDict]
    commit: str | None


class Integrity(TypedDict):
    """The result of a validation. ``errors`` and ``warnings`` are sentences, ``checked`` counts the checked things."""

    valid: bool
    errors: list[str]
    warnings: list[str]
    checked: dict[str, int]


class SyncStatus(TypedDict):
    """The state of the sides. ``last_sync_time`` is in UTC, and ``None`` before the first synchronisation."""

    last_sync_time: datetime | None
    total_epics: int
    conflict_count: int
    in_sync: bool


class PerformanceMetrics(TypedDict):
    """The figures of the recorded synchronisations.

    Times are those of synchronisations that did their work, and 0 where there was none. ``records_processed`` counts
    the epics that were changed. ``conflict_rate`` is the percentage of synchronisations that left a conflict, and
    ``success_rate`` that of those that did their work.
    """

    avg_sync_time_ms: float
    median_sync_time_ms: float
    p95_sync_time_ms: float
    sync_count: int
    records_processed: int
    conflict_rate: float
    success_rate: float


class LossDict(TypedDict):
    """A place that costs points: its label, the number of its fields, and the reason."""

    label: str
    points: int
    why: str


class ScoreCounts(TypedDict):
    """The counts behind a score, and the places that cost it points: of more than a thousand only the first."""

    good: int
    total: int
    losses: list[LossDict]


class QualityMetrics(TypedDict):
    """The quality of the data, each score from 0 to 100, with the counts behind it.

    ``unreadable`` is the number of files and rows that cannot be read. Their epics are not measured.
    """

    consistency_score: float
    completeness_score: float
    accuracy_score: float
    consistency: ScoreCounts
    completeness: ScoreCounts
    accuracy: ScoreCounts
    unreadable: int


class SyncReportDict(SyncStatus):
    """A report of everything. ``text`` is the same in Markdown."""

    generated_at: datetime
    changes: ChangeSummary
    conflicts: list[ConflictDict]
    performance: PerformanceMetrics
    data_quality: QualityMetrics
    epics: list[EpicChange]
    text: str


def conflict_dict(conflict: Conflict) -> ConflictDict:
    """Return a conflict between the sides as a dict."""
    return {
        "field": str(conflict.label),
        "json_value": plain(conflict.ours),
        "db_value": plain(conflict.theirs),
        "base_value": plain(conflict.base),
    }


def score_counts(score: Score) -> ScoreCounts:
    """Return the counts behind a score as a dict."""
    losses: list[LossDict] = [
        {"label": str(loss.label), "points": loss.points, "why": loss.why} for loss in score.losses
    ]
    return {"good": score.good, "total": score.total, "losses": losses}


def failed(epic: str | None, error: str) -> EpicResult:
    """Return the result of an epic that could not be synchronised."""
    return _result(epic, None) | {"success": False, "errors": [error]}


def epic_results(report: SyncReport, epics: Iterable[str], names: Mapping[str, str | None]) -> list[EpicResult]:
    """Return the contents of a report epic by epic.

    Args:
        report: the report.
        epics: the epics that get a result, in order. Epics that are only in the report come after them.
        names: the epics' names.
    """
    results: dict[str, EpicResult] = {}

    def of(epic: str) -> EpicResult:
        return results.setdefault(epic, _result(epic, names.get(epic)))

    for epic in epics:
        of(epic)
    for moved in (*report.to_db, *report.to_files):
        result, label = of(moved.label.root), str(moved.label)
        if label not in result["changes"]:
            result["changes"].append(label)
        result["created"] |= moved.op is Op.ADD and not moved.label.path
    for conflict in report.conflicts:
        result = of(conflict.label.root)
        result["conflicts"].append(conflict_dict(conflict))
        result["success"] = False
    for conflict, chosen in report.decided:
        decision: Decision = {"field": str(conflict.label), "value": plain(chosen.value), "reason": chosen.reason}
        of(conflict.label.root)["decided"].append(decision)
    nameless = []
    for bad in report.errors:
        if bad.epic is None:
            nameless.append(failed(None, bad.error.message))
            continue
        result = of(bad.epic)
        result["success"] = False
        result["errors"].append(bad.error.message)
    for place in report.waiting:
        result = of(place.root)
        result["success"] = False
        result["errors"].append(f"{place} is left as it is until everything can be read")
    return [*results.values(), *nameless]


def _result(epic: str | None, name: str | None) -> EpicResult:
    return {
        "success": True,
        "epic_id": epic,
        "epic_name": name,
        "created": False,
        "changes": [],
        "conflicts": [],
        "decided": [],
        "errors": [],
    }
