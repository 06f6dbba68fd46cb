"""Draws the outcome of a command in a few lines."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from epicvc.merge.threeway import ABSENT, Conflict, Value
from epicvc.ui.terminal import Console, line
from epicvc.ui.text import count, printable, shown
from epicvc.ui.unreadable import draw_waiting

if TYPE_CHECKING:
    from epicvc.actions.care.adopting import Adoption
    from epicvc.actions.care.checking import FsckReport
    from epicvc.actions.care.doctor import Finding
    from epicvc.actions.care.initialise import Found
    from epicvc.actions.clean.cleaning import CleanReport
    from epicvc.actions.merge.merging import MergeReport
    from epicvc.actions.shared.questions import ResolveReport
    from epicvc.actions.sync.survey import SyncChange, SyncReport
    from epicvc.merge.threeway import Chosen
    from epicvc.model.labels import Label

_SIGN = {"add": "+", "remove": "-", "replace": "~", "move": ">"}
_LINES = 12
_NAMES = 3


def sync_report(console: Console, report: SyncReport, *, verbose: bool = False) -> None:
    """Draw the changes that a synchronisation made, or would make."""
    would = "would change" if report.dry_run else "changed"
    if not report.moves_anything and not report.conflicts:
        draw_waiting(console, report.waiting, verbose=verbose)
        text = "nothing else to do" if report.errors else "files and database are in sync; nothing to do"
        console.print(line((text, "good")))
        return
    for arrow, what, moved in (
        ("files -> db", "the database", report.to_db),
        ("files <- db", "the files", report.to_files),
    ):
        if moved:
            console.print(line((f"{arrow}  ", "label"), f"{would} {what} in {count(len(moved), 'place')}"))
            _draw_moved(console, moved, verbose=verbose)
    if report.moves_base and not (report.to_db or report.to_files or report.conflicts):
        console.print(line("both sides agree already; recorded it"))
    _draw_decided(console, report.decided, verbose=verbose)
    for source, target in report.tasks_moved if verbose else report.tasks_moved[:_LINES]:
        console.print(line(f"  > {printable(str(source))} is {printable(str(target))} now"))
    for fault in report.warnings:
        console.print(line(("warning: ", "changed"), printable(str(fault))))
    draw_conflicts(console, report.conflicts)
    draw_waiting(console, report.waiting, verbose=verbose)
    if report.commit is not None and report.moves_anything:
        console.print(line((f"committed {report.commit.hex()[:12]}", "good")))
    if report.conflicts:
        console.print(line(("next: epicvc resolve   (or with --prefer files|db|base)", "label")))


_DONE = {"merge": "merged", "revert": "reverted", "cherry-pick": "cherry-picked"}


def merge_report(console: Console, report: MergeReport) -> None:
    """Draw the outcome of a merge, revert or cherry-pick, or of its dry run."""
    name, would = printable(report.name), report.dry_run
    if report.up_to_date:
        there = name if report.command == "merge" else f"what {name} changed"
        console.print(line((f"already up to date: HEAD has {there}", "good")))
        return
    if report.bases > 1 and report.base is not None:
        console.print(line(f"{report.bases} merge bases; took the newest, {report.base.hex()[:12]}"))
    if report.fast_forward:
        console.print(line((f"fast-forward{' possible' if would else ''} to {name}", "good")))
    if report.epics:
        verb = f"would {report.command}" if would else _DONE[report.command]
        listed = ", ".join(printable(epic) for epic in report.epics[:_LINES])
        more = f" and {len(report.epics) - _LINES} more" if len(report.epics) > _LINES else ""
        console.print(line(f"{verb} {count(len(report.epics), 'epic')}: {listed}{more}"))
    for old, new in report.moves:
        console.print(line(f"  > {printable(str(old))} moved to {printable(str(new))}"))
    for warning in report.warnings[:_LINES]:
        console.print(line((f"warning: {printable(warning)}", "changed")))
    _draw_decided(console, report.decided)
    if report.conflicts:
        what = f"{count(len(report.conflicts), 'conflict')}: ours {'would stay' if would else 'stays'} until settled"
        console.print(line((what, "conflict")))
        _draw_conflicts(console, report.conflicts, "ours", "theirs")
        if not would:
            command = f"epicvc {report.command}"
            text = f"next: epicvc resolve, then {command} --continue   (or {command} --abort)"
            console.print(line((text, "label")))
    elif report.commit is not None and not report.fast_forward:
        console.print(line((f"committed {report.commit.hex()[:12]}", "good")))


def _draw_decided(console: Console, decided: Sequence[tuple[Conflict, Chosen]], *, verbose: bool = False) -> None:
    """Draw the conflicts that a policy or the memory settled, with the reasons."""
    reasons = [(conflict, chosen) for conflict, chosen in decided if chosen.reason]
    for conflict, chosen in reasons if verbose else reasons[:_LINES]:
        console.print(line("  = ", printable(str(conflict.label)), (f": {printable(chosen.reason)}", "dim")))


def _draw_moved(console: Console, moved: Sequence[SyncChange], *, verbose: bool) -> None:
    items = moved if verbose else moved[:_LINES]
    for item in items:
        note = "" if item.label.path else "  (the whole epic)"
        console.print(line(f"  {_SIGN[item.op.value]} {printable(str(item.label))}", (note, "dim")))
    if len(items) < len(moved):
        console.print(line((f"  … and {len(moved) - len(items)} more (--verbose lists them)", "dim")))


def draw_conflicts(console: Console, conflicts: Sequence[Conflict], sides: tuple[str, str] = ("files", "db")) -> None:
    """Draw conflicts with the three values of each."""
    if not conflicts:
        return
    kept = "both sides keep their own value" if sides[0] == "files" else "ours stays until settled"
    console.print(line((f"{count(len(conflicts), 'conflict')}: {kept}", "conflict")))
    _draw_conflicts(console, conflicts, *sides)


def _draw_conflicts(console: Console, conflicts: Sequence[Conflict], ours: str, theirs: str) -> None:
    width = max(len(ours), len(theirs)) + 1
    for conflict in conflicts[:_LINES]:
        console.print(line(f"  ! {printable(str(conflict.label))}"))
        for name, value in (("base", conflict.base), (ours, conflict.ours), (theirs, conflict.theirs)):
            console.print(line((f"      {name:<{width}}", "dim"), _value(value)))
    if len(conflicts) > _LINES:
        console.print(line((f"  … and {len(conflicts) - _LINES} more", "dim")))


def _value(value: Value) -> str:
    return "(absent)" if value is ABSENT else shown(value)


def draw_replayed(console: Console, labels: list[Label]) -> None:
    """Draw the conflicts that were settled as they were before."""
    for label in labels:
        console.print(line(("replayed ", "moved"), printable(str(label)), ("  as it was settled before", "dim")))


def resolve_report(console: Console, report: ResolveReport) -> None:
    """Draw the conflicts that ``resolve`` settled, and those that are left."""
    draw_replayed(console, report.replayed)
    for label in report.settled:
        if label not in report.replayed:
            console.print(line("settled ", printable(str(label))))
    if report.commit is not None:
        console.print(line((f"committed {report.commit.hex()[:12]}", "good")))
    draw_conflicts(console, report.left, report.sides)
    if not report.settled and not report.left:
        console.print(line(("there are no conflicts", "good")))
    if report.next_step:
        console.print(line((f"next: {report.next_step.replace('`', '')}", "label")))


def init_report(console: Console, found: Found, *, verbose: bool = False) -> None:
    """Draw the things that ``init`` found and made."""
    console.print(line("files     ", (printable(found.files), "label"), f"  {count(found.epics, 'epic')}"))
    if found.database is None:
        console.print(line("database  ", ("none found; `epicvc migrate up --db framework.db` makes one", "changed")))
    else:
        made = "  made with the built-in schema" if found.created_database else f"  {count(found.rows, 'epic')}"
        console.print(line("database  ", (printable(found.database), "label"), made))
    if found.extra:
        console.print(line("no column for ", printable(", ".join(found.extra)), ("  (kept in the files)", "dim")))
    for table, columns in found.system.items():
        listed = printable(", ".join(columns)) if verbose else count(len(columns), "column")
        console.print(line(("system    ", "dim"), (f"{printable(table)}: {listed} (the database's own)", "dim")))
    if found.orphans:
        text = f"warning: {count(found.orphans, 'row')} without a parent; `epicvc doctor` explains"
        console.print(line((text, "changed")))
    for table in found.credentials:
        text = f'warning: table {table} may hold secrets; leave it out with [tables] ignore = ["{table}"]'
        console.print(line((printable(text), "changed")))
    for table, reason in found.not_captured.items():
        console.print(line((printable(f"not captured: table {table} ({reason})"), "changed")))
    for one in found.stranded:
        text = f"warning: trigger {one.trigger} of {one.table} names a table that is not captured: {one.missing}"
        console.print(line((printable(text), "changed")))
    if found.overlooked:
        named = printable(", ".join(found.overlooked[:_NAMES])) + (", …" if len(found.overlooked) > _NAMES else "")
        text = f"not looked at: {count(len(found.overlooked), 'file')} that [files] include does not take ({named})"
        console.print(line((text, "changed")))
    if found.commit is not None:
        console.print(line((f"committed {found.commit.hex()[:12]}  first snapshot", "good")))
        console.print(line(("next: epicvc status", "label")))


def problem_report(console: Console, report: FsckReport) -> None:
    """Draw the problems that ``fsck`` found."""
    for problem in report.problems:
        console.print(line(("problem: ", "conflict"), printable(problem.message)))
    summary = f"{count(report.objects, 'object')}, {count(report.commits, 'commit')} verified: "
    result = ("no problem", "good") if not report.problems else (count(len(report.problems), "problem"), "conflict")
    console.print(line(summary, result))


def clean_report(console: Console, reports: Iterable[CleanReport]) -> None:
    """Draw the things that a clean-up removed, or would remove."""
    nothing = True
    for report in reports:
        verb = "would clean" if report.dry_run else "cleaned"
        for item in report.done:
            console.print(line(f"{verb} {printable(item.place)}: ", (printable(item.what), "dim")))
        for item in report.kept:
            console.print(line(("left ", "changed"), f"{printable(item.place)}: {printable(item.what)}"))
        if report.freed:
            console.print(line(f"{report.freed:,} bytes given back"))
        if report.checkpoint:
            console.print(
                line((f"what was there is checkpoint {report.checkpoint}; epicvc undo brings it back", "dim"))
            )
        nothing = nothing and not (report.done or report.kept or report.freed)
    if nothing:
        console.print(line(("nothing to clean", "good")))


def doctor_report(console: Console, findings: Iterable[Finding]) -> None:
    """Draw the findings of ``doctor``."""
    styles = {"error": "conflict", "warning": "changed", "info": "good"}
    found = list(findings)
    for finding in found:
        console.print(line((f"{finding.level}: ", styles[finding.level]), printable(finding.message)))
        if finding.hint:
            console.print(line(("    " + printable(finding.hint), "dim")))
    if not found:
        console.print(line(("nothing odd found", "good")))


def adoption_lines(done: Adoption) -> list[str]:
    """Return the outcome of ``adopt``, in sentences."""
    if done.was == "listed":
        return [f"{done.root} is on the list of your stores already"]
    verb = "would adopt" if done.dry_run else "adopted"
    origin = {"moved": f", which was in {done.other}", "copied": f", a copy of {done.other}, with an id of its own"}
    lines = [f"{verb} {done.root}{origin.get(done.was, '')}"]
    lines.append(f"its database is {done.database}" if done.database else "it has no database")
    return lines
