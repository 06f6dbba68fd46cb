"""Planning by example: the cases of the design's table of merges, as outcomes for files, db and base."""

from __future__ import annotations

from typing import cast

import pytest

from epicvc.base.jsonio import JSON
from epicvc.merge.threeway import ABSENT, Chosen, Conflict, Direction
from epicvc.model.document import UNAGREED, Core
from epicvc.model.labels import Selection, parse_label
from epicvc.model.mapping import BUILTIN
from epicvc.plan.epic import Outcome, Policy, decide_labels, plan_epic
from epicvc.plan.policies import POLICIES, decide_by_policy


def plan(base: Core | None, files: Core | None, db: Core | None, policy: Policy | None = None) -> Outcome:
    return plan_epic(BUILTIN, policy or Policy(), "5", base, files, db)


def tasks(*keys: str, **fields: JSON) -> Core:
    return {"tasks": [{"id": key, **fields} for key in keys]}


def order(core: Core | None) -> str:
    return "".join(str(task["id"]) for task in cast("list[Core]", (core or {}).get("tasks") or []))


def conflicts(outcome: Outcome) -> list[str]:
    return [str(conflict.label) for conflict in outcome.conflicts]


def changes(outcome: Outcome) -> tuple[list[str], list[str]]:
    return [str(c.label) for c in outcome.to_files], [str(c.label) for c in outcome.to_db]


# Delete and modify


def test_deleted_here_unchanged_there_is_deleted() -> None:
    outcome = plan({"name": "a"}, None, {"name": "a"})
    assert (outcome.files, outcome.db, outcome.base) == (None, None, None)
    assert changes(outcome) == ([], ["5"]) and outcome.moves_base
    outcome = plan(tasks("1", "2", title="a"), tasks("1", "2", title="a"), tasks("1", title="a"))
    assert order(outcome.files) == order(outcome.base) == "1"


def test_deleted_here_modified_there_is_one_conflict() -> None:
    base: Core = {"name": "a", "summary": "a", **tasks("1", title="a")}
    db: Core = {"name": "b", "summary": "b", **tasks("1", title="b")}
    outcome = plan(base, None, db)
    assert conflicts(outcome) == ["5"] and not outcome.changes_anything
    assert (outcome.conflicts[0].base, outcome.conflicts[0].ours) == (base, ABSENT)
    task = plan(tasks("1", "2", title="a"), tasks("2", title="a"), tasks("1", "2", title="b", story_points=1))
    assert conflicts(task) == ["5:tasks/1"]
    assert order(task.files) == "2" and order(task.db) == order(task.base) == "12"


def test_deleted_on_both_sides_leaves_the_base() -> None:
    outcome = plan({"name": "a"}, None, None)
    assert outcome.base is None and outcome.moves_base and not outcome.to_files and not outcome.to_db


def test_a_deletion_never_forgets_what_was_not_agreed_on() -> None:
    """A default in the database that conflicts still counts after the files delete the task."""
    first = plan(None, tasks("1", story_points=5), tasks("1", story_points=0))
    assert cast("Core", first.base)[UNAGREED] == ["tasks/1/story_points"]
    second = plan(first.base, {}, first.db)
    assert conflicts(second) == ["5:tasks/1"]
    assert cast("Core", second.base)[UNAGREED] == ["tasks/1/story_points"]


# Both add


def test_the_first_sync_agrees_on_equals_adds_the_rest_and_asks_about_differences() -> None:
    files: Core = {"name": "a", "summary": "f", "goals": ["x"], **tasks("1", title="f", tdd_phase="red")}
    db: Core = {"name": "a", "summary": "d", "methodology": "m", **tasks("1", title="d", risk="r")}
    outcome = plan(None, files, db)
    assert conflicts(outcome) == ["5:summary", "5:tasks/1/title"]
    assert outcome.base == {
        "name": "a",
        "goals": ["x"],
        "methodology": "m",
        "tasks": [{"id": "1", "tdd_phase": "red", "risk": "r"}],
        UNAGREED: ["summary", "tasks/1/title"],
    }
    assert changes(outcome) == (["5:methodology", "5:tasks/1/risk"], ["5:goals", "5:tasks/1/tdd_phase"])


def test_sets_that_were_never_agreed_on_conflict() -> None:
    files: Core = {"labels": ["a", "b"], **tasks("1", dependencies=["2"])}
    db: Core = {"labels": ["b", "c"], **tasks("1", dependencies=["3"])}
    outcome = plan(None, files, db)
    assert conflicts(outcome) == ["5:labels", "5:tasks/1/dependencies"]
    assert conflicts(plan(outcome.base, outcome.files, outcome.db)) == conflicts(outcome)
    decided = plan(outcome.base, files, db, Policy(decide=decide_by_policy("json_wins")))
    assert decided.db == files and decided.base == files


def test_sets_that_both_add_where_there_was_none_are_joined() -> None:
    outcome = plan(tasks("1"), tasks("1", dependencies=["3"], priority_tags=["a"]), tasks("1", dependencies=["2"]))
    assert outcome.db == outcome.files == tasks("1", dependencies=["2", "3"], priority_tags=["a"])
    labels = plan({}, {"labels": ["a"]}, {"labels": ["b"]})
    assert not labels.conflicts and labels.db == {"labels": ["a", "b"]}


