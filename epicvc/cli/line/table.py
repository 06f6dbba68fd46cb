"""The table of all commands, in the order in which a newcomer meets them, with their modules.

A module of commands is imported when one of its commands is asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Final, TypeAlias


class Family:
    """Commands that begin with a common word.

    Args:
        help: the description of the family.
        commands: the commands by name.
    """

    def __init__(self, help: str, commands: Table) -> None:  # noqa: A002  # the library's word
        self.help = help
        self.commands = commands


Table: TypeAlias = "Mapping[str, str | Family]"
"""The module of each command below ``epicvc.cli.commands``. The command's function has the same name as the command."""


def _in(module: str, *names: str) -> dict[str, str]:
    return dict.fromkeys(names, module)


EPICVC: Final = Family(
    "Version control and three-way sync for plans in JSON files and a database.",
    {
        **_in("init", "init"),
        **_in("status", "status", "diff"),
        **_in("sync", "sync", "pull", "push"),
        **_in("resolve", "resolve"),
        **_in("history", "commit", "log", "show", "blame"),
        **_in("states", "checkout", "restore", "checkpoint", "rollback"),
        **_in("refs", "branch", "switch", "tag"),
        **_in("merges", "merge", "revert", "cherry-pick"),
        **_in("mergefile", "merge-file"),
        **_in("operations", "undo", "redo"),
        **_in("plan", "plan"),
        **_in("enrich", "enrich"),
        **_in("metrics", "stats", "report"),
        **_in("care", "fsck", "gc", "doctor", "adopt"),
        "backup": Family(
            "Backups, here and in another place.", _in("backup", "create", "list", "verify", "restore", "forget")
        ),
        "op": Family("The operation log.", _in("operations", "log", "restore")),
        "migrate": Family(
            "Schema migrations of the database.", _in("migrate", "status", "up", "down", "new", "verify", "baseline")
        ),
        "clean": Family("Clean a database, files or caches.", _in("clean", "db", "files", "cache")),
        "git": Family(
            "Epics under git: hook, merge driver and readable diffs.", _in("git", "install", "uninstall", "doctor")
        ),
        **_in("git", "hook", "merge-driver", "textconv"),
    },
)
"""All commands of the program."""

RECORDED: Final = frozenset(
    {
        *("status", "sync", "pull", "push", "resolve", "commit"),
        *("checkout", "restore", "checkpoint", "rollback", "switch", "undo", "redo", "op restore"),
        *("merge", "revert", "cherry-pick"),
        *("plan", "enrich", "fsck", "gc", "doctor"),
        *("backup create", "backup verify", "backup restore", "backup forget"),
        *("migrate up", "migrate down", "migrate verify", "migrate baseline"),
        *("clean db", "clean files", "clean cache"),
    }
)
"""The commands whose runs are kept for ``epicvc stats``: those that move plans or examine all of them."""


def function_of(module: str, name: str) -> Callable[..., int]:
    """Return the function of a command."""
    found: Callable[..., int] = getattr(import_module(f"epicvc.cli.commands.{module}"), name.replace("-", "_"))
    return found
