"""Reads the outcomes of a plan as sets of epics."""

from __future__ import annotations

from collections.abc import Mapping

from epicvc.model.document import Core
from epicvc.plan.epic import Outcome

State = dict[str, Core]
"""A document set: cores by epic."""


def states(outcomes: Mapping[str, Outcome]) -> tuple[State, State, State]:
    """Return the base, the files and the database after a plan."""
    sides: tuple[State, State, State] = ({}, {}, {})
    for name, outcome in outcomes.items():
        for side, core in zip(sides, (outcome.base, outcome.files, outcome.db), strict=True):
            if core is not None:
                side[name] = core
    return sides
