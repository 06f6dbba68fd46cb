"""The commands that have to start fast, in the form in which git and prompts call them.

Found by looking at the words, before the command line library is imported, which takes five times as long as the
interpreter. Every other form of them, ``--help`` included, goes the ordinary way and ends in the same functions.
"""

from __future__ import annotations

from epicvc.cli import gitcommands

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    Command = Callable[[], int]


def fast_command(words: list[str]) -> Command | None:
    """The command that these words ask for, if it is one of these; what it works with is imported when it is called."""
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


def _are_versions(files: list[str]) -> bool:
    """Whether these are git's ``%O %A %B %L %P``; the path is a name of the user's and may look like a flag."""
    return len(files) == 5 and not any(file.startswith("-") for file in files[:4])


def _status() -> int:
    from epicvc.cli.porcelain import porcelain_status

    return porcelain_status()
