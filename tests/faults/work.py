"""Working directories: quick copies of a small repo."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from support.repos import list_store


def copy(source: Path, target: Path) -> None:
    """Copy a directory of small files; what is there goes."""
    shutil.rmtree(target, ignore_errors=True)
    _copy(str(source), str(target))
    list_store(target / "repo")


def _copy(source: str, target: str) -> None:
    os.mkdir(target, 0o700)
    with os.scandir(source) as entries:
        for entry in entries:
            if entry.name.endswith("-shm"):
                continue  # shared memory, which SQLite makes again
            into = os.path.join(target, entry.name)
            if entry.is_dir(follow_symlinks=False):
                _copy(entry.path, into)
                continue
            with open(entry.path, "rb") as reader:
                data = reader.read()
            descriptor = os.open(into, os.O_WRONLY | os.O_CREAT | os.O_EXCL, entry.stat().st_mode & 0o777)
            try:
                os.write(descriptor, data)
            finally:
                os.close(descriptor)
