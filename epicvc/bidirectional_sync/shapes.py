"""The dicts that :class:`~epicvc.bidirectional_sync.BidirectionalSync` returns, and how reports become them."""

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

    ``field`` is its label (``5:name``), which ``resolve_conflict`` takes. Where a side does not have it, its value is
    ``None``.
    """

    field: str
    json_value: Any
    db_value: Any
    base_value: Any


class Decision(TypedDict):
    """A conflict that a policy settled: the field's label, the value that it got, and why."""

    field: str
    value: Any
    reason: str


class EpicResult(TypedDict):
    """What synchronising one epic did.

    ``success`` says that nothing is left to do; ``epic_name`` is what it is called afterwards, ``None`` where it has no
    name or a new one's cannot be read any more; ``created``, that a side did not have the epic before; ``changes`` are
    the labels of what changed on either side; ``conflicts`` are left for a person, ``decided`` were settled by the
    policy; ``errors`` are sentences: what cannot be read of it, and what waits for that. What cannot be read and is no
    known epic's has a result of its own, with ``None`` as ``epic_id``.
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

    ``change`` is ``new`` (never agreed on), ``deleted`` (gone from a side) or ``modified``; ``state`` is the one that
    ``epicvc status`` shows; ``fields`` are labels.
    """

    epic_id: str
    file: str | None
    change: str
    state: str
    fields: list[str]


class ChangeSummary(TypedDict):
    """What the next synchronisation is about; ``epics`` has every epic but the unchanged ones."""

    modified_count: int
    new_count: int
    deleted_count: int
    unchanged_count: int
    epics: list[EpicChange]


class Resolution(TypedDict):
    """What settling conflicts did: the labels that are ``settled``, what is left, and the commit's id."""

    success: bool
    settled: list[str]
    conflicts: list[ConflictDict]
    commit: str | None


class Integrity(TypedDict):
    """What validating found: ``errors`` and ``warnings`` are sentences, ``checked`` counts what was looked at."""

    valid: bool
    errors: list[str]
    warnings: list[str]
    checked: dict[str, int]


class SyncStatus(TypedDict):
    """How the sides stand; ``last_sync_time`` is in UTC, ``None`` before the first synchronisation."""

    last_sync_time: datetime | None
    total_epics: int
    conflict_count: int
    in_sync: bool


class PerformanceMetrics(TypedDict):
    """How recorded synchronisations went.

    Times are those of synchronisations that did their work, 0 where there was none. ``records_processed`` counts the
    epics that they changed. ``conflict_rate`` and ``success_rate`` are percentages: of those that left a conflict, and
    of those that did their work.
    """

    avg_sync_time_ms: float
    median_sync_time_ms: float
    p95_sync_time_ms: float
    sync_count: int
    records_processed: int
    conflict_rate: float
    success_rate: float


class LossDict(TypedDict):
    """A place that costs points: its label, how many fields that is, and what is wrong there."""

    label: str
    points: int
    why: str


class ScoreCounts(TypedDict):
    """What a score was counted from, and the places that cost it points; of more than a thousand the first."""

    good: int
    total: int
    losses: list[LossDict]


class QualityMetrics(TypedDict):
    """The quality of the data, each score from 0 to 100, with the counts behind it.

    ``unreadable`` is how many files and rows cannot be read, whose epics are not measured.
    """

    consistency_score: float
    completeness_score: float
    accuracy_score: float
    consistency: ScoreCounts
    completeness: ScoreCounts
    accuracy: ScoreCounts
    unreadable: int


class SyncReportDict(SyncStatus):
    """A report of everything; ``text`` is the same in Markdown."""

    generated_at: datetime
    changes: ChangeSummary
    conflicts: list[ConflictDict]
    performance: PerformanceMetrics
    data_quality: QualityMetrics
    epics: list[EpicChange]
    text: str


def conflict_dict(conflict: Conflict) -> ConflictDict:
    """A conflict between the sides."""
    return {
        "field": str(conflict.label),
        "json_value": plain(conflict.ours),
        "db_value": plain(conflict.theirs),
        "base_value": plain(conflict.base),
    }


def score_counts(score: Score) -> ScoreCounts:
    """What a score was counted from."""
    losses: list[LossDict] = [
        {"label": str(loss.label), "points": loss.points, "why": loss.why} for loss in score.losses
    ]
    return {"good": score.good, "total": score.total, "losses": losses}


def failed(epic: str | None, error: str) -> EpicResult:
    """The result of an epic that could not be synchronised."""
    return _result(epic, None) | {"success": False, "errors": [error]}


def epic_results(report: SyncReport, epics: Iterable[str], names: Mapping[str, str | None]) -> list[EpicResult]:
    """What a report says, epic by epic.

    Args:
        report: the report.
        epics: the epics to tell of, in order; those that are only in the report come behind them.
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
        decision: Decision = {
            "field": str(conflict.label),
            "value": plain(chosen.value),
            "reason": chosen.reason,
        }
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
