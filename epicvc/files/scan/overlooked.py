"""Finds files beside the epics whose names keep them from being epics, for users who miss their contents."""

from __future__ import annotations

import os
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Final

from epicvc.base import TEMPORARY_SUFFIX
from epicvc.files.scan.patterns import compile_patterns, tracking

_MOST: Final = 10_000
"""The most names that are looked at. The result is a hint, and a directory may hold anything."""


def overlooked(root: Path, include: Sequence[str], exclude: Sequence[str]) -> list[str]:
    """Return the files below a directory that no pattern takes and none leaves out, hidden ones apart.

    Args:
        root: the files directory.
        include: patterns of tracked files.
        exclude: patterns of files that are left out.

    Returns:
        The paths, sorted; only the first 10,000 names are looked at.
    """
    tracked, unwanted = tracking(include, exclude), compile_patterns(exclude)
    found = (path for path in islice(_paths(root), _MOST) if not tracked(path) and not unwanted(path))
    return sorted(path for path in found if not path.endswith((".json", TEMPORARY_SUFFIX)))


def _paths(root: Path) -> Sequence[str]:
    names: list[str] = []
    for directory, below, files in os.walk(root):
        below[:] = sorted(name for name in below if not name.startswith("."))
        prefix = os.path.relpath(directory, root).replace(os.sep, "/")
        names += (name if prefix == "." else f"{prefix}/{name}" for name in files if not name.startswith("."))
        if len(names) > _MOST:
            break
    return names
