"""Tasks in another place than before: moved to another epic, or under another id."""

from __future__ import annotations

from typing import cast

import pytest
from support.plans import State, states

from epicvc.base.jsonio import JSON
from epicvc.merge.threeway import ABSENT, Decide, Direction, preferring, undecided
from epicvc.merge.versions import Versions
from epicvc.model.document import Core, same_core, tasks_of
from epicvc.model.mapping import BUILTIN
from epicvc.plan.epic import Outcome, Policy, plan_epic
from epicvc.plan.moves.findmoves import Places, find_moves

LINKS = "dependencies"


def task(key: str, title: str = "", **fields: JSON) -> Core:
    return {"id": key, "title": title or f"task {key}", **fields}


def epic(*tasks: Core, **fields: JSON) -> Core:
    return {"name": "n", **fields, **({"tasks": cast("JSON", list(tasks))} if tasks else {})}


def plan(
    base: State,
    files: State,
    db: State,
    direction: Direction = Direction.BOTH,
    *,
    unique: bool = True,
    decide: Decide = undecided,
) -> dict[str, Outcome]:
    epics = sorted({*base, *files, *db})
    cores = {name: (base.get(name), files.get(name), db.get(name)) for name in epics}
    places = [found for name in epics if (found := Places.of(name, Versions(*cores[name]))) is not None]
    moves = find_moves(places, cores.__getitem__, LINKS, unique=unique)
    policy = Policy(direction, moves=moves, decide=decide)
    return {name: plan_epic(BUILTIN, policy, name, *cores[name]) for name in epics}


def decided(base: State, files: State, db: State, whose: str, *, unique: bool = True) -> dict[str, Outcome]:
    """The plan where every conflict takes one version's value."""
    return plan(base, files, db, unique=unique, decide=preferring(whose))


def settled(base: State, files: State, db: State, whose: str, expected: State, *, unique: bool = True) -> bool:
    """Whether an answer brings all three to a state, and nothing is left to do or to ask."""
    outcomes = decided(base, files, db, whose, unique=unique)
    reached = all(same(side, expected) for side in states(outcomes))
    again = plan(*states(outcomes), unique=unique)
    return reached and not conflicts(outcomes) and not any(o.changes_anything or o.conflicts for o in again.values())


def conflicts(outcomes: dict[str, Outcome]) -> list[str]:
    return [str(conflict.label) for outcome in outcomes.values() for conflict in outcome.conflicts]


def same(one: State, other: State) -> bool:
    return one.keys() == other.keys() and all(same_core(one[name], other[name]) for name in one)


BASE: State = {"1": epic(task("a", risk="r"), task("b")), "2": epic(task("c"))}
MOVED: State = {"1": epic(task("b")), "2": epic(task("c"), task("a", risk="r"))}
EDITED: State = {"1": epic(task("a", risk="changed"), task("b")), "2": epic(task("c"))}
BOTH: State = {"1": epic(task("b")), "2": epic(task("c"), task("a", risk="changed"))}


@pytest.mark.parametrize("swap", [False, True])
def test_moved_here_and_edited_there_merges(swap: bool) -> None:
    outcomes = plan(BASE, EDITED, MOVED) if swap else plan(BASE, MOVED, EDITED)
    assert not conflicts(outcomes)
    for side in states(outcomes):
        assert same(side, BOTH)


@pytest.mark.parametrize("whose", ["ours", "theirs", "base"])
@pytest.mark.parametrize("swap", [False, True])
def test_moved_and_rewritten_here_and_deleted_there_asks(swap: bool, whose: str) -> None:
    """Ids are the epics' own, and the task says nothing that it said. With what is deleted nothing can be mixed."""
    moved: State = {"1": epic(task("b")), "2": epic(task("c"), task("a", "all new", mitigation="m"))}
    deleted: State = {"1": epic(task("b")), "2": epic(task("c"))}
    sides = (deleted, moved) if swap else (moved, deleted)
    assert conflicts(plan(BASE, *sides, unique=False)) == ["1:tasks/a"]
    wanted = {"ours": sides[0], "theirs": sides[1], "base": BASE}[whose]
    assert settled(BASE, *sides, whose, wanted, unique=False)


def test_two_tasks_of_one_id_are_not_mixed_where_the_other_side_edited_one() -> None:
    added: State = {"1": epic(task("b")), "2": epic(task("c"), task("a", "all new", mitigation="m"))}
    assert conflicts(plan(BASE, added, EDITED, unique=False)) == ["1:tasks/a"]


