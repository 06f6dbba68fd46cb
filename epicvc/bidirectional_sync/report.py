"""The report of a repo: everything in one dict, and the same text in Markdown."""

from __future__ import annotations

from epicvc.actions.report.contents import collect
from epicvc.actions.report.markdown import to_markdown
from epicvc.actions.report.metrics import SYNCHRONISING, figures
from epicvc.bidirectional_sync.reading import quality_dict, read_known, status_of, summary_of
from epicvc.bidirectional_sync.shapes import PerformanceMetrics, SyncReportDict, conflict_dict
from epicvc.repo.repository import Repo
from epicvc.repo.runs import kept_runs


def make_report(repo: Repo) -> SyncReportDict:
    """Collect everything about a repo in one dict. The text is that of ``epicvc report``."""
    found, known = collect(repo), read_known(repo, ())
    changes = summary_of(found.status, known)
    return {
        **status_of(repo, found.status, known),
        "generated_at": found.made,
        "changes": changes,
        "conflicts": [conflict_dict(conflict) for conflict in found.status.conflicts],
        "performance": performance_of(repo),
        "data_quality": quality_dict(found.quality),
        "epics": changes["epics"],
        "text": to_markdown(found),
    }


def performance_of(repo: Repo) -> PerformanceMetrics:
    """Return the figures of the recorded synchronisations."""
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
