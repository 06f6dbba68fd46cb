"""``fsck``, ``gc``, ``doctor`` and ``adopt``."""

from __future__ import annotations

from typing import Annotated

from epicvc.cli.line.parameters import Option, examples
from epicvc.cli.settings import Context, environment, repo_of, settings_of

Full = Annotated[bool, Option("--full", help="Verify the store's pages and indexes too.")]
Repair = Annotated[bool, Option("--repair", help="Finish or forget an interrupted operation.")]
DryRun = Annotated[bool, Option("--dry-run", "-n", help="Only say what would happen.")]

Keep = Annotated[int, Option("--keep-operations", metavar="DAYS", min=0, help="Older operations leave the log first.")]

_INVALID = 4


@examples("epicvc fsck", "epicvc fsck --full")
def fsck(context: Context, full: Full = False) -> int:
    """Verify every object, every ref, and that everything referred to is there."""
    from epicvc.actions.care import checking
    from epicvc.ui.reports import problem_report

    settings = settings_of(context)
    report = checking.fsck(repo_of(context, history=True), full=full)
    if settings.json:
        from epicvc.cli.output import machine

        settings.emit(machine.fsck(report))
    else:
        problem_report(settings.console(), report)
    return _INVALID if report.problems else 0


@examples("epicvc gc --dry-run", "epicvc gc")
def gc(context: Context, keep_operations: Keep = 90, dry_run: DryRun = False) -> int:
    """Drop what no ref and no operation refers to."""
    from epicvc.actions.care import checking
    from epicvc.ui.text import count

    settings = settings_of(context)
    report = checking.gc(repo_of(context), keep_days=keep_operations, dry_run=dry_run)
    if settings.json:
        value = {"objects": report.objects, "bytes": report.freed, "temporaries": report.temporaries}
        settings.emit({"format": "epicvc.gc/1", **value})
    else:
        verb = "would drop" if dry_run else "dropped"
        objects, files = count(report.objects, "object"), count(report.temporaries, "temporary file")
        settings.say(f"{verb} {objects} ({report.freed:,} bytes) and {files}")
    return 0


@examples("epicvc doctor", "epicvc doctor --repair")
def doctor(context: Context, repair: Repair = False) -> int:
    """Look both sides and the store over, and explain what is odd."""
    from epicvc.actions.care.doctor import doctor as look_over
    from epicvc.ui.reports import doctor_report

    settings = settings_of(context)
    findings = look_over(repo_of(context, history=not repair), repair=repair)
    if settings.json:
        from epicvc.cli.output import machine

        settings.emit(machine.doctor(findings))
    else:
        doctor_report(settings.console(), findings)
    return _INVALID if any(finding.level == "error" for finding in findings) else 0


@examples("epicvc adopt --dry-run", "epicvc adopt")
def adopt(context: Context, dry_run: DryRun = False) -> int:
    """Say that the store here is yours: it was copied, restored or made elsewhere, or another user owns it.

    A store that is not on your list of stores is only read for its history, since a clone may have brought it. The
    database that it names is used from then on: look at it with --dry-run first.
    """
    from epicvc.actions.care.adopting import adopt as adopt_store

    settings = settings_of(context)
    done = adopt_store(settings.start(), environment(), dry_run=dry_run)
    if settings.json:
        from epicvc.cli.output import machine

        settings.emit(machine.adopt(done))
    else:
        from epicvc.ui.reports import adoption_lines

        for line in adoption_lines(done):
            settings.say(line)
    return 0
