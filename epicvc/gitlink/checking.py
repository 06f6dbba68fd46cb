"""Checks staged epics by the rules that keep a file from being tracked.

Only faults that the commit brings in are found. An epic that was broken before, or an id that two untouched files
share, is no reason to stop another change.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from collections.abc import Mapping as MappingABC
from posixpath import join, normpath
from typing import Any, NamedTuple

from epicvc.base.jsonio import JSON, parse
from epicvc.errors import InvalidField, InvalidFile, InvalidJSON, UnsafeName
from epicvc.files.scan.patterns import tracking
from epicvc.gitlink.git import Blobs, Git
from epicvc.gitlink.staged import CONFIG, StagedChange, index_files
from epicvc.model.document import epic_id, read_file_epic
from epicvc.model.mapping import BUILTIN, Mapping
from epicvc.model.naming import escape_root
from epicvc.model.templates import is_template
from epicvc.repo.config.tomlfile import parse_toml
from epicvc.repo.config.trackedfiles import read_files


class CheckFinding(NamedTuple):
    """A fault in a staged file.

    Attributes:
        path: the path of the file, from the top of the work tree.
        line: 1-based.
        column: 1-based, in characters.
        message: the fault.
    """

    path: str
    line: int
    column: int
    message: str


class CheckReport(NamedTuple):
    """The result of a check.

    Attributes:
        findings: the faults, by path and place.
        checked: the number of staged files that are epics, or should be.
    """

    findings: list[CheckFinding]
    checked: int


def check(git: Git, blobs: Blobs, changes: list[StagedChange], configs: MappingABC[str, bytes]) -> CheckReport:
    """Check staged files.

    Args:
        git: git, somewhere in the work tree.
        blobs: the contents of git's objects.
        changes: the staged changes.
        configs: the bytes of each ``epicvc.toml``, by its directory from the top of the work tree.

    Raises:
        InvalidConfig: an ``epicvc.toml`` says something that cannot be.
    """
    found: list[CheckFinding] = []
    checked = 0
    for place, data in configs.items():
        room = _Room(git, blobs, place, parse_toml(data, join(place, CONFIG)))
        found += room.findings(changes)
        checked += len(room.epics)
    return CheckReport(sorted(set(found)), checked)


def _mapping_of(config: dict[str, Any]) -> Mapping:
    if "mapping" not in config:
        return BUILTIN
    from epicvc.repo.config.mappingconfig import read_mapping

    return read_mapping(config["mapping"])


def _place_of(epic: _Epic, label: str | None) -> tuple[int, int]:
    """Return the line and column of a place in a file.

    Only a fault has a place, so the import waits for the first one.
    """
    from epicvc.gitlink.places import place_of

    return place_of(epic.data, epic.value, label)


class _Epic(NamedTuple):
    """A staged file that is, or should be, an epic: its bytes, their value, and its id.

    A file that is no JSON has neither value nor id.
    """

    data: bytes
    value: JSON
    id: str | None


class _Room:
    """The files directory of one epic repo, as it is staged."""

    def __init__(self, git: Git, blobs: Blobs, place: str, config: dict[str, Any]) -> None:
        self._git, self._blobs = git, blobs
        self._mapping = _mapping_of(config)
        files = read_files(config)
        directory = normpath(join(place, files.directory))
        self._directory = "" if directory == "." else directory
        self._prefix = self._directory + "/" if self._directory else ""
        self._tracks = tracking(files.include, files.exclude)
        self.epics: dict[str, _Epic] = {}

    def findings(self, changes: list[StagedChange]) -> Iterator[CheckFinding]:
        """Yield the faults in the changes of this directory."""
        mine = [change for change in changes if self._is_tracked(change.path)]
        for change in mine:
            if change.new is not None:
                yield from self._broken(change.path, self._blobs[change.new])
        yield from self._names({change.path for change in mine if change.new and not change.old})
        yield from self._claims(mine)

    def _is_tracked(self, path: str) -> bool:
        return path.startswith(self._prefix) and self._tracks(self._relative(path))

    def _relative(self, path: str) -> str:
        return path.removeprefix(self._prefix)

    def _broken(self, path: str, data: bytes) -> Iterator[CheckFinding]:
        try:
            value = parse(data, source=path)
        except InvalidJSON as error:
            self.epics[path] = _Epic(data, None, None)
            yield CheckFinding(path, error.line, error.column, error.reason)
            return
        if is_template(value):
            return
        self.epics[path] = _Epic(data, value, _claimed(value))
        try:
            read_file_epic(value, self._mapping, path)
        except (InvalidFile, InvalidField) as error:
            reason = error.reason.removesuffix(f" ({path})")
            message = f"{error.label}: {reason}" if isinstance(error, InvalidField) else reason
            yield CheckFinding(path, *_place_of(self.epics[path], error.label), message)

    # Names

    def _names(self, added: set[str]) -> Iterator[CheckFinding]:
        """Yield the new names that some system cannot have, or takes for another one."""
        if not added:
            return
        from epicvc.files.names import check_name, collisions

        safe = set()
        for path in added:
            try:
                check_name(self._relative(path))
            except UnsafeName as error:
                yield CheckFinding(path, 1, 1, f"unsafe name: {error.reason}")
            else:
                safe.add(path)
        for found in collisions([*safe, *(path for path, _ in self._all() if path not in added)]):
            for path, other in ((found.path, found.other), (found.other, found.path)):
                if path in added:
                    yield CheckFinding(path, 1, 1, f"unsafe name: {found.reason(other)}")
                    break

    def _all(self) -> Iterator[tuple[str, str]]:
        """Return all tracked files in the index, with the ids of their bytes."""
        pathspec = f":(top,literal){self._directory}" if self._directory else ":(top)"
        return (entry for entry in index_files(self._git, pathspec) if self._is_tracked(entry[0]))

    # Ids

    def _claims(self, changes: list[StagedChange]) -> Iterator[CheckFinding]:
        """Yield the epics that get a second file by these changes."""
        before = {change.path: id_in(self._blobs[change.old]) if change.old else None for change in changes}
        now = {path: epic.id for path, epic in self.epics.items()}
        freed = {key for path, key in before.items() if now.get(path) != key}
        claimed: dict[str, list[str]] = {}
        for path, key in sorted(now.items()):
            if key is not None and before[path] != key:
                claimed.setdefault(key, []).append(path)
        holders = self._holders({key: paths for key, paths in claimed.items() if key not in freed})
        for key, paths in claimed.items():
            first = holders.get(key) or paths.pop(0)
            for path in paths:
                place = _place_of(self.epics[path], f"{escape_root(key)}:id")
                yield CheckFinding(path, *place, f"epic {key} is already in {first}; an epic lives in one file")

    def _holders(self, claimed: MappingABC[str, list[str]]) -> dict[str, str]:
        """Return the file in which each of these epics is already, by epic.

        A file that claims the epic only now does not count. Every file of the directory is read, which takes some
        seconds for ten thousand. Only files in which one of the ids can occur are parsed.
        """
        if not claimed:
            return {}
        holders: dict[str, str] = {}
        mention = _mention(claimed)
        for path, object_id in self._all():
            data = self._blobs[object_id]
            key = id_in(data) if mention.search(data) else None
            if key is not None and path not in claimed.get(key, (path,)):
                holders.setdefault(key, path)
        return holders


def _claimed(value: JSON) -> str | None:
    return None if is_template(value) else epic_id(value)


def id_in(data: bytes) -> str | None:
    """Return the id of the epic in a file's bytes; ``None`` where there is none."""
    try:
        return _claimed(parse(data))
    except InvalidJSON:
        return None


def _mention(keys: Iterable[str]) -> re.Pattern[bytes]:
    """Return a pattern that occurs in every file whose epic has one of these ids.

    It occurs in some other files too, since it does not decode escapes.
    """
    names = b"|".join(re.escape(key.encode()) for key in keys)
    return re.compile(rb'\\u006[49]|"id"\s*:\s*(?:"[^"\\]*\\|"(?:%b)"|-?(?:%b)(?![\d.eE]))' % (names, names))
