"""epicvc with one safety taken out: the harness has to notice each of them.

Each function changes the child that calls it, and nothing else.
"""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from typing import Any

from epicvc.base import fileio
from epicvc.database.sqlite import backend
from epicvc.repo.apply import placing, recovery


def without_file_sync() -> None:
    """Files are renamed into place without having been synced."""
    write_out = fileio._write_out
    fileio._write_out = lambda descriptor, data, mode, durable: write_out(descriptor, data, mode, durable=False)


def without_directory_sync() -> None:
    """Renamed and removed files are not made durable."""

    def nothing(path: Path) -> None:
        pass

    for module in (fileio, placing, backend):
        module.fsync_directory = nothing


def with_synchronous_off() -> None:
    """SQLite is told not to wait for the disk."""

    class Hasty:
        def execute(self, sql: str, *parameters: Any) -> sqlite3.Cursor:
            return super().execute(sql.replace("= EXTRA", "= OFF").replace("=EXTRA", "=OFF"), *parameters)  # type: ignore[misc,no-any-return]

    connect = sqlite3.connect

    def hasty(*arguments: Any, factory: type = sqlite3.Connection, **options: Any) -> sqlite3.Connection:
        return connect(*arguments, **options, factory=type("Connection", (Hasty, factory), {}))

    sqlite3.connect = hasty  # type: ignore[assignment]


def in_place() -> None:
    """Files are overwritten instead of replaced."""

    def overwrite(staged: Path, target: Path, known: object) -> bool:
        with open(target, "wb", buffering=0) as file:
            file.write(staged.read_bytes())
            os.fsync(file.fileno())
        staged.unlink()
        return True

    placing.replace_known = overwrite


def without_recovery() -> None:
    """An interrupted operation is forgotten, whatever the database says."""
    recovery._decided = lambda repo, intent: False


POWER = (without_file_sync, without_directory_sync, with_synchronous_off)
"""Those that only a power cut shows."""

PROCESS = (in_place, without_recovery)
"""Those that a killed process shows."""
