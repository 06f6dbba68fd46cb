"""The report of a repo: everything in one dict, and the same as Markdown."""

from __future__ import annotations

import json
from typing import Any, Final, Literal, TypeAlias

from epicvc.bidirectional_sync.reading import read_known, read_quality, status_of, summary_of
from epicvc.bidirectional_sync.shapes import PerformanceMetrics, SyncReportDict, conflict_dict
from epicvc.repo.repository import Repo
from epicvc.repo.runs import kept_runs
from epicvc.services.metrics import SYNCHRONISING, figures
from epicvc.services.status import read_status

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


def make_report(repo: Repo) -> SyncReportDict:
    """Read and report everything."""
    status, known = read_status(repo), read_known(repo, ())
    changes = summary_of(status, known)
    report: SyncReportDict = {
        **status_of(repo, status, known),
        "generated_at": repo.now(),
        "changes": changes,
        "conflicts": [conflict_dict(conflict) for conflict in status.conflicts],
        "performance": performance_of(repo),
        "data_quality": read_quality(repo),
        "epics": changes["epics"],
        "text": "",
    }
    report["text"] = to_markdown(report)
    return report


def performance_of(repo: Repo) -> PerformanceMetrics:
    """How the recorded synchronisations went."""
    found = figures([run for run in kept_runs(repo.config.private) if run.command in SYNCHRONISING])
    return {
        "avg_sync_time_ms": found.average_ms or 0.0,
        "median_sync_time_ms": found.median_ms or 0.0,
        "p95_sync_time_ms": found.p95_ms or 0.0,
        "sync_count": found.runs,
        "records_processed": found.records,
        "conflict_rate": found.conflict_rate,
        "success_rate": found.success_rate,
    }


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
