"""The changes that a commit is about to make, as git's index has them.

The work tree is not looked at, since it may say something else. The module imports next to nothing, since git starts it
for every commit.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from epicvc.gitlink.git import Git

CONFIG = "epicvc.toml"
_FILE = b"100"  # the mode of a regular file; links and submodules have others


class StagedChange:
    """A path whose file a commit adds, changes or removes.

    Attributes:
        path: the path of the file, from the top of the work tree.
        old: the id of the file's bytes before the commit; ``None`` where there was no file.
        new: the id afterwards; ``None`` where there is none.
    """

    __slots__ = ("new", "old", "path")

    def __init__(self, path: str, old: str | None, new: str | None) -> None:
        self.path, self.old, self.new = path, old, new


def staged_changes(git: Git) -> list[StagedChange]:
    """Return the changes from HEAD, or from nothing, to the index.

    A rename is a removal and an addition.
    """
    flags = ("--raw", "-z", "--no-abbrev", "--no-renames", "--no-ext-diff", "--ignore-submodules=all")
    words = git.run("diff", "--cached", *flags).split(b"\0")
    return [_change(head, path) for head, path in zip(words[::2], words[1::2], strict=False)]


def _change(head: bytes, path: bytes) -> StagedChange:
    old_mode, new_mode, old, new, _ = head.removeprefix(b":").split(b" ")
    return StagedChange(
        os.fsdecode(path),
        old.decode() if old_mode.startswith(_FILE) else None,
        new.decode() if new_mode.startswith(_FILE) else None,
    )


def index_files(git: Git, pathspec: str) -> Iterator[tuple[str, str]]:
    """Yield the files in the index, as path and id.

    Files that a merge has left in conflict have no single id, and are left out.
    """
    for entry in git.run("ls-files", "--stage", "-z", "--full-name", "--", pathspec).split(b"\0")[:-1]:
        head, path = entry.split(b"\t", 1)
        mode, object_id, stage = head.split(b" ")
        if mode.startswith(_FILE) and stage == b"0":
            yield os.fsdecode(path), object_id.decode()


def index_configs(git: Git) -> dict[str, str]:
    """Return the ids of every ``epicvc.toml`` in the index, by its directory from the top."""
    found = index_files(git, f":(top,glob)**/{CONFIG}")
    return {path.removesuffix(CONFIG).removesuffix("/"): object_id for path, object_id in found}
