"""The sections of git's configuration that name our drivers, in the repository's own file, which only its user writes.

A cloned repository cannot name a command to run: its attributes name a driver, and the driver's command stands here.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from typing import Final

from epicvc.gitlink.git import Git
from epicvc.gitlink.part import INSTALLED, MISSING, STALE, PartState

DRIVER: Final = "epicvc"
_ANCESTORS: Final = "epicvc-ancestors"
_DRIVER_KEY: Final = f"merge.{DRIVER}.driver"
_VERSIONS: Final = "%O %A %B %L %P"
_NONE_FOUND: Final = 1
_UNKNOWN: Final = 5


def wanted(command: Sequence[str]) -> dict[str, dict[str, str]]:
    """Return the keys and values of each section.

    Args:
        command: the words that start epicvc.
    """
    words = shlex.join(command)
    merge = words.replace("%", "%%") + " merge-driver"  # git replaces its own % sequences there
    # A driver that ends with more than 128, as one that is killed does, makes newer gits give up the whole merge.
    versions = f"{_VERSIONS} || exit 1"
    return {
        f"merge.{DRIVER}": {
            "name": "JSON epics, field by field",
            "driver": f"{merge} {versions}",
            "recursive": _ANCESTORS,
        },
        f"merge.{_ANCESTORS}": {"name": "JSON epics in merge bases", "driver": f"{merge} --ancestors {versions}"},
        f"diff.{DRIVER}": {"textconv": f"{words} textconv"},
    }


class ConfigSection:
    """One section of the repository's configuration."""

    name = "config"

    def __init__(self, git: Git, section: str, values: Mapping[str, str]) -> None:
        self._git, self._section, self._values = git, section, values
        self.place = section

    def state(self) -> PartState:
        """Tell whether the section says what it has to."""
        found = self._found()
        if not found.keys() & self._values.keys():
            return PartState(MISSING)
        wrong = [key for key, value in self._values.items() if found.get(key) != [value]]
        return PartState(STALE, f"{', '.join(wrong)} should be otherwise") if wrong else PartState(INSTALLED)

    def install(self) -> None:
        """Set every key."""
        for key, value in self._values.items():
            self._git.run("config", "--local", "--replace-all", f"{self._section}.{key}", value)

    def remove(self, *, dry_run: bool = False) -> PartState:
        """Unset the keys. The section goes with the last one."""
        found = self._found()
        if dry_run:
            return PartState(MISSING)
        if found and not found.keys() - self._values.keys():
            self._git.run("config", "--local", "--remove-section", self._section)
        else:
            for key in found.keys() & self._values.keys():
                self._git.run("config", "--local", "--unset-all", f"{self._section}.{key}", expect=(0, _UNKNOWN))
        return PartState(MISSING)

    def _found(self) -> dict[str, list[str]]:
        """Return all values of the section, by key."""
        prefix = self._section + "."
        found: dict[str, list[str]] = {}
        for entry in self._git.run("config", "--local", "--null", "--list").decode(errors="replace").split("\0"):
            name, _, value = entry.partition("\n")
            if name.startswith(prefix) and "." not in name.removeprefix(prefix):
                found.setdefault(name.removeprefix(prefix), []).append(value)
        return found


def configured_command(git: Git) -> list[str] | None:
    """Return the words that start epicvc, as the configuration has them.

    Returns ``None`` where it has none that can be read.
    """
    value = git.line("config", "--local", "--get", _DRIVER_KEY, expect=(0, _NONE_FOUND))
    command, found, _ = value.rpartition(" merge-driver ")
    try:
        return shlex.split(command.replace("%%", "%")) if found else None
    except ValueError:
        return None
