"""Calculated fields inside author files (``calculated = "inline"``): always the database's, never merged."""

from __future__ import annotations

from typing import Final, cast

from epicvc.jsonio import JSON
from epicvc.model.diff import Change, diff
from epicvc.model.document import Core, epic_body
from epicvc.model.labels import SIBLINGS, Label
from epicvc.repo.documents import Three

CALCULATED: Final = "calculated_fields"
"""The key beside ``epic`` that holds them; a file without the wrapper has no place for it and gets none."""


def with_calculated(whole: dict[str, JSON], calculated: Core) -> dict[str, JSON]:
    """A parsed file with these calculated fields."""
    if epic_body(whole) is whole:
        return whole
    others = {name: value for name, value in whole.items() if name != CALCULATED}
    return {**others, CALCULATED: cast("JSON", calculated)} if calculated else others


def calculated_changes(three: Three) -> tuple[Change, ...]:
    """What the next write of the file brings to its calculated fields; an edit of them is among it, and dropped."""
    if not three.stale_calculated:
        return ()
    label = Label(three.epic, (SIBLINGS, CALCULATED))
    return tuple(diff(label, three.written, cast("JSON", three.calculated or None)))