def test_a_move_alone_is_a_move() -> None:
    for outcomes in (plan(BASE, MOVED, BASE), plan(BASE, BASE, MOVED), plan(BASE, MOVED, MOVED)):
        assert not conflicts(outcomes)
        for side in states(outcomes):
            assert same(side, MOVED)


@pytest.mark.parametrize("swap", [False, True])
def test_where_the_move_may_not_flow_the_edit_still_does(swap: bool) -> None:
    """A pull of an edit of a task that the files moved, and a push the other way round."""
    direction = Direction.TO_THEIRS if swap else Direction.TO_OURS
    sides = (EDITED, MOVED) if swap else (MOVED, EDITED)
    outcomes = plan(BASE, *sides, direction)
    assert not conflicts(outcomes)
    base, files, db = states(outcomes)
    leading, lagging = (db, files) if swap else (files, db)
    assert same(leading, BOTH) and same(lagging, EDITED) and same(base, EDITED)
    again = plan(base, files, db, direction)
    assert not any(outcome.changes_anything for outcome in again.values())
    whole = plan(base, files, db)
    assert not conflicts(whole)
    for side in states(whole):
        assert same(side, BOTH)


def test_an_edit_on_both_sides_of_a_move_conflicts_where_the_task_is_now() -> None:
    files: State = {"1": epic(task("b")), "2": epic(task("c"), task("a", risk="files", mitigation="m"))}
    outcomes = plan(BASE, files, EDITED)
    assert conflicts(outcomes) == ["2:tasks/a/risk"]
    base, ours, theirs = states(outcomes)
    assert [found["id"] for found in tasks_of(theirs["2"])] == ["c", "a"] and len(tasks_of(theirs["1"])) == 1
    second = plan(base, ours, theirs)
    assert conflicts(second) == ["2:tasks/a/risk"]
    assert not any(outcome.changes_anything for outcome in second.values())


def test_moved_here_and_deleted_there_is_one_conflict_at_the_task() -> None:
    deleted: State = {"1": epic(task("b")), "2": epic(task("c"))}
    for moved in (MOVED, BOTH):
        for outcomes in (plan(BASE, moved, deleted), plan(BASE, deleted, moved)):
            assert conflicts(outcomes) == ["1:tasks/a"]
            assert not any(outcome.changes_anything for outcome in outcomes.values())
        (found,) = plan(BASE, moved, deleted)["1"].conflicts
        assert (found.base, found.ours, found.theirs) == ("1:tasks/a", "2:tasks/a", ABSENT)
        for whose, expected in (("ours", moved), ("theirs", deleted), ("base", BASE)):
            assert settled(BASE, moved, deleted, whose, expected)


THREE: State = {**BASE, "3": epic(task("d"))}
TO_TWO: State = {"1": epic(task("b")), "2": epic(task("c"), task("a", risk="r")), "3": epic(task("d"))}
TO_THREE: State = {"1": epic(task("b")), "2": epic(task("c")), "3": epic(task("a", risk="r"), task("d"))}


@pytest.mark.parametrize("unique", [True, False])
def test_moved_to_two_places_is_one_conflict_that_names_both(unique: bool) -> None:
    outcomes = plan(THREE, TO_TWO, TO_THREE, unique=unique)
    assert conflicts(outcomes) == ["1:tasks/a"]
    (found,) = outcomes["1"].conflicts
    assert (found.base, found.ours, found.theirs) == ("1:tasks/a", "2:tasks/a", "3:tasks/a")
    assert not any(outcome.changes_anything for outcome in outcomes.values())
    for whose, expected in (("ours", TO_TWO), ("theirs", TO_THREE), ("base", THREE)):
        assert settled(THREE, TO_TWO, TO_THREE, whose, expected, unique=unique)


