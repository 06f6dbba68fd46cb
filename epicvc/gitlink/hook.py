"""The pre-commit hook: which staged files are epics, and what is wrong with them.

It looks at what is staged, not at the work tree. Which files are epics is said by the ``epicvc.toml`` that is staged
too, since that is what everybody gets with the commit; where none is tracked, by the one in the work tree.

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
        What was found; ``None`` where no epic is staged.

    Raises:
        NotFound: this is no git repository.
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
    """Each ``epicvc.toml``, with its directory from the top of the work tree."""
    tracked = index_configs(git)
    if not tracked:
        yield from _untracked_configs(git, changes)
    for place, object_id in tracked.items():
        yield place, blobs[object_id]


def _untracked_configs(git: Git, changes: list[StagedChange]) -> Iterator[tuple[str, bytes]]:
    """Those of the work tree, in and above the directories in which something is staged."""
    from pathlib import Path, PurePath

    from epicvc.base.fileio import read_file

    top = Path(git.line("rev-parse", "--show-toplevel"))
    for place in sorted({above for change in changes for above in PurePath(change.path).parents}):
        if (top / place / CONFIG).is_file():
            yield "" if place == PurePath() else place.as_posix(), read_file(top / place / CONFIG)


def _may_concern(changes: list[StagedChange], config: bytes) -> bool:
    """Whether some change may be one of an epic, without reading the configuration: epics end in .json by default."""
    widened = b"include" in config or b"\\" in config
    return widened or any(change.path.endswith((".json", CONFIG)) for change in changes)
