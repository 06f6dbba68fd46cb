"""The commands that git starts: ``textconv``, ``merge-driver`` and ``hook``.

git starts them for every file or commit. So :mod:`epicvc.cli.fast` calls these functions before the command line
library is imported; :mod:`epicvc.cli.commands.git` calls the same functions for flags and help. Each function imports
only the modules that it needs.
"""

from __future__ import annotations

import sys

from epicvc.cli.edge import read_bytes, write_bytes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from epicvc.gitlink.checking import CheckFinding
    from epicvc.merge.threeway import Conflict, Value

CONFLICTS = 1
FINDINGS = 4


def textconv(path: str) -> int:
    """Write a file's text for ``git diff``."""
    from epicvc.gitlink.textconv import text_of

    write_bytes(text_of(read_bytes(path)))
    return 0


def merge_driver(base: str, ours: str, theirs: str, path: str) -> int:
    """Merge three temporary files of git into ``ours``.

    Any exit code from 1 to 128 makes git leave ``path`` in conflict, with the three versions in its index and the
    content of ``ours`` in the work tree. A higher code would abort the whole merge, for which one bad file is no
    reason.
    """
    from epicvc.base.lean import import_msgspec

    import_msgspec()
    from epicvc.errors import InvalidData, InvalidJSON
    from epicvc.gitlink.mergedriver import drive

    mine, old, other = read_bytes(ours), read_bytes(base), read_bytes(theirs)
    try:
        merged = drive(mine, old, other, path)
    except InvalidJSON as error:
        raise InvalidData(error.message, hint=_way_on("ours stays: correct it", path)) from error
    _replace(ours, mine, merged.data)
    if not merged.conflicts:
        return 0
    _say_conflicts(path, merged.conflicts)
    return CONFLICTS


def merge_ancestors(base: str, ours: str, theirs: str) -> int:
    """Merge three temporary files of git into ``ours``, where they are versions in merge bases."""
    from epicvc.base.lean import import_msgspec

    import_msgspec()
    from epicvc.gitlink.mergedriver import drive_ancestors

    mine = read_bytes(ours)
    _replace(ours, mine, drive_ancestors(mine, read_bytes(base), read_bytes(theirs)))
    return 0


def hook() -> int:
    """Check the staged epics, and write one line for each finding."""
    from epicvc.gitlink.git import Git
    from epicvc.gitlink.hook import check_staged

    report = check_staged(Git())
    return say_findings(report.findings) if report else 0


def say_findings(findings: Sequence[CheckFinding], *, quiet: bool = False) -> int:
    """Write one line for each finding, as compilers do. Return the exit code."""
    if not findings:
        return 0
    from epicvc.ui.text import count, printable

    for path, line, column, message in findings:
        sys.stdout.write(f"{printable(path)}:{line}:{column}: {printable(message)}\n")
    sys.stdout.flush()  # git sends both streams to one place
    if not quiet:
        files = count(len({finding.path for finding in findings}), "staged file")
        sys.stderr.write(f"epicvc: {count(len(findings), 'finding')} in {files}; correct and `git add` what is wrong\n")
    return FINDINGS


def _replace(path: str, before: bytes, data: bytes) -> None:
    if data == before:
        return
    from pathlib import Path

    from epicvc.base.fileio import atomic_write
    from epicvc.repo.home.ways import followed

    # only checked: git's own files lie at the top, but a path that a user types may lead through a link
    followed(Path(path), Path())
    atomic_write(Path(path), data, durable=False)  # not durable: git reads the file at once and removes it


def _say_conflicts(path: str, conflicts: Sequence[tuple[str, Conflict]]) -> None:
    from epicvc.ui.text import count, printable

    found = count(len(conflicts), "conflict")
    sys.stderr.write(f"epicvc: {printable(path)}: {found}; ours stays there, the rest is merged\n")
    for place, conflict in conflicts:
        where = printable(place) or "(the whole file)"
        sys.stderr.write(f"  ! {where}: ours {_shown(conflict.ours)}, theirs {_shown(conflict.theirs)}\n")
    sys.stderr.write(f"  hint: {printable(_way_on('edit it', path))}\n")


def _way_on(first: str, path: str) -> str:
    from shlex import quote

    return f"{first}, then `git add {quote(path)}`; `git show {quote(f':3:{path}')}` has theirs"


def _shown(value: Value) -> str:
    from epicvc.base.jsonio import dumps_line
    from epicvc.merge.threeway import ABSENT
    from epicvc.ui.text import printable, shortened

    return "nothing" if value is ABSENT else shortened(printable(dumps_line(value)))
