"""Edits that one side alone can have, beside the cores of a plan."""

from __future__ import annotations

from typing import Any

import pytest

from epicvc.merge.threeway import Direction
from epicvc.model.document import Core
from epicvc.model.labels import Label
from epicvc.model.mapping import BUILTIN
from epicvc.plan.epic import Outcome, Policy, plan_epic
from epicvc.plan.owned import Owned, core_at, core_only
from epicvc.plan.policies import decide_by_policy

CORE: Core = {"name": "Garden", "tasks": [{"id": "1.1", "title": "Dig"}, {"id": "1.2", "title": "Plant"}]}
WITHOUT: Core = {"name": "Garden", "tasks": [{"id": "1.2", "title": "Plant"}]}
OF_EPIC = Owned(epic=({"notes": "old"}, {"notes": "new"}))
OF_TASK = Owned(tasks={"1.1": ({"shelf": 1}, {"shelf": 2})})
DIRECTIONS = [Direction.BOTH, Direction.TO_OURS, Direction.TO_THEIRS]


def _plan(files: Core | None, db: Core | None, own: Owned | None, direction: Direction = Direction.BOTH) -> Outcome:
    both = (own, None) if files == CORE else (None, own)
    return plan_epic(BUILTIN, Policy(direction), "1", CORE, files, db, own=both)


def test_members_stand_beside_the_core() -> None:
    own = Owned(({"notes": "old"}, {}), {"1.1": ({}, {"shelf": 2}), "1.9": ({}, {"shelf": 3})})
    assert own.beside_base(CORE) == {**CORE, "notes": "old"}
    tasks: Any = (own.beside(CORE) or {})["tasks"]
    assert tasks == [{"id": "1.1", "title": "Dig", "shelf": 2}, {"id": "1.2", "title": "Plant"}]
    assert (own.beside(None), own.beside_base(None)) == (None, None)
    assert own.beside({"name": "no tasks"}) == {"name": "no tasks"}
    assert core_only(own.beside_base(CORE), BUILTIN) == core_only(own.beside(CORE), BUILTIN) == CORE
    assert core_only(None, BUILTIN) is None


@pytest.mark.parametrize(
    ("label", "value", "core"),
    [
        (Label("1"), {"name": "a", "notes": "b"}, {"name": "a"}),
        (Label("1", ("tasks", "1.1")), {"id": "1.1", "title": "a", "shelf": 2}, {"id": "1.1", "title": "a"}),
        (Label("1", ("quality_gates",)), {"shelf": 2}, {"shelf": 2}),
        (Label("1", ("tasks", "1.1", "title")), "a", "a"),
        (Label("t", ("1",), table=True), {"shelf": 2}, {"shelf": 2}),
    ],
)
def test_the_core_of_a_value(label: Label, value: Any, core: Any) -> None:
    assert core_at(label, value, BUILTIN) == core


@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("own", [OF_EPIC, OF_TASK])
@pytest.mark.parametrize("side", ["files", "db"])
def test_an_epic_deleted_on_one_side(side: str, own: Owned, direction: Direction) -> None:
    files, db = (None, CORE) if side == "files" else (CORE, None)
    outcome = _plan(files, db, own, direction)
    assert [str(conflict.label) for conflict in outcome.conflicts] == ["1"]
    assert (outcome.files, outcome.db, outcome.base) == (files, db, CORE)
    assert not outcome.changes_anything
    without = _plan(files, db, None)
    assert (without.files, without.db, without.conflicts) == (None, None, ())


@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("side", ["files", "db"])
def test_a_task_deleted_on_one_side(side: str, direction: Direction) -> None:
    files, db = (WITHOUT, CORE) if side == "files" else (CORE, WITHOUT)
    (conflict,) = _plan(files, db, OF_TASK, direction).conflicts
    assert str(conflict.label) == "1:tasks/1.1"
    present = conflict.theirs if side == "files" else conflict.ours
    assert (conflict.base, present) == (
        {"id": "1.1", "title": "Dig", "shelf": 1},
        {"id": "1.1", "title": "Dig", "shelf": 2},
    )
    assert _plan(files, db, None).conflicts == ()


@pytest.mark.parametrize("policy", ["json_wins", "database_wins"])
@pytest.mark.parametrize("own", [OF_EPIC, OF_TASK])
def test_nothing_of_it_stays_in_an_outcome(own: Owned, policy: str) -> None:
    kept = CORE if policy == "json_wins" else None
    found = plan_epic(BUILTIN, Policy(decide=decide_by_policy(policy)), "1", CORE, CORE, None, own=(own, None))
    assert (found.files, found.db, found.base) == (kept, kept, kept)
    assert (found.conflicts, len(found.decided)) == ((), 1)
