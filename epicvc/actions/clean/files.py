"""Cleans epic files: removes copies of an epic, mends faults that need no guess, and reports other faults.

The decisions depend on bytes alone. They are carried out as one operation in an epic repo, and by plain atomic writes
elsewhere. Each file is read when its turn comes, once more for each part and for its writing. It is never kept in
memory.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TypeAlias

from msgspec import Struct

from epicvc.actions.clean.cleaning import Cleaned, CleanReport, carry_out, take_checkpoint
from epicvc.actions.shared.session import Session, look
from epicvc.base.fileio import atomic_write, read_file, remove_file
from epicvc.base.jsonio import dumps_canonical, parse
from epicvc.database.backend import Writer
from epicvc.errors import EpicvcError
from epicvc.files.format.repair import repair
from epicvc.files.scan.scan import scan
from epicvc.model.document import doubt, epic_body, epic_id, read_file_epic
from epicvc.model.mapping import Mapping as FieldMapping
from epicvc.model.templates import is_template
from epicvc.repo.apply.apply import Stage
from epicvc.repo.repository import Repo
from epicvc.store.objects import ObjectType

Files: TypeAlias = Mapping[str, bytes]

Change: TypeAlias = Callable[[bytes], bytes]
"""Returns the new bytes of a file from its bytes."""

Changes: TypeAlias = "dict[str, Change | None]"
"""The changes of files by path; ``None`` removes a file."""

Decide: TypeAlias = Callable[[Files, CleanReport], Changes]


class FilePart(Struct, frozen=True):
    """One clean-up of those that are done together.

    Attributes:
        command: the command of the clean-up.
        decide: decides the changes of files.
    """

    command: str
    decide: Decide


class Validated(Struct, frozen=True):
    """The faults of files.

    Attributes:
        checked: the number of files that were read.
        errors: the faults, by path.
    """

    checked: int
    errors: dict[str, str]


class FileCleaning:
    """The clean-ups of one directory of epics.

    Args:
        directory: the directory of the files.
        mapping: the fields of an epic.
        repo: the epic repo whose files directory it is; ``None`` without one, so that nothing can be undone.

    Attributes:
        private: the private directory of that repo.
    """

    def __init__(self, directory: Path, mapping: FieldMapping, repo: Repo | None) -> None:
        self._directory = directory
        self._mapping = mapping
        self._repo = repo
        self.private = repo.config.private if repo is not None else None

    def duplicates(self) -> FilePart:
        """Return the part that removes files that repeat an epic.

        Different versions of an epic stay, and are reported.
        """
        return FilePart("clean files --duplicates", _without_duplicates)

    def repair(self) -> FilePart:
        """Return the part that mends faults that need no guess; see :mod:`epicvc.files.format.repair`."""
        return FilePart("clean files --repair", _repaired)

    def validate(self) -> Validated:
        """Read every file as a sync would, and return the faults."""
        with self._files() as files:
            found = {path: self._problem(path, data) for path, data in files.items()}
        return Validated(len(found), {path: problem for path, problem in found.items() if problem is not None})

    def _problem(self, path: str, data: bytes) -> str | None:
        try:
            value = parse(data, source=path)
            if not is_template(value):
                read_file_epic(value, self._mapping, path)
        except EpicvcError as error:
            return error.message
        return None

    @contextmanager
    def _files(self) -> Iterator[Files]:
        if self._repo is None:
            root = self._directory
            yield _Lazily(scan(root).paths, lambda path: read_file(root / path, root=root))
        else:
            with look(self._repo) as session:
                yield _captured(session)

    def run(self, parts: Sequence[FilePart], *, dry_run: bool = False) -> list[CleanReport]:
        """Do clean-ups together. In an epic repo they are one operation, done completely or not at all.

        Args:
            parts: the clean-ups in their order. Each one sees the files as those before it leave them.
            dry_run: only report.
        """
        reports = [CleanReport(part.command, dry_run=dry_run) for part in parts]
        with self._files() as files:
            changes = _decided(parts, files, reports)
            if not dry_run and self._repo is None:
                for path, change in changes.items():
                    if change is None:
                        remove_file(self._directory / path)
                    else:
                        atomic_write(self._directory / path, change(files[path]))
        if dry_run or not changes or self._repo is None:
            return reports
        checkpoint = take_checkpoint(self._repo, "clean-files")
        for report in reports:
            report.checkpoint = checkpoint if report.done else None

        def work(session: Session, _: Writer | None, stage: Stage) -> None:
            files = _captured(session)
            for path, change in _decided(parts, files, reports).items():
                blob = session.working.files.files[path].blob
                if change is None:
                    stage.remove(path, blob)
                else:
                    stage.write(path, blob, change(files[path]))

        command = " ".join(["clean files", *(part.command.removeprefix("clean files ") for part in parts)])
        carry_out(self._repo, "clean", command, work, rows=False)
        return reports


class _Lazily(Mapping[str, bytes]):
    """Files by path, each read whenever it is needed."""

    def __init__(self, paths: Iterable[str], read: Callable[[str], bytes]) -> None:
        self._paths = dict.fromkeys(paths)
        self._read = read

    def __getitem__(self, path: str) -> bytes:
        if path not in self._paths:
            raise KeyError(path)
        return self._read(path)

    def __iter__(self) -> Iterator[str]:
        return iter(self._paths)

    def __len__(self) -> int:
        return len(self._paths)


def _decided(parts: Sequence[FilePart], files: Files, reports: Sequence[CleanReport]) -> Changes:
    """Return the changes of files by all parts. The reports are filled anew."""
    changes: Changes = {}
    for part, report in zip(parts, reports, strict=True):
        report.done, report.kept = [], []
        for path, change in part.decide(_after(files, changes), report).items():
            before = changes.get(path)
            changes[path] = change if change is None or before is None else partial(_in_turn, before, change)
    return changes


def _after(files: Files, changes: Changes) -> Files:
    """Return files as changes leave them."""
    left = [path for path in files if changes.get(path, _as_it_is) is not None]
    return _Lazily(left, lambda path: (changes.get(path) or _as_it_is)(files[path]))


def _as_it_is(data: bytes) -> bytes:
    return data


def _in_turn(first: Change, then: Change, data: bytes) -> bytes:
    return then(first(data))


def _captured(session: Session) -> Files:
    """Return the files as they were captured, including files that are no valid epics."""
    files = session.working.files.files
    return _Lazily(sorted(files), lambda path: session.staging.get(files[path].blob, ObjectType.BLOB))


def _repaired(files: Files, report: CleanReport) -> Changes:
    # Both shapes are valid epics. A bare epic is put below "epic" if at least half of the files are written so.
    wrap = sum(map(_is_wrapped, files.values())) * 2 >= len(files)
    changes: Changes = {}
    for path, data in files.items():
        fixes = repair(data, wrap=wrap).fixes
        if fixes:
            changes[path] = partial(_mended, wrap=wrap)
            report.done.append(Cleaned(path, ", ".join(fixes)))
        elif (problem := _fault(path, data)) is not None:
            report.kept.append(Cleaned(path, problem))
    return changes


def _mended(data: bytes, *, wrap: bool) -> bytes:
    return repair(data, wrap=wrap).data


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
    """Decide to remove all but one of the files with the same epic and the same content.

    The file that is named after its epic stays, else the one with the shortest path.
    """
    by_epic: dict[str, list[str]] = {}
    for path, data in files.items():
        try:
            value = parse(data)
        except EpicvcError:
            continue  # a file that is no JSON cannot be compared
        if is_template(value):
            continue
        if (reason := doubt(value)) is not None:
            report.kept.append(Cleaned(path, f"{reason}; not compared"))
        elif (key := epic_id(value)) is not None:
            by_epic.setdefault(key, []).append(path)
    changes: Changes = {}
    for epic, paths in by_epic.items():
        if len(paths) < 2:
            continue
        keep = min(paths, key=lambda path: (Path(path).stem != epic, len(path), path))
        meaning = _meaning(files[keep])
        for path in paths:
            if path == keep:
                continue
            if _meaning(files[path]) == meaning:
                changes[path] = None
                report.done.append(Cleaned(path, f"the same as {keep}"))
            else:
                report.kept.append(
                    Cleaned(path, f"another version of epic {epic}, which is in {keep}; decide which one stays")
                )
    return changes


def _meaning(data: bytes) -> bytes:
    """Return the digest of the content of a file, whatever its form."""
    return hashlib.sha256(dumps_canonical(parse(data))).digest()
