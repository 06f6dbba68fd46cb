"""What ``plan`` changed, as a person reads it."""

from __future__ import annotations

from epicvc.services.planning import EpicPlan, PlanReport
from epicvc.ui.terminal import Console, line
from epicvc.ui.text import count, printable

_ROWS = 20
_HOLIDAYS = 4


def plan_report(console: Console, report: PlanReport, *, verbose: bool = False) -> None:
    """Draw what ``plan`` did, or would do."""
    if not report.changed and not report.warnings:
        console.print(line((f"{count(report.unchanged, 'epic')}: nothing to plan", "good")))
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