# Sets


@pytest.mark.parametrize(
    ("base", "files", "db", "merged"),
    [
        (["1", "2"], ["1"], ["2"], None),
        (["1", "2"], None, ["1", "2", "3"], ["3"]),
        (["1"], ["1", "3"], ["1", "2"], ["1", "2", "3"]),
        (["1"], None, ["1"], None),
    ],
)
def test_dependencies_are_merged_as_a_set_of_rows(base: JSON, files: JSON, db: JSON, merged: JSON) -> None:
    cores = [tasks("1", **({"dependencies": links} if links else {})) for links in (base, files, db, merged)]
    outcome = plan(cores[0], cores[1], cores[2])
    assert not outcome.conflicts
    assert outcome.files == outcome.db == outcome.base == cores[3]


def test_labels_keep_the_order_of_the_file_and_may_end_empty() -> None:
    outcome = plan({"labels": ["a", "b"]}, {"labels": ["c", "b", "a"]}, {"labels": ["d", "a"]})
    assert outcome.files == outcome.db == {"labels": ["c", "d", "a"]}
    assert plan({"labels": ["a", "b"]}, {"labels": ["a"]}, {"labels": ["b"]}).files == {"labels": []}


def test_labels_deleted_here_and_changed_there_conflict() -> None:
    assert conflicts(plan({"labels": ["a"]}, {}, {"labels": ["a", "b"]})) == ["5:labels"]


# Order


@pytest.mark.parametrize(
    ("base", "files", "db", "merged"),
    [
        ("123", "312", "123", "312"),
        ("123", "123", "231", "231"),
        ("123", "321", "321", "321"),
        ("123", "1a23", "12b3", "1a2b3"),
        ("123", "a123", "123b", "a123b"),
        ("123", "312", "12x3", "312x"),
        ("123", "1x23", "321", "321x"),
        ("123", "13", "132", "13"),
        ("12", "1ab2", "12", "1ab2"),
    ],
)
def test_orders_that_merge(base: str, files: str, db: str, merged: str) -> None:
    outcome = plan(tasks(*base), tasks(*files), tasks(*db))
    assert not outcome.conflicts
    assert order(outcome.files) == order(outcome.db) == order(outcome.base) == merged


@pytest.mark.parametrize(
    ("base", "files", "db"), [("123", "213", "132"), ("12", "1x2", "12x"), ("", "12", "21"), ("123", "31x2", "2x13")]
)
def test_orders_that_do_not_merge_are_one_conflict(base: str, files: str, db: str) -> None:
    outcome = plan(tasks(*base) if base else {}, tasks(*files), tasks(*db))
    assert conflicts(outcome) == ["5:tasks"]
    assert (order(outcome.files), order(outcome.db)) == (files, db)
    second = plan(outcome.base, outcome.files, outcome.db)
    assert second.conflicts == outcome.conflicts and not second.changes_anything
    for name, wanted in (("json_wins", files), ("database_wins", db)):
        decided = plan(outcome.base, outcome.files, outcome.db, Policy(decide=decide_by_policy(name)))
        assert order(decided.files) == order(decided.db) == order(decided.base) == wanted
        assert not decided.conflicts and UNAGREED not in cast("Core", decided.base)


@pytest.mark.parametrize(
    ("chosen", "merged"),
    [(["2", "1"], "213"), ([3, 2, 3, None, {}, 1], "321"), (ABSENT, "132"), ("nonsense", "132"), (["9"], "132")],
)
def test_a_chosen_order_may_be_incomplete_or_nonsense(chosen: object, merged: str) -> None:
    policy = Policy(decide=lambda _: Chosen(cast("JSON", chosen)))
    outcome = plan(tasks(*"123"), tasks(*"213"), tasks(*"132"), policy)
    assert order(outcome.files) == order(outcome.db) == order(outcome.base) == merged


def test_an_addition_during_a_conflict_of_order_arrives() -> None:
    outcome = plan(tasks(*"123"), tasks(*"21a3"), tasks(*"132"))
    assert conflicts(outcome) == ["5:tasks"]
    assert order(outcome.files) == "21a3" and order(outcome.db) == "1a32"


# Objects


@pytest.mark.parametrize(
    ("base", "files", "db", "merged"),
    [
        ({"a": 1, "b": 1}, {"a": 2, "b": 1}, {"a": 1, "b": 2}, {"a": 2, "b": 2}),
        ({"a": 1}, {}, {"a": 1, "b": 1}, {"b": 1}),
        ({"a": {"x": 1}}, {"a": {"x": 1, "y": 1}}, {"a": {"x": 2}}, {"a": {"x": 2, "y": 1}}),
        (None, {"a": 1}, {"b": 1}, {"a": 1, "b": 1}),
        ({"a": 1}, "x", {"a": 1}, "x"),
        ({"a": None}, {"b": 1}, {}, {"b": 1}),
    ],
)
def test_objects_are_merged_by_key(base: JSON, files: JSON, db: JSON, merged: JSON) -> None:
    outcome = plan({"quality_gates": base} if base else {}, {"quality_gates": files}, {"quality_gates": db})
    assert not outcome.conflicts
    assert outcome.files == outcome.db == outcome.base == {"quality_gates": merged}


