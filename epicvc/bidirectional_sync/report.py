"""The report of a repo: everything in one dict, and the same as Markdown."""

from __future__ import annotations

import json
from typing import Any, Final, Literal, TypeAlias

from epicvc.bidirectional_sync.reading import Known, read_known, read_quality, status_of, summary_of
from epicvc.bidirectional_sync.runs import Runs
from epicvc.bidirectional_sync.shapes import PerformanceMetrics, SyncReportDict, conflict_dict
from epicvc.repo.repository import Repo
from epicvc.services.status import Status, read_status
from epicvc.services.syncstats import sync_stats

_Count: TypeAlias = Literal["modified_count", "new_count", "deleted_count"]
_Score: TypeAlias = Literal["consistency_score", "completeness_score", "accuracy_score"]

_WAITING: Final[tuple[tuple[_Count, str], ...]] = (
    ("modified_count", "modified"),
    ("new_count", "new"),
    ("deleted_count", "deleted"),
)
_SCORES: Final[tuple[tuple[str, _Score], ...]] = (
    ("consistency", "consistency_score"),
    ("completeness", "completeness_score"),
    ("accuracy", "accuracy_score"),
)


def make_report(repo: Repo, runs: Runs) -> SyncReportDict:
    """Read and report everything."""
    status, known = read_status(repo), read_known(repo, ())
    changes = summary_of(status, known)
    report: SyncReportDict = {
        **status_of(repo, status, known),
        "generated_at": repo.now(),
        "changes": changes,
        "conflicts": [conflict_dict(conflict) for conflict in status.conflicts],
        "performance": performance_of(repo, status, known, runs),
        "data_quality": read_quality(repo),
        "epics": changes["epics"],
        "text": "",
    }
    report["text"] = to_markdown(report)
    return report


def performance_of(repo: Repo, status: Status, known: Known, runs: Runs) -> PerformanceMetrics:
    """How synchronisations went: recorded ones, and the runs of one object."""
    stats = sync_stats(repo)
    conflicting = {conflict.label.root for conflict in status.conflicts}
    return {
        "avg_sync_time_ms": runs.average_ms,
        "records_processed": stats.records,
        "conflict_rate": _percentage(len(conflicting), len(known.names), 0.0),
        "success_rate": _percentage(stats.standing, stats.runs + runs.failed, 100.0),
    }


def _percentage(part: int, whole: int, otherwise: float) -> float:
    return round(100 * part / whole, 2) if whole else otherwise


def to_markdown(report: SyncReportDict) -> str:
    """A report as a page of Markdown; what users wrote stays text."""
    last, changes, quality = report["last_sync_time"], report["changes"], report["data_quality"]
    waiting = ", ".join(f"{changes[name]} {word}" for name, word in _WAITING)
    scores = ", ".join(f"{name} {quality[key]:g} %" for name, key in _SCORES)
    lines = [
        "# Sync report",
        "",
        f"Made {report['generated_at']:%Y-%m-%d %H:%M:%S} UTC.",
        "",
        f"- last sync: {f'{last:%Y-%m-%d %H:%M:%S} UTC' if last else 'never'}",
        f"- epics: {report['total_epics']}, {'in sync' if report['in_sync'] else 'out of sync'}",
        f"- waiting: {waiting}; {changes['unchanged_count']} unchanged",
        f"- conflicts: {report['conflict_count']}",
        f"- {scores}",
    ]
    if report["epics"]:
        lines += ["", "## Epics out of sync", "", "| epic | file | change | state |", "|---|---|---|---|"]
        lines += [_row(epic["epic_id"], epic["file"] or "", epic["change"], epic["state"]) for epic in report["epics"]]
    if report["conflicts"]:
        lines += ["", "## Conflicts", "", "| field | JSON | database | agreed before |", "|---|---|---|---|"]
        lines += [
            _row(one["field"], _shown(one["json_value"]), _shown(one["db_value"]), _shown(one["base_value"]))
            for one in report["conflicts"]
        ]
    return "\n".join(lines) + "\n"


def _shown(value: Any) -> str:
    return "" if value is None else json.dumps(value, ensure_ascii=False)


def _row(*cells: str) -> str:
    return "| " + " | ".join(map(_cell, cells)) + " |"


def _cell(text: str) -> str:
    """Text in a cell: no markup, no line ends, nothing that a terminal or a browser would act on."""
    shown = "".join(char if char.isprintable() else " " for char in text)
    for char in "\\`*_{}[]<>|":
        shown = shown.replace(char, f"\\{char}" if char not in "<>" else {"<": "&lt;", ">": "&gt;"}[char])
    return shown
