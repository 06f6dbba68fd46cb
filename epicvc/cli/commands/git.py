"""``textconv``, ``merge-driver``, ``hook``, and ``git install``, ``git uninstall``, ``git doctor``.

Commands that git starts come here only with unusual words: :mod:`epicvc.cli.fast` answers the usual ones.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from epicvc.cli import gitcommands
from epicvc.cli.line.parameters import Argument, Option, examples
from epicvc.cli.settings import CommandSettings, Context, settings_of

if TYPE_CHECKING:
    from epicvc.gitlink.install import Line

Name = Annotated[
    str, Argument(metavar="pre-commit|pre-merge-commit", help="The hook that git runs; both check the same.")
]
File = Annotated[Path, Argument(metavar="FILE", help="A JSON file.")]
Base = Annotated[Path, Argument(metavar="%O", help="What both come from; empty where both added the file.")]
Ours = Annotated[Path, Argument(metavar="%A", help="The current branch's version; gets the result.")]
Theirs = Annotated[Path, Argument(metavar="%B", help="The other branch's version.")]
Size = Annotated[str, Argument(metavar="%L", help="Length of conflict markers; there are none.")]
Named = Annotated[str, Argument(metavar="%P", help="The file that is merged, for messages.")]
Ancestors = Annotated[bool, Option("--ancestors", help="Merge merge bases: in conflict, the older value stays.")]
Chain = Annotated[bool, Option("--chain", help="Run a hook that is already there first, then ours.")]
NoHook = Annotated[bool, Option("--no-hook", help="Leave hooks alone; merge and diff drivers only.")]
DryRun = Annotated[bool, Option("--dry-run", "-n", help="Only say what would be written or removed.")]

_STALE = 1


@examples("epicvc hook pre-commit", "epicvc hook pre-commit --json")
def hook(context: Context, name: Name) -> int:
    """Check the epics that are staged for a commit, as git's hooks do."""
    from epicvc.errors import UsageError
    from epicvc.gitlink.git import Git
    from epicvc.gitlink.hook import check_staged
    from epicvc.gitlink.hookfile import HOOKS

    settings = settings_of(context)
    if name not in HOOKS:
        raise UsageError(f"epicvc has no hook {name!r}", hint=f"it has {' and '.join(HOOKS)}")
    report = check_staged(Git(settings.start()))
    if settings.json:
        from epicvc.cli.output.git import staged

        settings.emit(staged(report))
        return gitcommands.FINDINGS if report and report.findings else 0
    return gitcommands.say_findings(report.findings, quiet=settings.quiet) if report else 0


@examples("epicvc merge-driver old.json mine.json yours.json 7 5.json")
def merge_driver(
    context: Context, base: Base, ours: Ours, theirs: Theirs, size: Size, path: Named, ancestors: Ancestors = False
) -> int:
    """Merge a JSON file that two branches changed, as git's merge driver."""
    start = settings_of(context).start()
    old, mine, other = (str(start / file) for file in (base, ours, theirs))
    if ancestors:
        return gitcommands.merge_ancestors(old, mine, other)
    return gitcommands.merge_driver(old, mine, other, path)


@examples("epicvc textconv epics/search.json")
def textconv(context: Context, file: File) -> int:
    """Write a JSON file as text for git diff, one line a field."""
    return gitcommands.textconv(str(settings_of(context).start() / file))


@examples("epicvc git install", "epicvc git install --no-hook --dry-run")
def install(context: Context, chain: Chain = False, no_hook: NoHook = False, dry_run: DryRun = False) -> int:
    """Have git check, merge and show epics with epicvc, in this clone."""
    from epicvc.gitlink import install as gitlink

    settings = settings_of(context)
    place = gitlink.InstallPlace(settings.start())
    command = gitlink.own_command()
    _tell(settings, gitlink.install(place, command, chain=chain, hook=not no_hook, dry_run=dry_run), dry_run=dry_run)
    return 0


@examples("epicvc git uninstall")
def uninstall(context: Context, dry_run: DryRun = False) -> int:
    """Take back what git install wrote, and nothing else."""
    from epicvc.gitlink import install as gitlink

    settings = settings_of(context)
    _tell(settings, gitlink.uninstall(gitlink.InstallPlace(settings.start()), dry_run=dry_run), dry_run=dry_run)
    return 0


@examples("epicvc git doctor")
def doctor(context: Context) -> int:
    """Say what of it is installed, stale or missing, and whether the epicvc that git starts does start."""
    from epicvc.cli.output.git import parts
    from epicvc.gitlink import install as gitlink
    from epicvc.gitlink.part import STALE

    settings = settings_of(context)
    lines = gitlink.doctor(gitlink.InstallPlace(settings.start()))
    if settings.json:
        settings.emit(parts(lines))
    else:
        sys.stdout.writelines(_shown(found) + "\n" for found in lines)
    return _STALE if any(found.state == STALE for found in lines) else 0


def _tell(settings: CommandSettings, lines: list[Line], *, dry_run: bool) -> None:
    from epicvc.cli.output.git import parts
    from epicvc.gitlink.install import REMOVED, WRITTEN

    if settings.json:
        settings.emit(parts(lines))
    for found in lines:
        would = "would be " if dry_run and found.state in (WRITTEN, REMOVED) else ""
        settings.say(would + _shown(found))


def _shown(found: Line) -> str:
    from epicvc.ui.text import printable

    detail = f" ({found.detail})" if found.detail else ""
    return printable(f"{found.state:<10} {found.part:<11} {found.place}{detail}")
