"""Which commands there are, in the order in which a newcomer meets them, and where they are.

A module of commands is imported when one of its commands is asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Final, TypeAlias


class Family:
    """Commands behind a common word.

    Args:
        help: what they are about.
        commands: by name.
    """

    def __init__(self, help: str, commands: Table) -> None:  # noqa: A002  # the library's word
        self.help = help
        self.commands = commands


Table: TypeAlias = "Mapping[str, str | Family]"
"""A command's name -> its module below ``epicvc.cli.commands``, where its function has the same name."""


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
        **_in("merges", "merge", "revert"),
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
            "Schema migrations of the database.",
            _in("migrate", "status", "up", "down", "new", "verify", "baseline"),
        ),
        "clean": Family("Clean a database, files or caches.", _in("clean", "db", "files", "cache")),
        "git": Family(
            "Epics under git: hook, merge driver and readable diffs.", _in("git", "install", "uninstall", "doctor")
        ),
        **_in("git", "hook", "merge-driver", "textconv"),
    },
)
"""The whole program."""

RECORDED: Final = frozenset(
    {
        *("status", "sync", "pull", "push", "resolve", "commit"),
        *("checkout", "restore", "checkpoint", "rollback", "switch", "merge", "revert", "undo", "redo", "op restore"),
        *("plan", "enrich", "fsck", "gc", "doctor"),
        *("backup create", "backup verify", "backup restore", "backup forget"),
        *("migrate up", "migrate down", "migrate verify", "migrate baseline"),
        *("clean db", "clean files", "clean cache"),
    }
)
"""The commands whose runs are kept for ``epicvc stats``: those that bring plans somewhere, or look all of them over."""


def function_of(module: str, name: str) -> Callable[..., int]:
    """The function of a command."""
    found: Callable[..., int] = getattr(import_module(f"epicvc.cli.commands.{module}"), name.replace("-", "_"))
    return found
