"""Draws the changes that ``plan`` and ``enrich`` made."""

from __future__ import annotations

from pathlib import Path

from epicvc.actions.dates.planning import EpicPlan, PlanReport
from epicvc.actions.enrich.enriching import RepoEnrichment
from epicvc.ui.terminal import Console, line
from epicvc.ui.text import count, printable

_ROWS = 20
_HOLIDAYS = 4


def plan_report(console: Console, report: PlanReport, *, verbose: bool = False) -> None:
    """Draw the dates that ``plan`` set, or would set."""
    if not report.changed and not report.warnings:
        console.print(line((f"{count(report.unchanged, 'epic')}: nothing to plan", "good")))
        _outdated(console, report)
        return
    if report.changed:
        verb = "would plan" if report.dry_run else "planned"
        console.print(line((f"{verb} {count(len(report.changed), 'epic')}", "label")))
    shown = report.changed if verbose else report.changed[:_ROWS]
    width = max((len(printable(planned.epic)) for planned in shown), default=0)
    for planned in shown:
        _draw(console, planned, width)
    if len(shown) < len(report.changed):
        console.print(line((f"  … and {len(report.changed) - len(shown)} more (--verbose lists them)", "dim")))
    for planned in report.warnings if verbose else report.warnings[:_ROWS]:
        console.print(line(("warning: ", "changed"), printable(f"{planned.epic}: {planned.warning}")))
    if not verbose and len(report.warnings) > _ROWS:
        console.print(line((f"  … and {len(report.warnings) - _ROWS} more warnings (--verbose lists them)", "dim")))
    if report.commit is not None:
        console.print(line((f"committed {report.commit.hex()[:12]}", "good")))
    _outdated(console, report)


def _outdated(console: Console, report: PlanReport) -> None:
    """Say that dates rest on the holidays of another release, and how to renew them."""
    if not report.outdated:
        return
    number = count(sum(report.outdated.values()), "epic")
    releases = ", ".join(report.outdated)
    text = f"{number} planned with holidays {releases}; {report.release} is installed"
    console.print(line(("note: ", "changed"), printable(text)))
    console.print(line(("next: epicvc plan --all   (the start of each stays)", "label")))


def _draw(console: Console, planned: EpicPlan, width: int) -> None:
    name = f"  {printable(planned.epic):<{width}}  "
    dates = planned.dates
    if dates is None:
        console.print(line((name, "label"), ("its dates are taken back", "removed")))
        return
    unit = "working day" if dates.unit == "business_days" else "day"
    days = "1 " + unit if dates.duration_days == 1 else f"{dates.duration_days:g} {unit}s"
    skipped = [f"{name} ({day:%Y-%m-%d})" for day, name in dates.holidays_skipped.items()]
    more = f" and {len(skipped) - _HOLIDAYS} more" if len(skipped) > _HOLIDAYS else ""
    note = f"  without {', '.join(skipped[:_HOLIDAYS])}{more}" if skipped else ""
    console.print(line((name, "label"), f"{dates.start_date} to {dates.end_date}  {days}", (printable(note), "dim")))


def enrich_report(console: Console, found: RepoEnrichment, root: Path, *, verbose: bool = False) -> None:
    """Draw the files that ``enrich`` wrote, or would write."""
    stale, outcomes = found.report.stale, found.report.outcomes
    place = found.to.relative_to(root) if found.to.is_relative_to(root) else found.to
    if not stale:
        text = f"{count(len(outcomes), 'enriched file')} in {place}, all up to date"
        console.print(line((printable(text), "good")))
    else:
        verb = "stale:" if found.check else "wrote"
        text = f"{verb} {count(len(stale), 'enriched file')} in {place}, {len(outcomes) - len(stale):,} up to date"
        console.print(line((printable(text), "label")))
    signs = {"new": ("+", "added"), "changed": ("~", "changed")}
    for outcome in stale if verbose else stale[:_ROWS]:
        sign, style = signs[outcome.state.value]
        console.print(line((f"  {sign} ", style), printable(outcome.source.target.name)))
    if not verbose and len(stale) > _ROWS:
        console.print(line((f"  … and {len(stale) - _ROWS:,} more (--verbose lists them)", "dim")))
    warned = [outcome for outcome in outcomes if outcome.warning is not None]
    for outcome in warned if verbose else warned[:_ROWS]:
        console.print(line(("warning: ", "changed"), printable(f"{outcome.epic}: {outcome.warning}")))
    if not verbose and len(warned) > _ROWS:
        console.print(line((f"  … and {len(warned) - _ROWS:,} more warnings (--verbose lists them)", "dim")))
    for problem in found.report.problems:
        console.print(line(("problem: ", "conflict"), printable(problem.message)))
    for path in found.orphans[:_ROWS]:
        console.print(line((f"no epic for {printable(path)}", "dim")))
