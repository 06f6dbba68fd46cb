"""Lets long tests run without waiting for the disk.

Nobody pulls the plug in them, and what they write is the same.
"""

from __future__ import annotations

import os
import sqlite3
from functools import partial
from typing import Any

import pytest


class _Hasty(sqlite3.Connection):
    """A connection that does not sync, even where it is told to."""

    def execute(self, sql: str, *values: Any) -> sqlite3.Cursor:  # type: ignore[override]
        return super().execute("PRAGMA synchronous=OFF" if sql.startswith("PRAGMA synchronous") else sql, *values)


def no_waiting(patch: pytest.MonkeyPatch) -> None:
    """Make syncs of files and of SQLite databases do nothing."""
    patch.setattr(sqlite3, "connect", partial(sqlite3.connect, factory=_Hasty))
    patch.setattr(os, "fsync", lambda _descriptor: None)
