"""The pre-commit hook: finds which staged files are epics, and the faults in them.

It looks at what is staged, not at the work tree. The staged ``epicvc.toml`` says which files are epics, since everybody
gets that one with the commit. Where none is tracked, the one in the work tree says it.

Most commits have no epic in them. So nothing that reads epics is imported before there is one.
"""

from __future__ import annotations

from epicvc.gitlink.git import Git
from epicvc.gitlink.staged import CONFIG, index_configs, staged_changes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from epicvc.gitlink.checking import CheckReport
    from epicvc.gitlink.git import Blobs
    from epicvc.gitlink.staged import StagedChange


def check_staged(git: Git) -> CheckReport | None:
    """Check the epics that are staged.

    Args:
        git: git, somewhere in the work tree.

    Returns:
        The report of what was found; ``None`` where no epic is staged.

    Raises:
        NotFound: the directory is in no git repository.
        Unavailable: git is missing or fails.
        InvalidConfig: an ``epicvc.toml`` says something that cannot be.
    """
    changes = staged_changes(git)
    if not any(change.new for change in changes):
        return None
    with git.blobs() as blobs:
        configs = {place: data for place, data in _configs(git, blobs, changes) if _may_concern(changes, data)}
        if not configs:
            return None
        from epicvc.base.lean import import_msgspec

        import_msgspec()
        from epicvc.gitlink.checking import check

        return check(git, blobs, changes, configs)


def _configs(git: Git, blobs: Blobs, changes: list[StagedChange]) -> Iterator[tuple[str, bytes]]:
    """Yield the bytes of each ``epicvc.toml``, with its directory from the top of the work tree."""
    tracked = index_configs(git)
    if not tracked:
        yield from _untracked_configs(git, changes)
    for place, object_id in tracked.items():
        yield place, blobs[object_id]


def _untracked_configs(git: Git, changes: list[StagedChange]) -> Iterator[tuple[str, bytes]]:
    """Yield those of the work tree, in and above the directories in which something is staged."""
    from pathlib import Path, PurePath

    from epicvc.base.fileio import read_file

    top = Path(git.line("rev-parse", "--show-toplevel"))
    for place in sorted({above for change in changes for above in PurePath(change.path).parents}):
        if (top / place / CONFIG).is_file():
            yield "" if place == PurePath() else place.as_posix(), read_file(top / place / CONFIG)


def _may_concern(changes: list[StagedChange], config: bytes) -> bool:
    """Return whether some change may be one of an epic, without reading the configuration.

    Epics end in ``.json`` unless the configuration widens that.
    """
    widened = b"include" in config or b"\\" in config
    return widened or any(change.path.endswith((".json", CONFIG)) for change in changes)
