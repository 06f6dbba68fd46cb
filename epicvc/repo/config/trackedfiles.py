"""The ``[files]`` section of ``epicvc.toml``: the patterns that decide which files are tracked."""

from __future__ import annotations

from typing import Any, Final

from msgspec import Struct

from epicvc.errors import InvalidConfig
from epicvc.files.scan.patterns import DEFAULT_INCLUDE as DEFAULT_INCLUDE
from epicvc.repo.config.tomlfile import CONFIG, patterns_of, table_of

DEFAULT_EXCLUDE: Final = ("enriched/**", "**/enriched/**", "enriched_*.json", "**/enriched_*.json")


class TrackedFiles(Struct, frozen=True):
    """The directory and the patterns that decide which files are tracked.

    Attributes:
        directory: the directory of the files, relative to the repo. It is not checked to lie inside the repo.
        include: patterns of tracked files, relative to the directory.
        exclude: patterns that are left out.
    """

    directory: str
    include: tuple[str, ...]
    exclude: tuple[str, ...]


def read_files(data: dict[str, Any]) -> TrackedFiles:
    """Return the directory and patterns that a configuration names.

    Raises:
        InvalidConfig: a key is not known, or a value is not allowed.
    """
    table = table_of(data, "files", {"dir", "include", "exclude"})
    directory = table.get("dir", "epics")
    if not isinstance(directory, str) or not directory:
        raise InvalidConfig(CONFIG, f"[files] dir = {directory!r} must be a directory inside the repo")
    include = patterns_of(table, "include", DEFAULT_INCLUDE)
    return TrackedFiles(directory, include, patterns_of(table, "exclude", DEFAULT_EXCLUDE))
