"""``pull``, ``push`` and ``sync``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from epicvc.cli.line.parameters import Argument, Option, examples
from epicvc.cli.settings import Context, complete_epics, repo_of, settings_of

if TYPE_CHECKING:
    from epicvc.actions.sync.survey import SyncReport

Labels = Annotated[
    list[str] | None, Argument(metavar="[LABEL]...", help="Only these, as 5 or 5:name.", autocompletion=complete_epics)
]
DryRun = Annotated[bool, Option("--dry-run", "-n", help="Only say what would happen.")]
MassDelete = Annotated[
    bool, Option("--allow-mass-delete", help="Delete more than half of the epics, or of the tasks, of a side.")
]
NewMapping = Annotated[
    bool, Option("--new-mapping", help="Go on though another mapping alone changes what both sides agreed on.")
]
EmptySide = Annotated[bool, Option("--allow-empty-side", help="Go on though a side has become empty.")]
PolicyName = Annotated[
    str | None,
    Option("--policy", metavar="NAME", help="What settles conflicts: manual, json_wins, database_wins or newest_wins."),
]
Message = Annotated[str | None, Option("--message", "-m", metavar="MESSAGE", help="Why; the commit's message.")]


@examples("epicvc sync", "epicvc sync --dry-run", "epicvc sync 5")
def sync(
    context: Context,
    labels: Labels = None,
    dry_run: DryRun = False,
    policy: PolicyName = None,
    message: Message = None,
    allow_mass_delete: MassDelete = False,
    allow_empty_side: EmptySide = False,
    new_mapping: NewMapping = False,
) -> int:
    """Bring both sides together, three-way, field by field; one commit when something moved."""
    allow = (allow_mass_delete, allow_empty_side, new_mapping)
    return _run(context, "sync", labels, policy, message, dry_run=dry_run, allow=allow)


@examples("epicvc pull", "epicvc pull 5:name")
def pull(
    context: Context,
    labels: Labels = None,
    dry_run: DryRun = False,
    policy: PolicyName = None,
    message: Message = None,
    allow_mass_delete: MassDelete = False,
    allow_empty_side: EmptySide = False,
    new_mapping: NewMapping = False,
) -> int:
    """Bring the database's changes into the files, three-way."""
    allow = (allow_mass_delete, allow_empty_side, new_mapping)
    return _run(context, "pull", labels, policy, message, dry_run=dry_run, allow=allow)


@examples("epicvc push", "epicvc push 5 7")
def push(
    context: Context,
    labels: Labels = None,
    dry_run: DryRun = False,
    policy: PolicyName = None,
    message: Message = None,
    allow_mass_delete: MassDelete = False,
    allow_empty_side: EmptySide = False,
    new_mapping: NewMapping = False,
) -> int:
    """Bring the files' changes into the database, three-way."""
    allow = (allow_mass_delete, allow_empty_side, new_mapping)
    return _run(context, "push", labels, policy, message, dry_run=dry_run, allow=allow)


def _run(
    context: Context,
    command: str,
    labels: list[str] | None,
    policy: str | None,
    message: str | None,
    *,
    dry_run: bool,
    allow: tuple[bool, bool, bool],
) -> int:
    from msgspec.structs import replace

    from epicvc.actions.report.recording import counts_of_sync
    from epicvc.actions.sync.survey import Allow
    from epicvc.actions.sync.sync import synchronise
    from epicvc.errors import OtherMapping, UsageError
    from epicvc.merge.threeway import Direction
    from epicvc.model.labels import Selection
    from epicvc.plan.epic import Policy
    from epicvc.plan.policies import POLICIES
    from epicvc.ui.reports import sync_report

    settings = settings_of(context)
    repo = repo_of(context)
    policies = repo.config.policies
    name = policy or policies.overall
    if name not in POLICIES:
        raise UsageError(f"--policy takes {', '.join(POLICIES)}, not {name!r}")
    direction = {"sync": Direction.BOTH, "pull": Direction.TO_OURS, "push": Direction.TO_THEIRS}[command]
    chosen = Policy(direction, Selection.of(labels or []), policies=replace(policies, overall=name))

    def run(*allow: bool) -> SyncReport:
        return synchronise(repo, chosen, command=command, allow=Allow(*allow), dry_run=dry_run, message=message)

    try:
        report = run(*allow)
    except OtherMapping as error:
        if not settings.ask(f"{error.message}; go on?", default=False):
            raise
        report = run(*allow[:2], True)
    context.counted(lambda: counts_of_sync(report))
    if settings.json:
        from epicvc.cli.output import machine

        settings.emit(machine.sync(report))
    elif not settings.quiet:
        sync_report(settings.console(), report, verbose=settings.verbose)
    return settings.tell_errors(report.errors) or int(bool(report.conflicts))
