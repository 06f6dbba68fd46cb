"""``stats`` and ``report``: figures of runs, the quality of the data, and everything on one page."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from epicvc.cli.line.parameters import Option, examples
from epicvc.cli.settings import Context, repo_of, settings_of

if TYPE_CHECKING:
    from collections.abc import Sequence

_MONTH = "30d"

Since = Annotated[
    str | None, Option("--since", metavar="TIME", help="From here on: 7d, 12h, 1y6m, 2025-08-17. Else the last month.")
]
Commands = Annotated[
    list[str] | None, Option("--command", metavar="NAME", help="Only runs of this command; may be repeated.")
]
NoQuality = Annotated[bool, Option("--no-quality", help="Only the runs: read neither files nor database.")]

ReportSince = Annotated[
    str | None, Option("--since", metavar="TIME", help="History and runs from here on: 7d, 2025-08-17. Else a week.")
]
Markdown = Annotated[bool, Option("--markdown", help="As Markdown, which is the default.")]
Output = Annotated[Path | None, Option("--output", "-o", metavar="FILE", help="Into this file instead of stdout.")]


@examples("epicvc stats", "epicvc stats --since 7d --command sync", "epicvc stats --no-quality --json")
def stats(context: Context, since: Since = None, command: Commands = None, no_quality: NoQuality = False) -> int:
    """Show how long runs took, how they ended and what they moved, and how good the data is."""
    from epicvc.actions.report.metrics import measure_repo, read_since
    from epicvc.actions.report.quality import data_quality
    from epicvc.errors import EpicvcError

    settings = settings_of(context)
    commands = _known(command or [])
    repo = repo_of(context)
    now = repo.now()
    found = measure_repo(repo, read_since(since or _MONTH, now), now, commands)
    quality, warnings = None, []
    if not no_quality:
        try:
            quality = data_quality(repo)
        except EpicvcError as error:  # the figures of runs are needed most where something is wrong
            warnings.append(f"the data cannot be measured: {error.message}")
    if settings.json:
        from epicvc.cli.output import metrics

        settings.emit(metrics.stats(found, commands, quality, warnings))
    else:
        from epicvc.ui.metrics import draw_metrics, draw_quality

        console = settings.console()
        draw_metrics(console, found, verbose=settings.verbose)
        if quality is not None:
            console.print()
            draw_quality(console, quality, verbose=settings.verbose)
        for warning in warnings:
            settings.say(f"warning: {warning}")
    return 0


@examples("epicvc report", "epicvc report --since 30d --output report.md", "epicvc report --json --output report.json")
def report(context: Context, since: ReportSince = None, markdown: Markdown = False, output: Output = None) -> int:
    """Report status, conflicts and who made them, history, runs, quality of the data and schedule on one page."""
    from epicvc.actions.report.contents import collect
    from epicvc.actions.report.markdown import to_markdown
    from epicvc.actions.report.metrics import read_since
    from epicvc.actions.report.output import require_writable, write_report
    from epicvc.cli.edge import json_text
    from epicvc.errors import UsageError

    settings = settings_of(context)
    if markdown and settings.json:
        raise UsageError("--markdown and --json are two forms", hint="give one of them")
    repo = repo_of(context)
    path = settings.start() / output if output is not None else None
    if path is not None:
        require_writable(repo, path)
    found = collect(repo, read_since(since, repo.now()) if since is not None else None)
    if settings.json:
        from epicvc.cli.output import metrics

        shape = metrics.report(found)
        if path is None:
            settings.emit(shape)
            return 0
        page = json_text(shape)
    else:
        page = to_markdown(found)
        if path is None:
            settings.console()  # removes the progress bar
            sys.stdout.write(page)
            return 0
    write_report(repo, path, page)
    settings.say(f"wrote {path}")
    return 0


def _known(names: Sequence[str]) -> list[str]:
    """Return the names, each once.

    Raises:
        UsageError: a command does not exist, or its runs are not recorded.
    """
    from epicvc.cli.line.table import RECORDED
    from epicvc.errors import UsageError

    groups = {name.split(" ", 1)[0] for name in RECORDED}
    for name in names:
        if name not in RECORDED | groups:
            hint = "for instance --command sync or --command 'backup create'; docs/metrics.md lists them"
            raise UsageError(f"no runs of {name!r} are recorded", hint=hint)
    return list(dict.fromkeys(names))
