"""Cleaning epic files: copies of one epic, faults that can be mended without a guess, and what else is wrong.

What to do is decided from bytes alone; doing it is one operation in an epic repo, and plain atomic writes elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

from msgspec import Struct

from epicvc.database.backend import Writer
from epicvc.errors import EpicvcError
from epicvc.fileio import atomic_write, read_file, remove_file
from epicvc.files.repair import repair
from epicvc.files.scan import scan
from epicvc.jsonio import JSON, dumps_canonical, parse
from epicvc.model.document import doubt, epic_body, epic_id, read_file_epic
from epicvc.model.mapping import Mapping as FieldMapping
from epicvc.model.templates import is_template
from epicvc.repo.apply import Stage
from epicvc.repo.repository import Repo
from epicvc.services.cleaning import Cleaned, CleanReport, carry_out, take_checkpoint
from epicvc.services.session import Session, look
from epicvc.store.objects import ObjectType

Files: TypeAlias = Mapping[str, bytes]
Changes: TypeAlias = dict[str, bytes | None]
"""Files that become other bytes; ``None`` removes one."""

Decide: TypeAlias = Callable[[Files, CleanReport], Changes]


class FilePart(Struct, frozen=True):
    """A clean-up that is one part of what is done together.

    Attributes:
        command: which one.
        decide: what becomes of the files.
    """

    command: str
    decide: Decide


class Validated(Struct, frozen=True):
    """What is wrong with some files.

    Attributes:
        checked: how many were looked at.
        errors: what is wrong, by path.
    """

    checked: int
    errors: dict[str, str]


class FileCleaning:
    """Clean-ups of one directory of epics.

    Args:
        directory: where the files are.
        mapping: says which fields an epic has.
        repo: the epic repo whose files directory it is; ``None``: there is none, and nothing can be undone.

    Attributes:
        private: the private directory of that repo.
    """

    def __init__(self, directory: Path, mapping: FieldMapping, repo: Repo | None) -> None:
        self._directory = directory
        self._mapping = mapping
        self._repo = repo
        self.private = repo.config.private if repo is not None else None

    def duplicates(self) -> FilePart:
        """Removes files that say of an epic what another file says; where they differ both stay, and are reported."""
        return FilePart("clean files --duplicates", _without_duplicates)

    def repair(self) -> FilePart:
        """Mends what can be mended without a guess; see :mod:`epicvc.files.repair`."""
        return FilePart("clean files --repair", _repaired)

    def validate(self) -> Validated:
        """Read every file as a sync would."""
        files = self._files()
        errors = {path: problem for path, data in files.items() if (problem := self._problem(path, data)) is not None}
        return Validated(len(files), errors)

    def _problem(self, path: str, data: bytes) -> str | None:
        try:
            value = parse(data, source=path)
            if not is_template(value):
                read_file_epic(value, self._mapping, path)
        except EpicvcError as error:
            return error.message
        return None

    def _files(self) -> dict[str, bytes]:
        if self._repo is None:
            root = self._directory
            return {path: read_file(root / path, root=root) for path in scan(root).paths}
        with look(self._repo) as session:
            return _captured(session)

    def run(self, parts: Sequence[FilePart], *, dry_run: bool = False) -> list[CleanReport]:
        """Do clean-ups together; in an epic repo as one operation, all of it or nothing.

        Args:
            parts: them, in their order: each finds the files as those before it leave them.
            dry_run: only report.
        """
        reports = [CleanReport(part.command, dry_run=dry_run) for part in parts]
        changes = _decided(parts, self._files(), reports)
        if dry_run or not changes:
            return reports
        if self._repo is None:
            for path, data in changes.items():
                if data is None:
                    remove_file(self._directory / path)
                else:
                    atomic_write(self._directory / path, data)
            return reports
        checkpoint = take_checkpoint(self._repo, "clean-files")
        for report in reports:
            report.checkpoint = checkpoint if report.done else None

        def work(session: Session, _: Writer | None, stage: Stage) -> None:
            for path, data in _decided(parts, _captured(session), reports).items():
                blob = session.working.files.files[path].blob
                if data is None:
                    stage.remove(path, blob)
                else:
                    stage.write(path, blob, data)

        command = " ".join(["clean files", *(part.command.removeprefix("clean files ") for part in parts)])
        carry_out(self._repo, "clean", command, work, rows=False)
        return reports


def _decided(parts: Sequence[FilePart], files: Files, reports: Sequence[CleanReport]) -> Changes:
    """What becomes of the files by all parts; fills the reports anew."""
    now: dict[str, bytes] = dict(files)
    changes: Changes = {}
    for part, report in zip(parts, reports, strict=True):
        report.done, report.kept = [], []
        found = part.decide(now, report)
        changes |= found
        for path, data in found.items():
            if data is None:
                del now[path]
            else:
                now[path] = data
    return changes


def _captured(session: Session) -> dict[str, bytes]:
    """The files as they were captured, those that are no valid epics included."""
    files = session.working.files.files
    return {path: session.staging.get(file.blob, ObjectType.BLOB) for path, file in sorted(files.items())}


def _repaired(files: Files, report: CleanReport) -> Changes:
    wrapped = sum(_is_wrapped(data) for data in files.values())
    changes: Changes = {}
    for path, data in files.items():
        # Both shapes are epics: a bare one is put below "epic" where that is how its neighbours are written.
        mended = repair(data, wrap=wrapped * 2 >= len(files))
        if mended.fixes:
            changes[path] = mended.data
            report.done.append(Cleaned(path, ", ".join(mended.fixes)))
        elif (problem := _fault(path, data)) is not None:
            report.kept.append(Cleaned(path, problem))
    return changes


def _is_wrapped(data: bytes) -> bool:
    try:
        value = parse(data.removeprefix(b"\xef\xbb\xbf"))
    except EpicvcError:
        return False
    return isinstance(value, dict) and epic_body(value) is not value


def _fault(path: str, data: bytes) -> str | None:
    try:
        parse(data, source=path)
    except EpicvcError as error:
        return error.message
    return None


def _without_duplicates(files: Files, report: CleanReport) -> Changes:
    """Of files with the same epic and the same content, the one that is named after its epic, else the first, stays."""
    by_epic: dict[str, list[str]] = {}
    values: dict[str, JSON] = {}
    for path, data in files.items():
        try:
            value = parse(data)
        except EpicvcError:
            continue  # no epic that could be compared
        if is_template(value):
            continue
        if (reason := doubt(value)) is not None:
            report.kept.append(Cleaned(path, f"{reason}; not compared"))
        elif (key := epic_id(value)) is not None:
            values[path] = value
            by_epic.setdefault(key, []).append(path)
    changes: Changes = {}
    for epic, paths in by_epic.items():
        if len(paths) < 2:
            continue
        keep = min(paths, key=lambda path: (Path(path).stem != epic, len(path), path))
        meaning = dumps_canonical(values[keep])
        for path in paths:
            if path == keep:
                continue
            if dumps_canonical(values[path]) == meaning:
                changes[path] = None
                report.done.append(Cleaned(path, f"the same as {keep}"))
            else:
                report.kept.append(
                    Cleaned(path, f"another version of epic {epic}, which is in {keep}; decide which one stays")
                )
    return changes
