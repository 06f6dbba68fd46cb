"""``merge-file``. It needs no repo, and imports nothing that reads one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from epicvc.cli.edge import read_bytes, write_bytes
from epicvc.cli.line.parameters import Argument, Option, examples
from epicvc.cli.settings import Context, settings_of

Ours = Annotated[Path, Argument(metavar="OURS", help="Your version; gets the result.")]
Base = Annotated[Path, Argument(metavar="BASE", help="What both come from.")]
Theirs = Annotated[Path, Argument(metavar="THEIRS", help="The other version.")]
Stdout = Annotated[bool, Option("--stdout", "-p", help="Write the result to standard output; OURS stays.")]
Prefer = Annotated[
    str | None, Option("--prefer", metavar="ours|theirs|base", help="Settle every conflict by this value.")
]
DryRun = Annotated[bool, Option("--dry-run", "-n", help="Only say what conflicts.")]


@examples(
    "epicvc merge-file mine.json old.json yours.json",
    "epicvc merge-file -p --prefer theirs mine.json old.json yours.json",
)
def merge_file(
    context: Context,
    ours: Ours,
    base: Base,
    theirs: Theirs,
    stdout: Stdout = False,
    prefer: Prefer = None,
    dry_run: DryRun = False,
) -> int:
    """Merge three JSON files of any shape, three-way; no repo is needed."""
    from epicvc.errors import UsageError
    from epicvc.merge.threeway import preferring
    from epicvc.plan.file.filemerge import merge_files

    settings = settings_of(context)
    if stdout and settings.json:
        raise UsageError("-p and --json both write to standard output", hint="take one of them")
    paths = [settings.start() / path for path in (ours, base, theirs)]
    mine, old, yours = (read_bytes(str(path)) for path in paths)
    merged = merge_files(mine, old, yours, preferring(prefer), (str(ours), str(base), str(theirs)))
    if stdout:
        write_bytes(merged.data)
    elif not dry_run and merged.data != mine:
        _replace(paths[0], settings.start(), merged.data)
    if settings.json:
        from epicvc.cli.output.machine import file_merge

        settings.emit(file_merge(merged, mine))
    elif merged.conflicts and not settings.quiet:
        _say([name for name, _ in merged.conflicts], str(ours))
    return int(bool(merged.conflicts))


def _replace(path: Path, start: Path, data: bytes) -> None:
    """Replace the file that a path leads to.

    Symlinks are followed as git does, unless one that a clone may have brought leads out of it.
    """
    from epicvc.base.fileio import atomic_write
    from epicvc.repo.home.ways import followed

    atomic_write(followed(path, start), data)


def _say(places: list[str], path: str) -> None:
    import sys

    from epicvc.ui.text import count, printable

    sys.stderr.write(f"{printable(path)}: {count(len(places), 'conflict')}, ours stays there\n")
    for place in places:
        sys.stderr.write(f"  ! {printable(place) or '(the whole file)'}\n")