@pytest.mark.parametrize(
    ("base", "files", "db", "label"),
    [
        ({"a": 1}, {"a": 2}, {"a": 3}, "5:quality_gates/a"),
        ({"a": {"x": 1}}, {"a": []}, {"a": {"x": 2}}, "5:quality_gates/a"),
        ({"a": {"x": 1}}, {}, {"a": {"x": 2}}, "5:quality_gates/a"),
        ({"a": 1}, "x", {"a": 2}, "5:quality_gates"),
        ("x", {"a": 1}, {"b": 1}, "5:quality_gates"),
    ],
)
def test_objects_conflict_as_deep_as_they_can(base: JSON, files: JSON, db: JSON, label: str) -> None:
    outcome = plan({"quality_gates": base}, {"quality_gates": files}, {"quality_gates": db})
    assert conflicts(outcome) == [label]
    assert not outcome.changes_anything


# Directions and selections


def test_pull_takes_and_push_gives() -> None:
    base: Core = {"name": "a", "summary": "a"}
    cores: tuple[Core, Core] = {"name": "f", "summary": "a"}, {"name": "a", "summary": "d"}
    pull = plan(base, *cores, Policy(Direction.TO_OURS))
    assert pull.files == {"name": "f", "summary": "d"} and pull.db == cores[1] and pull.base == cores[1]
    push = plan(base, *cores, Policy(Direction.TO_THEIRS))
    assert push.db == {"name": "f", "summary": "d"} and push.files == cores[0] and push.base == cores[0]


def selected(*labels: str) -> Policy:
    return Policy(selection=Selection.of(labels))


def test_one_field_of_one_task() -> None:
    base, files = tasks("1", "2", title="a", risk="a"), tasks("2", "1", title="f", risk="f")
    outcome = plan(base, files, base, selected("5:tasks/2/title"))
    assert changes(outcome) == ([], ["5:tasks/2/title"])
    assert order(outcome.db) == order(outcome.base) == "12"


def test_a_new_task_alone_stands_after_its_predecessor() -> None:
    outcome = plan(tasks(*"12"), tasks(*"21x"), tasks(*"12"), selected("5:tasks/x"))
    assert changes(outcome) == ([], ["5:tasks/x"])
    assert order(outcome.db) == "1x2"
    assert order(plan(outcome.base, outcome.files, outcome.db).db) == "21x"


def test_a_selection_that_settles_nothing_makes_no_base() -> None:
    outcome = plan(None, {"name": "a"}, {"name": "b"}, selected("5:tasks/9", "5:goals"))
    assert outcome.base is None and not outcome.changes_anything
    task = plan({}, tasks("1", title="a"), tasks("1", title="b"), selected("5:tasks/1/risk"))
    assert task.base == {} and not task.changes_anything


def test_a_selected_conflict_is_decided_and_the_others_stay() -> None:
    base, files, db = ({"name": value, "summary": value} for value in "abc")
    policy = Policy(selection=Selection.of(["5:name"]), decide=decide_by_policy("database_wins"))
    outcome = plan(cast("Core", base), cast("Core", files), cast("Core", db), policy)
    assert outcome.files == {"name": "c", "summary": "b"} and outcome.db == db
    assert outcome.base == {"name": "c", "summary": "a"}


# Decisions

CONFLICT = Conflict(parse_label("5:tasks/1/title"), "b", "o", "t")


def test_policies_by_name() -> None:
    assert [decide_by_policy(name)(CONFLICT) for name in POLICIES] == [None, Chosen("o"), Chosen("t"), None]
    with pytest.raises(ValueError, match="'newest' is none of manual, json_wins, database_wins, newest_wins"):
        decide_by_policy("newest")


def test_the_first_label_that_covers_a_conflict_decides_it() -> None:
    decide = decide_labels(
        [
            (parse_label("5:name"), lambda _: Chosen(1)),
            (parse_label("5:tasks/1"), lambda conflict: Chosen(conflict.base)),
            (parse_label("5"), lambda _: Chosen(3)),
        ]
    )
    assert decide(CONFLICT) == Chosen("b")
    other = Conflict(parse_label("5:tasks"), ABSENT, [], [])
    assert decide(other) == Chosen(3)
    assert decide(Conflict(parse_label("6"), ABSENT, 1, 2)) is None
    assert decide_labels([], decide_by_policy("json_wins"))(CONFLICT) == Chosen("o")


def test_a_decision_may_remove_a_field() -> None:
    outcome = plan({"name": "a"}, {"name": "b"}, {"name": "c"}, Policy(decide=lambda _: Chosen(ABSENT)))
    assert outcome.files == outcome.db == outcome.base == {}
    assert changes(outcome) == (["5:name"], ["5:name"])
