"""``status --porcelain``: one short line per epic or table, stable across versions.

``XY ID PATH``: X is what the files did since HEAD, Y what the database did (``M`` modified, ``A`` added, ``D``
deleted, ``.`` unchanged), followed by how the sides stand to each other: ``=`` synced, ``>`` files ahead, ``<`` db
ahead, ``*`` diverged, ``!`` conflict. A table is ``@NAME ADDED MODIFIED DELETED``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from epicvc.ui.text import printable

if TYPE_CHECKING:
    from epicvc.services.status import Status

_SINCE = {"unchanged": ".", "modified": "M", "added": "A", "deleted": "D"}
_STATE = {"synced": "=", "files_ahead": ">", "db_ahead": "<", "diverged": "*", "conflict": "!"}


def porcelain_lines(found: Status) -> Iterator[str]:
    """The lines of a status."""
    for epic in found.epics:
        marks = f"{_SINCE[epic.files]}{_SINCE[epic.db]}{_STATE[epic.state]}"
        yield f"{marks} {printable(epic.id)} {printable(epic.path or '-')}"
    for table in found.tables:
        yield f"@{printable(table.name)} {table.added} {table.modified} {table.deleted}"


def porcelain_status(write: Callable[[str], object]) -> int:
    """Answer ``status --porcelain`` of the repo in the current directory."""
    from epicvc.repo.repository import Repo
    from epicvc.services.status import read_status

    for line in porcelain_lines(read_status(Repo.open(Path()))):
        write(line + "\n")
    return 0
