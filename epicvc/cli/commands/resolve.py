"""``resolve``: at the terminal, by flags, or by a script's answers."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

from epicvc.cli.edge import read_bytes
from epicvc.cli.line.parameters import Argument, Option, examples
from epicvc.cli.settings import Context, complete_epics, environment, repo_of, settings_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from epicvc.actions.resolve.resolving import Wish
    from epicvc.actions.shared.questions import Dispute, ResolveReport
    from epicvc.cli.settings import CommandSettings
    from epicvc.merge.threeway import Conflict
    from epicvc.model.labels import Label
    from epicvc.repo.repository import Repo

Labels = Annotated[
    list[str] | None, Argument(metavar="[LABEL]...", help="Only these, as 5 or 5:name.", autocompletion=complete_epics)
]
Prefer = Annotated[str | None, Option("--prefer", metavar="files|db|base", help="Take this side's value.")]
Set = Annotated[list[str] | None, Option("--set", metavar="LABEL=JSON", help="Take this value; null removes.")]
From = Annotated[str | None, Option("--from", metavar="FILE", help="Take a script's answers; - for stdin.")]
Replay = Annotated[bool, Option("--replay", help="Settle what was settled before as it was then.")]
Forget = Annotated[bool, Option("--forget", help="Forget how conflicts were settled (for the labels, or all).")]
DryRun = Annotated[bool, Option("--dry-run", "-n", help="Only say what would happen.")]


@examples(
    "epicvc resolve",
    "epicvc resolve 5:name --prefer files",
    "epicvc resolve --prefer db",
    "epicvc resolve --set '5:name=\"New\"'",
)
def resolve(
    context: Context,
    labels: Labels = None,
    prefer: Prefer = None,
    set_: Set = None,
    from_: From = None,
    replay: Replay = False,
    forget: Forget = False,
    dry_run: DryRun = False,
) -> int:
    """Settle conflicts: one by one at the terminal, by side with --prefer, by value with --set, or by a script."""
    from epicvc.actions.resolve import resolving
    from epicvc.errors import UsageError
    from epicvc.model.labels import parse_label

    settings = settings_of(context)
    ways = [prefer is not None or bool(set_) or from_ is not None, replay, forget]
    if sum(ways) > 1:
        raise UsageError("--replay and --forget go with no other way to settle")
    chosen = [parse_label(text) for text in labels or []]
    if forget:
        return _forget(context, chosen, dry_run=dry_run)
    if replay:
        return _tell(context, resolving.replay(repo_of(context), dry_run=dry_run))
    if not any(ways):
        return _ask(context, chosen, dry_run=dry_run)
    if chosen and prefer is None:
        raise UsageError("--set and --from name their conflicts themselves", hint="give labels with --prefer only")
    repo = repo_of(context)
    wishes = _wishes(repo, chosen, prefer, set_ or [])
    return _tell(context, resolving.resolve(repo, wishes, _answers(settings, from_), dry_run=dry_run))


def _wishes(repo: Repo, labels: Sequence[Label], prefer: str | None, sets: Sequence[str]) -> list[Wish]:
    from epicvc.actions.resolve import resolving

    wishes = [_parse_set(text) for text in sets]
    if prefer is not None:
        choose = resolving.prefer(resolving.open_dispute(repo), prefer)
        wishes += [resolving.Wish(label, choose) for label in labels] or [resolving.Wish(None, choose)]
    return wishes


def _parse_set(text: str) -> Wish:
    from epicvc.actions.resolve.resolving import Wish, set_value
    from epicvc.base.jsonio import parse
    from epicvc.errors import UsageError
    from epicvc.model.labels import parse_label

    label, equals, value = text.partition("=")
    if not equals:
        raise UsageError(f"{text!r} is no LABEL=JSON", hint="for instance --set '5:name=\"New name\"'")
    return Wish(parse_label(label), set_value(parse(value.encode(), source="--set")))


def _answers(settings: CommandSettings, source: str | None) -> tuple[str, bytes] | None:
    if source is None:
        return None
    if source == "-":
        return "standard input", sys.stdin.buffer.read()
    return source, read_bytes(str(settings.start() / source))


def _tell(context: Context, report: ResolveReport) -> int:
    from epicvc.actions.report.recording import counts_of_resolve
    from epicvc.ui.reports import resolve_report

    settings = settings_of(context)
    context.counted(lambda: counts_of_resolve(report))
    if settings.json:
        from epicvc.cli.output import machine

        settings.emit(machine.resolve(report))
    elif not settings.quiet:
        resolve_report(settings.console(), report)
    if report.warning:
        settings.say(f"warning: {report.warning}")
    return int(bool(report.left))


def _forget(context: Context, labels: Sequence[Label], *, dry_run: bool) -> int:
    from epicvc.actions.decide.memory import Memory
    from epicvc.errors import NotFound
    from epicvc.ui.text import count

    settings, memory = settings_of(context), Memory(repo_of(context))
    known = memory.forget(labels, dry_run=True) if labels else []
    for label in labels:
        if not any(label.covers(place) for place in known):
            raise NotFound(f"nothing is remembered of {label}", hint="without a label all resolutions are forgotten")
    forgotten = memory.forget(labels, dry_run=dry_run)
    if settings.json:
        from epicvc.cli.output import machine

        settings.emit(machine.forgotten(forgotten))
    else:
        settings.say(f"{'would forget' if dry_run else 'forgot'} {count(len(forgotten), 'resolution')}")
    return 0


def _ask(context: Context, labels: Sequence[Label], *, dry_run: bool) -> int:
    """List the conflicts for a script, or ask the person at the terminal."""
    from epicvc.actions.resolve import resolving
    from epicvc.actions.shared.questions import ResolveReport, questions_of
    from epicvc.actions.shared.session import finish_interrupted
    from epicvc.errors import NotFound
    from epicvc.ui.reports import resolve_report

    settings = settings_of(context)
    asks = sys.stdin.isatty() and sys.stdout.isatty()
    repo = repo_of(context, recorded=not settings.json)
    if not settings.json:
        finish_interrupted(repo)  # a half applied state has conflicts of its own, or lacks some
    dispute = resolving.open_dispute(repo)
    conflicts = dispute.conflicts()
    for label in labels:
        if not any(label.covers(conflict.label) for conflict in conflicts):
            raise NotFound(f"{label} is no conflict", hint="see `epicvc status`")
    wanted = [item for item in conflicts if not labels or any(label.covers(item.label) for label in labels)]
    if settings.json:
        from epicvc.cli.output import machine

        settings.emit(machine.questions(questions_of(dispute, wanted)))
        return int(bool(wanted))
    if not wanted:
        resolve_report(settings.console(), ResolveReport())
        return 0
    if not asks or dry_run:
        text = "say how to settle them: --prefer files|db|base, --set LABEL=JSON or --from FILE"
        sides = (dispute.ours, dispute.theirs)
        return _tell(context, ResolveReport(left=wanted, sides=sides, next_step=text))
    others = [conflict for conflict in conflicts if conflict not in wanted]
    return _converse(context, repo, dispute, wanted, others)


def _converse(
    context: Context, repo: Repo, dispute: Dispute, conflicts: Sequence[Conflict], others: Sequence[Conflict]
) -> int:
    from epicvc.actions.decide.memory import Memory
    from epicvc.actions.resolve import resolving
    from epicvc.actions.resolve.drafts import Drafts
    from epicvc.ui.resolver.session import Asking, ResolverEnd
    from epicvc.ui.text import count

    settings, variables = settings_of(context), environment()
    drafts = Drafts(repo.config.private, others)
    colour = settings.color == "always" or (settings.color == "auto" and not variables.get("NO_COLOR"))
    settings.console()  # removes the progress bar
    outcome = Asking(dispute, drafts, Memory(repo), variables, colour=colour).ask(conflicts)
    if outcome.end is ResolverEnd.APPLY:
        report = resolving.apply(repo, dispute, outcome.chosen)
        drafts.save(conflicts, {})
        return _tell(context, report)
    kept = f"{outcome.answered} of {count(outcome.total, 'conflict')} answered, nothing applied"
    settings.say(f"{kept}; `epicvc resolve` goes on here")
    if outcome.end is ResolverEnd.INTERRUPTED:
        raise KeyboardInterrupt
    return 1