def test_what_else_was_done_to_a_task_that_is_in_dispute_merges() -> None:
    files = {**TO_TWO, "2": epic(task("c"), task("a", risk="of the files"))}
    db = {**TO_THREE, "3": epic(task("a", risk="r", mitigation="of the database"), task("d"))}
    outcomes = plan(THREE, files, db)
    assert conflicts(outcomes) == ["1:tasks/a"]
    merged = task("a", risk="of the files", mitigation="of the database")
    base, ours, theirs = states(outcomes)
    assert tasks_of(base["1"])[0] == tasks_of(ours["2"])[1] == tasks_of(theirs["3"])[0] == merged
    assert not any(outcome.changes_anything for outcome in plan(base, ours, theirs).values())
    both = {**TO_TWO, "2": epic(task("c"), merged)}
    assert settled(THREE, files, db, "ours", both) and settled(base, ours, theirs, "ours", both)
    clash = {**TO_THREE, "3": epic(task("a", risk="of the database"), task("d"))}
    assert sorted(conflicts(plan(THREE, files, clash))) == ["1:tasks/a", "1:tasks/a/risk"]


def test_moved_into_a_new_epic() -> None:
    files: State = {"1": epic(task("b")), "2": epic(task("c")), "3": epic(task("a", risk="r"), summary="new")}
    outcomes = plan(BASE, files, EDITED)
    assert not conflicts(outcomes)
    expected = {**files, "3": epic(task("a", risk="changed"), summary="new")}
    for side in states(outcomes):
        assert same(side, expected)


def test_moved_out_of_an_epic_that_goes() -> None:
    files: State = {"2": epic(task("c"), task("a", risk="r"), task("b"))}
    outcomes = plan(BASE, files, EDITED)
    assert not conflicts(outcomes)
    for side in states(outcomes):
        assert same(side, {"2": epic(task("c"), task("a", risk="changed"), task("b"))})


def test_one_id_in_many_epics_is_not_one_task() -> None:
    base: State = {"1": epic(task("a", "one thing")), "2": epic(task("b"))}
    files: State = {"1": epic(), "2": epic(task("b"), task("a", "another thing"))}
    db: State = {"1": epic(task("a", "one thing", risk="r")), "2": epic(task("b"))}
    assert conflicts(plan(base, files, db, unique=False)) == ["1:tasks/a"]


# Other ids


def test_an_id_that_changed_is_found_by_content() -> None:
    base: State = {"1": epic(task("a", "Write it", risk="r"), task("b", dependencies=["a"]))}
    files: State = {"1": epic(task("x", "Write it", risk="r"), task("b", dependencies=["x"]))}
    db: State = {
        "1": epic(task("a", "Write it", risk="changed"), task("b", dependencies=["a"]), task("c", dependencies=["a"]))
    }
    outcomes = plan(base, files, db)
    assert not conflicts(outcomes)
    expected = epic(task("x", "Write it", risk="changed"), task("b", dependencies=["x"]), task("c", dependencies=["x"]))
    for side in states(outcomes):
        assert same(side, {"1": expected})


def test_dependencies_of_other_epics_follow() -> None:
    base: State = {"1": epic(task("a", "Write it")), "2": epic(task("b", dependencies=["a"]))}
    files: State = {"1": epic(task("x", "Write it")), "2": epic(task("b", dependencies=["a"]))}
    for side in states(plan(base, files, base)):
        assert tasks_of(side["2"]) == [task("b", dependencies=["x"])]
    for side in states(plan(base, files, base, unique=False)):
        assert tasks_of(side["2"]) == [task("b", dependencies=["a"])]


def test_where_there_is_doubt_no_id_has_changed() -> None:
    base: State = {"1": epic(task("a", "Same"), task("b", "Same"))}
    files: State = {"1": epic(task("x", "Same"), task("b", "Same"))}
    db: State = {"1": epic(task("a", "Same", risk="r"), task("b", "Same"))}
    assert not conflicts(plan(base, files, db))
    two: State = {"1": epic(task("x", "Same"), task("y", "Same"))}
    assert "1:tasks/a" in conflicts(plan(base, two, db))
    other: State = {"1": epic(task("x", "Different"), task("b", "Same"))}
    assert conflicts(plan(base, other, db)) == ["1:tasks/a"]


def test_what_both_sides_call_otherwise_alike() -> None:
    base: State = {"1": epic(task("a", "Write it", risk="r"))}
    files: State = {"1": epic(task("x", "Write it", risk="f"))}
    db: State = {"1": epic(task("x", "Write it", risk="r", mitigation="m"))}
    outcomes = plan(base, files, db)
    assert not conflicts(outcomes)
    for side in states(outcomes):
        assert same(side, {"1": epic(task("x", "Write it", risk="f", mitigation="m"))})
