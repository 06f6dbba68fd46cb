"""Cleans files that can be made again: temporary files of commands that died, and caches between commands."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from epicvc.actions.clean.cleaning import Cleaned, CleanReport
from epicvc.base.fileio import leftover_temporaries, remove_file
from epicvc.repo import agreed
from epicvc.repo.apply.recovery import recover
from epicvc.repo.config import configcache
from epicvc.repo.files import earlylook, filesside
from epicvc.repo.repository import Repo
from epicvc.repo.rows import dbcache, dbmark
from epicvc.repo.shortcuts import lastanswer

_CACHES: Final = (
    filesside.CACHE,
    dbcache.FILE,
    dbmark.FILE,
    agreed.FILE,
    lastanswer.FILE,
    earlylook.FILE,
    configcache.FILE,
)


def clear_temporaries(repo: Repo, *, dry_run: bool = False) -> CleanReport:
    """Remove temporary files of interrupted commands, after their operations were finished."""
    report = CleanReport("clean cache --temporaries", dry_run=dry_run)
    with repo.lock():  # the command that holds the lock may need its temporary files
        if not dry_run:
            recover(repo)
        found = [*leftover_temporaries(repo.config.private), *leftover_temporaries(repo.config.files)]
        _remove(repo, found, report, "a temporary file of a command that died")
    return report


def reset_caches(repo: Repo, *, dry_run: bool = False) -> CleanReport:
    """Forget the known state of files and rows: the next command reads both sides whole."""
    report = CleanReport("clean cache --checksums", dry_run=dry_run)
    with repo.lock():
        found = [path for name in _CACHES if (path := repo.config.private / name).exists()]
        _remove(repo, found, report, "what is remembered between commands")
    return report


def _remove(repo: Repo, paths: list[Path], report: CleanReport, what: str) -> None:
    for path in paths:
        report.freed += path.lstat().st_size
        shown = path.relative_to(repo.config.root) if path.is_relative_to(repo.config.root) else path
        report.done.append(Cleaned(str(shown), what))
        if not report.dry_run:
            remove_file(path)
