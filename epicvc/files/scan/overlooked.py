"""Files beside the epics that are none of them by their names, for who wonders why their contents are nowhere."""

from __future__ import annotations

import os
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Final

from epicvc.base.temporary import TEMPORARY_SUFFIX
from epicvc.files.scan.patterns import compile_patterns, tracking

_MOST: Final = 10_000
"""The most names that are looked at: it is a hint, and a directory may be anything."""


def overlooked(root: Path, include: Sequence[str], exclude: Sequence[str]) -> list[str]:
    """The files below a directory that no pattern takes and none leaves out; hidden ones apart.

    Args:
        root: the files directory.
        include: patterns of what is tracked.
        exclude: patterns of what is left out.

    Returns:
        Their paths, sorted; of the first 10,000 names.
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
