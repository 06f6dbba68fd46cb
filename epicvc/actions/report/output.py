"""Writes a report into a file. It replaces an earlier report, and no other file."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Final

from epicvc.actions.report.markdown import TITLE
from epicvc.base.fileio import atomic_write
from epicvc.errors import FileUnavailable, NotFound, Refused, UsageError
from epicvc.repo.home.ways import require_own_way
from epicvc.repo.repository import Repo

_REPORTS: Final = (f"{TITLE}\n".encode(), b'{"format": "epicvc.report/1"')


def require_writable(repo: Repo, path: Path) -> None:
    """Make sure that a report may be written to a place, before the report is made.

    Args:
        repo: the repo of the report.
        path: the file.

    Raises:
        NotFound: its directory does not exist.
        UsageError: the name is that of a directory.
        Refused: a file that is no report has the name, or the place is among the epics or in the private directory.
    """
    if not os.path.isdir(path.parent):  # noqa: PTH112  # Path.is_dir raises if a name is too long
        raise NotFound(f"there is no directory {path.parent}", hint="make it first, or name another file")
    require_own_way(path.parent, repo.config.root)
    place = path.parent.resolve() / path.name
    for directory in (repo.config.files, repo.config.private):
        if place.is_relative_to(directory.resolve()):
            raise Refused(f"{path} lies in {directory}", hint="write the report to a place of its own")
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    except OSError as error:
        raise FileUnavailable(str(path), error.strerror or str(error)) from error
    if stat.S_ISDIR(mode):
        raise UsageError(f"{path} is a directory", hint="name a file in it")
    if not stat.S_ISREG(mode) or not _is_report(path):
        raise Refused(f"{path} is there and is no report", hint="name another file, or remove it first")


def _is_report(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            begin = file.read(max(map(len, _REPORTS)))
    except OSError as error:
        raise FileUnavailable(str(path), error.strerror or str(error)) from error
    return begin.startswith(_REPORTS)


def write_report(repo: Repo, path: Path, page: str) -> None:
    """Write a report completely or not at all.

    Raises:
        EpicvcError: as :func:`require_writable`, or the file cannot be written; the earlier file stays as it is.
    """
    require_writable(repo, path)
    atomic_write(path, page.encode())
