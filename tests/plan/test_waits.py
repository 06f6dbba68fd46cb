"""What waits while a side cannot be read whole."""

from __future__ import annotations

from typing import Any

import pytest

from epicvc.merge.threeway import Direction
from epicvc.merge.versions import Versions
from epicvc.model.labels import Label
from epicvc.model.mapping import BUILTIN
from epicvc.plan.epic import Policy, plan_epic
from epicvc.plan.moves.moves import Moved, Moves
from epicvc.plan.waits import Unseen, Waits, waits

NOTHING: frozenset[str] = frozenset()
CLEAR = Unseen(blind=False, tasks=NOTHING, brought=NOTHING, may_have=lambda _: False, alone=True)
BLIND = Unseen(blind=True, tasks=NOTHING, brought=NOTHING, may_have=lambda _: False, alone=True)


def seeing(*tasks: str, brought: frozenset[str] = NOTHING) -> Unseen:
    """A side that can be read whole but for an epic that waits, with these tasks."""
    return Unseen(blind=False, tasks=frozenset(tasks), brought=brought, may_have=lambda _: False, alone=True)


CAME = seeing("b", brought=frozenset("b"))


def core(*tasks: str, **fields: Any) -> dict[str, Any]:
    """An epic with these tasks."""
    return {"name": "n", **fields, "tasks": [{"id": key, "title": key} for key in tasks]}


def task(key: str) -> Label:
    return Label("1", ("tasks", key))


ALL, TO_DB, TO_FILES = Direction.BOTH, Direction.TO_THEIRS, Direction.TO_OURS


@pytest.mark.parametrize(
    ("base", "files", "db", "files_seen", "db_seen", "expected"),
    [
        (core("a"), None, core("a"), CLEAR, CLEAR, []),
        (core("a"), None, core("a"), BLIND, CLEAR, [(Label("1"), TO_DB)]),
        (core("a"), None, core("a"), CLEAR, BLIND, []),
        (core("a"), core("a"), None, CLEAR, BLIND, [(Label("1"), TO_FILES)]),
        (core("a"), core("a"), None, BLIND, CLEAR, []),
        (core("a"), None, None, BLIND, CLEAR, [(Label("1"), ALL)]),
        (core("a"), None, None, CLEAR, BLIND, [(Label("1"), ALL)]),
        (core("a"), None, None, CLEAR, CLEAR, []),
        (core("a"), core("a"), None, CLEAR, seeing("a", brought=frozenset("a")), [(Label("1"), TO_FILES)]),
        (core("a"), core("a"), None, CLEAR, seeing("a"), []),
        (None, core("a"), None, BLIND, BLIND, []),
        (None, core("a"), None, CLEAR, seeing("a"), [(Label("1"), TO_DB)]),
        (None, None, core("a"), BLIND, BLIND, []),
        (core("a", "b"), core("a"), core("a", "b"), BLIND, CLEAR, [(task("b"), TO_DB)]),
        (core("a", "b"), core("a", "b"), core("a"), BLIND, CLEAR, []),
        (core("a", "b"), core("a", "b"), core("a"), CLEAR, BLIND, [(task("b"), TO_FILES)]),
        (core("a", "b"), core("a"), core("a"), CLEAR, BLIND, [(task("b"), ALL)]),
        (
            core("a", "b"),
            core("a", "b"),
            core("a"),
            CLEAR,
            seeing("b", brought=frozenset("b")),
            [(task("b"), TO_FILES)],
        ),
        (core("a"), core("a", "b"), core("a"), CLEAR, seeing("b"), [(task("b"), TO_DB)]),
        (core("a"), core("a", "b"), core("a"), BLIND, BLIND, []),
    ],
)
def test_what_waits(
    base: Any, files: Any, db: Any, files_seen: Unseen, db_seen: Unseen, expected: list[tuple[Label, Direction]]
) -> None:
    found = waits("1", base, files, db, Moves(), (files_seen, db_seen))
    assert found == tuple(Waits(*place) for place in expected)
    outcome = plan_epic(BUILTIN, Policy(), "1", base, files, db, waiting=found)
    for label, _ in expected:
        for before, after in ((base, outcome.base), (files, outcome.files), (db, outcome.db)):
            assert _at(after, label) == _at(before, label)
    assert not outcome.conflicts


def _at(value: Any, label: Label) -> Any:
    if value is None or not label.path:
        return value
    return next((item for item in value["tasks"] if item["id"] == label.path[1]), None)


def test_an_epic_that_may_be_in_a_file_is_not_made_again() -> None:
    files = Unseen(blind=True, tasks=NOTHING, brought=NOTHING, may_have="1".__eq__, alone=True)
    assert waits("1", None, None, core("a"), Moves(), (files, CLEAR)) == (Waits(Label("1"), TO_FILES),)
    assert waits("2", None, None, core("a"), Moves(), (files, CLEAR)) == ()


def test_a_task_that_is_elsewhere_has_not_gone() -> None:
    item = Moved(Versions(("1", "b"), ("2", "b"), ("1", "b")), Versions({}, {}, {}))
    found = waits("1", core("a", "b"), core("a"), core("a", "b"), Moves([item]), (BLIND, CLEAR))
    assert found == ()


def test_what_waits_is_no_conflict_and_everything_else_is_merged() -> None:
    """Deleted in the files, edited in the database: that is asked once the files can be read."""
    base, files, db = core("a", "b"), core("a", name="files"), core("a", "b", summary="db")
    db["tasks"][1]["title"] = "edited"
    waiting = waits("1", base, files, db, Moves(), (BLIND, CLEAR))
    outcome = plan_epic(BUILTIN, Policy(), "1", base, files, db, waiting=waiting)
    assert (outcome.conflicts, outcome.waits) == ((), (Waits(task("b"), TO_DB),))
    assert outcome.files == {**core("a", name="files"), "summary": "db"}
    assert outcome.db is not None
    assert (outcome.db["name"], outcome.db["summary"], outcome.db["tasks"]) == ("files", "db", db["tasks"])
    assert outcome.base is not None
    assert _at(outcome.base, task("b")) == _at(base, task("b"))
