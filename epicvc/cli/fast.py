"""The commands that have to start fast, in the form in which git and prompts call them, and those that begin early.

They are recognised by their words, before the command line library is imported, which takes five times as long as the
interpreter. Every other form of them, ``--help`` included, takes the ordinary way and ends in the same functions.
"""

from __future__ import annotations

import os

from epicvc.cli import gitcommands

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from epicvc.files.scan.early import EarlyLook

    Command = Callable[[], int]

LOOKING = ("status", "diff")
"""The commands that look at all files and change none."""


def fast_command(words: list[str]) -> Command | None:
    """Return the command that these words ask for, if it is one of the fast ones.

    The modules that it works with are imported when it is called.
    """
    match words:
        case ["status", "--porcelain"]:
            return _status
        case ["textconv", path] if not path.startswith("-"):
            return lambda: gitcommands.textconv(path)
        case ["merge-driver", "--ancestors", *files] if _are_versions(files):
            return lambda: gitcommands.merge_ancestors(*files[:3])
        case ["merge-driver", base, ours, theirs, size, path] if _are_versions([base, ours, theirs, size, path]):
            return lambda: gitcommands.merge_driver(base, ours, theirs, path)
        case ["hook", "pre-commit" | "pre-merge-commit"]:
            return gitcommands.hook
    return None


def early_look(words: Sequence[str]) -> EarlyLook | None:
    """Begin to look at the files for a command that needs them, while its line is read and modules are imported.

    Args:
        words: the command line.

    Returns:
        ``None`` where the first word, apart from ``-C``, is not one of :data:`LOOKING`, and where
        :func:`epicvc.repo.files.earlylook.begin` returns ``None``.
    """
    directory, at = "", 0
    while words[at : at + 1] == ["-C"]:
        directory, at = os.path.join(directory, *words[at + 1 : at + 2]), at + 2
    rest = words[at:]
    if not rest or rest[0] not in LOOKING or "-C" in rest:
        return None
    from epicvc.repo.files.earlylook import begin

    return begin(directory)


def _are_versions(files: list[str]) -> bool:
    """Return whether these are git's ``%O %A %B %L %P``.

    The path is a name that the user gave, and may look like a flag.
    """
    return len(files) == 5 and not any(file.startswith("-") for file in files[:4])


def _status() -> int:
    from epicvc.cli.output.porcelain import porcelain_status

    return porcelain_status()
